//! A group's header.
//!
//! ```text
//!    0 magic "RLGP"       4 crc32 of everything behind it, header and payload, without padding
//!    8 segment u64       16 salt u64           24 offset u64        32 synced through u64
//!   40 chain u32         44 payload bytes u32  48 records u32       52 flags u32
//!   56 last index u64    64 payload: records, then zeros up to a multiple of 4096
//! ```
//!
//! The payload of a compressed group is the length of its records (u32) and a zstd frame of them.
//!
//! Segment number, salt and offset make sure that bytes of another place or time don't pass for
//! this group; the chain, the checksum of the group before, that none is missing in between.
//! *Synced through* is the offset up to which everything was known to be durable when the group was
//! built: it tells acknowledged data that was damaged from groups that never arrived.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::layout::{put, take, u32_at, u64_at};

/// Length of a group's header in bytes.
pub const GROUP_HEADER_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"RLGP";
const AT_CRC: usize = 4;
const AT_CHECKED: usize = 8;
const AT_SEGMENT: usize = 8;
const AT_SALT: usize = 16;
const AT_OFFSET: usize = 24;
const AT_SYNCED_THROUGH: usize = 32;
const AT_CHAIN: usize = 40;
const AT_PAYLOAD_BYTES: usize = 44;
const AT_RECORDS: usize = 48;
const AT_FLAGS: usize = 52;
const AT_LAST_INDEX: usize = 56;

const FLAG_FINAL: u32 = 1;
const FLAG_COMPRESSED: u32 = 2;
const FLAGS_KNOWN: u32 = FLAG_FINAL | FLAG_COMPRESSED;

/// A group's header, without its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHeader {
    /// Number of the segment.
    pub segment: u64,
    /// Salt of the segment.
    pub salt: u64,
    /// Where in the segment the group starts, in bytes.
    pub offset: u64,
    /// Up to where in the segment everything was durable when the group was built, in bytes.
    pub synced_through: u64,
    /// Checksum of the group before, or of the segment's header.
    pub chain: u32,
    /// Bytes of records, as they are stored.
    pub payload_bytes: u32,
    /// How many records there are.
    pub records: u32,
    /// Whether it is the empty group of a clean stop: nothing was under way when it was written.
    pub is_final: bool,
    /// Whether the records are compressed.
    pub is_compressed: bool,
    /// Last index in the log once this group is part of it.
    pub last_index: u64,
}

impl GroupHeader {
    /// Writes the header into the start of `group`, whose payload is in place, and returns the
    /// group's checksum.
    pub(crate) fn encode(&self, group: &mut [u8]) -> u32 {
        let flags = if self.is_final { FLAG_FINAL } else { 0 }
            | if self.is_compressed { FLAG_COMPRESSED } else { 0 };
        put(group, 0, MAGIC);
        put(group, AT_SEGMENT, self.segment.to_le_bytes());
        put(group, AT_SALT, self.salt.to_le_bytes());
        put(group, AT_OFFSET, self.offset.to_le_bytes());
        put(group, AT_SYNCED_THROUGH, self.synced_through.to_le_bytes());
        put(group, AT_CHAIN, self.chain.to_le_bytes());
        put(group, AT_PAYLOAD_BYTES, self.payload_bytes.to_le_bytes());
        put(group, AT_RECORDS, self.records.to_le_bytes());
        put(group, AT_FLAGS, flags.to_le_bytes());
        put(group, AT_LAST_INDEX, self.last_index.to_le_bytes());
        let crc = self.checksum(group).expect("the payload is in place");
        put(group, AT_CRC, crc.to_le_bytes());
        crc
    }

    /// Reads a header from the start of `bytes`. `None` if there is none; whether the group behind
    /// it is whole is another question: see [`GroupHeader::verify`].
    pub fn decode(bytes: &[u8]) -> Option<GroupHeader> {
        if take(bytes, 0) != Some(MAGIC) {
            return None;
        }
        let flags = u32_at(bytes, AT_FLAGS)?;
        if flags & !FLAGS_KNOWN != 0 {
            return None;
        }
        Some(GroupHeader {
            segment: u64_at(bytes, AT_SEGMENT)?,
            salt: u64_at(bytes, AT_SALT)?,
            offset: u64_at(bytes, AT_OFFSET)?,
            synced_through: u64_at(bytes, AT_SYNCED_THROUGH)?,
            chain: u32_at(bytes, AT_CHAIN)?,
            payload_bytes: u32_at(bytes, AT_PAYLOAD_BYTES)?,
            records: u32_at(bytes, AT_RECORDS)?,
            is_final: flags & FLAG_FINAL != 0,
            is_compressed: flags & FLAG_COMPRESSED != 0,
            last_index: u64_at(bytes, AT_LAST_INDEX)?,
        })
    }

    /// The group's checksum, if `group` (header and payload) has the one it says.
    pub fn verify(&self, group: &[u8]) -> Option<u32> {
        let computed = self.checksum(group)?;
        (u32_at(group, AT_CRC)? == computed).then_some(computed)
    }

    /// Bytes of header and payload.
    pub fn bytes(&self) -> u64 {
        u64::from(self.payload_bytes).saturating_add(GROUP_HEADER_BYTES as u64)
    }

    fn checksum(&self, group: &[u8]) -> Option<u32> {
        let end = usize::try_from(self.bytes()).ok()?;
        Some(crc32fast::hash(group.get(AT_CHECKED..end)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> GroupHeader {
        GroupHeader {
            segment: 3,
            salt: 17,
            offset: 8192,
            synced_through: 4096,
            chain: 0xfeed,
            payload_bytes: 5,
            records: 1,
            is_final: true,
            is_compressed: true,
            last_index: 42,
        }
    }

    #[test]
    fn a_group_comes_back_and_every_flipped_bit_is_noticed() {
        let mut group = vec![0; 4096];
        group[64..69].copy_from_slice(b"hello");
        let crc = sample().encode(&mut group);
        assert_eq!(GroupHeader::decode(&group), Some(sample()));
        assert_eq!(sample().verify(&group), Some(crc));
        for bit in 0..69 * 8 {
            let mut flipped = group.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let whole = GroupHeader::decode(&flipped).and_then(|header| header.verify(&flipped));
            assert_eq!(whole, None, "bit {bit}");
        }
        assert_eq!(sample().verify(&group[..68]), None);
    }
}
