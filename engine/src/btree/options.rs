//! What can be chosen when a B+tree is opened, and the limits of each choice.

use crate::Result;
use crate::limits::{
    BLOCK_CACHE_BYTES, Limit, MEMTABLE_BYTES, MIB, REPLAY_ENTRIES_MAX, SLICE_BYTES,
};

const BATCH_OPERATIONS: Limit = Limit::new("batch_operations", 1, 100_000_000);

/// Choices for [`super::Btree::open`]. None of them changes what is on disk in a way that another
/// choice couldn't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A commit is due after so many records; those of [`crate::Keyspace::Rev`], which come with
    /// others, don't count.
    pub batch_operations: u64,
    /// A commit is due when the memtable holds this much, in bytes.
    pub memtable_bytes: u64,
    /// A commit is due when this many entries would have to be applied again after a crash.
    pub replay_entries_max: u64,
    /// Pages kept in memory, in bytes; 0 for none.
    pub block_cache_bytes: u64,
    /// Keys and values that one step of a commit writes, and pages that one step of a sweep reads,
    /// in bytes.
    pub slice_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            batch_operations: 10_000,
            memtable_bytes: 64 * MIB,
            replay_entries_max: 150_000,
            block_cache_bytes: 128 * MIB,
            slice_bytes: MIB,
        }
    }
}

impl Options {
    /// Refuses what can't work. The upper limits keep a commit, a step and a start short.
    pub(super) fn check(&self) -> Result<()> {
        BATCH_OPERATIONS.check(self.batch_operations)?;
        MEMTABLE_BYTES.check(self.memtable_bytes)?;
        REPLAY_ENTRIES_MAX.check(self.replay_entries_max)?;
        BLOCK_CACHE_BYTES.check(self.block_cache_bytes)?;
        SLICE_BYTES.check(self.slice_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_the_limits_and_empty_batches_are_not() {
        assert!(Options::default().check().is_ok());
        let none = Options { batch_operations: 0, ..Options::default() };
        let refused = none.check().expect_err("a batch has an operation");
        assert!(refused.to_string().contains("batch_operations"), "{refused}");
    }
}
