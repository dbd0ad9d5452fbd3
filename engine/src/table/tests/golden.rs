//! The bytes of one small table. They change only with the format's version.

use super::*;
use std::fmt::Write;

/// Two versions of a key, a tombstone, a value of its own block: every kind of record.
fn records() -> Vec<Record> {
    vec![
        put(b"/a/1", version(7, 0), b"newest value"),
        put(b"/a/1", version(4, 1), b"older value"),
        delete(b"/a/2", version(6, 0)),
        put(b"/a/3", version(5, 2), b"next to the newest"),
        put(b"/b", version(9, 0), &[b'x'; 40]),
    ]
}

const OPTIONS: TableOptions = TableOptions {
    key_block_bytes: 100,
    value_block_bytes: 40,
    compression: Compression::None,
    filter_bits_per_key: 10,
};

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").expect("strings grow");
        }
        text.push('\n');
    }
    text
}

#[test]
fn a_small_table_has_the_bytes_of_format_1() {
    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let meta = write(&vfs, path, &records(), OPTIONS);
    let mut bytes = vec![0; meta.file.file_bytes as usize];
    let file = vfs.open_read(path).expect("just written");
    file.read_exact_at(0, &mut bytes).expect("just written");
    assert_eq!(hex(&bytes), include_str!("golden-1.hex"));
    assert_eq!(meta.file.checksum, crc32fast::hash(&bytes));
}
