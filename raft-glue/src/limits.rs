//! Every limit of this crate, in one place.

/// Most bytes of entries in one append message (etcd's number).
pub const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Most append messages under way to one follower (etcd's number).
pub const INFLIGHT_MESSAGES_MAX: usize = 512;

/// Most append messages under way to a follower that needs entries from the disk: nothing else
/// bounds how much is read into memory for it.
pub const INFLIGHT_MESSAGES_FROM_DISK_MAX: usize = 8;

/// Committed entries that may wait to be applied before proposals are refused (etcd's number).
pub const UNAPPLIED_ENTRIES_MAX: u64 = 5_000;

/// Most bytes of committed entries in one [`crate::Output`]; a single larger entry still goes.
pub const COMMITTED_BYTES_PER_OUTPUT: u64 = 4 << 20;

/// Most bytes of entries kept in memory. Entries that aren't applied yet can't be dropped, so
/// proposals are refused above it; one refused batch is the most by which it can be passed.
pub const TAIL_BYTES_MAX: usize = 256 << 20;

/// Bytes of applied entries kept in memory for followers that lag, if there are any.
pub const TAIL_BYTES_KEPT: usize = 32 << 20;

/// Bytes above which a group is split. A single larger entry goes alone.
pub const GROUP_BYTES_SPLIT: u64 = 8 << 20;

/// Reads that raft may be asked to confirm at a time. One asked for many clients is the rule.
pub const READS_UNDER_WAY_MAX: usize = 4_096;

/// Rounds of heartbeats for reads that a leader has under way.
pub(crate) const READ_ROUNDS_MAX: usize = 2;

/// Bytes of what a follower knows its question by. etcd's have eight.
pub(crate) const READ_CONTEXT_BYTES_MAX: usize = 64;

/// Ticks after which a read that wasn't answered is asked again (half a second, as in etcd, with
/// ticks of 100 ms).
pub(crate) const READ_ASKED_AGAIN_TICKS: usize = 5;

/// Most bytes of an encoded membership change.
pub const CONF_CHANGE_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(INFLIGHT_MESSAGES_FROM_DISK_MAX <= INFLIGHT_MESSAGES_MAX);

// One message must fit into what an output may carry, and both into the tail.
const _: () = assert!(MESSAGE_BYTES_MAX <= COMMITTED_BYTES_PER_OUTPUT);
const _: () = assert!(COMMITTED_BYTES_PER_OUTPUT <= TAIL_BYTES_MAX as u64);
const _: () = assert!(TAIL_BYTES_KEPT <= TAIL_BYTES_MAX);
const _: () = assert!(MESSAGE_BYTES_MAX <= GROUP_BYTES_SPLIT);
