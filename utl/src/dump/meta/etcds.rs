//! What a directory of etcd's says of itself.

use super::super::db::Error;
use super::super::db::fault::Fault;
use super::super::db::output::Output;
use super::super::directory::Directory;
use super::super::etcds::{EtcdLog, Facts};
use super::line::{
    ClusterLine, Covers, DatabaseLine, FormatPart, HardStatePart, LogLine, MarkPart, MemberLine,
    RemovedLine, TornPart,
};
use crate::progress::Progress;
use retcd_engine::bolt::Database;
use retcd_vfs::Vfs;
use std::io;
use std::path::Path;

/// The version of bbolt's format, the only one that there is.
const BBOLT_FORMAT: u32 = 2;

/// Log and database, as far as they can be read.
pub(super) struct Parts {
    log: io::Result<EtcdLog>,
    facts: retcd_engine::Result<Facts>,
}

impl Parts {
    pub(super) fn read(
        vfs: &dyn Vfs,
        directory: &Directory,
        progress: &mut Progress<'_>,
    ) -> Result<Parts, Error> {
        let facts = Database::open(vfs, &directory.database);
        let facts = facts.and_then(|database| Facts::read(&database));
        let log = EtcdLog::read(vfs, &directory.log, None, progress);
        Ok(Parts { log, facts })
    }

    pub(super) fn show(self, directory: &Directory, output: &mut Output<'_>) -> Result<(), Error> {
        let mut last_index = None;
        match &self.log {
            Ok(log) => {
                output.print(&log_line(log))?;
                last_index = log.last.map(|last| last.index);
                for fault in log.faults() {
                    output.fault(Fault {
                        file: Some(log.dir.join(fault.file.to_string()).display().to_string()),
                        offset: Some(fault.offset),
                        reason: fault.reason.clone(),
                    })?;
                }
            }
            Err(error) => {
                let file = Some(directory.log.display().to_string());
                output.fault(Fault { file, offset: None, reason: error.to_string() })?;
            }
        }
        match self.facts {
            Ok(facts) => show_facts(facts, &directory.database, last_index, output),
            Err(error) => output.fault(&error),
        }
    }
}

fn log_line(log: &EtcdLog) -> LogLine {
    let (cluster, member) = log.identity.unzip();
    let entries = log.first_index.and(log.last);
    LogLine {
        dir: log.dir.display().to_string(),
        files: log.files.len(),
        formats: Vec::new(),
        cluster,
        member,
        first_index: log.first_index,
        last_index: entries.map(|last| last.index),
        last_term: entries.map(|last| last.term),
        hard_state: log.hard_state.and_then(HardStatePart::of),
        snapshot: log.marks.back().copied().and_then(MarkPart::of),
        torn: log
            .torn
            .as_ref()
            .map(|torn| TornPart { file: torn.file.to_string(), offset: torn.offset }),
    }
}

/// Prints what the database at `path` says. `last_index` is where a log beside it ends.
pub(in crate::dump) fn show_facts(
    facts: Facts,
    path: &Path,
    last_index: Option<u64>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let path = path.display().to_string();
    output.print(&DatabaseLine {
        path: path.clone(),
        formats: vec![FormatPart { of: "bbolt", versions: vec![BBOLT_FORMAT] }],
        covers: Covers::of_etcds(&facts),
        log_only: last_index.zip(facts.consistent_index).map(|(l, c)| l.saturating_sub(c)),
    })?;
    for reason in &facts.faults {
        output.fault(Fault { file: Some(path.clone()), offset: None, reason: reason.clone() })?;
    }
    output.gap()?;
    let downgrade = facts.downgrade.filter(|downgrade| downgrade.enabled);
    for member in facts.members {
        output.print(&MemberLine { member })?;
    }
    for id in facts.removed {
        output.print(&RemovedLine { id })?;
    }
    output.print(&ClusterLine {
        version: facts.cluster_version,
        downgrade: downgrade.map(|downgrade| downgrade.target_version),
        auth_enabled: facts.auth_enabled,
        users: facts.users,
        roles: facts.roles,
        leases: facts.leases,
        alarms: facts.alarms,
    })
}
