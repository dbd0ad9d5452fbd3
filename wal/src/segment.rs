//! A segment's name and its header block.
//!
//! ```text
//!    0 magic "RETCDLOG"     8 version u32          12 crc32 of bytes 16..256
//!   16 cluster u64         24 member u64           32 segment u64
//!   40 first index u64     48 last term u64        56 salt u64
//!   64 segment bytes u64   72 previous end u64     80 previous chain u32   84 flags u32
//!   88 hard state: term, vote, commit (3 x u64)   112 snapshot: index, term (2 x u64)
//!  128 cut bytes u64      136 cut reason u32      140 zeros up to 4096
//! ```
//!
//! The header says where the log continues from: the end of the last group in the previous segment
//! and its checksum. What lies behind that end doesn't count, so a recovery cut is nothing but a
//! header that names an end before the bytes that were given up. The header also repeats everything
//! that the log says besides entries, so a segment can be read without those before it.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::layout::{put, take, u32_at, u64_at};
use crate::limits::{BLOCK_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::types::{HardState, Identity, LogState, SnapshotMark};
use std::fmt;
use std::path::Path;

/// Version of the log's format that new segments have, in every segment's header.
pub const FORMAT_VERSION: u32 = 2;

/// The oldest version that is read.
const FORMAT_VERSION_MIN: u32 = 1;

/// From this version on, groups may be compressed.
pub(crate) const VERSION_WITH_COMPRESSION: u32 = 2;

/// Bytes of the header that carry something; the rest of its block is zeros.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 256;

const MAGIC: [u8; 8] = *b"RETCDLOG";
const AT_VERSION: usize = 8;
const AT_CRC: usize = 12;
const AT_CHECKED: usize = 16;
const AT_CLUSTER: usize = 16;
const AT_MEMBER: usize = 24;
const AT_SEGMENT: usize = 32;
const AT_FIRST_INDEX: usize = 40;
const AT_LAST_TERM: usize = 48;
const AT_SALT: usize = 56;
const AT_SEGMENT_BYTES: usize = 64;
const AT_PREVIOUS_END: usize = 72;
const AT_PREVIOUS_CHAIN: usize = 80;
const AT_FLAGS: usize = 84;
const AT_HARD_STATE: usize = 88;
const AT_SNAPSHOT: usize = 112;
const AT_CUT_BYTES: usize = 128;
const AT_CUT_REASON: usize = 136;

const FLAG_RECYCLED: u32 = 1;
const FLAGS_KNOWN: u32 = FLAG_RECYCLED;

/// A segment's file name: `SEQ-INDEX.wal`, 16 hex digits each, as in etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The segment's number; consecutive.
    pub segment: u64,
    /// Index behind the last entry when the segment was begun.
    pub first_index: u64,
}

impl SegmentName {
    /// Reads a bare file name; `None` if it isn't a segment's.
    pub fn parse(name: &Path) -> Option<SegmentName> {
        let (segment, first_index) = name.to_str()?.strip_suffix(".wal")?.split_once('-')?;
        Some(SegmentName { segment: parse_hex(segment)?, first_index: parse_hex(first_index)? })
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}.wal", self.segment, self.first_index)
    }
}

/// Exactly 16 lower-case hex digits.
fn parse_hex(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match plain && digits.len() == 16 {
        true => u64::from_str_radix(digits, 16).ok(),
        false => None,
    }
}

/// Why recovery cut the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// The last group hadn't reached the disk as a whole.
    TornTail,
    /// Of several groups under way, a later one had arrived and an earlier one hadn't.
    Hole,
}

impl CutReason {
    fn code(reason: Option<Cut>) -> u32 {
        match reason.map(|cut| cut.reason) {
            None => 0,
            Some(CutReason::TornTail) => 1,
            Some(CutReason::Hole) => 2,
        }
    }
}

/// What recovery gave up at the end of the previous segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Why.
    pub reason: CutReason,
    /// How many bytes of unfinished groups, an estimate for people.
    pub bytes: u64,
}

