//! What a directory of our own says of itself.

use super::super::db::args::Range;
use super::super::db::fault::Fault;
use super::super::db::output::Output;
use super::super::db::reading::{Reading, Scan};
use super::super::db::state::AppliedPart;
use super::super::db::subject::Subject;
use super::super::db::{Error, tables};
use super::super::directory::{Directory, Kind};
use super::super::etcds::Position;
use super::line::{
    ClusterLine, Covers, DatabaseLine, FormatPart, HardStatePart, LogLine, MarkPart, MemberLine,
    RemovedLine, TornPart,
};
use crate::notation::Quoted;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::{Keyspace, Record};
use retcd_mvcc::auth::AuthItem;
use retcd_mvcc::stored::{Named, named};
use retcd_vfs::Vfs;
use retcd_wal::{Flushed, Log, SegmentReader, Verdict, segments};
use std::collections::BTreeSet;
use std::path::Path;

/// The format of the tree's own bucket; another one isn't opened.
const TREE_FORMAT: u32 = 1;

/// Where a file's head has the version of its format: behind eight bytes of magic.
const VERSION_AT: u64 = 8;

/// Prints log, database and members.
pub(super) fn show(
    vfs: &dyn Vfs,
    directory: &Directory,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let dir = &directory.database;
    match directory.kind {
        Kind::Btree => match TreeFile::open(vfs, dir) {
            Ok(tree) => of_database(vfs, directory, Subject::Tree(&tree), output),
            Err(error) => without_database(vfs, directory, &error, output),
        },
        Kind::Lsm => match Folder::read(vfs, dir) {
            Ok(folder) => of_database(vfs, directory, Subject::Tables(&folder), output),
            Err(error) => without_database(vfs, directory, &error, output),
        },
        Kind::NoEngine | Kind::Bbolt => {
            show_log(vfs, directory, None, output)?;
            let file = Some(dir.display().to_string());
            output.fault(Fault { file, offset: None, reason: "there is no database".into() })
        }
    }
}

fn without_database(
    vfs: &dyn Vfs,
    directory: &Directory,
    error: &retcd_engine::Error,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    show_log(vfs, directory, None, output)?;
    output.fault(error)
}

fn of_database(
    vfs: &dyn Vfs,
    directory: &Directory,
    subject: Subject<'_>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let applied = subject.applied();
    let flushed = Flushed { index: applied.index, term: applied.term };
    let last_index = show_log(vfs, directory, Some(flushed), output)?;
    let part = AppliedPart::of(applied);
    let fault = part.fault().map(str::to_owned);
    output.print(&DatabaseLine {
        path: subject.path().display().to_string(),
        formats: formats_of(vfs, subject),
        covers: Covers::Applied(part),
        log_only: last_index.map(|last| last.saturating_sub(applied.index)),
    })?;
    if let Subject::Tables(folder) = subject {
        folder.faults.iter().try_for_each(|error| output.fault(error))?;
        if let retcd_engine::lsm::manifest::Ending::Damaged(error) = &folder.history.ending {
            output.fault(error)?;
        }
    }
    if let Some(reason) = fault {
        let file = Some(subject.path().display().to_string());
        output.fault(Fault { file, offset: None, reason: format!("the state: {reason}") })?;
    }
    output.gap()?;
    show_members(subject, output)
}

/// Prints what the log says. Returns its last index, if recovery accepts the log.
fn show_log(
    vfs: &dyn Vfs,
    directory: &Directory,
    flushed: Option<Flushed>,
    output: &mut Output<'_>,
) -> Result<Option<u64>, Error> {
    let dir = &directory.log;
    let fault = |error: &dyn std::fmt::Display| {
        let file = Some(dir.display().to_string());
        Fault { file, offset: None, reason: error.to_string() }
    };
    let names = match segments(vfs, dir) {
        Ok(names) if names.is_empty() => {
            output.fault(fault(&"there is no log"))?;
            return Ok(None);
        }
        Ok(names) => names,
        Err(error) => {
            output.fault(fault(&error))?;
            return Ok(None);
        }
    };
    let headers = names.iter().map(|name| SegmentReader::open(vfs, &dir.join(name.to_string())));
    let headers: Vec<_> = headers.flatten().map(|reader| *reader.header()).collect();
    let formats: BTreeSet<u32> = headers.iter().map(|header| header.version).collect();
    // Without an engine, the least with which nothing would be missing.
    let first = headers.first().map(|header| header.state);
    let assumed = first.map(|state| Flushed { index: state.last_index, term: state.last_term });
    let recovery = Log::inspect(vfs, dir, flushed.or(assumed).unwrap_or_default());
    let newest = headers.last();
    let state = match &recovery {
        Ok(recovery) => Some(recovery.state),
        Err(_) => newest.map(|header| header.state),
    };
    let state = state.unwrap_or_default();
    let identity = newest.map(|header| header.identity);
    let first_index = headers.first().map(|header| header.first_index());
    let has_entries = first_index.is_some_and(|first| first <= state.last_index);
    output.print(&LogLine {
        dir: dir.display().to_string(),
        files: names.len(),
        formats: formats.into_iter().collect(),
        cluster: identity.map(|identity| identity.cluster),
        member: identity.map(|identity| identity.member),
        first_index: first_index.filter(|_| has_entries),
        last_index: has_entries.then_some(state.last_index),
        last_term: has_entries.then_some(state.last_term),
        hard_state: HardStatePart::of(state.hard_state),
        snapshot: MarkPart::of(Position { index: state.snapshot.index, term: state.snapshot.term }),
        torn: recovery.as_ref().ok().and_then(|recovery| torn_part(&recovery.verdict)),
    })?;
    match recovery {
        Ok(recovery) => Ok(Some(recovery.state.last_index)),
        Err(error) => {
            output.fault(fault(&error))?;
            Ok(None)
        }
    }
}

