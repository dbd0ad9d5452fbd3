//! A valid folder of the B+tree, then edits of its pages, with checksums made right if the input
//! asks for it, then everything that can be done with it.
//!
//! Opening may refuse it, and any read or step may fail; nothing may panic, every walk ends, and
//! memory is bounded by the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_engine::bolt::PAGE_BYTES;
use retcd_engine::btree::{Btree, Options};
use retcd_fuzz::engine::{FOLDER, disk, files, fill, use_it};
use retcd_fuzz::memory::peak_of;
use retcd_vfs::{MemVfs, Vfs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

const PAGE: usize = PAGE_BYTES as usize;
/// Where a meta page's checksum lies, and what it covers.
const META_CHECKSUM: usize = 72;
const META_FIELDS: std::ops::Range<usize> = 16..META_CHECKSUM;
/// Where a page says how many pages more belong to it.
const OVERFLOW: usize = 12;

static WRITTEN: LazyLock<(PathBuf, Vec<u8>)> = LazyLock::new(write);

fn options() -> Options {
    Options {
        batch_operations: 6,
        memtable_bytes: 1 << 10,
        block_cache_bytes: 1 << 14,
        slice_bytes: 500,
        ..Options::default()
    }
}

fn write() -> (PathBuf, Vec<u8>) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    fill(&Btree::open(vfs.clone(), Path::new(FOLDER), options()).expect("an empty folder"));
    files(&*vfs).remove(0)
}

fuzz_target!(|data: &[u8]| {
    let (path, written) = &*WRITTEN;
    let Some((&flags, edits)) = data.split_first() else {
        return;
    };
    let mut bytes = written.clone();
    let mut touched = Vec::new();
    // Each edit is a page, a place in it, and a byte; most of what matters is at a page's start.
    for edit in edits.chunks_exact(4) {
        let page = usize::from(edit[0]) % (bytes.len() / PAGE);
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        let at = if flags & 2 == 0 { at % 256 } else { at % PAGE };
        bytes[page * PAGE + at] = edit[3];
        touched.push(page);
    }
    if flags & 1 == 0 {
        touched.into_iter().for_each(|page| make_right(&mut bytes, page));
    }
    let vfs: Arc<dyn Vfs> = Arc::new(disk([(path, bytes.as_slice())]));
    let (_, held) = peak_of(|| use_it(&Btree::open(vfs, Path::new(FOLDER), options())?));
    assert!(held <= 64 * bytes.len() + (1 << 20), "{held} bytes held");
});

/// Makes the checksum right of the page, with what it says to be more of it.
fn make_right(bytes: &mut [u8], page: usize) {
    let bytes = &mut bytes[page * PAGE..];
    if page < 2 {
        let step =
            |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let sum = bytes[META_FIELDS].iter().fold(0xcbf2_9ce4_8422_2325, step);
        bytes[META_CHECKSUM..META_CHECKSUM + 8].copy_from_slice(&sum.to_le_bytes());
        return;
    }
    let overflow = bytes[OVERFLOW..].first_chunk().expect("a page has a header");
    let pages = (u32::from_le_bytes(*overflow) as usize).saturating_add(1);
    let end = pages.saturating_mul(PAGE).min(bytes.len());
    let sum = crc32fast::hash(&bytes[..end - 4]);
    bytes[end - 4..end].copy_from_slice(&sum.to_le_bytes());
}
