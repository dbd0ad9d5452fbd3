//! The log as raft reads it: the newest entries from memory, older ones from the disk.
//!
//! Entries come in before raft is told that they are on their way to the disk and stay in memory at
//! least until they are applied, because raft reads them once more when they are committed. Beyond
//! that they serve followers that lag a little; a budget of bytes bounds how many. Payloads are
//! shared with the log's groups and with the apply queue. After a start there is nothing in memory:
//! what is to be applied again is read piece by piece, and so is what a follower lacks.
//!
//! Invariants: `entries[i]` has index `before.index + 1 + i`; the log has everything from `first`
//! to `before`, durably.
//!
//! The raft library panics when its storage fails. So a failure is kept here, raft gets an answer
//! that does no harm, and [`Tail::check`] tells the member to stop before anything that follows
//! from that answer leaves it.

use crate::conf_change::conf_state_to_raft;
use crate::convert::entry_from_log;
use crate::limits::FED_NEAR;
use crate::{Error, Result};
use raft::eraftpb::{ConfState, Entry, EntryType, HardState, Snapshot};
use raft::storage::{GetEntriesContext, RaftState, Storage};
use raft::{StorageError, util::limit_size};
use retcd_api::raftpb;
use retcd_wal::{LogReader, SnapshotMark};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// What an entry costs in memory besides its payload.
const ENTRY_OVERHEAD_BYTES: usize = std::mem::size_of::<Entry>();

/// The log's entries, and the state that raft starts from.
pub(crate) struct Tail {
    log: LogReader,
    /// The lowest index that the log is taken to have. It follows the log when entries are applied,
    /// so that it doesn't move while raft works.
    first: u64,
    /// The position just before the first entry in memory.
    before: SnapshotMark,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Indexes of the membership changes that aren't applied, ascending.
    conf_changes: VecDeque<u64>,
    /// The position that is applied.
    applied: SnapshotMark,
    /// The configuration there.
    conf_state: ConfState,
    initial_hard_state: HardState,
    failure: RefCell<Option<Error>>,
    has_failed: Cell<bool>,
    /// Bytes that raft may read the next time for a follower that isn't near the end.
    portion: Cell<u64>,
    /// Cost of what it has read so.
    fed: Cell<u64>,
}

/// A log as a start finds it.
pub(crate) struct Durable {
    pub(crate) log: LogReader,
    /// Its last entry, or what is before the first one.
    pub(crate) last: SnapshotMark,
    /// What the engine has applied of it.
    pub(crate) applied: SnapshotMark,
    /// Indexes of the membership changes above that, ascending.
    pub(crate) conf_changes: Vec<u64>,
}

impl Tail {
    /// A tail with nothing in memory.
    pub(crate) fn new(
        durable: Durable,
        hard_state: HardState,
        conf_state: &raftpb::ConfState,
    ) -> Tail {
        let Durable { log, last, applied, conf_changes } = durable;
        Tail {
            first: log.first_index().min(applied.index + 1),
            log,
            before: last,
            entries: VecDeque::new(),
            bytes: 0,
            conf_changes: conf_changes.into(),
            applied,
            conf_state: conf_state_to_raft(conf_state),
            initial_hard_state: hard_state,
            failure: RefCell::default(),
            has_failed: Cell::new(false),
            portion: Cell::new(0),
            fed: Cell::new(0),
        }
    }

    /// Whether everything could be read so far.
    ///
    /// # Errors
    ///
    /// What went wrong, once; then [`Error::Stopped`].
    pub(crate) fn check(&self) -> Result<()> {
        match self.has_failed.get() {
            false => Ok(()),
            true => Err(self.failure.take().unwrap_or(Error::Stopped)),
        }
    }

    /// Bytes in memory, payloads and bookkeeping.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Index of the last entry that is on the disk alone.
    pub(crate) fn last_on_disk(&self) -> u64 {
        self.before.index
    }

    /// The lowest index from which on followers are sent entries as they come. Who lacks more is
    /// [fed](Tail::grant), whether that is on the disk or in memory, where there is much of it.
    pub(crate) fn near(&self) -> u64 {
        let count = self.entries.len() as u64;
        let near = match self.bytes as u64 {
            bytes if bytes <= FED_NEAR => count,
            // Exact if all entries are alike.
            bytes => count.saturating_mul(FED_NEAR) / bytes,
        };
        self.last() + 1 - near
    }

