//! One thread writes and helps when flushes lag, two step, two read, all at full speed. Every view
//! must show each batch whole or not at all, and at the end everything is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use retcd_engine::{
    Applied, Direction, Engine, KeyRange, Keyspace, Projection, Record, Step, Version,
};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{KINDS, Kind, drain, record, settle};

const BATCHES: u64 = 1500;
const KEYS: u64 = 40;
const KEYS_OF_A_BATCH: u64 = 4;

/// Batch `main` writes the next keys in a circle, so the newest versions are known.
fn batch(main: u64) -> Vec<Record> {
    let keys = (0..KEYS_OF_A_BATCH).map(|n| (main * KEYS_OF_A_BATCH + n) % KEYS);
    let key = |n| Bytes::from(format!("key {n:02}"));
    (0..).zip(keys).map(|(sub, n)| record(key(n), Version { main, sub }, false, 30)).collect()
}

fn write_all(engine: &dyn Engine, published: &AtomicU64) {
    for main in 1..=BATCHES {
        engine.write(Keyspace::Kv, &mut batch(main)).expect("no error was planned");
        let watermark = (main / 100 * 100).saturating_sub(50);
        let applied = Applied { index: main, term: 1, watermark, state: Bytes::new() };
        engine.commit(applied).expect("no error was planned");
        published.store(main, Ordering::Release);
        while engine.stats().frozen_memtables > 1 {
            engine.step().expect("no error was planned");
        }
    }
}

fn step_until(engine: &dyn Engine, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        if engine.step().expect("no error was planned") == Step::Idle {
            thread::yield_now();
        }
    }
}

fn read_until(engine: &dyn Engine, published: &AtomicU64, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        read_once(engine, published);
    }
}

/// All keys at the newest published version carry the last batches' versions.
fn read_once(engine: &dyn Engine, published: &AtomicU64) {
    let main = published.load(Ordering::Acquire);
    let view = engine.view();
    if engine.flushed().watermark > main {
        return; // This thread slept for long; what it would ask for is compacted.
    }
    let all = KeyRange { start: b"", end: None };
    let at = Version::end_of(main);
    let direction = [Direction::Forward, Direction::Reverse][main as usize % 2];
    let scan = view.scan(Keyspace::Kv, all, at, direction, Projection::Full).expect("no error");
    let mut found: Vec<Version> = drain(scan).iter().map(|record| record.version).collect();
    found.sort_unstable();
    let first = main.saturating_sub(KEYS / KEYS_OF_A_BATCH) + 1;
    let expected: Vec<Version> =
        (first..=main).flat_map(|main| batch(main).into_iter().map(|r| r.version)).collect();
    assert_eq!(found, expected, "at {main}");
}

#[test]
fn any_thread_may_step() {
    KINDS.into_iter().for_each(check);
}

fn check(kind: Kind) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = &*kind.open(&vfs).expect("an empty folder");
    let published = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| step_until(engine, &done));
            scope.spawn(|| read_until(engine, &published, &done));
        }
        write_all(engine, &published);
        done.store(true, Ordering::Release);
    });
    engine.request_merge().expect("no error was planned");
    settle(engine).expect("no error was planned");
    read_once(engine, &published);
    let stats = engine.stats();
    assert!(stats.flushes > 3 && stats.merges > 3, "{stats:?}");
    assert_eq!(engine.flushed().index, BATCHES);
    kind.verify(&*vfs);
}
