//! Readers on other threads, while entries are applied, compacted, flushed and merged: whatever
//! they read is one whole revision, and its counts are right.
//!
//! Every transaction gives two keys the same value and makes one key come or go.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::{CompactionRequest, RangeRequest};
use retcd_engine::lsm::{Lsm, Options};
use retcd_engine::{Engine, Replaceable, Step};
use retcd_mvcc::{Applier, CommittedEntry, Config, Store};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{IntoEntry, delete, list, op, ops, put, refused};

const ENTRIES: u64 = 1500;
const READERS: usize = 3;

#[test]
fn while_the_engine_flushes_and_merges() {
    let options = Options { memtable_bytes: 1 << 14, table_bytes: 1 << 13, ..Options::default() };
    let engine = Lsm::open(Arc::new(MemVfs::new()), Path::new("/db"), options);
    let engine: Arc<dyn Engine> = Arc::new(engine.expect("an empty directory opens"));
    let config = Config { remembered_counts_min: 1, ..Config::default() };
    let (store, mut applier) = Store::open(Arc::clone(&engine), config).expect("it is empty");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                if engine.step().expect("files in memory don't fail") == Step::Idle {
                    std::thread::yield_now();
                }
            }
        });
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| read(&store, &is_over))).collect();
        for number in 1..=ENTRIES {
            write(&mut applier, number);
        }
        is_over.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().expect("no reader found half a revision") > 0);
        }
    });
}

#[test]
fn while_another_state_takes_the_place() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let config = Config { remembered_counts_min: 1, ..Config::default() };
    let source = Lsm::open(Arc::clone(&vfs), Path::new("/source"), Options::default());
    let source: Arc<dyn Engine> = Arc::new(source.expect("an empty directory opens"));
    let (_, mut ahead) = Store::open(Arc::clone(&source), config.clone()).expect("it is empty");

    let files = Arc::clone(&vfs);
    let opener = move |dir: &Path| -> retcd_engine::Result<Arc<dyn Engine>> {
        Ok(Arc::new(Lsm::open(Arc::clone(&files), dir, Options::default())?))
    };
    let engine = Replaceable::open(Arc::clone(&vfs), Path::new("/m/db"), Box::new(opener));
    let engine = Arc::new(engine.expect("an empty directory opens"));
    let opened = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, config);
    let (store, mut applier) = opened.expect("it is empty");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| read(&store, &is_over))).collect();
        for number in 1..=ENTRIES {
            write(&mut ahead, number);
            // A few are missed each time.
            match number % 100 {
                0..70 => write(&mut applier, number),
                99 => {
                    ahead.publish().expect("files in memory don't fail");
                    receive(&*source, &engine, &mut applier);
                    assert_eq!(applier.index(), number);
                }
                _ => {}
            }
        }
        is_over.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().expect("no reader found two states") > 0);
        }
    });
}

/// Takes over all that `source` has.
fn receive(source: &dyn Engine, engine: &Replaceable, applier: &mut Applier) {
    let settle = |engine: &dyn Engine| while engine.step().expect("memory") != Step::Idle {};
    source.request_flush().expect("files in memory don't fail");
    settle(source);
    let mut checkpoint = source.checkpoint(Path::new("/m/incoming")).expect("the name is free");
    while checkpoint.step().expect("files in memory don't fail").is_none() {}
    let next = engine.replace(Path::new("/m/incoming")).expect("files in memory don't fail");
    let state = Arc::clone(next.engine());
    applier.replace(&*state, || drop(next.switch())).expect("the state can be read");
    settle(engine);
}

fn write(applier: &mut Applier, number: u64) {
    let value = number.to_string();
    let toggled = format!("toggled/{}", number % 40);
    let toggle = if (number / 40).is_multiple_of(2) {
        op(put(&toggled, ""))
    } else {
        op(delete(&toggled, ""))
    };
    let request = match number % 50 {
        0 => CompactionRequest { revision: number as i64 / 2, physical: false }.into_entry(),
        _ => ops(vec![op(put("left", &value)), toggle, op(put("right", &value))]).into_entry(),
    };
    let entry = CommittedEntry { index: number, term: 1, data: request.encode_to_vec().into() };
    let outcome = applier.apply(&entry, Duration::ZERO).expect("files in memory don't fail");
    assert!(outcome.result.is_ok(), "{outcome:?}");
    if number.is_multiple_of(3) {
        applier.publish().expect("files in memory don't fail");
    }
}

/// Reads until it is over; says how often.
fn read(store: &Store, is_over: &AtomicBool) -> u64 {
    let mut reads = 0;
    while !is_over.load(Ordering::Acquire) {
        let all = store.range(&list("\0", "\0")).expect("the current revision isn't compacted");
        let value = |key: &str| all.kvs.iter().find(|pair| pair.key == key).map(|pair| &pair.value);
        assert_eq!(value("left"), value("right"));
        assert_eq!(all.count, all.kvs.len() as i64);
        let revision = all.header.as_ref().expect("a range has a header").revision;
        let toggled = all.kvs.iter().filter(|pair| pair.key.starts_with(b"toggled/")).count();
        for request in [
            RangeRequest { revision, limit: 5, ..list("toggled/", "u") },
            RangeRequest { revision, count_only: true, ..list("toggled/", "u") },
        ] {
            match store.range(&request).map_err(refused) {
                Ok(again) => assert_eq!(again.count, toggled as i64, "at revision {revision}"),
                Err(error) => assert_eq!(error, Error::Compacted),
            }
        }
        let now = RangeRequest { limit: 3, ..list("toggled/", "\0") };
        let now = store.range(&now).expect("the current revision isn't compacted");
        assert!(now.count >= now.kvs.len() as i64 && now.count <= 40);
        reads += 1;
    }
    reads
}
