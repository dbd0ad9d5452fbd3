//! What can be chosen when an engine is opened, and the limits of each choice.

use crate::limits::{
    BLOCK_CACHE_BYTES, Limit, MEMTABLE_BYTES, MIB, REPLAY_ENTRIES_MAX, SLICE_BYTES,
};
use crate::table::TableOptions;
use crate::{Keyspace, Result};

const TABLE_BYTES: Limit = Limit::new("table_bytes", 1 << 10, 1024 * MIB);
const CONCATENATED_BYTES: Limit = Limit::new("concatenated_bytes", 1 << 10, 1024 * MIB);
const MANIFEST_BYTES: Limit = Limit::new("manifest_bytes", 64, 256 * MIB);
const KEY_BLOCK_BYTES: Limit = Limit::new("key_block_bytes", 1, MIB);
const VALUE_BLOCK_BYTES: Limit = Limit::new("value_block_bytes", 1, MIB);

/// Choices for [`super::Lsm::open`]. None of them changes what is on disk in a way that another
/// choice couldn't read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A flush is due when the memtables hold this much, in bytes.
    pub memtable_bytes: u64,
    /// A flush is due when this many entries would have to be applied again after a crash.
    pub replay_entries_max: u64,
    /// Blocks kept in memory, in bytes; 0 for none.
    pub block_cache_bytes: u64,
    /// How tables are written.
    pub table: TableOptions,
    /// A table is ended at the first key after this length, in bytes.
    pub table_bytes: u64,
    /// Neighbours in `Rev` below this length are concatenated, in bytes.
    pub concatenated_bytes: u64,
    /// Runs of level 0 that are left alone however much there is to merge, unless somebody asks for
    /// it: for who fills an engine at once and doesn't read it.
    pub unmerged_runs: usize,
    /// Keys and values that one step of a flush or merge goes through, in bytes. A step takes about
    /// 25 ms for each MiB, and as long again where it ends a table.
    pub slice_bytes: u64,
    /// A manifest above this length is written anew, in bytes.
    pub manifest_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            memtable_bytes: 64 * MIB,
            replay_entries_max: 150_000,
            block_cache_bytes: 128 * MIB,
            table: TableOptions::default(),
            table_bytes: 32 * MIB,
            concatenated_bytes: 32 * MIB,
            unmerged_runs: 0,
            slice_bytes: MIB,
            manifest_bytes: MIB,
        }
    }
}

impl Options {
    /// How tables of `keyspace` are written. `Rev` is walked and not looked up, so it has no
    /// filter.
    pub(super) fn table_of(&self, keyspace: Keyspace) -> TableOptions {
        match keyspace {
            Keyspace::Rev => TableOptions { filter_bits_per_key: 0, ..self.table },
            Keyspace::Kv | Keyspace::Lease | Keyspace::Meta => self.table,
        }
    }

    /// Refuses what can't work. The upper limits keep a flush, a step and a start short.
    pub(super) fn check(&self) -> Result<()> {
        MEMTABLE_BYTES.check(self.memtable_bytes)?;
        REPLAY_ENTRIES_MAX.check(self.replay_entries_max)?;
        BLOCK_CACHE_BYTES.check(self.block_cache_bytes)?;
        TABLE_BYTES.check(self.table_bytes)?;
        CONCATENATED_BYTES.check(self.concatenated_bytes)?;
        SLICE_BYTES.check(self.slice_bytes)?;
        MANIFEST_BYTES.check(self.manifest_bytes)?;
        KEY_BLOCK_BYTES.check(self.table.key_block_bytes as u64)?;
        VALUE_BLOCK_BYTES.check(self.table.value_block_bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_the_limits_and_zero_memory_is_not() {
        assert!(Options::default().check().is_ok());
        let none = Options { memtable_bytes: 0, ..Options::default() };
        let refused = none.check().expect_err("a memtable needs room");
        assert!(refused.to_string().contains("memtable_bytes"), "{refused}");
    }
}
