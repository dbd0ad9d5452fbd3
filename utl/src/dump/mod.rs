//! `etcd-dump`: the offline inspector. It shows what is on disk and never changes it.

mod db;
mod wal;

use clap::{Parser, Subcommand};
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
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Db(db::Args),
    Wal(wal::Args),
}

/// Runs the program: `arguments` begin with its name. Returns the exit code.
///
/// A reader of `out` that goes away ends it without an error.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    vfs: &dyn Vfs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, out, err),
    };
    let failed = match &arguments.command {
        Command::Wal(args) => match wal::run(args, vfs, out) {
            Ok(true) => return WHOLE,
            Ok(false) => return FAILED,
            Err(wal::Error::Output(error)) if is_broken_pipe(&error) => return WHOLE,
            Err(error) => error.to_string(),
        },
        Command::Db(args) => match db::run(args, vfs, out) {
            Ok(true) => return WHOLE,
            Ok(false) => return FAILED,
            Err(db::Error::Output(error)) if is_broken_pipe(&error) => return WHOLE,
            Err(error) if error.is_usage() => {
                let _ = writeln!(err, "etcd-dump: {error}");
                return USAGE;
            }
            Err(error) => error.to_string(),
        },
    };
    // What was printed before it went wrong is to be seen, and nothing more can be done if nobody
    // hears it.
    let _ = out.flush();
    let _ = writeln!(err, "etcd-dump: {failed}");
    FAILED
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
