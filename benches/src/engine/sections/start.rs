//! Opening a store that was closed cleanly: time, memory, and a copy of it made while it is open.

use std::fs;
use std::time::Instant;

use crate::Error;
use crate::engine::child::Run;
use crate::engine::measure::{drop_page_cache, fill_page_cache, resident_bytes};
use crate::engine::results::print_value;
use crate::engine::subject::Subject;

pub(in crate::engine) fn run(run: &Run<'_>) -> Result<(), Error> {
    drop_page_cache(run.store)?;
    let before = resident_bytes()?;
    let store = open_and_read(run, "start, nothing cached: ms to the first read")?;
    let grown = resident_bytes()?.saturating_sub(before);
    print_value("start: resident MiB more", grown as f64 / f64::from(1 << 20));
    drop(store);
    fill_page_cache(run.store)?;
    let store = open_and_read(run, "start, files cached: ms to the first read")?;
    checkpoint(run, &*store)
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
