//! An engine with many tables starts without their indexes and filters. A damaged one doesn't keep
//! it from starting; the first read that needs it names file and place and stops the engine, as any
//! other damage does, and a scrub finds it without.

use std::path::PathBuf;
use std::sync::Arc;

use retcd_engine::lsm::inspect::Folder;
use retcd_engine::table::{BlockCache, BlockPlace, Layout};
use retcd_engine::{Direction, Engine, Error, KeyRange, Keyspace, Lsm, Projection, Scrubbed};
use retcd_engine::{Result, Version};
use retcd_vfs::{MemVfs, Vfs};

use crate::history::History;
use crate::support::{FOLDER, Log, apply, open, settle};

fn filled(vfs: &Arc<dyn Vfs>) -> Log {
    let log = History { seed: 61, batches: 300 }.log();
    let engine = open(vfs).expect("an empty folder");
    for batch in &log.batches {
        apply(&engine, batch).expect("memory only");
        engine.step().expect("memory only");
    }
    engine.request_flush().expect("memory only");
    // Merges that are due stay so.
    while engine.flushed() != log.applied() {
        engine.step().expect("memory only");
    }
    log
}

/// Picks a part of a table.
type Part = fn(Layout) -> BlockPlace;

/// Turns a bit of the part that `part` picks in each table of pairs; where those parts lie.
fn damage(vfs: &dyn Vfs, part: Part) -> Vec<(PathBuf, u64)> {
    let folder = Folder::read(vfs, FOLDER.as_ref()).expect("undamaged");
    let runs = folder.contents().runs.values().filter(|run| run.keyspace == Keyspace::Kv);
    let damaged = runs.flat_map(|run| run.tables.clone()).map(|file| {
        let table = folder.open(file, &Arc::new(BlockCache::new(0))).expect("undamaged");
        let place = part(table.layout().expect("undamaged"));
        let pages = vfs.open_pages(table.path()).expect("it is there");
        let mut byte = [0];
        pages.read_exact_at(place.offset, &mut byte).expect("memory only");
        pages.write_at(place.offset, &[byte[0] ^ 1]).expect("memory only");
        (table.path().to_owned(), place.offset)
    });
    damaged.collect()
}

fn place_of(error: Error) -> (PathBuf, u64) {
    match error {
        Error::Corrupt { path, offset, .. } => (path, offset),
        other => panic!("{other}"),
    }
}

/// Reads pairs in one way; nothing is expected of what it finds.
type Read = fn(&Lsm, &[u8]) -> Result<()>;

const EVERYTHING: KeyRange<'static> = KeyRange { start: &[], end: None };

fn get(engine: &Lsm, key: &[u8]) -> Result<()> {
    engine.view().get(Keyspace::Kv, key, Version::MAX, Projection::Keys).map(drop)
}

fn scan(engine: &Lsm, _: &[u8]) -> Result<()> {
    for direction in [Direction::Forward, Direction::Reverse] {
        let (view, keys) = (engine.view(), Projection::Keys);
        let mut scan = view.scan(Keyspace::Kv, EVERYTHING, Version::MAX, direction, keys)?;
        while scan.next()?.is_some() {}
    }
    Ok(())
}

fn count(engine: &Lsm, _: &[u8]) -> Result<()> {
    engine.view().count(Keyspace::Kv, EVERYTHING, Version::MAX).map(drop)
}

fn merge(engine: &Lsm, _: &[u8]) -> Result<()> {
    engine.request_merge()?;
    settle(engine)
}

#[test]
fn a_damaged_index_or_filter_stops_the_read_that_needs_it() {
    let index: Part = |layout| layout.index;
    let filter: Part = |layout| layout.filter;
    let reads: [(&str, Read, Part); 5] = [
        ("get", get, filter),
        ("get", get, index),
        ("scan", scan, index),
        ("count", count, index),
        ("merge", merge, index),
    ];
    for (name, read, part) in reads {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let log = filled(&vfs);
        let damaged = damage(&*vfs, part);
        assert!(damaged.len() > 1, "{damaged:?}");
        let engine = open(&vfs).expect("what is damaged isn't needed to start");
        assert_eq!(engine.flushed(), log.applied());
        let key = engine_key(&log);
        let place = place_of(read(&engine, &key).expect_err(name));
        assert!(damaged.contains(&place), "{place:?} isn't of {damaged:?}");
        for refused in [get, scan, count, merge] {
            let refused = refused(&engine, &key).expect_err("the engine has stopped");
            assert!(matches!(refused, Error::Poisoned), "{refused}");
        }
    }
}

/// A key that was written.
fn engine_key(log: &Log) -> Vec<u8> {
    let records = log.batches.iter().flat_map(|batch| &batch.records);
    let pairs = records.filter(|(keyspace, _)| *keyspace == Keyspace::Kv);
    pairs.last().expect("pairs were written").1.key.to_vec()
}

#[test]
fn a_scrub_finds_what_no_read_has_needed() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    filled(&vfs);
    let damaged = damage(&*vfs, |layout| layout.index);
    let engine = open(&vfs).expect("what is damaged isn't needed to start");
    let mut scrub = engine.scrub();
    let mut found = Vec::new();
    loop {
        let Scrubbed { damage, is_last, .. } = scrub.step(1 << 20).expect("the engine is well");
        found.extend(damage.into_iter().map(place_of));
        if is_last {
            break;
        }
    }
    found.sort();
    let mut expected = damaged;
    expected.sort();
    assert_eq!(found, expected);
}
