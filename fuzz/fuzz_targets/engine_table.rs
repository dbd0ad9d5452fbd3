//! A valid table, then mutations of its file, then every way of reading it.
//!
//! It may be refused, and any read may fail; what is read without an error must be what was
//! written, and a table that passes verification must be the one that was written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_engine::table::{
    Age, BlockCache, FileNumber, Table, TableFile, TableOptions, TableWriter,
};
use retcd_engine::{Header, Keyspace, Projection, Record, Result, Version};
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;
use std::sync::{Arc, LazyLock};

struct Written {
    bytes: Vec<u8>,
    file: TableFile,
    records: Vec<Record>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(write);

/// Two versions of forty keys in small blocks, every third key gone.
fn records() -> Vec<Record> {
    let mut records = Vec::new();
    for key in 0..40u64 {
        for main in [200 + key, 100 + key] {
            let tombstone = key % 3 == 0 && main >= 200;
            let value = Bytes::from(format!("value {key} at {main} ").repeat(key as usize % 5));
            records.push(Record {
                key: Bytes::from(format!("/keys/{key:03}")),
                version: Version { main, sub: key % 2 },
                tombstone,
                header: Header::new(&[key as u8; 4]).expect("four bytes are few"),
                value: if tombstone { Bytes::new() } else { value },
                keys_added: None,
            });
        }
    }
    records
}

fn write() -> Written {
    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let options =
        TableOptions { key_block_bytes: 300, value_block_bytes: 400, ..TableOptions::default() };
    let file = vfs.create_append(path).expect("a new name");
    let mut writer = TableWriter::new(file, path.to_owned(), FileNumber(1), Keyspace::Kv, options)
        .expect("a known compression");
    writer.use_dictionary(b"value 1 at 100 value 2 at 200 ").expect("memory only");
    let records = records();
    for (at, record) in records.iter().enumerate() {
        let age = if at % 2 == 0 { Age::Newest } else { Age::Superseded };
        writer.add(record, age).expect("memory only");
    }
    let file = writer.finish().expect("memory only").file;
    let mut bytes = vec![0; file.file_bytes as usize];
    let read = vfs.open_read(path).expect("just written");
    read.read_exact_at(0, &mut bytes).expect("just written");
    Written { bytes, file, records }
}

fuzz_target!(|data: &[u8]| {
    let written = &*WRITTEN;
    let mut bytes = written.bytes.clone();
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] ^= change[2];
    }
    let unchanged = bytes == written.bytes;
    if let Ok(table) = open(bytes, written.file) {
        let _ = read(&table, &written.records);
        assert_eq!(table.verify().is_ok(), unchanged);
    } else {
        assert!(!unchanged);
    }
});

fn open(bytes: Vec<u8>, listed: TableFile) -> Result<Table> {
    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let mut file = vfs.create_append(path).expect("a new name");
    file.append(&bytes).expect("memory only");
    let file = vfs.open_read(path).expect("just written");
    Table::open(file, path.to_owned(), listed, Arc::new(BlockCache::new(1 << 16)))
}

fn read(table: &Table, records: &[Record]) -> Result<()> {
    for record in records {
        if let Ok(found) = table.get(&record.key, record.version, Projection::Full) {
            assert_eq!(found.as_ref(), Some(record));
        }
    }
    let mut cursor = table.cursor(Projection::Full);
    cursor.seek_to_last()?;
    for record in records.iter().rev() {
        assert_eq!(cursor.record()?.as_ref(), Some(record));
        cursor.prev()?;
    }
    Ok(())
}