fn torn_part(verdict: &Verdict) -> Option<TornPart> {
    match verdict {
        Verdict::TornTail { path, offset } | Verdict::Hole { path, offset } => {
            let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            Some(TornPart { file, offset: *offset })
        }
        Verdict::Closed | Verdict::Unmarked => None,
    }
}

fn formats_of(vfs: &dyn Vfs, subject: Subject<'_>) -> Vec<FormatPart> {
    let folder = match subject {
        Subject::Tables(folder) => folder,
        Subject::Tree(_) => {
            return vec![FormatPart { of: "tree", versions: vec![TREE_FORMAT] }];
        }
    };
    let manifest = folder.dir().join(format!("MANIFEST-{:016x}", folder.history.number.0));
    let manifest = version_of(vfs, &manifest).into_iter().collect();
    let paths = tables::all(folder).map(|named| folder.path_of(named.file.number));
    let versions: BTreeSet<u32> = paths.filter_map(|path| version_of(vfs, &path)).collect();
    let mut formats = vec![FormatPart { of: "manifest", versions: manifest }];
    if !versions.is_empty() {
        formats.push(FormatPart { of: "tables", versions: versions.into_iter().collect() });
    }
    formats
}

/// The version in a file's head.
fn version_of(vfs: &dyn Vfs, path: &Path) -> Option<u32> {
    let mut version = [0; 4];
    vfs.open_read(path).ok()?.read_exact_at(VERSION_AT, &mut version).ok()?;
    Some(u32::from_le_bytes(version))
}

fn show_members(subject: Subject<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    let mut reading = Reading::open(subject, &[Keyspace::Meta], output)?;
    let range = Range::all();
    let scan = Scan::of_names(&range);
    let mut cluster = ClusterLine::default();
    reading.each(&scan, output, &mut |output, record| {
        match take(&record, &mut cluster) {
            Ok(Some(Shown::Member(line))) => output.print(&line)?,
            Ok(Some(Shown::Removed(line))) => output.print(&line)?,
            Ok(None) => {}
            Err(error) => {
                let file = Some(subject.path().display().to_string());
                let reason = format!("{}: {error}", Quoted(&record.key));
                output.fault(Fault { file, offset: None, reason })?;
            }
        }
        Ok(true)
    })?;
    output.print(&cluster)
}

/// What of a record has a line of its own.
enum Shown {
    Member(MemberLine),
    Removed(RemovedLine),
}

fn take(record: &Record, cluster: &mut ClusterLine) -> retcd_mvcc::Result<Option<Shown>> {
    match named(record)? {
        Named::Member(member) => return Ok(Some(Shown::Member(MemberLine { member }))),
        Named::Removed(id) => return Ok(Some(Shown::Removed(RemovedLine { id }))),
        Named::Version(version) => cluster.version = Some(version),
        Named::Downgrade(downgrade) => {
            cluster.downgrade = downgrade.enabled.then_some(downgrade.target_version);
        }
        Named::Lease(_) => cluster.leases += 1,
        Named::Alarm(_) => cluster.alarms += 1,
        Named::Auth(AuthItem::Enabled(is_on)) => cluster.auth_enabled = is_on,
        Named::Auth(AuthItem::User(_)) => cluster.users += 1,
        Named::Auth(AuthItem::Role(_)) => cluster.roles += 1,
        _ => {}
    }
    Ok(None)
}
