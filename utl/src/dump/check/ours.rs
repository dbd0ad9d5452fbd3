//! A directory of our own: what a start reads, in its order, then everything else.

use super::super::db::args::Range;
use super::super::db::output::Output;
use super::super::db::reading::{Reading, Scan};
use super::super::db::state::AppliedPart;
use super::super::db::subject::Subject;
use super::super::db::{Error, tables, verify};
use super::super::directory::{Directory, Kind};
use super::super::wal::{Event, walk};
use super::report::{Finding, Report, Weight};
use super::room::LogEnd;
use crate::notation::{Count, Quoted};
use crate::progress::Progress;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::lsm::manifest::Ending;
use retcd_engine::table::BlockCache;
use retcd_engine::{Keyspace, Record};
use retcd_mvcc::auth::AuthItem;
use retcd_mvcc::stored::{Named, named};
use retcd_raft_glue::{PART_NAME, inspect_log};
use retcd_vfs::Vfs;
use retcd_wal::{Flushed, Recovery, Verdict, segments};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What transfers and replacements leave beside the engine: a start removes it, or ends them.
const LEFTOVERS: [&str; 6] =
    ["outgoing", "sending", "incoming", "incoming.etcd", "db.next", "db.old"];

/// Adds what is found to `report`. Says how a start goes on with the log.
pub(super) fn check(
    vfs: &dyn Vfs,
    directory: &Directory,
    report: &mut Report,
    progress: &mut Progress<'_>,
) -> LogEnd {
    note_leftovers(vfs, directory, report);
    let dir = &directory.database;
    let flushed = match directory.kind {
        Kind::Btree => check_tree(vfs, dir, report, progress),
        Kind::Lsm => check_tables(vfs, dir, report, progress),
        Kind::NoEngine | Kind::Bbolt => Some(Flushed::default()),
    };
    check_log(vfs, directory, flushed, report, progress)
}

fn note_leftovers(vfs: &dyn Vfs, directory: &Directory, report: &mut Report) {
    let exists = |path: &Path| vfs.exists(path).unwrap_or(false);
    let snap = directory.database.parent().unwrap_or(Path::new(""));
    for name in LEFTOVERS {
        let path = snap.join(name);
        if path != directory.database && exists(&path) {
            let reason = "left of a snapshot that was sent or received: a start clears it away";
            report.add(Finding::new(Weight::Note, "leftover", reason).of(&path));
        }
    }
    let part = directory.dir.join(PART_NAME);
    if exists(&part) {
        let reason = "left of a restore; nothing reads it";
        report.add(Finding::new(Weight::Note, "leftover", reason).of(&part));
    }
}

/// Checks tables and manifest. Returns up to where they go, if that can be told.
fn check_tables(
    vfs: &dyn Vfs,
    dir: &Path,
    report: &mut Report,
    progress: &mut Progress<'_>,
) -> Option<Flushed> {
    let folder = match Folder::read(vfs, dir) {
        Ok(folder) => folder,
        Err(error) => {
            report.add(Finding::fault(Weight::Refused, "manifest", &error));
            return None;
        }
    };
    for error in &folder.faults {
        report.add(Finding::fault(Weight::Refused, "manifest", error));
    }
    match &folder.history.ending {
        Ending::Whole => {}
        Ending::Torn { offset, bytes } => {
            let bytes = Count(*bytes, "byte");
            let reason = format!("it ends with an edit that was cut short, {bytes}: it never was");
            report.add(Finding::new(Weight::Note, "manifest-torn", reason).of(dir).at(*offset));
        }
        Ending::Damaged(error) => report.add(Finding::fault(Weight::Refused, "manifest", error)),
    }
    let mut refused = Places::new();
    for named in tables::all(&folder) {
        let cache = Arc::new(BlockCache::new(0));
        if let Err(error) = folder.open_as_a_start_does(named.file, &cache) {
            let name = if is_missing(&error) { "table-missing" } else { "table" };
            let finding = Finding::fault(Weight::Refused, name, &error);
            refused.insert(finding.place());
            report.add(finding);
        }
    }
    let others = folder.others.iter().filter(|other| other.is_ours).count();
    if others > 0 {
        let files = Count(others as u64, "file");
        let reason = format!("{files} that the manifest doesn't name: a start removes them");
        report.add(Finding::new(Weight::Note, "orphans", reason).of(dir));
    }
    let mut bytes = 0;
    let (mut sink, mut watch) = (io::sink(), |read| {
        bytes += read;
        progress.add(read);
    });
    let subject = Subject::Tables(&folder);
    check_state(subject, "table", &mut refused, report);
    let mut output = Output::keeping(&mut sink, &mut watch);
    let shown = verify::show(&folder, false, &mut output);
    add_damage("table", output, shown, &refused, report);
    report.checked.database_bytes = bytes;
    // The manifest doesn't say all of it if its end is lost.
    let is_known = !folder.is_damaged();
    is_known.then(|| flushed_of(subject, report))
}

