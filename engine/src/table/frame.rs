//! Blocks as they lie in the file: stored bytes and a trailer that says whether to trust them.
//!
//! ```text
//! stored bytes | encoding u8 | content length u32 | crc32 u32
//! ```
//!
//! The checksum covers everything before it, then the block's offset and the file's number as u64:
//! bytes that were written elsewhere, or in another file, don't pass.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::{Damage, Reader};
use super::{Compression, FileNumber};
use bytes::Bytes;
use parking_lot::Mutex;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// Encoding, content length, checksum.
pub(super) const TRAILER_BYTES: usize = 9;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Where a block is: offset in the file, length with its trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Handle {
    pub(super) offset: u64,
    pub(super) len: u32,
}

impl Handle {
    /// Offset of the byte after the block, unless that overflows.
    pub(super) fn end(&self) -> Option<u64> {
        self.offset.checked_add(u64::from(self.len))
    }
}

/// Turns block contents into stored frames.
pub(super) struct Sealer {
    number: FileNumber,
    compressor: Option<Compressor<'static>>,
    compressed: Vec<u8>,
}

impl Sealer {
    pub(super) fn new(number: FileNumber, compression: Compression) -> io::Result<Sealer> {
        let compressor = match compression {
            Compression::None => None,
            Compression::Zstd(level) => Some(Compressor::new(level)?),
        };
        Ok(Sealer { number, compressor, compressed: Vec::new() })
    }

    /// Appends the frame of `content` for `offset` to `out`, compressed if that saves an eighth.
    pub(super) fn seal(
        &mut self,
        content: &[u8],
        offset: u64,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        if let Some(compressor) = &mut self.compressor {
            let enough = content.len().saturating_sub(content.len() / 8);
            self.compressed.clear();
            self.compressed.reserve(zstd::zstd_safe::compress_bound(content.len()));
            if compressor.compress_to_buffer(content, &mut self.compressed)? < enough {
                let stored = [&self.compressed, [ZSTD].as_slice()];
                append_frame(self.number, stored, content.len(), offset, out);
                return Ok(());
            }
        }
        self.seal_plain(content, offset, out);
        Ok(())
    }

    /// Appends the frame of `content` for `offset` to `out`, stored as it is.
    pub(super) fn seal_plain(&self, content: &[u8], offset: u64, out: &mut Vec<u8>) {
        let stored = [content, [PLAIN].as_slice()];
        append_frame(self.number, stored, content.len(), offset, out);
    }
}

/// `stored` is the stored bytes and their encoding.
fn append_frame(
    number: FileNumber,
    stored: [&[u8]; 2],
    content_len: usize,
    offset: u64,
    out: &mut Vec<u8>,
) {
    let content_len = u32::try_from(content_len).expect("blocks are below their limit");
    let [bytes, encoding] = stored;
    let len = content_len.to_le_bytes();
    let sum = checksum(&[bytes, encoding, &len], number, offset);
    for part in [bytes, encoding, &len, &sum.to_le_bytes()] {
        out.extend_from_slice(part);
    }
}

/// crc32 over `covered`, the offset where it lies and its file's number.
pub(super) fn checksum(covered: &[&[u8]], number: FileNumber, offset: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in covered {
        hasher.update(part);
    }
    hasher.update(&offset.to_le_bytes());
    hasher.update(&number.0.to_le_bytes());
    hasher.finalize()
}

/// Checks frames and gives their content back. Keeps decompression contexts, which are costly to
/// make, for the next caller.
#[derive(Default)]
pub(super) struct Opener {
    idle: Mutex<Vec<Decompressor<'static>>>,
}

impl Opener {
    /// The content of `frame`, which was read at `offset` of file `number`.
    pub(super) fn open(
        &self,
        frame: Vec<u8>,
        number: FileNumber,
        offset: u64,
        content_bytes_max: usize,
    ) -> Result<Bytes, Damage> {
        let stored_len = frame
            .len()
            .checked_sub(TRAILER_BYTES)
            .ok_or(Damage("block shorter than its trailer"))?;
        let (covered, sum) =
            frame.split_last_chunk().ok_or(Damage("block shorter than its trailer"))?;
        if checksum(&[covered], number, offset) != u32::from_le_bytes(*sum) {
            return Err(Damage("block checksum doesn't match"));
        }
        let mut trailer = Reader::new(covered);
        let stored = trailer.bytes(stored_len);
        let fields = (stored, trailer.u8(), trailer.u32());
        let (Some(stored), Some(encoding), Some(len)) = fields else {
            return Err(Damage("block shorter than its trailer"));
        };
        let len = len as usize;
        if len > content_bytes_max {
            return Err(Damage("block content above its limit"));
        }
        match encoding {
            PLAIN if stored.len() == len => {
                let mut content = Bytes::from(frame);
                content.truncate(len);
                Ok(content)
            }
            PLAIN => Err(Damage("block length doesn't match its content")),
            ZSTD => self.decompress(stored, len),
            _ => Err(Damage("unknown block encoding")),
        }
    }

    fn decompress(&self, stored: &[u8], len: usize) -> Result<Bytes, Damage> {
        let idle = self.idle.lock().pop();
        let mut decompressor = match idle {
            Some(decompressor) => decompressor,
            None => Decompressor::new().map_err(|_| Damage("no decompression context"))?,
        };
        let mut content = Vec::with_capacity(len);
        let done = decompressor.decompress_to_buffer(stored, &mut content);
        self.idle.lock().push(decompressor);
        match done {
            Ok(written) if written == len => Ok(Bytes::from(content)),
            _ => Err(Damage("block doesn't decompress")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: FileNumber = FileNumber(7);

    fn sealed(content: &[u8], compression: Compression) -> Vec<u8> {
        let mut sealer = Sealer::new(NUMBER, compression).expect("a known level");
        let mut frame = Vec::new();
        sealer.seal(content, 40, &mut frame).expect("memory only");
        frame
    }

    #[test]
    fn content_comes_back_in_both_encodings() {
        let opener = Opener::default();
        let text = b"the same text again and again, ".repeat(40);
        for compression in [Compression::None, Compression::Zstd(1)] {
            let frame = sealed(&text, compression);
            assert_eq!(opener.open(frame, NUMBER, 40, 4096), Ok(Bytes::from(text.clone())));
        }
        assert!(sealed(&text, Compression::Zstd(1)).len() < text.len() / 4);
    }

    #[test]
    fn what_does_not_shrink_stays_plain() {
        let frame = sealed(b"short", Compression::Zstd(1));
        assert_eq!(&frame[..5], b"short");
        assert_eq!(frame[5], PLAIN);
    }

    #[test]
    fn misdirected_reads_fail() {
        let opener = Opener::default();
        let frame = sealed(b"content", Compression::None);
        let refused = Err(Damage("block checksum doesn't match"));
        assert_eq!(opener.open(frame.clone(), NUMBER, 41, 4096), refused);
        assert_eq!(opener.open(frame, FileNumber(8), 40, 4096), refused);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let opener = Opener::default();
        let frame = sealed(&[5; 100], Compression::Zstd(1));
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(opener.open(damaged, NUMBER, 40, 4096).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn limits_hold_before_memory_is_taken() {
        let opener = Opener::default();
        let frame = sealed(&[5; 100], Compression::Zstd(1));
        let refused = Err(Damage("block content above its limit"));
        assert_eq!(opener.open(frame, NUMBER, 40, 99), refused);
        assert!(opener.open(vec![0; TRAILER_BYTES - 1], NUMBER, 40, 99).is_err());
    }
}
