//! Point reads: of few keys that the cache holds, of any key with and without a cache, of keys that
//! aren't there, and with nothing in memory at all.

use bytes::Bytes;
use retcd_testkit::random::Random;

use crate::Error;
use crate::engine::child::Run;
use crate::engine::measure::{Cost, drop_page_cache, fill_page_cache, repeat};
use crate::engine::results::print_value;
use crate::engine::subject::Subject;

/// Keys that stay in the cache.
const HOT_KEYS: usize = 1_000;
/// Reads of those.
const HOT_READS: usize = 200_000;
/// Reads of any key.
const READS: usize = 50_000;
/// Reads that wait for the disk.
const COLD_READS: usize = 2_000;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    let mut random = Random::new(run.options.corpus.seed);
    let mut keys = |count: usize| -> Vec<Bytes> {
        let mut key = || run.options.corpus.key(random.below(run.options.keys));
        (0..count).map(|_| key()).collect()
    };
    fill_page_cache(run.store)?;
    let store = run.open_to_read()?;
    let hot = keys(HOT_KEYS);
    read(&*store, &hot, HOT_KEYS)?;
    let cost = read(&*store, &hot, HOT_READS)?;
    print("get, cached", &cost);
    let any = keys(READS);
    let cost = read(&*store, &any, READS)?;
    print("get, any key, store's cache", &cost);
    let absent = absent(run);
    let cost = repeat(READS, |number| match store.get(&absent[number])? {
        None => Ok(()),
        Some(_) => Err("a key is there that was never written".into()),
    })?;
    print("get, absent key", &cost);
    drop(store);

    let store = run.open_without_cache()?;
    let cost = read(&*store, &any, READS)?;
    print("get, any key, files cached", &cost);
    drop(store);

    drop_page_cache(run.store)?;
    let store = run.open_without_cache()?;
    let cold = keys(COLD_READS);
    let cost = read(&*store, &cold, COLD_READS)?;
    print("get, any key, nothing cached", &cost);
    Ok(())
}

fn absent(run: &Run<'_>) -> Vec<Bytes> {
    let mut random = Random::new(run.options.corpus.seed ^ 1);
    let mut key = || run.options.corpus.absent_key(random.below(run.options.keys));
    (0..READS).map(|_| key()).collect()
}

fn read(store: &dyn Subject, keys: &[Bytes], count: usize) -> Result<Cost, Error> {
    repeat(count, |number| match store.get(&keys[number % keys.len()])? {
        Some(_) => Ok(()),
        None => Err("a key that was written is missing".into()),
    })
}

fn print(what: &str, cost: &Cost) {
    print_value(&format!("{what}: µs"), cost.mean);
    print_value(&format!("{what}: p99 µs"), cost.p99);
    print_value(&format!("{what}: CPU µs"), cost.cpu);
    print_value(&format!("{what}: reading system calls"), cost.reads);
}
