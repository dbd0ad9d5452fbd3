//! Writing random keys that are there already, while what was overwritten may go.
//!
//! Every twentieth of the way the store is told that the past isn't needed, and its size is taken.
//! At the end everything is merged: what is left then is the live data that sizes are compared
//! with. Values have one length in the one load and about one length in the other, so live data
//! doesn't grow on the way.

use std::time::Instant;

use retcd_testkit::random::Random;

use crate::Error;
use crate::engine::child::Run;
use crate::engine::measure::{
    bytes_written, cpu_time, device_bytes_written, resident_bytes, store_bytes,
};
use crate::engine::results::{Plotted, print_point, print_value};
use crate::engine::sections::batches;

/// How often the past is given up.
const PARTS: u64 = 20;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    let (keys, puts) = (run.options.keys, run.options.overwrites);
    let mut store = run.open_to_write()?;
    let mut random = Random::new(run.options.corpus.seed ^ 2);
    let device_before = device_bytes_written(run.store)?;
    let (written_before, cpu_before) = (bytes_written()?, cpu_time());
    let began = Instant::now();
    let mut user_bytes = 0;
    let mut sizes = Vec::new();
    for part in 0..PARTS {
        let numbers = part * puts / PARTS..(part + 1) * puts / PARTS;
        let pairs = numbers.map(|number| (random.below(keys), number + 1));
        user_bytes += batches::write(run, &*store, pairs)?;
        store.compact()?;
        sizes.push((((part + 1) * puts / PARTS).max(1), store_bytes(run.store)?));
    }
    let took = began.elapsed();
    let resident = resident_bytes()?;
    store.settle()?;
    let all_took = began.elapsed();
    let written = bytes_written()? - written_before;
    let device_after = device_bytes_written(run.store)?;
    let engine_written = store.bytes_written();
    let settled_bytes = store_bytes(run.store)?;
    let cpu = cpu_time() - cpu_before;

    let merge_began = Instant::now();
    store.merge()?;
    let merge_took = merge_began.elapsed();
    // Some stores remove files only when they are closed.
    drop(store);
    let live_bytes = store_bytes(run.store)? as f64;
    let peak = sizes.iter().map(|size| size.1).max().unwrap_or(0) as f64;
    for (puts, bytes) in sizes {
        print_point(Plotted::Space, puts as f64, bytes as f64 / live_bytes);
    }
    let value = |what: &str, value: f64| print_value(&format!("overwrite: {what}"), value);
    value("puts a second", puts as f64 / took.as_secs_f64());
    value("puts a second until settled", puts as f64 / all_took.as_secs_f64());
    value("CPU µs per put, settled", cpu.as_secs_f64() * 1e6 / puts as f64);
    value("resident MiB", resident as f64 / f64::from(1 << 20));
    value("written per user byte", written as f64 / user_bytes as f64);
    if let (Some(before), Some(after)) = (device_before, device_after) {
        let bytes = (after - before) as f64;
        value("written to the disk by the machine per user byte", bytes / user_bytes as f64);
    }
    if let Some(bytes) = engine_written {
        value("written per user byte, log apart", bytes as f64 / user_bytes as f64);
    }
    value("space by live data, peak", peak / live_bytes);
    value("space by live data, settled", settled_bytes as f64 / live_bytes);
    value("seconds to merge fully", merge_took.as_secs_f64());
    value("bytes on disk per key, merged", live_bytes / keys as f64);
    Ok(())
}
