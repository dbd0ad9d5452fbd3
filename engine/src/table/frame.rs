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
use zstd::bulk::Compressor;
use zstd::zstd_safe::{self, DCtx, DDict};

/// Encoding, content length, checksum.
pub(super) const TRAILER_BYTES: usize = 9;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const ZSTD_DICTIONARY: u8 = 2;

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

/// How a block may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// As it is: it is read often and decoded in place.
    Plain,
    /// Compressed if that saves an eighth.
    Compressed,
    /// As `Compressed`, with the table's dictionary if it has one.
    Values,
}

/// Turns block contents into stored frames.
pub(super) struct Sealer {
    number: FileNumber,
    compressor: Option<Compressor<'static>>,
    with_dictionary: Option<Compressor<'static>>,
    compressed: Vec<u8>,
}

impl Sealer {
    /// A sealer without a dictionary.
    pub(super) fn new(number: FileNumber, compression: Compression) -> io::Result<Sealer> {
        let compressor = match compression {
            Compression::None => None,
            Compression::Zstd(level) => Some(Compressor::new(level)?),
        };
        Ok(Sealer { number, compressor, with_dictionary: None, compressed: Vec::new() })
    }

    /// From now on value blocks are compressed at `level` with `dictionary`.
    pub(super) fn use_dictionary(&mut self, level: i32, dictionary: &[u8]) -> io::Result<()> {
        self.with_dictionary = Some(Compressor::with_dictionary(level, dictionary)?);
        Ok(())
    }

    /// Appends the frame of `content` for `offset` to `out`.
    pub(super) fn seal(
        &mut self,
        content: &[u8],
        packing: Packing,
        offset: u64,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let (compressor, encoding) = match (packing, &mut self.with_dictionary) {
            (Packing::Plain, _) => (None, PLAIN),
            (Packing::Values, Some(compressor)) => (Some(compressor), ZSTD_DICTIONARY),
            (Packing::Values, None) | (Packing::Compressed, _) => (self.compressor.as_mut(), ZSTD),
        };
        if let Some(compressor) = compressor {
            let enough = content.len().saturating_sub(content.len() / 8);
            self.compressed.clear();
            self.compressed.reserve(zstd_safe::compress_bound(content.len()));
            if compressor.compress_to_buffer(content, &mut self.compressed)? < enough {
                let stored = &self.compressed;
                append_frame(self.number, stored, encoding, content.len(), offset, out);
                return Ok(());
            }
        }
        append_frame(self.number, content, PLAIN, content.len(), offset, out);
        Ok(())
    }
}

