//! The write-ahead log: the only one in the house.
//!
//! The log keeps entries (index, term, kind, bytes), the hard state and snapshot marks. It knows
//! nothing of raft beyond these numbers. Writing goes in *groups*: one group is one durable write,
//! holding everything that gathered while the previous one was on its way to the disk.
//!
//! No thread is owned here. `Log::submit` starts a group, `Log::complete` waits for the oldest one,
//! `Log::prepare` makes the next segment ready, `Log::purge` recycles segments that nobody needs.

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

/// A snapshot's position: entries at or below `index` may be missing from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SnapshotMark {
    /// Raft index of the last entry that the snapshot covers.
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
    /// A received snapshot's position.
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
