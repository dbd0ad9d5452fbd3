//! What goes into the log and comes out of it.

use bytes::Bytes;

/// One raft entry as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Raft index.
    pub index: u64,
    /// Raft term.
    pub term: u64,
    /// The entry's type; opaque here.
    pub kind: u8,
    /// Its payload; opaque here.
    pub data: Bytes,
}

/// What raft must not forget besides entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HardState {
    /// Current term.
    pub term: u64,
    /// Candidate voted for in this term, 0 for none.
    pub vote: u64,
    /// Commit index known when this was written.
    pub commit: u64,
}

/// A snapshot's position: the log restarts behind it, whatever it held before.
///
/// A received snapshot becomes true when the engine has switched to it durably. So: complete every
/// submitted group, switch the engine, then append the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SnapshotMark {
    /// Raft index of the last entry that the snapshot covers.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// What the engine has made durable: entries up to here need not be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flushed {
    /// Raft index of the last entry whose effects are durable, 0 for none.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// What one group makes durable. Any part may be absent, not all.
#[derive(Clone, Debug, Default)]
pub struct Group<'a> {
    /// Entries, indexes ascending without a gap. The first may be at or below the last index in the
    /// log: then everything from there on is replaced.
    pub entries: &'a [LogEntry],
    /// New hard state.
    pub hard_state: Option<HardState>,
    /// A received snapshot's position; it comes before the entries.
    pub snapshot: Option<SnapshotMark>,
}

/// Who wrote this log. Kept in every segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Cluster id.
    pub cluster: u64,
    /// Member id.
    pub member: u64,
}

/// Where the log ends, seen as raft sees it, and what it says besides entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LogState {
    /// Index of the last entry, or of the snapshot mark behind which there is none.
    pub last_index: u64,
    /// Its term.
    pub last_term: u64,
    /// The newest hard state; zeros if there has been none.
    pub hard_state: HardState,
    /// The newest snapshot mark; zeros if there has been none.
    pub snapshot: SnapshotMark,
}

impl LogState {
    /// Follows what appending `group` does.
    pub(crate) fn append(&mut self, group: &Group<'_>) {
        if let Some(mark) = group.snapshot {
            self.restart(mark);
        }
        if let Some(last) = group.entries.last() {
            (self.last_index, self.last_term) = (last.index, last.term);
        }
        if let Some(hard_state) = group.hard_state {
            self.hard_state = hard_state;
        }
    }

    /// Index and term of the last entry.
    pub(crate) fn position(&self) -> SnapshotMark {
        SnapshotMark { index: self.last_index, term: self.last_term }
    }

    /// Restarts behind a snapshot.
    pub(crate) fn restart(&mut self, mark: SnapshotMark) {
        self.snapshot = mark;
        (self.last_index, self.last_term) = (mark.index, mark.term);
    }
}

/// What a call that does bounded work did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// Something was done, and there may be more.
    Worked,
}

/// What recovery sees of the entries above the flushed index while it reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An entry. What was seen at its index and above is replaced.
    Entry {
        /// Raft index; one above the one before, or lower.
        index: u64,
        /// Raft term.
        term: u64,
        /// The entry's type; opaque here.
        kind: u8,
    },
    /// The log restarts: nothing that was seen counts.
    Restart,
}
