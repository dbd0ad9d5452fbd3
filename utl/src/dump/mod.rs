//! `etcd-dump`: the offline inspector. It shows what is on disk and never changes it.

mod check;
mod db;
mod directory;
mod etcds;
mod form;
mod meta;
mod snapshot;
mod wal;

use crate::progress::Progress;
use clap::{CommandFactory, Parser, Subcommand};
use retcd_vfs::Vfs;
use std::ffi::OsString;
use std::io::{self, Write};

/// Everything could be read, and a member would start.
const WHOLE: u8 = 0;
/// Something is damaged or can't be read.
const FAILED: u8 = 1;
/// The arguments are wrong.
const USAGE: u8 = 2;

/// Shows what a member has on disk, without a member, and never changes it
#[derive(Parser)]
#[command(name = "etcd-dump", version)]
#[command(after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  etcd-dump check default.etcd && etcd --data-dir default.etcd
  etcd-dump meta default.etcd
  etcd-dump snapshot backup.db
  etcd-dump wal default.etcd --summary
  etcd-dump db default.etcd --keys --prefix app/";

#[derive(Subcommand)]
enum Command {
    Check(check::Args),
    Db(db::Args),
    Meta(meta::Args),
    Snapshot(snapshot::Args),
    Wal(wal::Args),
}

/// What the program has around it.
pub struct Surroundings<'a> {
    /// The files.
    pub vfs: &'a dyn Vfs,
    /// For what was asked for.
    pub out: &'a mut dyn Write,
    /// For everything else.
    pub err: &'a mut dyn Write,
    /// Whether somebody watches `err`.
    pub shows_progress: bool,
}

impl Surroundings<'_> {
    /// Shows how far long work is; nobody knows how much there is to do.
    fn progress(&mut self, what: &'static str) -> Progress<'_> {
        let err: Option<&mut dyn Write> = match self.shows_progress {
            true => Some(&mut *self.err),
            false => None,
        };
        Progress::new(what, 0, err)
    }
}

/// Why a command printed nothing, or no more.
enum Failure {
    /// The reader went away.
    NobodyReads,
    /// The arguments are wrong.
    Usage(String),
    /// What went wrong.
    Failed(String),
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Failure {
        match error {
            db::Error::Output(error) if is_broken_pipe(&error) => Failure::NobodyReads,
            error if error.is_usage() => Failure::Usage(error.to_string()),
            error => Failure::Failed(error.to_string()),
        }
    }
}

impl From<wal::Error> for Failure {
    fn from(error: wal::Error) -> Failure {
        match error {
            wal::Error::Output(error) if is_broken_pipe(&error) => Failure::NobodyReads,
            error => Failure::Failed(error.to_string()),
        }
    }
}

/// What command lines may be, for manual pages.
pub fn grammar() -> clap::Command {
    Arguments::command()
}

/// Runs the program: `arguments` begin with its name. Returns the exit code.
///
/// A reader of the output that goes away ends it without an error.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &mut Surroundings<'_>,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, surroundings.out, surroundings.err),
    };
    let failure = match execute(&arguments.command, surroundings) {
        Ok(true) => return WHOLE,
        Ok(false) => return FAILED,
        Err(failure) => failure,
    };
    let (code, text) = match failure {
        Failure::NobodyReads => return WHOLE,
        Failure::Usage(text) => (USAGE, text),
        Failure::Failed(text) => (FAILED, text),
    };
    // What was printed before it went wrong is to be seen, and nothing more can be done if nobody
    // hears it.
    let _ = surroundings.out.flush();
    let _ = writeln!(surroundings.err, "etcd-dump: {text}");
    code
}

/// Says whether everything is well.
fn execute(command: &Command, surroundings: &mut Surroundings<'_>) -> Result<bool, Failure> {
    let vfs = surroundings.vfs;
    Ok(match command {
        Command::Check(args) => check::run(args, surroundings)?,
        Command::Db(args) => db::run(args, surroundings)?,
        Command::Meta(args) => meta::run(args, surroundings)?,
        Command::Snapshot(args) => snapshot::run(args, surroundings)?,
        Command::Wal(args) => wal::run(args, vfs, surroundings.out)?,
    })
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Prints help where it was asked for, or what is wrong with the arguments.
fn explain(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let text = error.render();
    let written = match error.use_stderr() {
        true => write!(err, "{text}"),
        false => write!(out, "{text}").and_then(|()| out.flush()),
    };
    match (error.use_stderr(), written) {
        (true, _) => USAGE,
        (false, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => FAILED,
        (false, _) => WHOLE,
    }
}
