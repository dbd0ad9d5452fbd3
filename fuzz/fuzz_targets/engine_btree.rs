//! A valid file of the B+tree engine, then edits, then everything that an engine does with it.
//!
//! Checksums are made right again if the input asks for it, so that what they cover is believed.
//! Nothing may panic, memory is bounded by the file, every walk and every sweep ends; without
//! corrected checksums nothing may be read that wasn't written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_engine::btree::{Btree, Options};
use retcd_engine::{
    Applied, Direction, Engine, Error, Header, KeyRange, Keyspace, Projection, Record, Result,
    Step, Version, View,
};
use retcd_fuzz::memory::peak_of;
use retcd_vfs::{MemVfs, Vfs};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

const PAGE: usize = 4096;
const FOLDER: &str = "/db";
const FILE: &str = "/db/tree.db";
const KEYSPACES: [Keyspace; 4] = [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];
/// Far more than the file's few pages give work for.
const STEPS_MAX: usize = 20_000;

static WRITTEN: LazyLock<(Vec<u8>, BTreeSet<Bytes>)> = LazyLock::new(write);

fn options() -> Options {
    Options {
        batch_operations: 40,
        block_cache_bytes: 1 << 20,
        slice_bytes: 8192,
        ..Options::default()
    }
}

fn record(main: u64, tombstone: bool) -> Record {
    let long = if main.is_multiple_of(50) { 2 * PAGE } else { 60 };
    let value = if tombstone { Bytes::new() } else { vec![main as u8; long].into() };
    Record {
        key: Bytes::from(format!("key {:03}", main * 7 % 60)),
        version: Version { main, sub: 0 },
        tombstone,
        header: Header::new(&[main as u8]).expect("short"),
        value,
        keys_added: None,
    }
}

fn put(engine: &Btree, main: u64) -> Result<()> {
    let kv = record(main, main.is_multiple_of(9));
    let key = (u128::from(main) << 64).to_be_bytes();
    let key = Bytes::copy_from_slice(&key);
    let rev = Record { key, value: kv.key.clone(), ..record(main, false) };
    engine.write(Keyspace::Kv, &mut vec![kv])?;
    engine.write(Keyspace::Rev, &mut vec![rev])?;
    engine.write(Keyspace::Meta, &mut vec![record(main, main.is_multiple_of(5))])?;
    let before = engine.applied();
    let watermark = before.watermark.max(main.saturating_sub(40) / 20 * 20);
    engine.commit(Applied { index: before.index.max(main), watermark, ..before })
}

fn settle(engine: &Btree) -> Result<()> {
    for _ in 0..STEPS_MAX {
        if engine.step()? == Step::Idle {
            return Ok(());
        }
    }
    panic!("the work has no end");
}

/// A file with trees of two levels, free pages and a sweep behind it, and every value that was ever
/// written to it.
fn write() -> (Vec<u8>, BTreeSet<Bytes>) {
    let vfs = Arc::new(MemVfs::new());
    let engine = Btree::open(vfs.clone(), Path::new(FOLDER), options()).expect("memory");
    for main in 1..300 {
        put(&engine, main).expect("memory");
        settle(&engine).expect("memory");
    }
    engine.request_flush().expect("memory");
    settle(&engine).expect("memory");
    // With the newest meta page lost, the state is the one before, whose values are older.
    let values = (1..300).flat_map(|main| [record(main, false).value, record(main, false).key]);
    let values = values.chain([Bytes::new()]).collect();
    let file = vfs.open_read(Path::new(FILE)).expect("memory");
    let mut bytes = vec![0; file.len().expect("memory") as usize];
    file.read_exact_at(0, &mut bytes).expect("memory");
    (bytes, values)
}

