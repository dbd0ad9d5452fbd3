//! `etcdctl`: the client of the command line.
//!
//! Its output, its exit codes and its texts are those of etcd 3.5.1's, byte for byte, because
//! scripts read them; where 3.6 added a flag, it is here too. What differs is listed in
//! `docs/etcdctl.md`.
//!
//! A command line takes this way: [`cli`] parses it by the rules of Go's flag library and adds what
//! the environment says; the command's file in [`command`] checks its arguments and asks [`app`]
//! for a session; [`client`] talks to the first endpoint that answers; [`output`] prints the
//! response in the format that was asked for. [`go`] has what Go's standard library does to
//! numbers, durations, quoted text and JSON.

mod app;
mod cli;
mod client;
mod command;
mod failure;
mod go;
mod interrupt;
mod output;
mod progress;
mod terminal;

use std::ffi::OsString;
use std::io::{self, Write};

/// What command lines may be, for manual pages.
pub fn grammar() -> clap::Command {
    cli::grammar()
}

/// Runs the command line `arguments`, the program's name left out, and returns its exit code.
/// Diagnostics are on standard error by then.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let result = cli::parse(&arguments).and_then(|parsed| match parsed {
        cli::Parsed::Help(text) => Ok(io::stdout().write_all(text.as_bytes())?),
        cli::Parsed::Command(cli) => app::run(*cli),
    });
    match result {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    }
}
