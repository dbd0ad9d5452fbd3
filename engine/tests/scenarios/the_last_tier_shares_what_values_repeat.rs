//! Values of some thousand bytes that resemble each other, few to a block, as Kubernetes' objects
//! are. Where they are merged for good, a table's dictionary holds what they share, and they take
//! much less than what a block of them can save on its own.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::table::Compression;
use retcd_engine::{
    Applied, Direction, Engine, Header, KeyRange, Keyspace, Lsm, Options, Projection, Record,
    Version,
};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{FOLDER, Random, settle};

const OBJECTS: u64 = 2000;

/// Bytes that all objects have, and bytes that each has for itself.
const COMMON_BYTES: usize = 1900;
const OWN_BYTES: usize = 100;

fn bytes(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.below(256) as u8).collect()
}

#[test]
fn the_last_tier_shares_what_values_repeat() {
    let mut options = Options::default();
    options.table.compression = Compression::Zstd(1);
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Lsm::open(vfs, Path::new(FOLDER), options).expect("an empty folder");
    let mut random = Random(7);
    let common = bytes(&mut random, COMMON_BYTES);
    let mut values = Vec::new();
    for main in 1..=OBJECTS {
        let own = bytes(&mut random, OWN_BYTES);
        let value = Bytes::from([&own[..OWN_BYTES / 2], &common, &own[OWN_BYTES / 2..]].concat());
        values.push(value.clone());
        let key = Bytes::from(format!("object {main:06}"));
        let version = Version { main, sub: 0 };
        let header = Header::default();
        let (tombstone, keys_added) = (false, Some(1));
        let record = Record { key, version, tombstone, header, value, keys_added };
        engine.write(Keyspace::Kv, &mut vec![record]).expect("memory only");
        let applied = Applied { index: main, term: 1, watermark: 0, state: Bytes::new() };
        engine.commit(applied).expect("memory only");
    }
    engine.request_flush().expect("memory only");
    settle(&engine).expect("memory only");
    let flushed = engine.stats().file_bytes;
    engine.request_merge().expect("memory only");
    settle(&engine).expect("memory only");
    let merged = engine.stats().file_bytes;
    eprintln!("{flushed} bytes flushed, {merged} merged");
    // A block of four objects keeps one of their four common parts, and a dictionary none.
    assert!(merged * 2 < flushed, "{merged} bytes are left of {flushed}");
    assert!(merged > OBJECTS * OWN_BYTES as u64, "{merged} bytes are too few to be true");

    let view = engine.view();
    let everything = KeyRange { start: b"", end: None };
    let (direction, projection) = (Direction::Forward, Projection::Full);
    let scan = view.scan(Keyspace::Kv, everything, Version::MAX, direction, projection);
    let mut scan = scan.expect("memory only");
    for value in values {
        assert_eq!(scan.next().expect("memory only").map(|record| record.value), Some(value));
    }
}
