//! The command line: its flags, by the rules of Go's flag library, and what the environment adds.

mod environment;
mod global;
mod help;
mod pflag;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::command::Command;
use crate::failure::Outcome;

pub(crate) use environment::Environment;
pub(crate) use global::{FLAGS, Global, GlobalFlag};
pub(crate) use pflag::{mistake, parse_words};

/// A client for etcd: reads, writes and watches keys, and looks after clusters.
#[derive(Debug, Parser)]
#[command(name = "etcdctl", disable_version_flag = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Global flags that the command line has.
    #[arg(skip)]
    pub(crate) given: Vec<GlobalFlag>,
    /// Whether the line ends with `--`.
    #[arg(skip)]
    pub(crate) ends_with_separator: bool,
}

/// What a command line asks for.
pub(crate) enum Parsed {
    /// This text, on standard output.
    Help(String),
    /// To run a command.
    Command(Box<Cli>),
}

/// The whole grammar, as completion scripts and manual pages need it too.
pub(crate) fn grammar() -> clap::Command {
    help::group_commands(pflag::adapt(Cli::command()))
}

/// The grammar whose commands print short help.
fn grammar_with_help() -> clap::Command {
    help::refer_to_globals(grammar())
}

/// Parses arguments, the program's name left out.
pub(crate) fn parse(arguments: &[OsString]) -> Outcome<Parsed> {
    let name = OsString::from("etcdctl");
    let words = std::iter::once(&name).chain(arguments);
    let matches = match grammar_with_help().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return pflag::explain(&error, arguments).map(Parsed::Help),
    };
    let mut cli = Cli::from_arg_matches(&matches).expect("the grammar is this struct's own");
    cli.given = GlobalFlag::given(&matches);
    cli.ends_with_separator = arguments.last().is_some_and(|last| last == "--");
    Ok(Parsed::Command(Box::new(cli)))
}

#[cfg(test)]
mod tests;