fuzz_target!(|data: &[u8]| {
    let (written, values) = &*WRITTEN;
    let mut bytes = written.clone();
    let Some((&flags, edits)) = data.split_first() else {
        return;
    };
    // Each edit is a page, a place in it, and a byte; most of what matters is at a page's start.
    let mut edited = BTreeSet::new();
    for edit in edits.chunks_exact(4) {
        let page = usize::from(edit[0]) % (bytes.len() / PAGE);
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let at = if flags & 2 == 0 { at % 256 } else { at % PAGE };
        bytes[page * PAGE + at] = edit[3];
        edited.insert(page);
    }
    let corrected = flags & 1 == 0;
    if corrected {
        edited.iter().for_each(|&page| make_right(&mut bytes, page));
    }
    if flags & 4 != 0 {
        bytes.truncate(bytes.len() - usize::from(flags) * 16);
    }
    let file_bytes = bytes.len();
    let vfs = Arc::new(MemVfs::new());
    vfs.create_dir_all(Path::new(FOLDER)).expect("memory");
    vfs.create_append(Path::new(FILE)).and_then(|mut file| file.append(&bytes)).expect("memory");
    let (outcome, held) = peak_of(|| run(vfs, (!corrected).then_some(values)));
    assert!(held <= 64 * file_bytes + (8 << 20), "{held} bytes held");
    match outcome {
        Ok(()) | Err(Error::Corrupt { .. } | Error::Version { .. } | Error::Poisoned) => {}
        Err(other) => panic!("{other}"),
    }
});

/// Reads, writes, sweeps and opens again; `values` are all that may be read at first.
fn run(vfs: Arc<MemVfs>, values: Option<&BTreeSet<Bytes>>) -> Result<()> {
    let engine = Btree::open(vfs.clone(), Path::new(FOLDER), options())?;
    let view = engine.view();
    let outcome = read(&*view, |record| {
        if let Some(values) = values {
            assert!(values.contains(&record.value), "nobody wrote this value");
        }
    });
    drop(view);
    outcome?;
    let mut scrub = engine.scrub();
    while !scrub.step(1 << 16)?.is_last {}
    let last = engine.applied().watermark.saturating_add(400);
    if last < u64::MAX / 2 {
        for main in last..last + 60 {
            put(&engine, main)?;
        }
    }
    engine.request_merge()?;
    settle(&engine)?;
    read(&*engine.view(), |_| {})?;
    drop(engine);
    let engine = Btree::open(vfs, Path::new(FOLDER), options())?;
    read(&*engine.view(), |_| {})
}

fn read(view: &dyn View, mut found: impl FnMut(Record)) -> Result<()> {
    let all = KeyRange { start: b"", end: None };
    for keyspace in KEYSPACES {
        let mut cursor = view.versions(keyspace, all, Projection::Full)?;
        while let Some(record) = cursor.next()? {
            found(record);
        }
        let reverse = Direction::Reverse;
        let mut cursor = view.scan(keyspace, all, Version::MAX, reverse, Projection::Full)?;
        while let Some(record) = cursor.next()? {
            view.get(keyspace, &record.key, Version::MAX, Projection::Full)?;
        }
    }
    Ok(())
}

/// Makes a page's checksum fit to what is on it.
fn make_right(bytes: &mut [u8], page: usize) {
    let from = page * PAGE;
    if page < 2 {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let sum = bytes[from + 16..from + 72].iter().fold(0xcbf2_9ce4_8422_2325, step);
        bytes[from + 72..from + 80].copy_from_slice(&sum.to_le_bytes());
        return;
    }
    let overflow = u32::from_le_bytes(bytes[from + 12..from + 16].try_into().expect("four"));
    let pages = (overflow as usize).saturating_add(1);
    let Some(end) = pages.checked_mul(PAGE).and_then(|len| len.checked_add(from)) else {
        return;
    };
    if end <= bytes.len() {
        let sum = crc32fast::hash(&bytes[from..end - 4]);
        bytes[end - 4..end].copy_from_slice(&sum.to_le_bytes());
    }
}
