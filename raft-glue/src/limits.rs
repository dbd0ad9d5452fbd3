//! Every limit of this crate, in one place.

/// Most bytes of entries in one append message (etcd's number).
pub const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Most append messages under way to one follower (etcd's number).
pub const INFLIGHT_MESSAGES_MAX: usize = 512;

/// Most append messages under way to a follower that needs entries from the disk: nothing else
/// bounds how much is read into memory for it.
pub const INFLIGHT_MESSAGES_FROM_DISK_MAX: usize = 8;

/// What a follower that lags gets of entries, by their cost, for each that comes into the leader's
/// log; see `member/feed.rs`.
pub(crate) const FED_PER_INGESTED: u64 = 2;

/// What it gets in a tick at least.
pub(crate) const FED_PER_TICK_MIN: u64 = 768 << 10;

/// What it gains on the leader in a tick at least: the difference between what it gets and what
/// comes in is least where both of the above are the same.
#[cfg(test)]
pub(crate) const GAINED_PER_TICK_MIN: u64 = FED_PER_TICK_MIN - FED_PER_TICK_MIN / FED_PER_INGESTED;

/// Bytes that it is sent at a time. Small, so that neither the leader's raft thread nor a follower
/// on the same machine is busy with them for long.
pub(crate) const FED_AT_ONCE: u64 = 64 << 10;

/// Who lacks no more than this is sent it at once.
pub(crate) const FED_NEAR: u64 = 4 << 20;

/// The most that a follower saves up from one tick to the next.
pub(crate) const FED_BURST: i64 = 1 << 20;

/// If no more comes into the leader's log for so many ticks, nothing bounds what followers get.
pub(crate) const QUIET_PER_TICK: u64 = 16 << 10;
pub(crate) const QUIET_TICKS: u32 = 10;

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

// A follower gains on the leader, and a tick's share isn't lost before the next.
const _: () = assert!(FED_PER_INGESTED > 1);
const _: () = assert!(FED_PER_TICK_MIN <= FED_BURST as u64);
const _: () = assert!(FED_AT_ONCE <= MESSAGE_BYTES_MAX);
const _: () = assert!(QUIET_PER_TICK * FED_PER_INGESTED < FED_PER_TICK_MIN);

// One message must fit into what an output may carry, and both into the tail.
const _: () = assert!(MESSAGE_BYTES_MAX <= COMMITTED_BYTES_PER_OUTPUT);
const _: () = assert!(COMMITTED_BYTES_PER_OUTPUT <= TAIL_BYTES_MAX as u64);
const _: () = assert!(TAIL_BYTES_KEPT <= TAIL_BYTES_MAX);
const _: () = assert!(MESSAGE_BYTES_MAX <= GROUP_BYTES_SPLIT);
