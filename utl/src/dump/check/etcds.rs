//! A directory of etcd's: its log, its snapshots' files, its database, and whether they fit.
//!
//! A start of etcd's reads the records of all the log's files for the snapshots that they name,
//! takes the newest `.snap` file that is whole and among these, takes the log's entries from there
//! on, and reads all pairs of the database.

use super::super::directory::Directory;
use super::super::etcds::{
    EtcdLog, Facts, LogFault, Position, SnapFile, TornTail, read_snap_files,
};
use super::report::{Finding, Report, Weight};
use crate::progress::Progress;
use retcd_engine::bolt::Database;
use retcd_vfs::Vfs;
use std::io;
use std::path::Path;

/// Adds what is found to `report`.
pub(super) fn check(
    vfs: &dyn Vfs,
    directory: &Directory,
    report: &mut Report,
    progress: &mut Progress<'_>,
) {
    let facts = check_database(vfs, &directory.database, report, progress);
    let consistent = facts.as_ref().and_then(|facts| facts.consistent_index);
    let log = match EtcdLog::read(vfs, &directory.log, consistent, progress) {
        Ok(log) if log.files.is_empty() => return report.add(log_missing(&directory.log)),
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return report.add(log_missing(&directory.log));
        }
        Err(error) => {
            let finding = Finding::new(Weight::Refused, "log", error.to_string());
            return report.add(finding.of(&directory.log));
        }
    };
    let snap = directory.database.parent().unwrap_or(Path::new(""));
    let start = check_snap_files(vfs, snap, &log, report);
    check_log(&log, start, report);
    compare(vfs, snap, &log, start, facts.as_ref(), report);
}

fn log_missing(dir: &Path) -> Finding {
    let reason = "there is no log: a start would found a new member, and forget what this one \
                  has promised";
    Finding::new(Weight::Damaged, "log-missing", reason).of(dir)
}

fn check_database(
    vfs: &dyn Vfs,
    path: &Path,
    report: &mut Report,
    progress: &mut Progress<'_>,
) -> Option<Facts> {
    if !vfs.exists(path).unwrap_or(false) {
        return None;
    }
    let refuse = |error: &retcd_engine::Error| Finding::fault(Weight::Refused, "database", error);
    let read = Database::open(vfs, path).map(|database| {
        let checked = database.verify_telling(&mut |read| progress.add(read)).map(|_| ());
        let facts = Facts::read(&database).and_then(|facts| {
            read_pairs(&database)?;
            Ok(facts)
        });
        (checked, database.file_bytes(), facts)
    });
    let (checked, bytes, facts) = match read {
        Ok(read) => read,
        Err(error) => {
            report.add(refuse(&error));
            return None;
        }
    };
    report.checked.database_bytes = bytes;
    match facts {
        Ok(facts) => {
            report.checked.applied_index = facts.consistent_index;
            // What a start doesn't read, or doesn't mind: free pages, and pages that two name.
            if let Err(error) = &checked {
                report.add(Finding::fault(Weight::Damaged, "database", error));
            }
            for reason in &facts.faults {
                report.add(Finding::new(Weight::Damaged, "state", reason.clone()).of(path));
            }
            Some(facts)
        }
        Err(error) => {
            report.add(refuse(&error));
            None
        }
    }
}

/// Reads all pairs, as a start does.
fn read_pairs(database: &Database) -> retcd_engine::Result<()> {
    let Some(pairs) = database.bucket(b"key")? else {
        return Ok(());
    };
    pairs.entries(database)?.try_for_each(|entry| entry.map(|_| ()))
}

/// Checks the snapshots' files. Returns the position that a start begins at.
fn check_snap_files(vfs: &dyn Vfs, dir: &Path, log: &EtcdLog, report: &mut Report) -> Position {
    let files = match read_snap_files(vfs, dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            report.add(Finding::new(Weight::Refused, "snapshot", error.to_string()).of(dir));
            Vec::new()
        }
    };
    for SnapFile { name, fault, .. } in &files {
        if let Some(reason) = fault {
            let finding = Finding::new(Weight::Damaged, "snapshot", reason.clone());
            report.add(finding.of(&dir.join(name)));
        }
    }
    let commit = log.hard_state.map_or(0, |state| state.commit);
    let is_named = |at: Position| at.index <= commit && log.marks.contains(&at);
    let whole = files.iter().filter(|file| file.fault.is_none() && is_named(file.at));
    whole.map(|file| file.at).max().unwrap_or_default()
}

/// What helps where a start reads a file without taking anything from it.
const NO_ENTRY_NEEDED: &str = ". A start takes no entry from this file, but reads all files: \
                               without this one and those before it, it would start";

