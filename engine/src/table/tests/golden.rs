//! The bytes of small tables of each format version. They change only with the format's version,
//! and stay readable for ever.

use super::*;
use std::fmt::Write;

const PATH: &str = "/table";

/// Two versions of a key, a tombstone, a value with a block of its own: every kind of record.
fn records() -> Vec<Record> {
    vec![
        put(b"/a/1", version(7, 0), b"newest value"),
        put(b"/a/1", version(4, 1), b"older value"),
        delete(b"/a/2", version(6, 0)),
        put(b"/a/3", version(5, 2), b"next to the newest"),
        put(b"/b", version(9, 0), &[b'x'; 40]),
    ]
}

/// The same, with what they add: every code.
fn telling() -> Vec<Record> {
    let added = [Some(0), Some(1), Some(-1), None, Some(1)];
    let records = records().into_iter().zip(added);
    records.map(|(record, keys_added)| Record { keys_added, ..record }).collect()
}

const OPTIONS: TableOptions = TableOptions {
    key_block_bytes: 100,
    value_block_bytes: 40,
    compression: Compression::None,
    filter_bits_per_key: 10,
};

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").expect("strings grow");
        }
        text.push('\n');
    }
    text
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Opens a stored table, checks all of it, and returns its records.
fn read(text: &str) -> Vec<Record> {
    let bytes = from_hex(text);
    let listed = TableFile {
        number: NUMBER,
        keyspace: Keyspace::Kv,
        file_bytes: bytes.len() as u64,
        checksum: crc32fast::hash(&bytes),
    };
    let vfs = MemVfs::new();
    let mut file = vfs.create_append(Path::new(PATH)).expect("a new name");
    file.append(&bytes).expect("memory only");
    let table = open(&vfs, Path::new(PATH), listed).expect("a golden table");
    table.verify().expect("a golden table");
    let mut cursor = table.cursor(Projection::Full);
    cursor.seek_to_first().expect("a golden table");
    let mut records = Vec::new();
    while let Some(record) = cursor.record().expect("a golden table") {
        records.push(record);
        cursor.next().expect("a golden table");
    }
    records
}

#[test]
fn a_small_table_has_the_bytes_of_format_3() {
    let vfs = MemVfs::new();
    let meta = write(&vfs, Path::new(PATH), &telling(), OPTIONS);
    let mut bytes = vec![0; meta.file.file_bytes as usize];
    let file = vfs.open_read(Path::new(PATH)).expect("just written");
    file.read_exact_at(0, &mut bytes).expect("just written");
    let golden = include_str!("golden-3.hex");
    assert_eq!(to_hex(&bytes), golden);
    assert_eq!(meta.file.checksum, crc32fast::hash(&bytes));
    assert_eq!(read(golden), records());
}

#[test]
fn small_tables_of_earlier_formats_are_read() {
    assert_eq!(read(include_str!("golden-1.hex")), records());
    assert_eq!(read(include_str!("golden-2.hex")), records());
}

/// What zstd makes of the same bytes may differ from release to release, so this one is only read.
#[test]
fn a_compressed_table_of_format_1_is_read() {
    assert_eq!(read(include_str!("golden-1-zstd.hex")), sample(8));
}
