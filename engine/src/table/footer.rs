//! The first and the last bytes of a table: what it is, and where everything else lies.
//!
//! ```text
//! head: magic 8 | format version u32 | keyspace u8 | zeros 3 | file number u64
//! foot: (offset u64, length u32) of dictionary, index, filter, properties | file number u64
//!       | keyspace u8 | zeros 3 | format version u32 | crc32 u32 | magic 8
//! ```
//!
//! Every byte of the head follows from what the manifest says, so it needs no checksum. The foot's
//! covers all that lies before it, and the foot's place like that of a block.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::FileNumber;
use super::coding::{Damage, Reader};
use super::frame::{Handle, checksum};
use crate::Keyspace;

/// The formats that are read, by their number on disk. The last one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum FormatVersion {
    /// The first.
    V1 = 1,
    /// Properties have steps of reclaimable bytes.
    V2 = 2,
    /// Records say how many keys they add, and the index has the sums.
    #[default]
    V3 = 3,
}

impl FormatVersion {
    fn from_disk(version: u32) -> Result<FormatVersion, Refusal> {
        match version {
            1 => Ok(FormatVersion::V1),
            2 => Ok(FormatVersion::V2),
            3 => Ok(FormatVersion::V3),
            other => Err(Refusal::Version(other)),
        }
    }

    fn to_disk(self) -> [u8; 4] {
        (self as u32).to_le_bytes()
    }
}

/// Length of the head.
pub(super) const HEAD_BYTES: usize = 24;

/// Length of the foot.
pub(super) const FOOT_BYTES: usize = 76;

const HEAD_MAGIC: [u8; 8] = *b"RETCDTBL";
const FOOT_MAGIC: [u8; 8] = *b"LBTDCTER";

/// Why a head or foot is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is whole, but from a format that isn't known here.
    Version(u32),
    /// It isn't what was written.
    Damage(Damage),
}

impl From<Damage> for Refusal {
    fn from(damage: Damage) -> Refusal {
        Refusal::Damage(damage)
    }
}

/// The head of table `number`.
pub(super) fn encode_head(
    version: FormatVersion,
    number: FileNumber,
    keyspace: Keyspace,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(&HEAD_MAGIC);
    head.extend_from_slice(&version.to_disk());
    head.extend_from_slice(&[keyspace as u8, 0, 0, 0]);
    head.extend_from_slice(&number.0.to_le_bytes());
    head
}

/// Checks that `head` belongs to table `number` of `keyspace`, and tells its format.
pub(super) fn check_head(
    head: &[u8],
    number: FileNumber,
    keyspace: Keyspace,
) -> Result<FormatVersion, Refusal> {
    let mut reader = Reader::new(head);
    if reader.bytes(HEAD_MAGIC.len()) != Some(&HEAD_MAGIC) {
        return Err(Damage("not a table").into());
    }
    let version = reader.u32().ok_or(Damage("head is cut short"))?;
    let version = FormatVersion::from_disk(version)?;
    if head != encode_head(version, number, keyspace) {
        return Err(Damage("the table has another number or keyspace").into());
    }
    Ok(version)
}

/// Where the parts of a table lie that are read when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Foot {
    pub(super) version: FormatVersion,
    /// The first block, or zeros.
    pub(super) dictionary: Handle,
    pub(super) index: Handle,
    pub(super) filter: Handle,
    pub(super) properties: Handle,
}

impl Foot {
    /// The foot's bytes for `offset` of table `number`.
    pub(super) fn encode(&self, number: FileNumber, keyspace: Keyspace, offset: u64) -> Vec<u8> {
        let mut foot = Vec::with_capacity(FOOT_BYTES);
        for handle in [self.dictionary, self.index, self.filter, self.properties] {
            foot.extend_from_slice(&handle.offset.to_le_bytes());
            foot.extend_from_slice(&handle.len.to_le_bytes());
        }
        foot.extend_from_slice(&number.0.to_le_bytes());
        foot.extend_from_slice(&[keyspace as u8, 0, 0, 0]);
        foot.extend_from_slice(&self.version.to_disk());
        let sum = checksum(&[&foot], number, offset);
        foot.extend_from_slice(&sum.to_le_bytes());
        foot.extend_from_slice(&FOOT_MAGIC);
        foot
    }

    /// Reads the foot that lies at `offset` of table `number`, and checks that the parts follow
    /// each other without a gap from the index to the foot.
    pub(super) fn decode(
        bytes: &[u8],
        number: FileNumber,
        keyspace: Keyspace,
        offset: u64,
    ) -> Result<Foot, Refusal> {
        let short = Damage("foot is cut short");
        let (fields, magic) = bytes.split_last_chunk::<8>().ok_or(short)?;
        if *magic != FOOT_MAGIC {
            return Err(Damage("the table doesn't end with its mark").into());
        }
        let (covered, sum) = fields.split_last_chunk::<4>().ok_or(short)?;
        let (_, version) = covered.split_last_chunk::<4>().ok_or(short)?;
        let version = FormatVersion::from_disk(u32::from_le_bytes(*version))?;
        if checksum(&[covered], number, offset) != u32::from_le_bytes(*sum) {
            return Err(Damage("foot's checksum doesn't match").into());
        }
        let mut reader = Reader::new(covered);
        let foot = Foot {
            version,
            dictionary: take_handle(&mut reader).ok_or(short)?,
            index: take_handle(&mut reader).ok_or(short)?,
            filter: take_handle(&mut reader).ok_or(short)?,
            properties: take_handle(&mut reader).ok_or(short)?,
        };
        if (reader.u64(), reader.u8()) != (Some(number.0), Some(keyspace as u8)) {
            return Err(Damage("the foot names another number or keyspace").into());
        }
        foot.check(offset)?;
        Ok(foot)
    }

