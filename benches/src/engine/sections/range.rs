//! Short scans from random keys, files in the page cache.

use bytes::Bytes;
use retcd_testkit::random::Random;

use crate::Error;
use crate::engine::child::Run;
use crate::engine::measure::{fill_page_cache, repeat};
use crate::engine::results::{Plotted, print_point, print_value};
use crate::engine::subject::{Direction, Projection, Scan};

/// Keys in a range.
const LENGTHS: [usize; 3] = [100, 500, 2_000];
/// Keys that are gone through for each row, over all ranges.
const KEYS: usize = 200_000;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    fill_page_cache(run.store)?;
    let store = run.open_to_read()?;
    let (first, last) = run.options.corpus.all();
    let mut random = Random::new(run.options.corpus.seed);
    let mut measure = |limit: usize, direction, projection| {
        let count = (KEYS / limit).max(1);
        let mut key = || run.options.corpus.key(random.below(run.options.keys));
        let starts: Vec<Bytes> = (0..count).map(|_| key()).collect();
        let cost = repeat(count, |number| {
            let (start, end) = match direction {
                Direction::Forward => (&starts[number], &last),
                Direction::Reverse => (&first, &starts[number]),
            };
            store.scan(&Scan { start, end, limit, direction, projection })?;
            Ok(())
        })?;
        Ok::<f64, Error>(cost.mean)
    };
    for length in LENGTHS {
        let micros = measure(length, Direction::Forward, Projection::Full)?;
        print_value(&format!("range of {length}: µs"), micros);
        print_point(Plotted::Range, length as f64, micros);
    }
    let micros = measure(2_000, Direction::Forward, Projection::Keys)?;
    print_value("range of 2000, keys only: µs", micros);
    let micros = measure(500, Direction::Reverse, Projection::Full)?;
    print_value("range of 500 in reverse: µs", micros);
    Ok(())
}
