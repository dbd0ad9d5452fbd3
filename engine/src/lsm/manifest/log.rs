//! The bytes of a manifest and of `CURRENT`.
//!
//! ```text
//! manifest:  magic "RETCDMAN" | version u32 | number u64 | crc32 u32     then records
//! record:    mark u32 | length u32 | crc32 u32 | edit | zeros to a multiple of 8
//! CURRENT:   magic "RETCDCUR" | version u32 | number u64 | crc32 u32
//! ```
//!
//! Little-endian. Records start at multiples of 8. A record's checksum covers its length, the edit,
//! its offset and the manifest's number, so that bytes of another place or manifest don't pass. The
//! mark lets the search for a valid record after a bad one skip nearly every offset.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::path::Path;

use super::{Contents, Edit};
use crate::Error;
use crate::table::FileNumber;

/// A longer manifest or `CURRENT` is refused, in bytes.
pub(super) const FILE_BYTES_MAX: usize = 1 << 30;

/// The newest version of a manifest; older ones are read too.
const MANIFEST_VERSION: u32 = 2;
const CURRENT_VERSION: u32 = 1;
const MANIFEST_MAGIC: [u8; 8] = *b"RETCDMAN";
const CURRENT_MAGIC: [u8; 8] = *b"RETCDCUR";
pub(super) const HEADER_BYTES: usize = 24;

pub(super) const RECORD_MARK: [u8; 4] = *b"EDIT";
pub(super) const RECORD_HEADER_BYTES: usize = 12;
pub(super) const RECORD_ALIGNMENT: usize = 8;

const _: () = assert!(HEADER_BYTES.is_multiple_of(RECORD_ALIGNMENT));
const _: () = assert!(FILE_BYTES_MAX < u32::MAX as usize);

/// Why the bytes are refused; becomes an [`Error`] where the path is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Version(u32),
    At(u64, &'static str),
}

impl Damage {
    pub(super) const TOO_LONG: Damage = Damage::At(0, "longer than any manifest");

    pub(super) fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Damage::Version(found) => Error::Version { path, found },
            Damage::At(offset, reason) => Error::Corrupt { path, offset, reason },
        }
    }
}

/// The first bytes of a manifest.
pub(super) fn encode_header(number: FileNumber) -> Vec<u8> {
    encode_head(MANIFEST_MAGIC, MANIFEST_VERSION, number)
}

/// The bytes of a `CURRENT` that names manifest `number`.
pub(super) fn encode_current(number: FileNumber) -> Vec<u8> {
    encode_head(CURRENT_MAGIC, CURRENT_VERSION, number)
}

/// The manifest that these bytes of a `CURRENT` name.
pub(super) fn decode_current(bytes: &[u8]) -> Result<FileNumber, Damage> {
    let (number, rest) = decode_head(CURRENT_MAGIC, CURRENT_VERSION, bytes)?;
    if !rest.is_empty() {
        return Err(Damage::At(HEADER_BYTES as u64, "bytes after the end"));
    }
    Ok(number)
}

