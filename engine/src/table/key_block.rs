//! Key blocks: front-coded keys with versions, headers and the places of their values.
//!
//! ```text
//! records | restart offsets u32… | value blocks (offset u64, length u32)… | base main u64
//!         | records u32 | value blocks u32
//! ```
//!
//! Every 16th record is a *restart*: its key is whole, its version counts from the block's base,
//! and its value's place is explicit. Others say how many bytes they share with the key before
//! (always as many as possible, which lets a search skip records without building their keys), and
//! how far their version's `main` is from the one before.
//!
//! ```text
//! record: flags u8 | shared varint | 4 * rest of key + adds varint
//!         | zigzag(main - main before) varint | sub varint | header | rest of key | place
//! flags:  bits 0-4 header length, 5 tombstone, 6-7 place
//! adds:   how many keys: 0 unknown, 1 none, 2 one more, 3 one less
//! place:  0 no value; 1 block varint, offset varint, length varint;
//!         2 length varint, right after the value before; 3 reserved for values elsewhere
//! ```
//!
//! In formats before the third the rest's length stands alone.
//!
//! A value block is named by its position in the block's own list, so that nothing about value
//! blocks has to stay in memory.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::BLOCK_BYTES_MAX;
use super::coding::{Damage, Reader, unzigzag};
use super::footer::FormatVersion;
use super::frame::Handle;
use super::index::record_order;
use crate::{HEADER_BYTES_MAX, Header, Version};
use bytes::Bytes;
use std::cmp::Ordering;

/// Records from one restart to the next.
pub(super) const RESTART_INTERVAL: u32 = 16;
/// Base, number of records, number of value blocks.
pub(super) const TAIL_BYTES: usize = 16;
/// Offset and length of a value block.
pub(super) const VALUE_BLOCK_BYTES: usize = 12;

pub(super) const FLAG_HEADER_LEN: u8 = HEADER_BYTES_MAX as u8;
pub(super) const FLAG_TOMBSTONE: u8 = 1 << 5;
pub(super) const PLACE_SHIFT: u32 = 6;
pub(super) const PLACE_NONE: u8 = 0;
pub(super) const PLACE_AT: u8 = 1;
pub(super) const PLACE_NEXT: u8 = 2;

/// What a record adds, by its code.
pub(super) const ADDS: [Option<i8>; 4] = [None, Some(0), Some(1), Some(-1)];
/// Bits of the code.
pub(super) const ADDS_BITS: u32 = 2;
const ADDS_MASK: usize = (1 << ADDS_BITS) - 1;

const RESTART_BYTES: usize = 4;
/// Flags and four varints.
const RECORD_BYTES_MIN: usize = 5;

const _: () = assert!(HEADER_BYTES_MAX == 0x1f);
const _: () = assert!(BLOCK_BYTES_MAX < u32::MAX as usize);

/// Above the number of any value block: a block's list of them couldn't be so long.
const NO_BLOCK: u32 = u32::MAX;

const SHORT: Damage = Damage("record is cut short");

/// A stretch of a block's content, which is below 2^32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// Where a value is: in the value block with this position in the key block's list. If `len` is 0,
/// there is none, and the rest means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) block: u32,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// A record as its bytes say it, its key still relative to the record before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) shared: usize,
    pub(super) rest: Span,
    pub(super) version: Version,
    pub(super) tombstone: bool,
    pub(super) keys_added: Option<i8>,
    pub(super) header: Span,
    pub(super) place: Place,
}

/// Where the next record starts, and what it is relative to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    at: usize,
    ordinal: u32,
    main: u64,
    /// Block and end of the last value since the restart; [`NO_BLOCK`] before the first.
    value_block: u32,
    value_end: u32,
}

impl Walk {
    /// Position in the block of the record that comes next.
    pub(super) fn ordinal(&self) -> u32 {
        self.ordinal
    }
}

/// A decoded key block. Records are decoded as they are walked over.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyBlock {
    content: Bytes,
    version: FormatVersion,
    records_end: usize,
    value_blocks_start: usize,
    value_blocks: u32,
    base_main: u64,
    records: u32,
}

