//! Opening a store that was closed cleanly: time, memory, and a copy of it made while it is open.

use std::fs;
use std::time::Instant;

use crate::Error;
use crate::corpus::Order;
use crate::engine::child::Run;
use crate::engine::measure::{drop_page_cache, fill_page_cache, resident_bytes};
use crate::engine::results::print_value;
use crate::engine::subject::{Direction, Projection, Scan, Subject};

/// Reads after which all that a store keeps in memory besides its cache is there.
const READS: u64 = 20_000;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    drop_page_cache(run.store)?;
    open_and_read(run, "start, nothing cached: ms to the first read")?;
    fill_page_cache(run.store)?;
    let before = resident_bytes()?;
    let store = open_and_read(run, "start, files cached: ms to the first read")?;
    print_value("start: resident MiB more", grown(before)? / f64::from(1 << 20));
    checkpoint(run, &*store)?;
    drop(store);
    pinned(run)
}

fn open_and_read(run: &Run<'_>, what: &str) -> Result<Box<dyn Subject>, Error> {
    let key = run.options.corpus.key(run.options.keys / 2);
    let began = Instant::now();
    let store = run.open_to_read()?;
    let found = store.get(&key)?;
    print_value(what, began.elapsed().as_secs_f64() * 1e3);
    match found {
        Some(_) => Ok(store),
        None => Err("a key is missing after the start".into()),
    }
}

fn checkpoint(run: &Run<'_>, store: &dyn Subject) -> Result<(), Error> {
    let to = run.store.join("checkpoint");
    if let Some(took) = store.checkpoint(&to)? {
        print_value("checkpoint: ms", took.as_secs_f64() * 1e3);
        fs::remove_dir_all(to)?;
    }
    Ok(())
}

/// Memory that stays although there is no cache, once everything was looked at.
fn pinned(run: &Run<'_>) -> Result<(), Error> {
    let keys = run.options.keys;
    let before = resident_bytes()?;
    let store = run.open_without_cache()?;
    for place in 0..READS.min(keys) {
        store.get(&run.options.corpus.key(Order::Random.number(place, keys)))?;
    }
    let (start, end) = run.options.corpus.all();
    let scan = Scan {
        start: &start,
        end: &end,
        limit: usize::MAX,
        direction: Direction::Forward,
        projection: Projection::Keys,
    };
    store.scan(&scan)?;
    print_value("start: bytes pinned per key, without a cache", grown(before)? / keys as f64);
    Ok(())
}

/// Memory that has come since.
fn grown(before: u64) -> Result<f64, Error> {
    Ok(resident_bytes()?.saturating_sub(before) as f64)
}