    /// Whether value blocks are compressed with a dictionary.
    pub(super) fn has_dictionary(&self) -> bool {
        self.dictionary != Handle::default()
    }

    /// Where key and value blocks begin. They end where the index begins.
    pub(super) fn blocks_start(&self) -> u64 {
        self.dictionary.end().unwrap_or_default().max(HEAD_BYTES as u64)
    }

    fn check(&self, end: u64) -> Result<(), Damage> {
        if self.has_dictionary() && self.dictionary.offset != HEAD_BYTES as u64 {
            return Err(Damage("the dictionary doesn't follow the head"));
        }
        let after_blocks = self.index.offset >= self.blocks_start();
        let after_index = self.index.end() == Some(self.filter.offset);
        let after_filter = self.filter.end() == Some(self.properties.offset);
        let before_foot = self.properties.end() == Some(end);
        if !(after_blocks && after_index && after_filter && before_foot) {
            return Err(Damage("foot's parts don't follow each other"));
        }
        Ok(())
    }
}

fn take_handle(reader: &mut Reader<'_>) -> Option<Handle> {
    Some(Handle { offset: reader.u64()?, len: reader.u32()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: FileNumber = FileNumber(3);

    fn foot() -> Foot {
        Foot {
            version: FormatVersion::V3,
            dictionary: Handle::default(),
            index: Handle { offset: 24, len: 10 },
            filter: Handle { offset: 34, len: 20 },
            properties: Handle { offset: 54, len: 6 },
        }
    }

    #[test]
    fn the_head_names_number_and_keyspace() {
        let head = encode_head(FormatVersion::V3, NUMBER, Keyspace::Lease);
        assert_eq!(head.len(), HEAD_BYTES);
        assert_eq!(check_head(&head, NUMBER, Keyspace::Lease), Ok(FormatVersion::V3));
        assert!(check_head(&head, FileNumber(4), Keyspace::Lease).is_err());
        assert!(check_head(&head, NUMBER, Keyspace::Kv).is_err());
        assert!(check_head(&head[..11], NUMBER, Keyspace::Lease).is_err());
        for bit in 0..HEAD_BYTES * 8 {
            let mut damaged = head.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // Another format's number doesn't agree with the foot's, which has a checksum.
            let checked = check_head(&damaged, NUMBER, Keyspace::Lease);
            assert_ne!(checked, Ok(FormatVersion::V3), "bit {bit}");
        }
    }

    #[test]
    fn the_foot_comes_back_and_notices_every_flipped_bit() {
        let bytes = foot().encode(NUMBER, Keyspace::Kv, 60);
        assert_eq!(bytes.len(), FOOT_BYTES);
        assert_eq!(Foot::decode(&bytes, NUMBER, Keyspace::Kv, 60), Ok(foot()));
        assert!(Foot::decode(&bytes, NUMBER, Keyspace::Kv, 61).is_err());
        assert!(Foot::decode(&bytes, FileNumber(4), Keyspace::Kv, 60).is_err());
        for bit in 0..FOOT_BYTES * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Foot::decode(&damaged, NUMBER, Keyspace::Kv, 60).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn later_formats_are_named() {
        let mut bytes = foot().encode(NUMBER, Keyspace::Kv, 60);
        bytes[60] = 9;
        assert_eq!(Foot::decode(&bytes, NUMBER, Keyspace::Kv, 60), Err(Refusal::Version(9)));
        let mut head = encode_head(FormatVersion::V3, NUMBER, Keyspace::Kv);
        head[8] = 9;
        assert_eq!(check_head(&head, NUMBER, Keyspace::Kv), Err(Refusal::Version(9)));
    }

    #[test]
    fn the_first_format_is_still_read() {
        let first = Foot { version: FormatVersion::V1, ..foot() };
        let bytes = first.encode(NUMBER, Keyspace::Kv, 60);
        assert_eq!(Foot::decode(&bytes, NUMBER, Keyspace::Kv, 60), Ok(first));
        let head = encode_head(FormatVersion::V1, NUMBER, Keyspace::Kv);
        assert_eq!(check_head(&head, NUMBER, Keyspace::Kv), Ok(FormatVersion::V1));
    }

    #[test]
    fn parts_that_overlap_are_refused() {
        let decoded = |foot: Foot| {
            let bytes = foot.encode(NUMBER, Keyspace::Kv, 60);
            Foot::decode(&bytes, NUMBER, Keyspace::Kv, 60)
        };
        let mut overlapping = foot();
        overlapping.filter.offset = 33;
        assert!(decoded(overlapping).is_err());
        for (offset, len) in [(24, 1), (0, 24), (u64::MAX, 1), (0, 1)] {
            let dictionary = Handle { offset, len };
            assert!(decoded(Foot { dictionary, ..foot() }).is_err(), "{dictionary:?}");
        }
    }
}