impl KeyBlock {
    /// Checks the tail. Everything else is checked when it is read.
    pub(super) fn decode(content: Bytes, version: FormatVersion) -> Result<KeyBlock, Damage> {
        let short = Damage("key block is cut short");
        let tables_end = content.len().checked_sub(TAIL_BYTES).ok_or(short)?;
        let mut tail = Reader::new(content.get(tables_end..).ok_or(short)?);
        let fields = (tail.u64(), tail.u32(), tail.u32());
        let (Some(base_main), Some(records), Some(value_blocks)) = fields else {
            return Err(short);
        };
        let value_bytes = (value_blocks as usize).checked_mul(VALUE_BLOCK_BYTES);
        let value_blocks_start =
            value_bytes.and_then(|bytes| tables_end.checked_sub(bytes)).ok_or(short)?;
        let restart_bytes =
            (records.div_ceil(RESTART_INTERVAL) as usize).checked_mul(RESTART_BYTES);
        let records_end =
            restart_bytes.and_then(|bytes| value_blocks_start.checked_sub(bytes)).ok_or(short)?;
        if records == 0 || records_end / RECORD_BYTES_MIN < records as usize {
            return Err(Damage("key block's record count doesn't fit"));
        }
        Ok(KeyBlock {
            content,
            version,
            records_end,
            value_blocks_start,
            value_blocks,
            base_main,
            records,
        })
    }

    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// The bytes of a span that came from this block.
    #[inline]
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.content.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The header of a record of this block.
    #[inline]
    pub(super) fn header(&self, entry: &Entry) -> Header {
        Header::new(self.bytes(entry.header)).unwrap_or_default()
    }

    /// Number of the restart that `ordinal` is reached from.
    pub(super) fn restart_of(ordinal: u32) -> u32 {
        ordinal / RESTART_INTERVAL
    }

    /// A walk that starts at a restart.
    pub(super) fn walk_from(&self, restart: u32) -> Result<Walk, Damage> {
        let offset = (restart as usize)
            .checked_mul(RESTART_BYTES)
            .and_then(|bytes| self.records_end.checked_add(bytes))
            .and_then(|start| self.content.get(start..))
            .and_then(|bytes| Reader::new(bytes).u32())
            .ok_or(Damage("restart outside of its key block"))?;
        Ok(Walk {
            at: offset as usize,
            ordinal: restart.saturating_mul(RESTART_INTERVAL),
            ..Walk::default()
        })
    }

    /// The next record of `walk`; `None` after the last one.
    #[inline]
    pub(super) fn next(&self, walk: &mut Walk) -> Result<Option<Entry>, Damage> {
        if walk.ordinal >= self.records {
            return Ok(None);
        }
        if walk.ordinal.is_multiple_of(RESTART_INTERVAL) {
            walk.main = self.base_main;
            walk.value_block = NO_BLOCK;
        }
        let encoded = self.content.get(walk.at..self.records_end).ok_or(SHORT)?;
        let mut reader = Reader::new(encoded);
        let (tag, mut entry) = self.take_key(&mut reader, walk.main).ok_or(SHORT)?;
        walk.main = entry.version.main;
        if tag != PLACE_NONE {
            entry.place = take_place(&mut reader, tag, walk)?;
            if entry.tombstone {
                return Err(Damage("a tombstone has a value"));
            }
        }
        walk.at = self.position(&reader);
        // Bounded by `records`.
        walk.ordinal = walk.ordinal.wrapping_add(1);
        Ok(Some(entry))
    }

    /// Offset in the content of what `reader`, which ends where the records end, reads next.
    #[inline]
    fn position(&self, reader: &Reader<'_>) -> usize {
        self.records_end.wrapping_sub(reader.remaining())
    }

    #[inline]
    fn take_span(&self, reader: &mut Reader<'_>, len: usize) -> Option<Span> {
        let start = self.position(reader);
        reader.bytes(len)?;
        Some(Span { start: start as u32, end: start.wrapping_add(len) as u32 })
    }

    /// A record up to its place, and the place's tag.
    #[inline]
    fn take_key(&self, reader: &mut Reader<'_>, main_before: u64) -> Option<(u8, Entry)> {
        let flags = reader.u8()?;
        let shared = reader.size()?;
        let (rest_len, keys_added) = self.take_rest_len(reader)?;
        let main = main_before.wrapping_add(unzigzag(reader.varint()?));
        let sub = reader.varint()?;
        let entry = Entry {
            shared,
            version: Version { main, sub },
            tombstone: flags & FLAG_TOMBSTONE != 0,
            keys_added,
            header: self.take_span(reader, usize::from(flags & FLAG_HEADER_LEN))?,
            rest: self.take_span(reader, rest_len)?,
            place: Place::default(),
        };
        Some((flags >> PLACE_SHIFT, entry))
    }

