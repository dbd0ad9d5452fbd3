//! Opens a folder of many tables, and tells what the start takes: time, memory, bytes read; then
//! the same of the first read and of a read of every table.
//!
//! ```text
//! cargo run --release -p retcd-engine --example start -- FOLDER
//!     --keys N         keys of 32 bytes with values of 256; 1,000,000
//!     --table-bytes N  bytes of a table; 262144
//! ```
//!
//! The folder is filled if it is empty; then the program is to be run again, so that what filling
//! leaves in memory isn't counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use retcd_engine::{Applied, Engine, Header, Keyspace, Lsm, Options, Projection, Record};
use retcd_engine::{Step, Version};
use retcd_vfs::RealVfs;

/// Keys of one commit.
const BATCH: u64 = 1000;

fn key(number: u64) -> Bytes {
    Bytes::from(format!("{number:016x}/a-key-of-32-byte"))
}

fn record(number: u64) -> Record {
    let digits = |part: u64| format!("{:016x}", (number * 4 + part).wrapping_mul(0x9e37_79b9_7f4a));
    let random: String = (0..4).map(digits).collect();
    Record {
        key: key(number),
        version: Version { main: number + 1, sub: 0 },
        tombstone: false,
        header: Header::default(),
        value: Bytes::from(random + &"a fixed text ".repeat(15)),
        keys_added: Some(1),
    }
}

fn settle(engine: &Lsm) -> retcd_engine::Result<()> {
    while engine.step()? != Step::Idle {}
    Ok(())
}

fn fill(engine: &Lsm, keys: u64) -> retcd_engine::Result<()> {
    for first in (0..keys).step_by(BATCH as usize) {
        let behind = keys.min(first + BATCH);
        engine.write(Keyspace::Kv, &mut (first..behind).map(record).collect())?;
        let state = Bytes::new();
        engine.commit(Applied { index: behind, term: 1, watermark: 0, state })?;
        engine.step()?;
    }
    engine.request_flush()?;
    settle(engine)?;
    println!("filled: {:?}", engine.stats());
    Ok(())
}

/// A number that the kernel keeps of this process.
fn counter(file: &str, name: &str) -> std::io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let digits = line.trim_start_matches(':').split_whitespace().next().unwrap_or_default();
    Ok(digits.parse().unwrap_or_default())
}

fn tell(what: &str, began: Instant) -> std::io::Result<()> {
    println!(
        "{what:<24} {:>8.1} ms, resident {:>6} KiB, read {:>9} bytes in {:>6} calls",
        began.elapsed().as_secs_f64() * 1e3,
        counter("status", "VmRSS")?,
        counter("io", "rchar")?,
        counter("io", "syscr")?,
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: start FOLDER [--keys N] [--table-bytes N]")?;
    let (mut keys, mut table_bytes) = (1_000_000, 262_144);
    while let (Some(name), Some(number)) = (arguments.next(), arguments.next()) {
        match &*name {
            "--keys" => keys = number.parse()?,
            "--table-bytes" => table_bytes = number.parse()?,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let options = Options { table_bytes, ..Options::default() };
    tell("before", Instant::now())?;
    let began = Instant::now();
    let engine = Lsm::open(Arc::new(RealVfs), Path::new(&folder), options)?;
    tell("open", began)?;
    if engine.flushed().index == 0 {
        fill(&engine, keys)?;
        return Ok(());
    }
    let get =
        |number| engine.view().get(Keyspace::Kv, &key(number), Version::MAX, Projection::Keys);
    let began = Instant::now();
    get(keys / 2)?.ok_or("a key is missing; was the folder filled with as many?")?;
    tell("first get", began)?;
    let began = Instant::now();
    for number in (0..keys).step_by(BATCH as usize) {
        get(number)?.ok_or("a key is missing")?;
    }
    tell("gets all over the keys", began)?;
    Ok(())
}