    /// Lets raft read for a follower that isn't near the end, up to so many bytes and once. Without
    /// leave it is told to ask later: `member/feeding.rs` has it ask, at the right pace.
    pub(crate) fn grant(&mut self, portion: u64) {
        self.portion.set(portion);
    }

    /// Takes the leave back. Answers the cost of what was read with it.
    pub(crate) fn settle(&mut self) -> u64 {
        self.portion.set(0);
        self.fed.take()
    }

    /// Whether there is a membership change above `after`, up to `through`, that isn't applied.
    pub(crate) fn has_conf_change(&self, after: u64, through: u64) -> bool {
        self.conf_changes.iter().any(|&index| after < index && index <= through)
    }

    /// Index of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.before.index + self.entries.len() as u64
    }

    /// Puts one entry at its index; everything from there on goes away.
    pub(crate) fn put(&mut self, entry: Entry) -> Result<()> {
        let index = entry.index;
        if index < self.first || index > self.last() + 1 {
            return Err(Error::Inconsistent { reason: "an entry doesn't continue the log", index });
        }
        if index <= self.before.index {
            let term = self.term(index - 1)?;
            self.check()?;
            self.before = SnapshotMark { index: index - 1, term };
            self.entries.clear();
            self.bytes = 0;
        }
        while self.last() >= index {
            if let Some(replaced) = self.entries.pop_back() {
                self.bytes -= cost(&replaced);
            }
        }
        while self.conf_changes.back().is_some_and(|&change| change >= index) {
            self.conf_changes.pop_back();
        }
        self.bytes += cost(&entry);
        if entry.entry_type != EntryType::EntryNormal {
            self.conf_changes.push_back(index);
        }
        self.entries.push_back(entry);
        Ok(())
    }

    /// Forgets everything: the log restarts behind a snapshot with this configuration.
    pub(crate) fn restart(&mut self, mark: SnapshotMark, conf_state: ConfState) {
        self.first = mark.index + 1;
        self.before = mark;
        self.applied = mark;
        self.conf_state = conf_state;
        self.entries.clear();
        self.bytes = 0;
        self.conf_changes.clear();
    }

    /// The configuration has changed.
    pub(crate) fn set_conf_state(&mut self, state: &raftpb::ConfState) {
        self.conf_state = conf_state_to_raft(state);
    }

    /// Notes that everything up to `applied` is, and drops the oldest entries up to there from
    /// memory until no more than `budget` bytes are left. What is applied is durable.
    pub(crate) fn trim(&mut self, applied: u64, budget: usize) {
        if applied > self.applied.index
            && let Ok(term) = self.term(applied)
        {
            self.applied = SnapshotMark { index: applied, term };
        }
        while self.bytes > budget && self.before.index < applied {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= cost(&entry);
            self.before = SnapshotMark { index: entry.index, term: entry.term };
        }
        while self.conf_changes.front().is_some_and(|&change| change <= applied) {
            self.conf_changes.pop_front();
        }
        // The engine may have flushed more than was reported, and the log let go of that.
        self.first = self.first.max(self.log.first_index().min(applied + 1));
    }

    /// Uses up the leave: how many bytes may be read of those that raft would take.
    fn granted(&self, max_size: Option<u64>) -> raft::Result<u64> {
        match self.portion.take() {
            0 => Err(StorageError::LogTemporarilyUnavailable.into()),
            portion => Ok(max_size.map_or(portion, |bytes| bytes.min(portion))),
        }
    }

    fn note_fed(&self, is_fed: bool, found: &[Entry]) {
        if is_fed {
            self.fed.set(found.iter().map(|entry| cost(entry) as u64).sum());
        }
    }

    /// Reads entries that are on the disk alone: at least one, `bytes_max` bytes if there are more.
    fn read(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<Entry>> {
        let from_log = |entry: retcd_wal::LogEntry| {
            let index = entry.index;
            entry_from_log(entry)
                .ok_or(Error::UnknownEntry { index, reason: "its kind is unknown" })
        };
        let entries = self.log.entries(low, high, bytes_max)?;
        if entries.is_empty() {
            return Err(Error::Inconsistent { reason: "the log has lost an entry", index: low });
        }
        entries.into_iter().map(from_log).collect()
    }

    /// Entries that are on the disk alone, without terms and payloads.
    fn outlines(&self, low: u64, high: u64) -> Vec<Entry> {
        let outline = |index| Entry {
            index,
            entry_type: match self.conf_changes.binary_search(&index) {
                Ok(_) => EntryType::EntryConfChange,
                Err(_) => EntryType::EntryNormal,
            },
            ..Entry::default()
        };
        (low..high).map(outline).collect()
    }

    /// What raft is told when reading failed: that it is too late, or `harmless`.
    fn failed<T>(&self, error: Error, harmless: T) -> raft::Result<T> {
        if matches!(error, Error::Log(retcd_wal::Error::NotInLog { .. })) {
            return Err(StorageError::Compacted.into());
        }
        self.has_failed.set(true);
        self.failure.borrow_mut().get_or_insert(error);
        Ok(harmless)
    }
}