fn check_tree(
    vfs: &dyn Vfs,
    dir: &Path,
    report: &mut Report,
    progress: &mut Progress<'_>,
) -> Option<Flushed> {
    // A folder with files of both engines counts as a tree's.
    if vfs.exists(&dir.join("CURRENT")).unwrap_or(false) {
        let reason = "it holds files of both engines: each of them refuses it";
        report.add(Finding::new(Weight::Refused, "wrong-engine", reason).of(dir));
    }
    let tree = match TreeFile::open(vfs, dir) {
        Ok(tree) => tree,
        Err(error) => {
            report.add(Finding::fault(Weight::Refused, "tree", &error));
            return None;
        }
    };
    let mut bytes = 0;
    let (mut sink, mut watch) = (io::sink(), |read| {
        bytes += read;
        progress.add(read);
    });
    let mut refused = Places::new();
    check_state(Subject::Tree(&tree), "tree", &mut refused, report);
    let mut output = Output::keeping(&mut sink, &mut watch);
    let shown = verify::tree::show(&tree, false, &mut output);
    add_damage("tree", output, shown, &refused, report);
    report.checked.database_bytes = bytes;
    Some(flushed_of(Subject::Tree(&tree), report))
}

/// Files and places in them.
type Places = BTreeSet<(Option<String>, Option<u64>)>;

/// Adds what reading everything found, but for what was named before.
fn add_damage(
    name: &'static str,
    output: Output<'_>,
    shown: Result<(), Error>,
    named_before: &Places,
    report: &mut Report,
) {
    if let Err(error) = shown {
        report.add(Finding::new(Weight::Damaged, name, error.to_string()));
    }
    for fault in output.into_faults() {
        let finding = Finding::fault(Weight::Damaged, name, fault);
        if !named_before.contains(&finding.place()) {
            report.add(finding);
        }
    }
}

fn is_missing(error: &retcd_engine::Error) -> bool {
    let retcd_engine::Error::Io { source, .. } = error else {
        return false;
    };
    source.kind() == io::ErrorKind::NotFound
}

fn flushed_of(subject: Subject<'_>, report: &mut Report) -> Flushed {
    let applied = subject.applied();
    report.checked.applied_index = Some(applied.index);
    Flushed { index: applied.index, term: applied.term }
}

/// Checks what a start reads and keeps in memory: the state, and what has a name. `name` is what
/// damage is called, and `refused` gets where it is.
fn check_state(
    subject: Subject<'_>,
    name: &'static str,
    refused: &mut Places,
    report: &mut Report,
) {
    let refuse = |reason: String| Finding::new(Weight::Refused, "state", reason).of(subject.path());
    let applied = subject.applied();
    // A database that has applied nothing has no state yet.
    if applied.index > 0
        && let Some(reason) = AppliedPart::of(applied).fault()
    {
        report.add(refuse(reason.to_owned()));
    }
    let (mut sink, mut watch) = (io::sink(), |_| {});
    let mut output = Output::keeping(&mut sink, &mut watch);
    let range = Range::all();
    let scan = Scan::of_names(&range);
    let read = Reading::open_as_a_start_does(subject, &[Keyspace::Meta], &mut output);
    let read = read.and_then(|mut reading| {
        reading.each(&scan, &mut output, &mut |_, record| {
            check_named(&record, subject, report);
            Ok(true)
        })
    });
    add_read_faults(name, output, read, refused, report);
}

fn check_named(record: &Record, subject: Subject<'_>, report: &mut Report) {
    match named(record) {
        Ok(Named::Auth(AuthItem::Enabled(true))) => {
            let reason = retcd_raft_glue::Error::AuthEnabled.to_string();
            report.add(Finding::new(Weight::Refused, "auth-enabled", reason));
        }
        Ok(_) => {}
        Err(error) => {
            let reason = format!("{}: {error}", Quoted(&record.key));
            report.add(Finding::new(Weight::Refused, "state", reason).of(subject.path()));
        }
    }
}

/// Adds what kept a start from reading what it needs.
fn add_read_faults(
    name: &'static str,
    output: Output<'_>,
    read: Result<(), Error>,
    refused: &mut Places,
    report: &mut Report,
) {
    if let Err(error) = read {
        report.add(Finding::new(Weight::Refused, name, error.to_string()));
    }
    for fault in output.into_faults() {
        let finding = Finding::fault(Weight::Refused, name, fault);
        // It was named if its table couldn't be opened.
        if refused.insert(finding.place()) {
            report.add(finding);
        }
    }
}

