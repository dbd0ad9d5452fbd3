//! Filling an empty store, from one thread, in batches. The time includes making the keys and
//! values, which is the same for all.

use std::time::Instant;

use crate::Error;
use crate::corpus::Order;
use crate::engine::child::Run;
use crate::engine::measure::{
    bytes_written, cpu_time, device_bytes_written, resident_bytes, store_bytes,
};
use crate::engine::results::{Plotted, print_point, print_value};
use crate::engine::sections::batches;

/// Points of the curve.
const PARTS: u64 = 20;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    let [order] = run.options.orders[..] else {
        return Err("a load has one order".into());
    };
    let title = match order {
        Order::Sequential => "load in order",
        Order::Random => "load at random",
    };
    let keys = run.options.keys;
    let store = run.open_to_write()?;
    let device_before = device_bytes_written(run.store)?;
    let (written_before, cpu_before) = (bytes_written()?, cpu_time());
    let started_at = Instant::now();
    let mut user_bytes = 0;
    let mut part_began = started_at;
    for part in 0..PARTS {
        let places = part * keys / PARTS..(part + 1) * keys / PARTS;
        let count = places.end - places.start;
        let numbers = places.map(|place| order.number(place, keys));
        user_bytes += batches::write(run, &*store, numbers.map(|number| (number, 0)))?;
        if order == Order::Random && count > 0 {
            let rate = count as f64 / part_began.elapsed().as_secs_f64();
            print_point(Plotted::LoadRate, ((part + 1) * keys / PARTS) as f64, rate);
        }
        part_began = Instant::now();
    }
    let took = started_at.elapsed();
    let resident = resident_bytes()?;
    store.settle()?;
    let all_took = started_at.elapsed();
    let value = |what: &str, value: f64| print_value(&format!("{title}: {what}"), value);
    value("puts a second", keys as f64 / took.as_secs_f64());
    value("puts a second until settled", keys as f64 / all_took.as_secs_f64());
    value("CPU µs per put, settled", (cpu_time() - cpu_before).as_secs_f64() * 1e6 / keys as f64);
    value("resident MiB", resident as f64 / f64::from(1 << 20));
    let written = (bytes_written()? - written_before) as f64;
    value("written per user byte", written / user_bytes as f64);
    let device_after = device_bytes_written(run.store)?;
    if let (Some(before), Some(after)) = (device_before, device_after) {
        let bytes = (after - before) as f64;
        value("written to the disk by the machine per user byte", bytes / user_bytes as f64);
    }
    if let Some(bytes) = store.bytes_written() {
        value("written per user byte, log apart", bytes as f64 / user_bytes as f64);
    }
    value("bytes on disk per key", store_bytes(run.store)? as f64 / keys as f64);
    Ok(())
}
