//! The rules of Go's flag library, on top of clap: what may be written where, and how mistakes are
//! called.
//!
//! - A flag may stand anywhere before `--`, and the last of several counts.
//! - `--flag VALUE` takes what follows it, even if that begins with a dash.
//! - A switch takes no value but with `=`: `--flag=false`.
//! - A command may be shortened as long as only one begins so.

use std::any::TypeId;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};

use crate::failure::{Failure, Outcome, code};
use crate::go::number;
use crate::go::quote;

/// Makes a grammar follow the rules.
pub(super) fn adapt(command: Command) -> Command {
    command
        .args_override_self(true)
        .infer_subcommands(true)
        .mut_args(adapt_flag)
        .mut_subcommands(adapt)
}

fn adapt_flag(flag: Arg) -> Arg {
    if flag.is_positional() {
        return flag;
    }
    if matches!(flag.get_action(), ArgAction::SetTrue) {
        let has_default = !flag.get_default_values().is_empty();
        let switch = flag
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(number::parse_bool)
            .value_name("BOOL")
            .hide_default_value(!has_default);
        return if has_default { switch } else { switch.default_value("false") };
    }
    let is_integer = flag.get_value_parser().type_id() == TypeId::of::<i64>();
    let flag = flag.allow_hyphen_values(true);
    if is_integer { flag.value_parser(|text: &str| number::parse_int(text, 0)) } else { flag }
}

/// Parses words of an input line by the rules, the command's name first.
pub(crate) fn parse_words<P: Parser>(words: Vec<OsString>) -> Result<P, clap::Error> {
    let matches = adapt(P::command()).no_binary_name(true).try_get_matches_from(words)?;
    P::from_arg_matches(&matches)
}

/// What to print for a line that couldn't be parsed, if it asks for help; otherwise what is wrong
/// with it.
pub(super) fn explain(error: &clap::Error, arguments: &[OsString]) -> Outcome<String> {
    let word = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Ok(error.render().to_string());
        }
        ErrorKind::MissingSubcommand => return Ok(super::help::of(&named_command(arguments))),
        ErrorKind::InvalidSubcommand => Some(context(error, ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => Some(context(error, ContextKind::InvalidArg)),
        _ => None,
    };
    if let Some(word) = word.filter(|word| !word.starts_with('-')) {
        return Err(unknown_command(word, arguments));
    }
    // The library says it, and then the program once more.
    let message = mistake(error, arguments);
    let text = format!("Error: {message}\n\nError: {message}\n");
    let usage = super::help::of(&named_command(arguments));
    Err(Failure::plain(code::ERROR, text).with_usage(usage))
}

/// What is wrong with a line, in the library's words.
pub(crate) fn mistake(error: &clap::Error, arguments: &[OsString]) -> String {
    let flag = context(error, ContextKind::InvalidArg);
    // In front of what the flag takes: `--rev <REVISION>`.
    let name = flag.split([' ', '[', '=']).next().unwrap_or(flag);
    let value = context(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with("--") => format!("unknown flag: {name}"),
        ErrorKind::UnknownArgument => unknown_letter(flag, arguments),
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {name}"),
        ErrorKind::ValueValidation => {
            let value = quote(value.as_bytes());
            let reason = std::error::Error::source(error);
            let reason = reason.map(ToString::to_string).unwrap_or_default();
            format!("invalid argument {value} for \"{name}\" flag: {reason}")
        }
        ErrorKind::InvalidUtf8 => "an argument that must be text isn't UTF-8".to_owned(),
        _ => error.render().to_string().trim_start_matches("error: ").trim_end().to_owned(),
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> &str {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text,
        _ => "",
    }
}

/// A letter that isn't a flag, in a word that begins with one dash.
fn unknown_letter(flag: &str, arguments: &[OsString]) -> String {
    let letter = flag.trim_start_matches('-').chars().next().unwrap_or('-');
    let has_letter =
        |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    let word = words.rfind(has_letter).unwrap_or(flag);
    format!("unknown shorthand flag: '{letter}' in {word}")
}

/// The deepest command that the arguments name, with its parents: `etcdctl lease grant`.
fn named_command(arguments: &[OsString]) -> String {
    let mut name = "etcdctl".to_owned();
    let grammar = super::grammar();
    let mut command = &grammar;
    for word in arguments.iter().filter_map(|word| word.to_str()) {
        if let Some(found) = command.find_subcommand(word) {
            command = found;
            name = format!("{name} {}", found.get_name());
        }
    }
    name
}

/// A word that isn't a command, and commands that may have been meant. The library says it, and
/// then the program once more.
fn unknown_command(word: &str, arguments: &[OsString]) -> Failure {
    let parent = named_command(arguments);
    let grammar = super::grammar();
    let mut command = &grammar;
    for name in parent.split(' ').skip(1) {
        command = command.find_subcommand(name).unwrap_or(command);
    }
    let mut similar: Vec<&str> = command
        .get_subcommands()
        .map(Command::get_name)
        .filter(|name| distance(word, name) <= 2 || name.starts_with(&word.to_lowercase()))
        .collect();
    similar.sort_unstable();
    let mut message = format!("Error: unknown command {} for \"{parent}\"", quote(word.as_bytes()));
    if !similar.is_empty() {
        message += "\n\nDid you mean this?\n";
        similar.iter().for_each(|name| message += &format!("\t{name}\n"));
    }
    Failure::plain(code::ERROR, format!("{message}\nRun '{parent} --help' for usage.\n{message}\n"))
}

/// How many characters have to be changed, put in or left out to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, character) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for column in 1..=other.len() {
            let replaced = diagonal + usize::from(other[column - 1] != character);
            diagonal = row[column];
            row[column] = replaced.min(row[column] + 1).min(row[column - 1] + 1);
        }
    }
    row[other.len()]
}
