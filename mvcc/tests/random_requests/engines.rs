//! The engines under test, each opened under options that are drawn at random.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use retcd_engine::btree::{self, Btree};
use retcd_engine::lsm::{Lsm, Options};
use retcd_engine::oracle::Oracle;
use retcd_engine::table::{Compression, TableOptions};
use retcd_engine::{Engine, Result};
use retcd_vfs::Vfs;

/// Numbers that an engine chooses its options by; only zeros are the least that is allowed.
pub(crate) type Draw = [usize; 9];

/// Opens an engine on what is there.
pub(crate) type Open = fn(Arc<dyn Vfs>, &Path, Draw) -> Result<Arc<dyn Engine>>;

/// All engines: one line for each.
pub(crate) const ENGINES: [(&str, Open); 3] =
    [("oracle", open_oracle), ("lsm", open_lsm), ("btree", open_btree)];

pub(crate) fn draws() -> impl Strategy<Value = Draw> {
    prop::array::uniform9(0..60usize)
}

/// The choice for one number.
fn choose<T: Copy>(number: usize, choices: &[T]) -> T {
    choices[number % choices.len()]
}

/// Has no options and keeps nothing: everything is applied again.
fn open_oracle(_: Arc<dyn Vfs>, _: &Path, _: Draw) -> Result<Arc<dyn Engine>> {
    Ok(Arc::new(Oracle::new()))
}

fn open_lsm(vfs: Arc<dyn Vfs>, dir: &Path, draw: Draw) -> Result<Arc<dyn Engine>> {
    let [memtable, entries, cache, blocks, codec, filter, tables, slices, manifest] = draw;
    let codecs = [None, Some(1), Some(-7), Some(9)].map(|level| match level {
        None => Compression::None,
        Some(level) => Compression::Zstd(level),
    });
    let block_bytes = [1, 60, 500, 8 << 10];
    let options = Options {
        memtable_bytes: choose(memtable, &[1 << 10, 3 << 10, 1 << 20]),
        replay_entries_max: choose(entries, &[1, 5, 100_000]),
        block_cache_bytes: choose(cache, &[0, 500, 1 << 20]),
        table: TableOptions {
            key_block_bytes: choose(blocks, &block_bytes),
            value_block_bytes: choose(blocks / block_bytes.len(), &block_bytes),
            compression: choose(codec, &codecs),
            filter_bits_per_key: choose(filter, &[0, 1, 10]),
        },
        table_bytes: choose(tables, &[1 << 10, 1 << 20]),
        concatenated_bytes: choose(tables / 2, &[1 << 10, 1 << 20]),
        slice_bytes: choose(slices, &[1, 256, 1 << 20]),
        manifest_bytes: choose(manifest, &[64, 1 << 10, 1 << 20]),
        unmerged_runs: choose(manifest / 3, &[0, 8]),
    };
    Ok(Arc::new(Lsm::open(vfs, dir, options)?))
}

fn open_btree(vfs: Arc<dyn Vfs>, dir: &Path, draw: Draw) -> Result<Arc<dyn Engine>> {
    let [memtable, entries, cache, batch, .., slices, _] = draw;
    let options = btree::Options {
        batch_operations: choose(batch, &[1, 6, 100_000]),
        memtable_bytes: choose(memtable, &[1 << 10, 3 << 10, 1 << 20]),
        replay_entries_max: choose(entries, &[1, 5, 100_000]),
        block_cache_bytes: choose(cache, &[0, 500, 1 << 20]),
        slice_bytes: choose(slices, &[1, 256, 1 << 20]),
    };
    Ok(Arc::new(Btree::open(vfs, dir, options)?))
}