fn append_frame(
    number: FileNumber,
    stored: &[u8],
    encoding: u8,
    content_len: usize,
    offset: u64,
    out: &mut Vec<u8>,
) {
    let content_len = u32::try_from(content_len).expect("blocks are below their limit");
    let len = content_len.to_le_bytes();
    let sum = checksum(&[stored, &[encoding], &len], number, offset);
    for part in [stored, &[encoding], &len, &sum.to_le_bytes()] {
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

/// The part of `frame` that its checksum covers, if it was written at `offset` of file `number`.
pub(super) fn check(frame: &[u8], number: FileNumber, offset: u64) -> Result<&[u8], Damage> {
    let short = Damage("block shorter than its trailer");
    let (covered, sum) = frame.split_last_chunk().ok_or(short)?;
    if checksum(&[covered], number, offset) != u32::from_le_bytes(*sum) {
        return Err(Damage("block checksum doesn't match"));
    }
    Ok(covered)
}

/// Whether `frame` says that it was compressed with a dictionary. It isn't checked for that.
pub(super) fn needs_dictionary(frame: &[u8]) -> bool {
    let encoding = frame.len().checked_sub(TRAILER_BYTES).and_then(|at| frame.get(at));
    encoding == Some(&ZSTD_DICTIONARY)
}

/// What value blocks of one table were compressed with, ready for use.
pub(super) struct Dictionary(DDict<'static>);

impl Dictionary {
    /// Prepares `content`, copying it.
    pub(super) fn new(content: &[u8]) -> Result<Dictionary, Damage> {
        match DDict::try_create(content) {
            Some(prepared) => Ok(Dictionary(prepared)),
            None => Err(Damage("dictionary can't be used")),
        }
    }
}

/// What has to be known to read a block.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The file that it is in.
    pub(super) number: FileNumber,
    /// Where it was read.
    pub(super) offset: u64,
    /// The largest content that is accepted.
    pub(super) content_bytes_max: usize,
    /// The table's dictionary.
    pub(super) dictionary: Option<&'a Dictionary>,
}

/// Checks frames and gives their content back. Keeps decompression contexts, which are costly to
/// make, for the next caller.
#[derive(Default)]
pub(super) struct Opener {
    idle: Mutex<Vec<DCtx<'static>>>,
}

impl Opener {
    /// The content of `frame`.
    pub(super) fn open(&self, frame: Vec<u8>, expected: Expected<'_>) -> Result<Bytes, Damage> {
        let short = Damage("block shorter than its trailer");
        let stored_len = frame.len().checked_sub(TRAILER_BYTES).ok_or(short)?;
        let covered = check(&frame, expected.number, expected.offset)?;
        let mut trailer = Reader::new(covered);
        let fields = (trailer.bytes(stored_len), trailer.u8(), trailer.u32());
        let (Some(stored), Some(encoding), Some(len)) = fields else {
            return Err(short);
        };
        let len = len as usize;
        if len > expected.content_bytes_max {
            return Err(Damage("block content above its limit"));
        }
        match (encoding, expected.dictionary) {
            (PLAIN, _) if stored.len() == len => {
                let mut content = Bytes::from(frame);
                content.truncate(len);
                Ok(content)
            }
            (PLAIN, _) => Err(Damage("block length doesn't match its content")),
            (ZSTD, _) => self.decompress(stored, len, None),
            (ZSTD_DICTIONARY, Some(dictionary)) => self.decompress(stored, len, Some(dictionary)),
            (ZSTD_DICTIONARY, None) => Err(Damage("block needs a dictionary that isn't there")),
            _ => Err(Damage("unknown block encoding")),
        }
    }

    fn decompress(
        &self,
        stored: &[u8],
        len: usize,
        dictionary: Option<&Dictionary>,
    ) -> Result<Bytes, Damage> {
        let idle = self.idle.lock().pop();
        let context = idle.or_else(DCtx::try_create);
        let mut context = context.ok_or(Damage("no memory for a decompression context"))?;
        let mut content = Vec::with_capacity(len);
        let done = match dictionary {
            None => context.decompress(&mut content, stored),
            Some(Dictionary(prepared)) => {
                context.decompress_using_ddict(&mut content, stored, prepared)
            }
        };
        self.idle.lock().push(context);
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

    fn expected(number: FileNumber, offset: u64) -> Expected<'static> {
        Expected { number, offset, content_bytes_max: 4096, dictionary: None }
    }

    fn open(frame: Vec<u8>, expected: Expected<'_>) -> Result<Bytes, Damage> {
        Opener::default().open(frame, expected)
    }

    fn sealed(content: &[u8], compression: Compression) -> Vec<u8> {
        let mut sealer = Sealer::new(NUMBER, compression).expect("a known level");
        let mut frame = Vec::new();
        sealer.seal(content, Packing::Values, 40, &mut frame).expect("memory only");
        frame
    }

    #[test]
    fn content_comes_back_in_both_encodings() {
        let text = b"the same text again and again, ".repeat(40);
        for compression in [Compression::None, Compression::Zstd(1)] {
            let frame = sealed(&text, compression);
            assert_eq!(open(frame, expected(NUMBER, 40)), Ok(Bytes::from(text.clone())));
        }
        assert!(sealed(&text, Compression::Zstd(1)).len() < text.len() / 4);
    }

    #[test]
    fn a_dictionary_helps_and_is_needed_again() {
        let text: Vec<u8> = (0..200u32).flat_map(|at| (at * at * 77).to_le_bytes()).collect();
        let mut sealer = Sealer::new(NUMBER, Compression::Zstd(1)).expect("a known level");
        sealer.use_dictionary(1, &text).expect("memory only");
        let mut frame = Vec::new();
        sealer.seal(&text, Packing::Values, 40, &mut frame).expect("memory only");
        assert!(frame.len() < text.len() / 4, "{} bytes", frame.len());
        let needed = Err(Damage("block needs a dictionary that isn't there"));
        assert_eq!(open(frame.clone(), expected(NUMBER, 40)), needed);
        let dictionary = Dictionary::new(&text).expect("memory is there");
        let expected = Expected { dictionary: Some(&dictionary), ..expected(NUMBER, 40) };
        assert_eq!(open(frame, expected), Ok(Bytes::from(text)));
    }

    #[test]
    fn what_does_not_shrink_stays_plain() {
        let frame = sealed(b"short", Compression::Zstd(1));
        assert_eq!(&frame[..5], b"short");
        assert_eq!(frame[5], PLAIN);
    }

    #[test]
    fn misdirected_reads_fail() {
        let frame = sealed(b"content", Compression::None);
        let refused = Err(Damage("block checksum doesn't match"));
        assert_eq!(open(frame.clone(), expected(NUMBER, 41)), refused);
        assert_eq!(open(frame, expected(FileNumber(8), 40)), refused);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let frame = sealed(&[5; 100], Compression::Zstd(1));
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(damaged, expected(NUMBER, 40)).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn limits_hold_before_memory_is_taken() {
        let frame = sealed(&[5; 100], Compression::Zstd(1));
        let refused = Err(Damage("block content above its limit"));
        let narrow = Expected { content_bytes_max: 99, ..expected(NUMBER, 40) };
        assert_eq!(open(frame, narrow), refused);
        assert!(open(vec![0; TRAILER_BYTES - 1], narrow).is_err());
    }
}