fn encode_head(magic: [u8; 8], version: u32, number: FileNumber) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend(magic);
    bytes.extend(version.to_le_bytes());
    bytes.extend(number.0.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn decode_head(magic: [u8; 8], newest: u32, bytes: &[u8]) -> Result<(FileNumber, &[u8]), Damage> {
    const SHORT: Damage = Damage::At(0, "shorter than its header");
    let (found_magic, rest) = bytes.split_first_chunk().ok_or(SHORT)?;
    if *found_magic != magic {
        return Err(Damage::At(0, "not a file of this kind"));
    }
    let (version, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let version = u32::from_le_bytes(*version);
    if !(1..=newest).contains(&version) {
        return Err(Damage::Version(version));
    }
    let (number, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let (sum, rest) = rest.split_first_chunk().ok_or(SHORT)?;
    let covered = bytes.get(..HEADER_BYTES.saturating_sub(4)).ok_or(SHORT)?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*sum) {
        return Err(Damage::At(0, "the checksum of the header doesn't match"));
    }
    Ok((FileNumber(u64::from_le_bytes(*number)), rest))
}

/// The record that holds `edit` at `offset` of manifest `number`.
pub(super) fn encode_record(number: FileNumber, offset: u64, edit: &Edit) -> Vec<u8> {
    let mut content = Vec::new();
    edit.encode(&mut content);
    let len = u32::try_from(content.len()).expect("a manifest is far below 4 GiB");
    let mut record = Vec::with_capacity(content.len().saturating_add(24));
    record.extend(RECORD_MARK);
    record.extend(len.to_le_bytes());
    record.extend(checksum(number, offset, &content).to_le_bytes());
    record.extend(content);
    record.resize(record.len().next_multiple_of(RECORD_ALIGNMENT), 0);
    record
}

/// What the edits in a whole manifest amount to.
pub(super) fn replay(bytes: &[u8], number: FileNumber) -> Result<Contents, Damage> {
    let replayed = replay_each(bytes, number, &mut |_, _, _| {})?;
    match replayed.damage {
        Some(damage) => Err(damage),
        None => Ok(replayed.contents),
    }
}

/// What can be had of a manifest, whole or not.
pub(super) struct Replayed {
    /// What the edits before the end amount to.
    pub(super) contents: Contents,
    /// Where the last of them ends.
    pub(super) end: u64,
    /// Why the manifest is refused in spite of them.
    pub(super) damage: Option<Damage>,
}

/// As [`replay`], but shows `each` edit that counts, with its offset and its length, and keeps what
/// comes before damage.
pub(super) fn replay_each(
    bytes: &[u8],
    number: FileNumber,
    each: &mut dyn FnMut(u64, u64, &Edit),
) -> Result<Replayed, Damage> {
    let (found, _) = decode_head(MANIFEST_MAGIC, MANIFEST_VERSION, bytes)?;
    if found != number {
        return Err(Damage::At(0, "carries another manifest's number"));
    }
    let mut contents = Contents::default();
    let mut offset = HEADER_BYTES;
    let mut refused = None;
    while let Some((content, next)) = record_at(bytes, number, offset) {
        let taken = Edit::decode(content).and_then(|edit| contents.apply(&edit).map(|()| edit));
        match taken {
            Ok(edit) => each(offset as u64, next.saturating_sub(offset) as u64, &edit),
            Err(reason) => {
                refused = Some(reason);
                break;
            }
        }
        offset = next;
    }
    if refused.is_some() {
        // An edit that is refused has left a part of its changes.
        contents = replay_until(bytes, number, offset);
    }
    let reason = refused.or_else(|| refuse_end(bytes, number, offset));
    let damage = reason.map(|reason| Damage::At(offset as u64, reason));
    Ok(Replayed { contents, end: offset as u64, damage })
}

/// Why a manifest whose edits end at `offset` is damaged; `None` if it is whole or torn there.
fn refuse_end(bytes: &[u8], number: FileNumber, offset: usize) -> Option<&'static str> {
    if offset == HEADER_BYTES {
        return Some("the first edit is damaged");
    }
    let mut later = offset.saturating_add(RECORD_ALIGNMENT);
    while later < bytes.len() {
        if record_at(bytes, number, later).is_some() {
            return Some("an edit is damaged, and valid ones follow");
        }
        later = later.saturating_add(RECORD_ALIGNMENT);
    }
    None
}

/// What the edits before `end` amount to, which have been taken once.
fn replay_until(bytes: &[u8], number: FileNumber, end: usize) -> Contents {
    let mut contents = Contents::default();
    let mut offset = HEADER_BYTES;
    while offset < end
        && let Some((content, next)) = record_at(bytes, number, offset)
    {
        let taken = Edit::decode(content).and_then(|edit| contents.apply(&edit));
        debug_assert!(taken.is_ok(), "it was taken before");
        offset = next;
    }
    contents
}

/// The edit of a valid record, and where the next record starts.
fn record_at(bytes: &[u8], number: FileNumber, offset: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(offset..)?;
    let (mark, rest) = rest.split_first_chunk()?;
    if *mark != RECORD_MARK {
        return None;
    }
    let (len, rest) = rest.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let len = u32::from_le_bytes(*len) as usize;
    let padded = RECORD_HEADER_BYTES.checked_add(len)?.next_multiple_of(RECORD_ALIGNMENT);
    let next = offset.checked_add(padded).filter(|&next| next <= bytes.len())?;
    let content = rest.get(..len)?;
    let valid = checksum(number, offset as u64, content) == u32::from_le_bytes(*sum);
    valid.then_some((content, next))
}

pub(super) fn checksum(number: FileNumber, offset: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(content.len() as u64).to_le_bytes());
    hasher.update(content);
    hasher.update(&offset.to_le_bytes());
    hasher.update(&number.0.to_le_bytes());
    hasher.finalize()
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::super::{Change, Edit};
    use super::*;

    const NUMBER: FileNumber = FileNumber(3);

    /// A number without a zero byte, so that no zero stands for a part of it.
    const FIRST: u64 = 0x0101_0101_0101_0101;

    /// A manifest whose edits set the next number to `FIRST` and those that follow.
    fn manifest(edits: u64) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = encode_header(NUMBER);
        let mut ends = Vec::new();
        for next in FIRST..FIRST + edits {
            let edit = Edit(vec![Change::Next(next)]);
            bytes.extend(encode_record(NUMBER, bytes.len() as u64, &edit));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn next(bytes: &[u8]) -> Result<u64, Damage> {
        replay(bytes, NUMBER).map(|contents| contents.next - FIRST)
    }

    #[test]
    fn a_torn_end_loses_the_last_edit_only() {
        let (whole, ends) = manifest(3);
        assert_eq!(next(&whole), Ok(2));
        let mut torn = whole.clone();
        while torn.len() > ends[1] {
            torn.pop();
            let expected = if torn.len() >= ends[2] { 2 } else { 1 };
            assert_eq!(next(&torn), Ok(expected), "{} bytes", torn.len());
            let mut zeros = torn.clone();
            zeros.resize(whole.len() + 40, 0);
            // The padding is zeros as well.
            let expected = if torn.len() + 3 >= ends[2] { 2 } else { 1 };
            assert_eq!(next(&zeros), Ok(expected), "{} bytes, then zeros", torn.len());
        }
    }

    #[test]
    fn damage_before_a_valid_edit_is_refused() {
        let (whole, ends) = manifest(3);
        for bit in HEADER_BYTES * 8..ends[1] * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let start = if bit / 8 < ends[0] { HEADER_BYTES } else { ends[0] };
            match next(&damaged) {
                Err(Damage::At(offset, _)) => assert_eq!(offset, start as u64, "bit {bit}"),
                // Padding is zero by habit, not by rule.
                other => assert_eq!(other, Ok(2), "bit {bit}"),
            }
        }
    }

    #[test]
    fn a_damaged_header_or_first_edit_is_refused() {
        let (whole, ends) = manifest(1);
        for len in 0..ends[0] {
            let mut short = whole.clone();
            short.truncate(len);
            assert!(next(&short).is_err(), "{len} bytes");
        }
        assert!(replay(&whole, FileNumber(4)).is_err(), "another manifest's");
        let mut later = whole.clone();
        later[8] = 9;
        assert_eq!(next(&later), Err(Damage::Version(9)));
    }

    #[test]
    fn an_edit_at_another_offset_does_not_pass() {
        let (whole, _) = manifest(1);
        let mut moved = whole.clone();
        moved.extend(encode_record(NUMBER, 0, &Edit(vec![Change::Next(FIRST + 99)])));
        assert_eq!(next(&moved), Ok(0));
    }

    proptest::proptest! {
        /// Edits of any bytes behind a valid checksum: what the checksum doesn't catch.
        #[test]
        fn any_edit_is_taken_or_refused(content in proptest::collection::vec(0..8u8, 0..200)) {
            let mut bytes = encode_header(NUMBER);
            let offset = bytes.len() as u64;
            bytes.extend(RECORD_MARK);
            bytes.extend((content.len() as u32).to_le_bytes());
            bytes.extend(checksum(NUMBER, offset, &content).to_le_bytes());
            bytes.extend(&content);
            bytes.resize(bytes.len().next_multiple_of(RECORD_ALIGNMENT), 0);
            if let Ok(contents) = replay(&bytes, NUMBER) {
                let mut again = Contents::default();
                proptest::prop_assert_eq!(again.apply(&contents.to_edit()), Ok(()));
                proptest::prop_assert_eq!(again, contents);
            }
        }
    }

    #[test]
    fn current_names_a_manifest_or_is_refused() {
        let bytes = encode_current(NUMBER);
        assert_eq!(decode_current(&bytes), Ok(NUMBER));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_current(&damaged).is_err(), "bit {bit}");
        }
        assert!(decode_current(&[bytes, vec![0]].concat()).is_err());
    }
}
