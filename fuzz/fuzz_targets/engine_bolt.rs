//! A valid file in bbolt's format, then edits, then every way of reading it.
//!
//! Checksums of the meta pages are made right again if the input asks for it, so that the numbers
//! in them are believed. Nothing may panic, memory is bounded by the file, every walk ends, and a
//! file that passes verification can be walked through as a whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_engine::Result;
use retcd_engine::bolt::{Bucket, Database, Entry, PAGE_BYTES, Writer};
use retcd_fuzz::memory::peak_of;
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;
use std::sync::LazyLock;

const PAGE: usize = PAGE_BYTES as usize;
/// Where a meta page's checksum lies, and what it covers.
const META_CHECKSUM: usize = 72;
const META_FIELDS: std::ops::Range<usize> = 16..META_CHECKSUM;
/// Buckets within buckets that are walked into.
const DEPTH_MAX: usize = 4;

static WRITTEN: LazyLock<Vec<u8>> = LazyLock::new(write);

/// A bucket of two levels, one with a value of several pages, and an empty one.
fn write() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.bucket(b"key").expect("memory");
    for key in 0..300u32 {
        writer.put(&key.to_be_bytes(), &[key as u8; 40]).expect("memory");
    }
    writer.bucket(b"meta").expect("memory");
    writer.put(b"large", &vec![7; 2 * PAGE]).expect("memory");
    writer.bucket(b"none").expect("memory");
    let (head, _, body) = writer.finish().expect("memory");
    [head.as_slice(), &body].concat()
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = WRITTEN.clone();
    let Some((&flags, edits)) = data.split_first() else {
        return;
    };
    // Each edit is a page, a place in it, and a byte; most of what matters is at a page's start.
    for edit in edits.chunks_exact(4) {
        let page = usize::from(edit[0]) % (bytes.len() / PAGE);
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let at = if flags & 2 == 0 { at % 256 } else { at % PAGE };
        bytes[page * PAGE + at] = edit[3];
    }
    if flags & 1 == 0 {
        (0..2).for_each(|page| make_right(&mut bytes[page * PAGE..(page + 1) * PAGE]));
    }
    if flags & 4 != 0 {
        bytes.truncate(bytes.len() - usize::from(flags) * 16);
    }
    let file_bytes = bytes.len();
    let vfs = MemVfs::new();
    let path = Path::new("/db");
    vfs.create_append(path).and_then(|mut file| file.append(&bytes)).expect("memory");
    let (read, held) = peak_of(|| read(&vfs, path, file_bytes));
    assert!(held <= 64 * file_bytes + (1 << 20), "{held} bytes held");
    drop(read);
});

fn make_right(page: &mut [u8]) {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let sum = page[META_FIELDS].iter().fold(0xcbf2_9ce4_8422_2325, step);
    page[META_CHECKSUM..META_CHECKSUM + 8].copy_from_slice(&sum.to_le_bytes());
}

fn read(vfs: &MemVfs, path: &Path, file_bytes: usize) -> Result<()> {
    let database = Database::open(vfs, path)?;
    let verified = database.verify();
    let walked = walk(&database, &database.root(), 0, file_bytes);
    if verified.is_ok() {
        assert!(walked.is_ok(), "{walked:?}");
    }
    for name in [b"key".as_slice(), b"meta", b"none", b"zzz"] {
        if let Ok(Some(bucket)) = database.bucket(name) {
            let _ = bucket.get(&database, &7u32.to_be_bytes());
            let _ = bucket.get(&database, b"large");
        }
    }
    Ok(())
}

/// Walks through a bucket and, to some depth, the buckets in it.
fn walk(database: &Database, bucket: &Bucket, depth: usize, file_bytes: usize) -> Result<()> {
    let mut count = 0;
    for entry in bucket.entries(database)? {
        count += 1;
        assert!(count <= file_bytes, "a walk has more entries than the file has bytes");
        if let (_, Entry::Bucket(inner)) = entry?
            && depth < DEPTH_MAX
        {
            walk(database, &inner, depth + 1, file_bytes)?;
        }
    }
    Ok(())
}
