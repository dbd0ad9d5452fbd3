//! Scratch files of a sort: valid ones, then edits, with checksums made right if the input asks for
//! it.
//!
//! Reading may fail; it may not panic, nor hold more than a small multiple of the file and one
//! chunk, and without an edit the pairs come out in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_engine::Result;
use retcd_engine::sort::{Sorted, Sorter};
use retcd_fuzz::memory::peak_of;
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "/sort";
const PAIRS: u32 = 40;
/// Bytes before a chunk: checksum, stored bytes, bytes once decompressed.
const CHUNK_HEADER_BYTES: usize = 12;
/// A chunk is at most so long, unless one pair is longer.
const CHUNK_BYTES: usize = 64 << 10;

fuzz_target!(|data: &[u8]| {
    let Some((&flags, edits)) = data.split_first() else {
        return;
    };
    let vfs = MemVfs::new();
    vfs.create_dir_all(FOLDER.as_ref()).expect("memory");
    let mut sorter = Sorter::new(Arc::new(vfs.clone()), FOLDER.as_ref(), 1000);
    for key in 0..PAIRS {
        let key = (key * 7 % PAIRS).to_be_bytes();
        sorter.push(&key, &key.repeat(10)).expect("memory");
    }
    let sorted = sorter.finish();
    assert!(sorted.files() > 1);
    let path = Path::new(FOLDER).join("run-0");
    let file = vfs.open_read(&path).expect("it is there");
    let mut bytes = vec![0; file.len().expect("memory") as usize];
    file.read_exact_at(0, &mut bytes).expect("memory");
    let before = bytes.clone();
    if flags & 2 != 0 {
        // Another content altogether, which the fuzzer writes.
        bytes.truncate(CHUNK_HEADER_BYTES);
        bytes[4..8].copy_from_slice(&(edits.len() as u32).to_le_bytes());
        bytes[8..12].copy_from_slice(&u32::from(flags).to_le_bytes());
        bytes.extend_from_slice(edits);
    } else {
        for edit in edits.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
            bytes[at] = edit[2];
        }
    }
    // A chunk with a right checksum is believed to be as long as it says: no longer than others.
    let length = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize;
    if flags & 1 != 0 && length <= CHUNK_BYTES {
        let sum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
    }
    vfs.remove_file(&path).expect("it is there");
    vfs.create_append(&path).and_then(|mut file| file.append(&bytes)).expect("memory");
    let (found, held) = peak_of(|| walk(&sorted));
    assert!(held <= 16 * bytes.len() + 2 * CHUNK_BYTES, "{held} bytes held");
    if bytes == before {
        assert_eq!(found.expect("nothing was changed"), PAIRS);
    }
});

/// How many pairs there are. They come in order unless they were made up.
fn walk(sorted: &Sorted) -> Result<u32> {
    let mut pairs = sorted.pairs()?;
    let mut count = 0;
    while pairs.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}
