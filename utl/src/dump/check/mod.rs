//! `etcd-dump check`: is a data directory healthy, would a server start on it, and what would be
//! lost?
//!
//! 1. [`Directory`] finds out whose it is.
//! 2. [`ours`] or [`etcds`] reads log and database, all of both, as a start would and further, and
//!    adds what it finds to a [`Report`].
//! 3. [`room`] looks whether the disk has room for a start, and for what comes after it.
//! 4. The findings are printed, and what they come to.
//!
//! Nothing is changed and no lock is taken. Memory doesn't grow with the number of keys, but for
//! the indexes and filters of tables that are compared, some bytes for each key.

mod etcds;
mod ours;
mod report;
mod room;

use super::Surroundings;
use super::db::Error;
use super::db::output::Output;
use super::directory::{Directory, Kind};
use super::form::Form;
use crate::progress::Progress;
use report::{Finding, Report, Weight};
use retcd_vfs::Vfs;
use room::LogEnd;
use std::path::PathBuf;

/// Say whether a data directory is healthy, whether a server would start, and what would be lost
///
/// Reads the whole log and the whole database and checks what can be checked without a server:
/// checksums, order, what parts say of each other, what a start would be refused for, and whether
/// the disk has room. What other members know isn't checked. DIR may be of this server or of etcd
/// itself, 3.4 or 3.5. Nothing is changed and no lock is taken.
///
/// Exit code: 0 healthy, 1 not healthy or unreadable, 2 wrong arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::dump) struct Args {
    /// A data directory
    dir: PathBuf,

    /// Where the log lies if it isn't in the data directory
    #[arg(long, value_name = "DIR")]
    wal_dir: Option<PathBuf>,

    /// The engine that the server will be told to use; without it, the directory's own is right
    #[arg(long, value_name = "ENGINE", value_enum)]
    backend_engine: Option<EngineName>,

    #[command(flatten)]
    form: Form,
}

const EXAMPLES: &str = "\
Examples:
  etcd-dump check default.etcd && etcd --data-dir default.etcd
  etcd-dump check /backup/default.etcd            is this copy good for anything?
  etcd-dump check default.etcd --backend-engine btree
  etcd-dump check default.etcd --json | jq -r 'select(.weight == \"refused\") | .name'";

/// As the server's flag has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EngineName {
    Lsm,
    Btree,
}

impl EngineName {
    fn kind(self) -> Kind {
        match self {
            EngineName::Lsm => Kind::Lsm,
            EngineName::Btree => Kind::Btree,
        }
    }
}

/// Prints findings and verdict. Says whether the directory is healthy.
pub(super) fn run(args: &Args, surroundings: &mut Surroundings<'_>) -> Result<bool, Error> {
    let vfs = surroundings.vfs;
    let mut report = Report::default();
    let heading = match Directory::find(vfs, &args.dir, args.wal_dir.as_deref()) {
        Ok(directory) => {
            let mut progress = surroundings.progress("checking");
            check(args, vfs, &directory, &mut report, &mut progress);
            Some(super::meta::DirectoryLine::of(&directory))
        }
        Err(Error::Unfinished(path)) => {
            let reason = retcd_raft_glue::Error::Unfinished { path }.to_string();
            report.add(Finding::new(Weight::Refused, "unfinished-restore", reason));
            None
        }
        Err(error) => return Err(error),
    };
    let mut output = Output::new(args.form.format(), surroundings.out);
    if let Some(heading) = heading {
        output.print(&heading)?;
        output.print(&report.checked)?;
    }
    report.findings.iter().try_for_each(|finding| output.print(finding))?;
    let verdict = report.verdict();
    output.print(&verdict)?;
    output.finish()?;
    Ok(verdict.healthy)
}

fn check(
    args: &Args,
    vfs: &dyn Vfs,
    directory: &Directory,
    report: &mut Report,
    progress: &mut Progress<'_>,
) {
    if directory.in_use {
        let reason = "a server runs on it: another one is refused, and what this one just writes \
                      looks torn or damaged";
        report.add(Finding::new(Weight::Refused, "lock-held", reason).of(&directory.dir));
    }
    let asked = args.backend_engine.map(EngineName::kind);
    match (directory.kind, asked) {
        (Kind::NoEngine, _) | (_, None) => {}
        (found, Some(asked)) if found == asked => {}
        (found, Some(asked)) => {
            let (found, asked) = (found.engine(), asked.engine());
            let reason = format!("it holds the data of the engine {found}, not of {asked}");
            report
                .add(Finding::new(Weight::Refused, "wrong-engine", reason).of(&directory.database));
        }
    }
    let end = match directory.kind {
        Kind::Bbolt => {
            etcds::check(vfs, directory, report, progress);
            LogEnd::InPlace
        }
        Kind::Lsm | Kind::Btree | Kind::NoEngine => {
            if directory.kind == Kind::Btree && asked.is_none() {
                let reason = "the server has to be told: --backend-engine=btree";
                report.add(Finding::new(Weight::Note, "engine", reason));
            }
            ours::check(vfs, directory, report, progress)
        }
    };
    room::check(vfs, directory, end, report);
    report.checked.compare();
}
