//! Memory that stays although there is no cache, once everything was looked at: what a store keeps
//! for each key, beside what any of its size would take.

use crate::Error;
use crate::corpus::Order;
use crate::engine::child::Run;
use crate::engine::measure::resident_bytes;
use crate::engine::results::print_value;
use crate::engine::subject::{Direction, Projection, Scan};

/// Reads of random keys, before all keys are walked.
const READS: u64 = 20_000;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
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
    let grown = resident_bytes()?.saturating_sub(before) as f64;
    print_value("memory without a cache: MiB", grown / f64::from(1 << 20));
    print_value("memory without a cache: bytes per key", grown / keys as f64);
    Ok(())
}