/// A segment's first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Version of the format that the segment's groups have.
    pub version: u32,
    /// Who wrote it.
    pub identity: Identity,
    /// The segment's number.
    pub segment: u64,
    /// What the log says where this segment begins.
    pub state: LogState,
    /// Repeated in every group of the segment.
    pub salt: u64,
    /// Length of the file in bytes.
    pub segment_bytes: u64,
    /// Where the groups of the previous segment end, in bytes; 0 in a log's first segment.
    pub previous_end: u64,
    /// Checksum of the last group there, or of the header if it holds none.
    pub previous_chain: u32,
    /// Whether the file held another segment before, so that it may be full of old bytes.
    pub recycled: bool,
    /// What recovery gave up behind `previous_end`, if this segment follows a cut.
    pub cut: Option<Cut>,
}

/// Why a header can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// It isn't a segment's header, or not a whole one.
    Damaged(&'static str),
    /// It is one of a format that this version doesn't read.
    Version(u32),
}

impl SegmentHeader {
    /// Index behind the last entry when the segment was begun.
    pub fn first_index(&self) -> u64 {
        self.state.last_index.saturating_add(1)
    }

    /// The name of its file.
    pub fn name(&self) -> SegmentName {
        SegmentName { segment: self.segment, first_index: self.first_index() }
    }

    /// Writes the header into the start of its block, which must be zeros, and returns its
    /// checksum: the start of the chain of groups.
    pub(crate) fn encode(&self, block: &mut [u8]) -> u32 {
        let state = &self.state;
        put(block, 0, MAGIC);
        put(block, AT_VERSION, self.version.to_le_bytes());
        put(block, AT_CLUSTER, self.identity.cluster.to_le_bytes());
        put(block, AT_MEMBER, self.identity.member.to_le_bytes());
        put(block, AT_SEGMENT, self.segment.to_le_bytes());
        put(block, AT_FIRST_INDEX, self.first_index().to_le_bytes());
        put(block, AT_LAST_TERM, state.last_term.to_le_bytes());
        put(block, AT_SALT, self.salt.to_le_bytes());
        put(block, AT_SEGMENT_BYTES, self.segment_bytes.to_le_bytes());
        put(block, AT_PREVIOUS_END, self.previous_end.to_le_bytes());
        put(block, AT_PREVIOUS_CHAIN, self.previous_chain.to_le_bytes());
        let flags = if self.recycled { FLAG_RECYCLED } else { 0 };
        put(block, AT_FLAGS, flags.to_le_bytes());
        put(block, AT_HARD_STATE, state.hard_state.encode());
        put(block, AT_SNAPSHOT, state.snapshot.encode());
        let cut_bytes = self.cut.map_or(0, |cut| cut.bytes);
        put(block, AT_CUT_BYTES, cut_bytes.to_le_bytes());
        put(block, AT_CUT_REASON, CutReason::code(self.cut).to_le_bytes());
        let crc = checksum(block).expect("a block is longer than the header in it");
        put(block, AT_CRC, crc.to_le_bytes());
        crc
    }

    /// Reads a header block; returns the header and its checksum.
    pub fn decode(block: &[u8]) -> Result<(SegmentHeader, u32), HeaderFault> {
        if take(block, 0) != Some(MAGIC) {
            return Err(HeaderFault::Damaged("it doesn't begin as a segment does"));
        }
        match u32_at(block, AT_VERSION) {
            Some(FORMAT_VERSION_MIN..=FORMAT_VERSION) => {}
            Some(other) => return Err(HeaderFault::Version(other)),
            None => return Err(HeaderFault::Damaged("the header isn't whole")),
        }
        let stored = u32_at(block, AT_CRC);
        let computed = checksum(block);
        let Some(crc) = computed.filter(|_| computed == stored) else {
            return Err(HeaderFault::Damaged("the header's checksum is wrong"));
        };
        match SegmentHeader::fields(block) {
            Some(header) => Ok((header, crc)),
            None => Err(HeaderFault::Damaged("the header contradicts itself")),
        }
    }

