//! What unit tests share: a log in memory.

use crate::KIND_NORMAL;
use bytes::Bytes;
use retcd_vfs::{MemVfs, Vfs};
use retcd_wal::{Group, Identity, Log, LogEntry, Options, SnapshotMark};
use std::path::Path;
use std::sync::Arc;

/// A log in memory, which its readers don't need any more.
pub(crate) struct LogOf {
    pub(crate) log: Log,
}

impl LogOf {
    /// A log that begins behind `start`, with an entry of 100 bytes for each index and term.
    pub(crate) fn new<V: Vfs + Clone>(
        vfs: &V,
        start: SnapshotMark,
        entries: &[(u64, u64)],
    ) -> LogOf {
        let entry = |&(index, term): &(u64, u64)| LogEntry {
            index,
            term,
            kind: KIND_NORMAL,
            data: Bytes::from_static(&[0; 100]),
        };
        LogOf::with(vfs, start, &entries.iter().map(entry).collect::<Vec<_>>())
    }

    /// A log that begins behind `start`.
    pub(crate) fn with<V: Vfs + Clone>(
        vfs: &V,
        start: SnapshotMark,
        entries: &[LogEntry],
    ) -> LogOf {
        let dir = Path::new("wal");
        let identity = Identity { cluster: 1, member: 1 };
        let options = Options { segment_bytes: 1 << 20, ..Options::default() };
        let log = Log::create(Arc::new(vfs.clone()), dir, options, identity, start);
        let mut log = LogOf { log: log.expect("memory doesn't fail") };
        log.append(entries);
        log
    }

    /// Makes entries durable, each in a group of its own.
    pub(crate) fn append(&mut self, entries: &[LogEntry]) {
        for entries in entries.chunks(1) {
            let group = Group { entries, ..Group::default() };
            self.log.append(&group).expect("memory doesn't fail");
        }
    }

    /// Its last entry, or where it begins.
    pub(crate) fn last(&self) -> SnapshotMark {
        let state = self.log.state();
        SnapshotMark { index: state.last_index, term: state.last_term }
    }
}

/// A log in memory that can't fail.
pub(crate) fn log_of(start: SnapshotMark, entries: &[(u64, u64)]) -> LogOf {
    LogOf::new(&MemVfs::new(), start, entries)
}