/// What an entry takes in memory, in bytes. It is also how followers' shares are counted: a small
/// entry takes more work for a byte than a large one.
pub(crate) fn cost(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + ENTRY_OVERHEAD_BYTES
}

impl Storage for Tail {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.initial_hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low < self.first {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last() + 1 {
            return Err(StorageError::Unavailable.into());
        }
        let is_fed = context.can_async() && low < self.near();
        let max_size = match is_fed {
            false => max_size.into(),
            true => Some(self.granted(max_size.into())?),
        };
        let mut found = Vec::new();
        let on_disk = self.before.index + 1;
        if low < on_disk {
            let end = high.min(on_disk);
            let older = match max_size {
                Some(bytes_max) => self.read(low, end, bytes_max),
                // Without a limit raft only looks for membership changes that aren't applied: so it
                // does before a campaign. Reading all that there is would take as much memory.
                None => Ok(self.outlines(low, end)),
            };
            found = older.or_else(|error| self.failed(error, Vec::new()))?;
            if (found.len() as u64) < end - low {
                self.note_fed(is_fed, &found);
                return Ok(found);
            }
        }
        let budget = max_size.unwrap_or(u64::MAX);
        let first = (low.max(on_disk) - on_disk) as usize;
        let behind_last = (high.max(on_disk) - on_disk) as usize;
        // Stop cloning once the payloads alone are past the budget; `limit_size` then counts as
        // raft does elsewhere.
        let mut bytes: u64 = found.iter().map(|entry| entry.data.len() as u64).sum();
        for entry in self.entries.range(first..behind_last) {
            if bytes > budget {
                break;
            }
            found.push(entry.clone());
            bytes += entry.data.len() as u64;
        }
        limit_size(&mut found, max_size);
        self.note_fed(is_fed, &found);
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.before.index {
            return Ok(self.before.term);
        }
        if index + 1 < self.first {
            return Err(StorageError::Compacted.into());
        }
        if index < self.before.index {
            return self.log.term(index).or_else(|error| self.failed(error.into(), 0));
        }
        let position = (index - self.before.index - 1) as usize;
        let entry = self.entries.get(position);
        entry.map(|entry| entry.term).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    /// Only its position: whoever sends it makes a checkpoint, which has this or more.
    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if self.applied.index == 0 {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.set_conf_state(self.conf_state.clone());
        metadata.index = self.applied.index;
        metadata.term = self.applied.term;
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LogOf, log_of};
    use raft::Error::Store;
    use retcd_vfs::{CrashVfs, Fault};

    fn entry(index: u64, term: u64, bytes: usize) -> Entry {
        Entry { index, term, data: vec![0; bytes].into(), ..Entry::default() }
    }

    fn tail_of(log: &LogOf, applied: u64, conf_changes: &[u64]) -> Tail {
        let durable = Durable {
            log: log.log.reader(),
            last: log.last(),
            applied: SnapshotMark { index: applied, term: 2 },
            conf_changes: conf_changes.to_vec(),
        };
        Tail::new(durable, HardState::default(), &raftpb::ConfState::default())
    }

