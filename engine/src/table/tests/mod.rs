//! The table as a whole: what is written comes back, what is damaged is noticed.

mod counting;
mod damage;
mod golden;
mod lazy;
mod round_trip;
mod scrub;

use super::*;
use crate::{Error, Projection, Result};
use bytes::Bytes;
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;
use std::sync::Arc;

const NUMBER: FileNumber = FileNumber(42);

/// Small blocks, so that few records make many of them.
const SMALL: TableOptions = TableOptions {
    key_block_bytes: 200,
    value_block_bytes: 300,
    compression: Compression::Zstd(1),
    filter_bits_per_key: 10,
};

fn version(main: u64, sub: u64) -> Version {
    Version { main, sub }
}

fn put(key: &[u8], at: Version, value: &[u8]) -> Record {
    Record {
        key: Bytes::copy_from_slice(key),
        version: at,
        tombstone: false,
        header: Header::new(&key[..key.len().min(3)]).expect("three bytes are few"),
        value: Bytes::copy_from_slice(value),
        keys_added: None,
    }
}

fn delete(key: &[u8], at: Version) -> Record {
    Record { tombstone: true, ..put(key, at, b"") }
}

/// Writes `records`, which are in order, to `path`.
fn write(vfs: &MemVfs, path: &Path, records: &[Record], options: TableOptions) -> TableMeta {
    let file = vfs.create_append(path).expect("a new name");
    let mut writer = TableWriter::new(file, path.to_owned(), NUMBER, Keyspace::Kv, options)
        .expect("a known compression");
    let mut last: Option<&Record> = None;
    for record in records {
        let starts_key = last.is_none_or(|last| last.key != record.key);
        let age = if starts_key { Age::Newest } else { Age::Superseded };
        writer.add(record, age).expect("memory only");
        last = Some(record);
    }
    writer.finish().expect("memory only")
}

fn open(vfs: &MemVfs, path: &Path, listed: TableFile) -> Result<Table> {
    let file = vfs.open_read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let cache = Arc::new(BlockCache::new(1 << 20));
    Table::open(file, path.to_owned(), listed, cache)
}

/// Writes and opens.
fn table_of(records: &[Record], options: TableOptions) -> Table {
    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let meta = write(&vfs, path, records, options);
    let table = open(&vfs, path, meta.file).expect("just written");
    assert_eq!(*table.properties(), meta.properties);
    table.verify().expect("just written");
    table
}

/// Keys with shared prefixes, one to five versions each, some deleted, values up to three blocks.
fn sample(keys: u64) -> Vec<Record> {
    let mut records = Vec::new();
    for number in 0..keys {
        let key = format!("/registry/pods/ns-{}/pod-{number:05}", number / 10);
        for back in 0..=(number % 5) {
            let at = version(1000 + number * 7 - back * 13, back);
            if number % 7 == 3 && back % 2 == 0 {
                records.push(delete(key.as_bytes(), at));
            } else {
                let len = (number * 31 + back * 17) % 120;
                let len = if number % 50 == 49 { 800 } else { len };
                let value: Vec<u8> = (0..len).map(|at| (at * number % 251) as u8).collect();
                records.push(put(key.as_bytes(), at, &value));
            }
        }
    }
    records.sort_by(|left, right| {
        let (left, right) = ((&*left.key, left.version), (&*right.key, right.version));
        index::record_order(left, right)
    });
    records
}