    fn fields(block: &[u8]) -> Option<SegmentHeader> {
        let flags = u32_at(block, AT_FLAGS)?;
        let cut_bytes = u64_at(block, AT_CUT_BYTES)?;
        let cut = |reason| Cut { reason, bytes: cut_bytes };
        let header = SegmentHeader {
            version: u32_at(block, AT_VERSION)?,
            identity: Identity {
                cluster: u64_at(block, AT_CLUSTER)?,
                member: u64_at(block, AT_MEMBER)?,
            },
            segment: u64_at(block, AT_SEGMENT)?,
            state: LogState {
                last_index: u64_at(block, AT_FIRST_INDEX)?.checked_sub(1)?,
                last_term: u64_at(block, AT_LAST_TERM)?,
                hard_state: HardState::decode(take(block, AT_HARD_STATE)?),
                snapshot: SnapshotMark::decode(take(block, AT_SNAPSHOT)?),
            },
            salt: u64_at(block, AT_SALT)?,
            segment_bytes: u64_at(block, AT_SEGMENT_BYTES)?,
            previous_end: u64_at(block, AT_PREVIOUS_END)?,
            previous_chain: u32_at(block, AT_PREVIOUS_CHAIN)?,
            recycled: flags & FLAG_RECYCLED != 0,
            cut: match u32_at(block, AT_CUT_REASON)? {
                0 => None,
                1 => Some(cut(CutReason::TornTail)),
                2 => Some(cut(CutReason::Hole)),
                _ => return None,
            },
        };
        // A log that went on behind the last number would have none for its next segment.
        let plausible = flags & !FLAGS_KNOWN == 0
            && header.segment < u64::MAX
            && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&header.segment_bytes)
            && header.segment_bytes.is_multiple_of(BLOCK_BYTES);
        plausible.then_some(header)
    }
}

fn checksum(block: &[u8]) -> Option<u32> {
    Some(crc32fast::hash(block.get(AT_CHECKED..SEGMENT_HEADER_BYTES)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn header() -> SegmentHeader {
        SegmentHeader {
            version: FORMAT_VERSION,
            identity: Identity { cluster: 0xc1, member: 0xfe },
            segment: 7,
            state: LogState {
                last_index: 99,
                last_term: 4,
                hard_state: HardState { term: 5, vote: 6, commit: 98 },
                snapshot: SnapshotMark { index: 50, term: 2 },
            },
            salt: 0x1234,
            segment_bytes: SEGMENT_BYTES_MIN,
            previous_end: 8192,
            previous_chain: 0xabcd,
            recycled: true,
            cut: Some(Cut { reason: CutReason::Hole, bytes: 4096 }),
        }
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_noticed() {
        let mut block = vec![0; 4096];
        let crc = header().encode(&mut block);
        assert_eq!(SegmentHeader::decode(&block), Ok((header(), crc)));
        for bit in 0..SEGMENT_HEADER_BYTES * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..SEGMENT_HEADER_BYTES {
            assert!(SegmentHeader::decode(&block[..length]).is_err());
        }
    }

    #[test]
    fn an_unknown_version_is_told_from_damage() {
        let mut block = vec![0; 4096];
        header().encode(&mut block);
        block[AT_VERSION] = 9;
        assert_eq!(SegmentHeader::decode(&block), Err(HeaderFault::Version(9)));
    }

    #[test]
    fn names_are_etcds() {
        let name = header().name();
        let text = "0000000000000007-0000000000000064.wal";
        assert_eq!(name.to_string(), text);
        assert_eq!(SegmentName::parse(Path::new(text)), Some(name));
        for other in [
            "7-64.wal",
            "0000000000000007-0000000000000064.tmp",
            "000000000000000G-0000000000000064.wal",
            "000000000000000A-0000000000000064.wal",
            "+000000000000007-0000000000000064.wal",
            "db",
        ] {
            assert_eq!(SegmentName::parse(Path::new(other)), None, "{other}");
        }
    }
}