    /// Entries 6 to 10 in memory, nothing on the disk.
    fn tail_after_5() -> Tail {
        let mut tail = tail_of(&log_of(SnapshotMark { index: 5, term: 2 }, &[]), 5, &[]);
        for index in 6..=10 {
            tail.put(entry(index, 3, 100)).expect("in order");
        }
        tail
    }

    /// Entries 6 to 12 on the disk, in terms 3 and 4, and 13 and 14 in memory.
    fn tail_on_disk() -> (LogOf, Tail) {
        let start = SnapshotMark { index: 5, term: 2 };
        let log = log_of(start, &[(6, 3), (7, 3), (8, 3), (9, 3), (10, 4), (11, 4), (12, 4)]);
        let mut tail = tail_of(&log, 7, &[9]);
        for index in 13..=14 {
            tail.put(entry(index, 4, 100)).expect("in order");
        }
        (log, tail)
    }

    fn indexes(tail: &Tail, low: u64, high: u64, max_size: Option<u64>) -> Vec<u64> {
        tail.entries(low, high, max_size, GetEntriesContext::empty(false))
            .expect("in range")
            .iter()
            .map(|entry| entry.index)
            .collect()
    }

    #[test]
    fn answers_within_its_range_only() {
        let tail = tail_after_5();
        assert_eq!(indexes(&tail, 6, 11, None), [6, 7, 8, 9, 10]);
        assert_eq!(indexes(&tail, 7, 9, None), [7, 8]);
        assert_eq!(indexes(&tail, 7, 11, Some(0)), [7], "at least one");
        assert_eq!(indexes(&tail, 7, 11, Some(250)), [7, 8]);
        let outside = tail.entries(5, 7, None, GetEntriesContext::empty(false));
        assert_eq!(outside, Err(StorageError::Compacted.into()));
        assert_eq!(tail.term(5), Ok(2));
        assert_eq!(tail.term(6), Ok(3));
        assert_eq!(tail.term(4), Err(StorageError::Compacted.into()));
        assert_eq!(tail.term(11), Err(StorageError::Unavailable.into()));
    }

    #[test]
    fn a_put_replaces_everything_from_its_index() {
        let mut tail = tail_after_5();
        let full = tail.bytes();
        tail.put(entry(8, 4, 100)).expect("within");
        assert_eq!(tail.last(), 8);
        assert_eq!(tail.term(8), Ok(4));
        assert_eq!(tail.bytes(), full / 5 * 3);
        assert!(tail.put(entry(10, 4, 0)).is_err(), "a gap");
        assert!(tail.put(entry(5, 4, 0)).is_err(), "before the tail");
    }

    #[test]
    fn knows_its_membership_changes() {
        let mut tail = tail_after_5();
        let change = |index, term| Entry {
            entry_type: EntryType::EntryConfChange,
            ..entry(index, term, 10)
        };
        assert!(!tail.has_conf_change(0, 20));
        tail.put(change(8, 3)).expect("within");
        tail.put(entry(9, 3, 0)).expect("in order");
        tail.put(change(10, 3)).expect("in order");
        assert!(tail.has_conf_change(9, 10) && !tail.has_conf_change(8, 9));
        tail.put(entry(9, 4, 0)).expect("within");
        assert!(!tail.has_conf_change(8, 20), "the newer one was replaced");
        assert!(tail.has_conf_change(7, 8));
        tail.trim(9, usize::MAX);
        assert!(!tail.has_conf_change(0, 20), "the older one is applied");
    }

    #[test]
    fn trims_to_its_budget_but_not_past_what_is_applied() {
        let mut tail = tail_after_5();
        let one = tail.bytes() / 5;
        tail.trim(10, one * 4);
        assert_eq!(tail.last_on_disk(), 6);
        assert_eq!(tail.term(6), Ok(3), "the term before the first stays known");
        tail.trim(8, 0);
        assert_eq!(tail.last_on_disk(), 8);
        assert_eq!(tail.bytes(), one * 2);
    }

