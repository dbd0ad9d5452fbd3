//! Counting everything, and a tenth, when asked for the first time and again.

use std::time::Instant;

use bytes::Bytes;

use crate::Error;
use crate::engine::child::Run;
use crate::engine::measure::fill_page_cache;
use crate::engine::results::print_value;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    fill_page_cache(run.store)?;
    let all = count(run, "all", &run.options.corpus.all())?;
    if all != run.options.keys {
        return Err(format!("{all} keys are there, not {}", run.options.keys).into());
    }
    count(run, "a tenth", &run.options.corpus.tenth(run.options.keys))?;
    Ok(())
}

/// A freshly opened store, so that the first count finds nothing in the cache.
fn count(run: &Run<'_>, what: &str, range: &(Bytes, Bytes)) -> Result<u64, Error> {
    let store = run.open_to_read()?;
    let mut keys = 0;
    for time in ["first time", "again"] {
        let began = Instant::now();
        keys = store.count(&range.0, &range.1)?;
        let millis = began.elapsed().as_secs_f64() * 1e3;
        print_value(&format!("count of {what}, {time}: ms"), millis);
    }
    Ok(keys)
}