    /// How many value blocks its records name.
    pub(super) fn value_blocks(&self) -> u32 {
        self.value_blocks
    }

    #[inline]
    fn take_rest_len(&self, reader: &mut Reader<'_>) -> Option<(usize, Option<i8>)> {
        let coded = reader.size()?;
        Some(match self.version {
            FormatVersion::V1 | FormatVersion::V2 => (coded, None),
            FormatVersion::V3 => {
                (coded >> ADDS_BITS, ADDS.get(coded & ADDS_MASK).copied().flatten())
            }
        })
    }

    /// The place of a value block that a record of this block names.
    pub(super) fn value_block(&self, number: u32) -> Option<Handle> {
        if number >= self.value_blocks {
            return None;
        }
        let start = (number as usize)
            .checked_mul(VALUE_BLOCK_BYTES)
            .and_then(|bytes| self.value_blocks_start.checked_add(bytes))?;
        let mut reader = Reader::new(self.content.get(start..)?);
        Some(Handle { offset: reader.u64()?, len: reader.u32()? })
    }

    /// The last restart whose record is before `(key, version)`, or the first restart.
    pub(super) fn restart_before(&self, key: &[u8], version: Version) -> Result<u32, Damage> {
        let mut low = 0;
        let mut high = self.records.div_ceil(RESTART_INTERVAL);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            let first = self
                .next(&mut self.walk_from(middle)?)?
                .ok_or(Damage("restart outside of its key block"))?;
            let at = (self.bytes(first.rest), first.version);
            if record_order(at, (key, version)) == Ordering::Less {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The newest record of `key` at or below `at`, if it is in this block. Builds no key: of the
    /// records walked over it suffices to know how many bytes of `key` they match.
    pub(super) fn find(&self, key: &[u8], at: Version) -> Result<Option<Entry>, Damage> {
        let mut walk = self.walk_from(self.restart_before(key, at)?)?;
        // All records so far are before `key` (or are newer versions of it), and the last one
        // shares this many bytes with it.
        let mut matched = 0;
        while let Some(entry) = self.next(&mut walk)? {
            if entry.shared > matched {
                continue;
            }
            if entry.shared < matched && entry.shared != 0 {
                return Ok(None);
            }
            let rest = self.bytes(entry.rest);
            let wanted = key.get(entry.shared..).unwrap_or_default();
            match rest.cmp(wanted) {
                Ordering::Less => {
                    matched = entry.shared.saturating_add(common_prefix(rest, wanted));
                }
                Ordering::Equal if entry.version <= at => return Ok(Some(entry)),
                Ordering::Equal => matched = key.len(),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The place of a value that isn't empty.
#[inline]
fn take_place(reader: &mut Reader<'_>, tag: u8, walk: &mut Walk) -> Result<Place, Damage> {
    if tag == PLACE_AT {
        walk.value_block = reader.varint32().ok_or(SHORT)?;
        walk.value_end = reader.varint32().ok_or(SHORT)?;
    } else if tag != PLACE_NEXT {
        return Err(Damage("a value is in an unknown place"));
    }
    if walk.value_block == NO_BLOCK {
        return Err(Damage("a value follows no other"));
    }
    let (block, offset) = (walk.value_block, walk.value_end);
    let len = reader.varint32().ok_or(SHORT)?;
    let end = offset.checked_add(len).filter(|&end| end > offset);
    walk.value_end = end.ok_or(Damage("a value has no possible length"))?;
    Ok(Place { block, offset, len })
}

/// How many bytes at their start `left` and `right` have in common.
pub(super) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    fn equal<T: PartialEq>(left: &[T], right: &[T]) -> usize {
        let pairs = left.iter().zip(right);
        pairs.take_while(|(left, right)| left == right).count()
    }
    // Eight at a time, then what is left or differs.
    let done = equal(left.as_chunks::<8>().0, right.as_chunks::<8>().0).saturating_mul(8);
    match (left.get(done..), right.get(done..)) {
        (Some(left), Some(right)) => done.saturating_add(equal(left, right)),
        _ => done,
    }
}