    #[test]
    fn older_entries_come_from_the_disk() {
        let (_log, tail) = tail_on_disk();
        assert_eq!((tail.first_index(), tail.last_index()), (Ok(6), Ok(14)));
        assert_eq!(indexes(&tail, 6, 15, Some(u64::MAX)), [6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(indexes(&tail, 8, 12, Some(u64::MAX)), [8, 9, 10, 11]);
        assert_eq!(indexes(&tail, 8, 15, Some(0)), [8], "at least one");
        assert_eq!(indexes(&tail, 12, 15, Some(350)), [12, 13, 14]);
        assert_eq!(indexes(&tail, 13, 15, Some(u64::MAX)), [13, 14]);
        let terms: Vec<_> = (5..=14).map(|index| tail.term(index).expect("in range")).collect();
        assert_eq!(terms, [2, 3, 3, 3, 3, 4, 4, 4, 4, 4]);
        assert_eq!(tail.term(4), Err(Store(StorageError::Compacted)));
        assert_eq!(tail.bytes(), 2 * cost(&entry(0, 0, 100)));
    }

    #[test]
    fn without_a_limit_only_membership_changes_are_told_apart() {
        let (_log, tail) = tail_on_disk();
        let outlines =
            tail.entries(8, 15, None, GetEntriesContext::empty(false)).expect("in range");
        let changes = outlines.iter().filter(|e| e.entry_type != EntryType::EntryNormal);
        assert_eq!(changes.map(|entry| entry.index).collect::<Vec<_>>(), [9]);
        assert_eq!(outlines.len(), 7);
        assert!(outlines[..5].iter().all(|entry| entry.data.is_empty()));
    }

    #[test]
    fn what_isnt_near_the_end_is_read_for_followers_by_leave_alone() {
        let (_log, mut tail) = tail_on_disk();
        let read = |tail: &Tail, low, high| {
            let entries = tail.entries(low, high, Some(u64::MAX), GetEntriesContext::empty(true));
            entries.map(|entries| entries.iter().map(|entry| entry.index).collect::<Vec<_>>())
        };
        let later = || Err(Store(StorageError::LogTemporarilyUnavailable));
        assert_eq!((tail.near(), read(&tail, 13, 15)), (13, Ok(vec![13, 14])));
        assert_eq!(read(&tail, 12, 15), later());
        tail.grant(1);
        assert_eq!(read(&tail, 8, 15), Ok(vec![8]));
        assert_eq!(read(&tail, 8, 15), later(), "once");
        let fed = tail.settle();
        assert!((1..1_000).contains(&fed), "{fed}");
        tail.grant(u64::MAX);
        assert_eq!((tail.settle(), read(&tail, 8, 15)), (0, later()), "it was taken back");
        for index in 15..=24 {
            tail.put(entry(index, 4, FED_NEAR as usize / 4)).expect("in order");
        }
        assert_eq!((tail.near(), read(&tail, 20, 25)), (21, later()));
        assert_eq!(read(&tail, 21, 25), Ok(vec![21, 22, 23, 24]), "it is in memory, and little");
    }

    #[test]
    fn a_put_replaces_what_is_on_the_disk_alone() {
        let (_log, mut tail) = tail_on_disk();
        tail.put(entry(10, 5, 7)).expect("within");
        assert_eq!((tail.last(), tail.bytes()), (10, cost(&entry(0, 0, 7))));
        assert_eq!((tail.term(9), tail.term(10)), (Ok(3), Ok(5)));
        assert_eq!(indexes(&tail, 8, 11, Some(u64::MAX)), [8, 9, 10]);
        assert!(tail.has_conf_change(8, 9));
        tail.put(entry(9, 5, 7)).expect("within");
        assert!(!tail.has_conf_change(7, 20));
        assert!(tail.put(entry(5, 5, 7)).is_err(), "before the log");
    }

    #[test]
    fn a_failure_is_told_once_and_does_no_harm() {
        let vfs = CrashVfs::new();
        let start = SnapshotMark { index: 5, term: 2 };
        let log = LogOf::new(&vfs, start, &[(6, 3), (7, 4)]);
        let tail = tail_of(&log, 5, &[]);
        vfs.fail_at(vfs.operations() + 1, Fault::Io);
        assert_eq!(indexes(&tail, 6, 8, Some(u64::MAX)), [0_u64; 0]);
        assert!(matches!(tail.check(), Err(Error::Log(retcd_wal::Error::Io { .. }))));
        assert!(matches!(tail.check(), Err(Error::Stopped)));
    }
}
