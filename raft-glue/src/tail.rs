//! The newest entries of the log, in memory: what raft reads back.
//!
//! Entries come in before raft is told that they are on their way to the disk and stay at least
//! until they are applied, because raft reads them once more when they are committed. Beyond that
//! they serve followers that lag a little; a budget of bytes bounds how many. Payloads are shared
//! with the log's groups and with the apply queue.
//!
//! Invariant: `entries[i]` has index `before.index + 1 + i`.

use crate::conf_change::conf_state_to_raft;
use crate::{Error, Result};
use raft::eraftpb::{ConfState, Entry, EntryType, HardState, Snapshot};
use raft::storage::{GetEntriesContext, RaftState, Storage};
use raft::{StorageError, util::limit_size};
use retcd_api::raftpb;
use retcd_wal::SnapshotMark;
use std::collections::VecDeque;

/// What an entry costs in memory besides its payload.
const ENTRY_OVERHEAD_BYTES: usize = std::mem::size_of::<Entry>();

/// Entries after a position, in memory, and the state that raft starts from.
pub(crate) struct Tail {
    /// The position just before the first entry.
    before: SnapshotMark,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Indexes of the membership changes in here, ascending.
    conf_changes: VecDeque<u64>,
    initial_hard_state: HardState,
    initial_conf_state: ConfState,
}

impl Tail {
    /// An empty tail that goes on after `before`.
    pub(crate) fn new(
        before: SnapshotMark,
        hard_state: HardState,
        conf_state: &raftpb::ConfState,
    ) -> Tail {
        Tail {
            before,
            entries: VecDeque::new(),
            bytes: 0,
            conf_changes: VecDeque::new(),
            initial_hard_state: hard_state,
            initial_conf_state: conf_state_to_raft(conf_state),
        }
    }

    /// Bytes held, payloads and bookkeeping.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is a membership change above `after`, up to `through`.
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
        if index <= self.before.index || index > self.last() + 1 {
            return Err(Error::Inconsistent { reason: "an entry doesn't continue the log", index });
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

    /// Drops the oldest entries, none above `through`, until no more than `budget` bytes are left.
    pub(crate) fn trim(&mut self, through: u64, budget: usize) {
        while self.bytes > budget && self.before.index < through {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= cost(&entry);
            self.before = SnapshotMark { index: entry.index, term: entry.term };
            if self.conf_changes.front() == Some(&entry.index) {
                self.conf_changes.pop_front();
            }
        }
    }
}

fn cost(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + ENTRY_OVERHEAD_BYTES
}

impl Storage for Tail {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.initial_hard_state.clone(), self.initial_conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.before.index {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last() + 1 {
            return Err(StorageError::Unavailable.into());
        }
        let max_size = max_size.into();
        let budget = max_size.unwrap_or(u64::MAX);
        let first = (low - self.before.index - 1) as usize;
        let count = (high - low) as usize;
        // Stop cloning once the payloads alone are past the budget; `limit_size` then counts as
        // raft does elsewhere.
        let mut bytes = 0u64;
        let mut found = Vec::new();
        for entry in self.entries.range(first..first + count) {
            found.push(entry.clone());
            bytes += entry.data.len() as u64;
            if bytes > budget {
                break;
            }
        }
        limit_size(&mut found, max_size);
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.before.index {
            return Ok(self.before.term);
        }
        if index < self.before.index {
            return Err(StorageError::Compacted.into());
        }
        let position = (index - self.before.index - 1) as usize;
        let entry = self.entries.get(position);
        entry.map(|entry| entry.term).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.before.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        // A follower that needs more than the tail waits until somebody makes a checkpoint for it.
        Err(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64, bytes: usize) -> Entry {
        Entry { index, term, data: vec![0; bytes].into(), ..Entry::default() }
    }

    fn tail_after_5() -> Tail {
        let before = SnapshotMark { index: 5, term: 2 };
        let mut tail = Tail::new(before, HardState::default(), &raftpb::ConfState::default());
        for index in 6..=10 {
            tail.put(entry(index, 3, 100)).expect("in order");
        }
        tail
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
        tail.trim(9, 0);
        assert!(!tail.has_conf_change(0, 20));
    }

    #[test]
    fn trims_to_its_budget_but_not_past_the_given_index() {
        let mut tail = tail_after_5();
        let one = tail.bytes() / 5;
        tail.trim(10, one * 4);
        assert_eq!(tail.first_index(), Ok(7));
        assert_eq!(tail.term(6), Ok(3), "the term before the first stays known");
        tail.trim(8, 0);
        assert_eq!(tail.first_index(), Ok(9));
        assert_eq!(tail.bytes(), one * 2);
    }
}
