//! `etcd-dump meta`: which member a data directory is of, what raft must not forget, up to where
//! the state on disk goes, in which formats it lies, and who the members are.
//!
//! 1. [`Directory`] finds out whose it is.
//! 2. [`ours`] or [`etcds`] reads the log's ends and the state's small part, and prints [`line`]s.
//!
//! Nothing is changed and no lock is taken. Pairs aren't read; the log is.

mod etcds;
mod line;
mod ours;

use super::Surroundings;
use super::db::Error;
use super::db::output::Output;
use super::directory::{Directory, Kind};
use super::form::Form;
pub(super) use etcds::show_facts;
pub(super) use line::DirectoryLine;
use std::path::PathBuf;

/// Show what a data directory says of its member and its cluster
///
/// Member and cluster id, hard state (term, vote, commit), the log's first and last index, up to
/// which index the state on disk goes, formats, members and the cluster's version. DIR may be of
/// this server or of etcd itself, 3.4 or 3.5. Nothing is changed and no lock is taken.
///
/// Exit code: 0 whole, 1 damaged or unreadable, 2 wrong arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::dump) struct Args {
    /// A data directory
    dir: PathBuf,

    /// Where the log lies if it isn't in the data directory
    #[arg(long, value_name = "DIR")]
    wal_dir: Option<PathBuf>,

    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  etcd-dump meta default.etcd                     which member is this, and who are the others?
  etcd-dump meta default.etcd --wal-dir /fast/wal
  etcd-dump meta default.etcd --json | jq -r 'select(.type == \"member\") | .name'
  for dir in a.etcd b.etcd c.etcd; do             which of these goes furthest?
    etcd-dump meta $dir --json | jq -c 'select(.type == \"log\") | [.last_term, .last_index]'
  done";

/// Prints it. Says whether everything could be read.
pub(super) fn run(args: &Args, surroundings: &mut Surroundings<'_>) -> Result<bool, Error> {
    let directory = Directory::find(surroundings.vfs, &args.dir, args.wal_dir.as_deref())?;
    let vfs = surroundings.vfs;
    // Read before anything is printed: a progress line and the output would mix.
    let etcds = match directory.kind {
        Kind::Bbolt => {
            Some(etcds::Parts::read(vfs, &directory, &mut surroundings.progress("reading"))?)
        }
        _ => None,
    };
    let mut output = Output::new(args.form.format(), surroundings.out);
    output.print(&DirectoryLine::of(&directory))?;
    match etcds {
        Some(read) => read.show(&directory, &mut output)?,
        None => ours::show(vfs, &directory, &mut output)?,
    }
    output.finish()
}
