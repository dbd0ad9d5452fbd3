//! A set of keys is written over and over, with compactions that follow. The files must stay
//! within a small factor of what the living records need, at every moment, and writing each
//! byte again must have a bound too.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::{Applied, Engine, Keyspace, Lsm, Options, Version};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{FOLDER, Random, record, settle, tiny_options};

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

fn write(engine: &Lsm, main: u64, key: u64) {
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

#[test]
fn overwriting_needs_bounded_space() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Lsm::open(vfs, Path::new(FOLDER), options()).expect("an empty folder");
    let mut random = Random(99);
    let mut peak = 0;
    for main in 1..=WRITES {
        let key = if main <= KEYS { main } else { 1 + random.below(KEYS) };
        write(&engine, main, key);
        if main % 64 == 0 {
            settle(&engine).expect("memory only");
        }
        if main > 5 * KEYS {
            peak = peak.max(engine.stats().file_bytes);
        }
    }
    let stats = engine.stats();
    engine.request_merge().expect("memory only");
    settle(&engine).expect("memory only");
    let merged = engine.stats().file_bytes;
    let user_bytes = WRITES * (u64::from(VALUE_BYTES) + 12);
    let amplification = stats.bytes_written as f64 / user_bytes as f64;
    let space = peak as f64 / merged as f64;
    eprintln!(
        "space {space:.2} peak, amplification {amplification:.2}, {stats:?}, merged {merged}"
    );
    assert!(space < 1.8, "{space:.2} times the living records at the peak");
    assert!(amplification < 5.5, "{amplification:.2} bytes written for each byte");
}
