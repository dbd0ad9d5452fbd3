//! Pages of a program that has commands, from the grammar by which it reads its arguments.

use crate::{MANUAL, Page, SECTION, SOURCE, VERSION, prose};
use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;

/// What stands before the synopsis in help.
const USAGE: &str = "Usage: ";

/// Adds the pages of a program and of all its commands.
pub(crate) fn collect(program: Command, pages: &mut Vec<Page>) {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    collect_below(&program, &[], pages);
}

/// `parents` are the commands of which this one is a part, the program first.
fn collect_below(command: &Command, parents: &[&Command], pages: &mut Vec<Page>) {
    let text = render(command, parents).expect("memory takes all that is written");
    pages.push(Page { name: name(command).to_owned(), roff: prose::with_one_preamble(&text) });
    let parents = [parents, &[command]].concat();
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect_below(below, &parents, pages);
    }
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn render(command: &Command, parents: &[&Command]) -> io::Result<String> {
    let end = command.get_after_long_help().or(command.get_after_help());
    let end = end.map(ToString::to_string).unwrap_or_default();
    let (notes, examples) = split_examples(&end);
    let man = Man::new(shown(command, parents));
    let man = man.section(SECTION).date(VERSION).source(SOURCE).manual(MANUAL);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    let mut roff = Roff::default();
    if !notes.is_empty() {
        roff.control("PP", []);
        prose::write(&mut roff, notes);
    }
    if let Some(program) = parents.first().filter(|program| program.get_arguments().any(is_global))
    {
        let program = bold(name(program));
        roff.control("PP", []);
        roff.text([roman("The options of "), program, roman("(1) can be given, too.")]);
    }
    roff.to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::default();
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        prose::write(&mut roff, examples);
    }
    let others = prose::PROGRAMS.into_iter().filter(|program| *program != name(command));
    match parents.last() {
        Some(parent) => prose::write_references(&mut roff, [name(parent)]),
        None => prose::write_references(&mut roff, others),
    }
    roff.to_writer(&mut text)?;
    Ok(String::from_utf8(text).expect("what is written is text"))
}

fn is_global(flag: &Arg) -> bool {
    flag.is_global_set()
}

/// What a page shows of a command: usage as help has it, and options of the whole program on the
/// program's own page only.
fn shown(command: &Command, parents: &[&Command]) -> Command {
    let mut shown = command.clone().subcommand_help_heading("COMMANDS");
    if command.get_overridden_usage().is_none() {
        let usage = shown.render_usage().to_string();
        shown = shown.override_usage(usage.trim_start_matches(USAGE).to_owned());
    }
    let programs = parents.first().into_iter().flat_map(|program| program.get_arguments());
    let programs: Vec<_> = programs.filter(|flag| is_global(flag)).map(Arg::get_id).collect();
    shown.mut_args(|flag| {
        let is_hidden = flag.is_hide_set() || programs.contains(&flag.get_id());
        flag.hide(is_hidden)
    })
}

/// What stands before the examples, and the examples.
fn split_examples(text: &str) -> (&str, &str) {
    for heading in ["Examples:\n", "Example:\n"] {
        if let Some((notes, examples)) = text.split_once(heading) {
            return (notes.trim(), examples);
        }
    }
    (text.trim(), "")
}