fn log_fault(
    weight: Weight,
    name: &'static str,
    log: &EtcdLog,
    fault: &LogFault,
    reason: String,
) -> Finding {
    let path = log.dir.join(fault.file.to_string());
    Finding::new(weight, name, reason).of(&path).at(fault.offset)
}

fn check_log(log: &EtcdLog, start: Position, report: &mut Report) {
    let needed = log.files.iter().rposition(|file| file.first_index <= start.index);
    let Some(needed) = needed.and_then(|at| log.files.get(at)) else {
        let first = log.files.first().map_or(0, |file| file.first_index);
        let reason = format!(
            "it begins at entry {first}, and no whole snapshot's file goes up to there: what was \
             before is missing"
        );
        return report.add(Finding::new(Weight::Refused, "snapshot-missing", reason).of(&log.dir));
    };
    for fault in &log.unreadable {
        let reason = match fault.file < *needed {
            true => format!("{}{NO_ENTRY_NEEDED}", fault.reason),
            false => fault.reason.clone(),
        };
        report.add(log_fault(Weight::Refused, "log", log, fault, reason));
    }
    for fault in &log.out_of_order {
        let (weight, name) = match fault.file < *needed {
            true => (Weight::Note, "old-segment"),
            false => (Weight::Refused, "log"),
        };
        report.add(log_fault(weight, name, log, fault, fault.reason.clone()));
    }
    if let Some(TornTail { file, offset, bytes }) = &log.torn {
        let path = log.dir.join(file.to_string());
        let reason = "a record that was never written as a whole: a start cuts it off";
        report.add(Finding::new(Weight::Note, "torn-tail", reason).of(&path).at(*offset));
        report.checked.given_up_bytes = *bytes;
    }
    if let Some((file, offset, end)) = log.behind {
        let path = log.dir.join(file.to_string());
        let reason = format!(
            "it ends there with zeros, but something was written behind them, up to {end}: a start \
             wipes it"
        );
        report.add(Finding::new(Weight::Damaged, "log-behind-end", reason).of(&path).at(offset));
    }
    if log.identity.is_none() && log.unreadable.is_empty() {
        let reason = "it doesn't say who wrote it";
        report.add(Finding::new(Weight::Refused, "log", reason).of(&log.dir));
    }
    let checked = &mut report.checked;
    let last = log.last.unwrap_or(start);
    (checked.last_index, checked.last_term) = (Some(last.index), Some(last.term));
    checked.commit = log.hard_state.map(|state| state.commit);
}

/// Compares log, snapshot and database.
fn compare(
    vfs: &dyn Vfs,
    snap: &Path,
    log: &EtcdLog,
    start: Position,
    facts: Option<&Facts>,
    report: &mut Report,
) {
    let last = log.last.unwrap_or(start);
    let commit = log.hard_state.map_or(0, |state| state.commit);
    if commit > last.index {
        let reason =
            format!("entries up to {commit} are committed, but it ends with {}", last.index);
        report.add(Finding::new(Weight::Refused, "log-too-short", reason).of(&log.dir));
    }
    let database = snap.join("db");
    let consistent = match facts {
        Some(facts) => facts.consistent_index.unwrap_or(0),
        // It was told why.
        None if vfs.exists(&database).unwrap_or(false) => return,
        None => 0,
    };
    let received = snap.join(format!("{:016x}.snap.db", start.index));
    if consistent < start.index && !vfs.exists(&received).unwrap_or(false) {
        let reason = format!(
            "the database goes up to entry {consistent}, but the snapshot that a start begins \
             with up to {}",
            start.index
        );
        let name = if facts.is_some() { "database-too-old" } else { "database-missing" };
        return report.add(Finding::new(Weight::Refused, name, reason).of(&database));
    }
    if facts.is_none() {
        let reason = "there is no database: a start makes it anew from the log";
        return report.add(Finding::new(Weight::Note, "database-missing", reason).of(&database));
    }
    if consistent > last.index {
        let reason = format!(
            "the database goes up to entry {consistent}, but the log ends with {}: etcd would \
             pass over as many new entries as are missing",
            last.index
        );
        report.add(Finding::new(Weight::Damaged, "log-too-short", reason).of(&log.dir));
    }
    let terms = facts.and_then(|facts| facts.term).zip(log.watched_term);
    if let Some((ours, theirs)) = terms.filter(|(ours, theirs)| ours != theirs) {
        let reason = format!(
            "entry {consistent} is of term {theirs} in the log, but of term {ours} in the database"
        );
        report.add(Finding::new(Weight::Damaged, "disagreement", reason).of(&database));
    }
}