/// Checks the log. `flushed` is up to where the engine goes, if that is known. Says how a start
/// goes on with it.
fn check_log(
    vfs: &dyn Vfs,
    directory: &Directory,
    flushed: Option<Flushed>,
    report: &mut Report,
    progress: &mut Progress<'_>,
) -> LogEnd {
    let dir = &directory.log;
    let names = segments(vfs, dir).unwrap_or_default();
    if names.is_empty() {
        let applied = flushed.map_or(0, |flushed| flushed.index);
        report.add(match applied {
            0 => {
                let reason = "there is neither a log nor anything applied: a start would found a \
                              new member";
                Finding::new(Weight::Damaged, "nothing-here", reason).of(&directory.dir)
            }
            _ => {
                let error = retcd_raft_glue::Error::LogMissing { dir: dir.clone(), applied };
                Finding::new(Weight::Refused, "log-missing", error.to_string())
            }
        });
        return LogEnd::InPlace;
    }
    let Some(flushed) = flushed else {
        let reason = "it can't be judged, since it isn't known up to where the database goes";
        report.add(Finding::new(Weight::Note, "log-unjudged", reason).of(dir));
        return LogEnd::InPlace;
    };
    let end = match inspect_log(vfs, dir, flushed) {
        Ok(recovery) => take_recovery(&recovery, report),
        Err(error) => {
            report.add(log_refused(dir, &error));
            LogEnd::InPlace
        }
    };
    if directory.kind == Kind::NoEngine && report.verdict().healthy {
        let reason = "there is no database: a start makes it anew from the log";
        report.add(Finding::new(Weight::Note, "database-missing", reason).of(&directory.database));
    }
    let reach = flushed.index.saturating_add(1);
    let needed = names.iter().rposition(|name| name.first_index <= reach).unwrap_or(0);
    let older = names.get(..needed).unwrap_or_default();
    let walked = walk(vfs, dir, older, &mut |event| {
        match event {
            Event::Unreadable { name, error } => {
                let reason = format!("{error}. A start doesn't need this segment");
                let path = dir.join(name.to_string());
                report.add(Finding::new(Weight::Note, "old-segment", reason).of(&path));
            }
            Event::Segment { reader, .. } => progress.add(reader.header().segment_bytes),
            Event::Group { .. } | Event::End { .. } => {}
        }
        Ok::<_, Infallible>(())
    });
    match walked {
        Ok(()) => end,
    }
}

fn log_refused(dir: &Path, error: &retcd_raft_glue::Error) -> Finding {
    let refused = |name| Finding::new(Weight::Refused, name, error.to_string());
    match error {
        retcd_raft_glue::Error::Log(retcd_wal::Error::Damaged { path, offset, reason }) => {
            Finding::new(Weight::Refused, "log", *reason).of(path).at(*offset)
        }
        retcd_raft_glue::Error::Log(retcd_wal::Error::Missing { .. }) => refused("log-missing"),
        retcd_raft_glue::Error::Log(retcd_wal::Error::Version { .. }) => refused("log-version"),
        _ => refused("log").of(dir),
    }
}

fn take_recovery(recovery: &Recovery, report: &mut Report) -> LogEnd {
    let Recovery { state, verdict, truncated_bytes, restarted, discarded, .. } = recovery;
    let checked = &mut report.checked;
    (checked.last_index, checked.last_term) = (Some(state.last_index), Some(state.last_term));
    checked.commit = Some(state.hard_state.commit);
    checked.given_up_bytes = *truncated_bytes;
    let mut end = LogEnd::InPlace;
    if let Verdict::TornTail { path, offset } | Verdict::Hole { path, offset } = verdict {
        let name = if matches!(verdict, Verdict::Hole { .. }) { "log-hole" } else { "torn-tail" };
        let bytes = Count(*truncated_bytes, "byte");
        let reason = format!("about {bytes} that were never acknowledged: a start cuts them off");
        report.add(Finding::new(Weight::Note, name, reason).of(path).at(*offset));
        end = LogEnd::NewSegment;
    }
    if let Some(path) = discarded {
        let reason = "a segment that was never finished: a start removes it";
        report.add(Finding::new(Weight::Note, "unfinished-segment", reason).of(path));
    }
    if *restarted {
        let reason = "the database has gone past the log with a snapshot: the log begins anew \
                      behind it";
        report.add(Finding::new(Weight::Note, "log-restarts", reason));
    }
    end
}
