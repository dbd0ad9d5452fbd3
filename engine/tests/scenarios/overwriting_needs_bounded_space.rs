//! A set of keys is written over and over, with compactions that follow. The files must stay
//! within a small factor of what the living records need, at every moment, and writing each
//! byte again must have a bound too.
//!
//! A tree's pages are about half full after so many random changes, and a commit needs room for all
//! pages that it replaces before these are free: pages are used again, and little is given back. It
//! writes a page of 4 KiB for a record of 212 B that nothing else in the batch is near, and a sweep
//! for each compaction does so again.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::{Applied, Btree, Engine, Keyspace, Lsm, Options, Version, btree};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{FOLDER, Random, record, settle, tiny_btree_options, tiny_options};

const KEYS: u64 = 4000;
const WRITES: u64 = 30 * KEYS;
const VALUE_BYTES: u8 = 200;
/// Revisions between the newest one and the compacted one.
const KEPT: u64 = KEYS / 10;

fn options() -> Options {
    let kib = 1 << 10;
    let mut options = tiny_options();
    options.table.key_block_bytes = 2 * kib;
    options.table.value_block_bytes = 4 * kib;
    Options {
        memtable_bytes: 64 * kib as u64,
        replay_entries_max: 1_000_000,
        table_bytes: 64 * kib as u64,
        concatenated_bytes: 64 * kib as u64,
        slice_bytes: 16 * kib as u64,
        manifest_bytes: 16 * kib as u64,
        ..options
    }
}

fn btree_options() -> btree::Options {
    let kib = 1 << 10;
    btree::Options {
        batch_operations: 1_000_000,
        memtable_bytes: 64 * kib,
        replay_entries_max: 1_000_000,
        slice_bytes: 16 * kib,
        ..tiny_btree_options()
    }
}

fn write(engine: &dyn Engine, main: u64, key: u64) {
    let version = Version { main, sub: 0 };
    let key = Bytes::from(format!("key {key:08}"));
    let rev = record(Bytes::copy_from_slice(&main.to_be_bytes()), version, false, 0);
    let kv = record(key, version, false, VALUE_BYTES);
    engine.write(Keyspace::Kv, &mut vec![kv]).expect("memory only");
    engine.write(Keyspace::Rev, &mut vec![rev]).expect("memory only");
    let watermark = main.saturating_sub(KEPT) / KEPT * KEPT;
    engine
        .commit(Applied { index: main, term: 1, watermark, state: Bytes::new() })
        .expect("memory only");
}

const RECORD_BYTES: u64 = VALUE_BYTES as u64 + 12;

/// What it took.
struct Taken {
    /// The largest size of the files.
    peak: u64,
    /// Their size after a complete merge.
    merged: u64,
    /// Bytes written for each byte of keys and values.
    amplification: f64,
}

fn overwrite(engine: &dyn Engine) -> Taken {
    let mut random = Random(99);
    let mut peak = 0;
    for main in 1..=WRITES {
        let key = if main <= KEYS { main } else { 1 + random.below(KEYS) };
        write(engine, main, key);
        if main % 64 == 0 {
            settle(engine).expect("memory only");
        }
        if main > 5 * KEYS {
            peak = peak.max(engine.stats().file_bytes);
        }
    }
    let stats = engine.stats();
    engine.request_merge().expect("memory only");
    settle(engine).expect("memory only");
    let merged = engine.stats().file_bytes;
    let amplification = stats.bytes_written as f64 / (WRITES * RECORD_BYTES) as f64;
    eprintln!("peak {peak}, merged {merged}, amplification {amplification:.2}, {stats:?}");
    Taken { peak, merged, amplification }
}

#[test]
fn overwriting_needs_bounded_space() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Lsm::open(vfs, Path::new(FOLDER), options()).expect("an empty folder");
    let Taken { peak, merged, amplification } = overwrite(&engine);
    let peak = peak as f64 / merged as f64;
    assert!(peak < 1.8, "{peak:.2} times the living records at the peak");
    assert!(amplification < 5.5, "{amplification:.2} bytes written for each byte");
}

#[test]
fn overwriting_a_tree_needs_bounded_space() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Btree::open(vfs, Path::new(FOLDER), btree_options()).expect("an empty folder");
    let Taken { peak, merged, amplification } = overwrite(&engine);
    // What a compaction leaves, and what gathers until the next one has gone through.
    let living = (KEYS + 2 * KEPT) * RECORD_BYTES;
    let [peak, merged] = [peak, merged].map(|bytes| bytes as f64 / living as f64);
    assert!(peak < 3.0, "{peak:.2} times the living records at the peak");
    assert!(merged < 2.4, "{merged:.2} times the living records after a sweep of everything");
    assert!(amplification < 64.0, "{amplification:.2} bytes written for each byte");
}
