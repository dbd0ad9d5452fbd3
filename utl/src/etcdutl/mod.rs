//! `etcdutl`: works on snapshots and on data directories of members that don't run.
//!
//! Names, flags, output and exit codes are etcd's; what it makes are directories of ours. Nothing
//! appears under its final name before it is complete, so it can be interrupted at any time.

mod args;
mod backup;
mod cluster;
mod defrag;
mod failure;
mod folder;
mod hash_kv;
mod helped;
mod output;
mod place;
mod restore;
mod source;
mod status;

use crate::progress::Progress;
use args::{Arguments, Command, SnapshotCommand};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use failure::Failure;
use output::Format;
use retcd_api::initial_cluster::Resolve;
use retcd_vfs::Vfs;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything went well.
const OK: u8 = 0;
/// The arguments don't parse.
const USAGE: u8 = 1;

/// What the program has around it.
pub struct Surroundings<'a> {
    /// The files.
    pub vfs: Arc<dyn Vfs>,
    /// For what was asked for.
    pub out: &'a mut dyn Write,
    /// For everything else.
    pub err: &'a mut dyn Write,
    /// Whether somebody watches `err`.
    pub shows_progress: bool,
    /// A folder for scratch files, which isn't there yet.
    pub scratch: PathBuf,
    /// Finds the addresses of hosts.
    pub resolve: Resolve<'a>,
    /// How logs are made.
    pub log: retcd_wal::Options,
}

impl Surroundings<'_> {
    fn progress(&mut self, what: &'static str, total_bytes: u64) -> Progress<'_> {
        let err: Option<&mut dyn Write> = match self.shows_progress {
            true => Some(&mut *self.err),
            false => None,
        };
        Progress::new(what, total_bytes, err)
    }

    /// Tells a person something; that nobody hears it is no reason to stop.
    fn tell(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.err, "{text}");
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
        Err(error) => return explain(&error, surroundings),
    };
    match execute(arguments, surroundings) {
        Ok(()) => OK,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => OK,
        Err(failure) => {
            surroundings.tell(format_args!("Error: {failure}"));
            failure.code()
        }
    }
}

fn execute(arguments: Arguments, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let format = || Format::parse(&arguments.write_out);
    match &arguments.command {
        Command::Snapshot { command: SnapshotCommand::Status(args) } => {
            let status = status::read(args.file()?, surroundings)?;
            status.print(format()?, surroundings.out)
        }
        Command::Snapshot { command: SnapshotCommand::Restore(args) } => {
            restore::run(args, surroundings)
        }
        Command::Defrag(args) => defrag::run(args.data_dir()?, surroundings),
        Command::Hashkv(args) => {
            let hash = hash_kv::read(args, surroundings)?;
            hash.print(format()?, surroundings.out)
        }
        Command::Backup(args) => backup::run(args, surroundings),
        Command::Migrate(_) => Err(Failure::NotHere(args::NO_MIGRATION)),
        Command::Version => {
            let version = retcd_api::ETCD_VERSION;
            let api: Vec<&str> = version.splitn(3, '.').take(2).collect();
            writeln!(surroundings.out, "etcdutl version: {version}")?;
            Ok(writeln!(surroundings.out, "API version: {}", api.join("."))?)
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            let mut command = Arguments::command();
            clap_complete::generate(shell.generator(), &mut command, "etcdutl", &mut script);
            Ok(surroundings.out.write_all(&script)?)
        }
    }
}

/// Prints help where it was asked for or nothing else was, or what is wrong with the arguments.
fn explain(error: &clap::Error, surroundings: &mut Surroundings<'_>) -> u8 {
    let text = error.render();
    let is_help =
        !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help {
        let _ = write!(surroundings.out, "{text}");
        return OK;
    }
    let text = text.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let _ = write!(surroundings.err, "Error: {text}");
    USAGE
}
