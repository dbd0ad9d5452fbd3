//! Compression of large groups, where it pays.
//!
//! A fast level takes about 25 µs for 64 KiB that shrink to a quarter. That is what a fast disk
//! takes longer for the 48 KiB more, and a twentieth of what a volume of 125 MB/s takes. A small
//! group can't gain: it occupies a block of 4 KiB either way. Payloads that don't shrink (already
//! compressed, encrypted) come in series, so after each failure twice as many groups are left alone
//! as after the one before.
//!
//! ```text
//!    0 bytes of records u32      4 a zstd frame of the records
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::layout::{put, u32_at};
use crate::limits::{BLOCK_BYTES, KEPT_BUFFER_BYTES_MAX};
use std::io;
use zstd::bulk;

/// zstd's level: negative ones are the fast ones.
const LEVEL: i32 = -3;

/// The length of the records, before the frame.
const HEAD_BYTES: usize = 4;

/// Most groups that are left alone after one that didn't shrink.
const SKIPPED_MAX: u32 = 64;

/// Compresses groups of some length and more.
pub(crate) struct Compressor {
    /// Groups with fewer bytes of records are left as they are; 0: all of them.
    from_bytes: u64,
    /// Made with the first group that is long enough.
    zstd: Option<bulk::Compressor<'static>>,
    /// Records before they are compressed.
    records: Vec<u8>,
    patience: Patience,
}

impl Compressor {
    pub(crate) fn new(from_bytes: u64) -> Compressor {
        Compressor { from_bytes, zstd: None, records: Vec::new(), patience: Patience::default() }
    }

    /// Whether a group with so many bytes of records is to be tried.
    pub(crate) fn is_wanted(&mut self, record_bytes: u64) -> bool {
        self.from_bytes > 0 && record_bytes >= self.from_bytes && self.patience.tries()
    }

    /// Puts a compressed payload at the start of `to`, which has room for the records as they are,
    /// and returns its length. `None`, and anything in `to`, if that doesn't save an eighth and a
    /// block. `encode` writes the records into the buffer that it is given.
    pub(crate) fn compress(
        &mut self,
        record_bytes: usize,
        to: &mut [u8],
        encode: impl FnOnce(&mut [u8]),
    ) -> io::Result<Option<usize>> {
        self.records.resize(record_bytes, 0);
        encode(&mut self.records);
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(bulk::Compressor::new(LEVEL)?),
        };
        let aim = record_bytes.saturating_sub((record_bytes / 8).max(BLOCK_BYTES as usize));
        let length = u32::try_from(record_bytes).expect("a segment is shorter than 4 GiB");
        let shrunk = to
            .get_mut(HEAD_BYTES..aim.max(HEAD_BYTES))
            .and_then(|room| zstd.compress_to_buffer(&self.records, room).ok());
        if self.records.capacity() > KEPT_BUFFER_BYTES_MAX {
            self.records = Vec::new();
        }
        self.patience.note(shrunk.is_some());
        Ok(shrunk.map(|frame_bytes| {
            put(to, 0, length.to_le_bytes());
            HEAD_BYTES.saturating_add(frame_bytes)
        }))
    }
}

/// How many groups to leave alone.
#[derive(Default)]
struct Patience {
    /// After the next failure so many are left alone.
    pause: u32,
    left: u32,
}

impl Patience {
    /// Counts a group that is long enough; says whether it is tried.
    fn tries(&mut self) -> bool {
        let is_due = self.left == 0;
        self.left = self.left.saturating_sub(1);
        is_due
    }

    fn note(&mut self, has_shrunk: bool) {
        self.pause = match has_shrunk {
            true => 0,
            false => self.pause.saturating_mul(2).clamp(1, SKIPPED_MAX),
        };
        self.left = self.pause;
    }
}

/// The records of a compressed payload; `None` if it isn't one, or has more than `bytes_max` bytes
/// of records, which is what memory is taken for.
pub(crate) fn decompress(payload: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let record_bytes = u32_at(payload, 0)?;
    if u64::from(record_bytes) > bytes_max {
        return None;
    }
    let record_bytes = usize::try_from(record_bytes).ok()?;
    let records = bulk::decompress(payload.get(HEAD_BYTES..)?, record_bytes).ok()?;
    (records.len() == record_bytes).then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn compress(compressor: &mut Compressor, records: &[u8]) -> Option<Vec<u8>> {
        let mut to = vec![0; records.len()];
        let encode = |buf: &mut [u8]| buf.copy_from_slice(records);
        let length = compressor.compress(records.len(), &mut to, encode).expect("zstd is there");
        length.map(|length| to[..length].to_vec())
    }

    /// Bytes that nothing can be saved of.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn text_shrinks_and_comes_back() {
        let records = b"the same words again and again, ".repeat(2000);
        let payload = compress(&mut Compressor::new(1), &records).expect("it shrinks");
        assert!(payload.len() < records.len() / 8);
        assert_eq!(decompress(&payload, records.len() as u64), Some(records.clone()));
        assert_eq!(decompress(&payload, records.len() as u64 - 1), None, "too long");
        for bytes in 0..payload.len() {
            assert_eq!(decompress(&payload[..bytes], 1 << 20), None, "cut at {bytes}");
        }
    }

    #[test]
    fn only_long_groups_are_tried() {
        assert!(!Compressor::new(0).is_wanted(u64::MAX));
        assert!(!Compressor::new(100).is_wanted(99));
        assert!(Compressor::new(100).is_wanted(100));
    }

    #[test]
    fn what_saves_no_block_is_left_alone() {
        assert_eq!(compress(&mut Compressor::new(1), &[7; 4096]), None);
        assert_eq!(compress(&mut Compressor::new(1), &noise(1 << 16)), None);
        assert_eq!(compress(&mut Compressor::new(1), &[]), None);
    }

    #[test]
    fn after_failures_fewer_groups_are_tried() {
        let mut compressor = Compressor::new(1);
        let mut tried = 0;
        for _ in 0..1000 {
            if compressor.is_wanted(1 << 16) {
                tried += 1;
                assert_eq!(compress(&mut compressor, &noise(1 << 16)), None);
            }
        }
        assert!((10..30).contains(&tried), "{tried}");
        while !compressor.is_wanted(1 << 16) {}
        assert!(compress(&mut compressor, &[7; 1 << 16]).is_some());
        assert!(compressor.is_wanted(1 << 16), "a success ends the pause");
    }

    proptest! {
        #[test]
        fn any_bytes_are_decompressed_within_the_limit(payload in vec(any::<u8>(), 0..99)) {
            if let Some(records) = decompress(&payload, 1000) {
                prop_assert!(records.len() <= 1000);
            }
        }
    }
}
