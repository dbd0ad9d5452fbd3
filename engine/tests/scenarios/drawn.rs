//! Options that are drawn at random: numbers that each engine makes its own options of.

use proptest::prelude::*;
use retcd_engine::table::{Compression, TableOptions};
use retcd_engine::{Options, btree};

use crate::support::tiny_options;

/// What was drawn.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    /// Bytes of what is kept in memory before it is written.
    memory_bytes: u64,
    /// Entries after which it is written anyway.
    entries_max: u64,
    cache_bytes: u64,
    /// Bytes of a block of keys and of one of values.
    block_bytes: (usize, usize),
    compression: Compression,
    filter_bits: u8,
    table_bytes: u64,
    concatenated_bytes: u64,
    slice_bytes: u64,
    manifest_bytes: u64,
}

impl Drawn {
    /// Those of the other scenarios: a few records fill everything.
    pub(crate) fn tiny() -> Drawn {
        let options = tiny_options();
        Drawn {
            memory_bytes: options.memtable_bytes,
            entries_max: options.replay_entries_max,
            cache_bytes: options.block_cache_bytes,
            block_bytes: (options.table.key_block_bytes, options.table.value_block_bytes),
            compression: options.table.compression,
            filter_bits: options.table.filter_bits_per_key,
            table_bytes: options.table_bytes,
            concatenated_bytes: options.concatenated_bytes,
            slice_bytes: options.slice_bytes,
            manifest_bytes: options.manifest_bytes,
        }
    }

    pub(crate) fn btree(&self) -> btree::Options {
        btree::Options {
            batch_operations: self.entries_max,
            memtable_bytes: self.memory_bytes,
            replay_entries_max: self.entries_max,
            block_cache_bytes: self.cache_bytes,
            slice_bytes: self.slice_bytes,
        }
    }

    pub(crate) fn lsm(&self) -> Options {
        Options {
            memtable_bytes: self.memory_bytes,
            replay_entries_max: self.entries_max,
            block_cache_bytes: self.cache_bytes,
            table: TableOptions {
                key_block_bytes: self.block_bytes.0,
                value_block_bytes: self.block_bytes.1,
                compression: self.compression,
                filter_bits_per_key: self.filter_bits,
            },
            table_bytes: self.table_bytes,
            concatenated_bytes: self.concatenated_bytes,
            slice_bytes: self.slice_bytes,
            manifest_bytes: self.manifest_bytes,
            ..Options::default()
        }
    }
}

/// Sizes from the least that is allowed to what a whole history fits in.
pub(crate) fn drawn() -> impl Strategy<Value = Drawn> {
    let memory = (
        prop_oneof![Just(1u64 << 10), Just(4 << 10), Just(1 << 20)],
        prop_oneof![Just(1u64), Just(7), Just(60), Just(100_000)],
        prop_oneof![Just(0u64), Just(1), Just(2 << 10), Just(1 << 20)],
    );
    let block = || prop_oneof![Just(1usize), Just(100), Just(1 << 10), Just(64 << 10)];
    let table = (
        (block(), block()),
        prop_oneof![Just(None), Just(Some(-5)), Just(Some(1)), Just(Some(9)), Just(Some(19))],
        prop_oneof![Just(0u8), Just(1), Just(10), Just(255)],
    );
    let files = (
        prop_oneof![Just(1u64 << 10), Just(5 << 10), Just(1 << 20)],
        prop_oneof![Just(1u64 << 10), Just(5 << 10), Just(1 << 20)],
        prop_oneof![Just(1u64), Just(300), Just(1 << 20)],
        prop_oneof![Just(64u64), Just(1 << 10), Just(1 << 20)],
    );
    (memory, table, files).prop_map(|(memory, (block_bytes, level, filter_bits), files)| Drawn {
        memory_bytes: memory.0,
        entries_max: memory.1,
        cache_bytes: memory.2,
        block_bytes,
        compression: level.map_or(Compression::None, Compression::Zstd),
        filter_bits,
        table_bytes: files.0,
        concatenated_bytes: files.1,
        slice_bytes: files.2,
        manifest_bytes: files.3,
    })
}
