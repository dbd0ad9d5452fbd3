//! The index of a table: for each key block its last record, its place, and counts.
//!
//! A record belongs to the first block whose last (key, version) isn't before it. First keys aren't
//! kept: all keys of a block are at or after the last key of the block before, which is enough to
//! tell whether a block lies wholly inside a range.
//!
//! A block's records say how many keys they add; the index has their sum. So counting a range at
//! the present reads no blocks but those at its ends, whatever lies above or below this table.
//!
//! Decoded, an entry takes 72 bytes and its key; at 4 KiB a block that is about one byte a key.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::{Damage, Reader, put_varint, unzigzag, zigzag};
use super::footer::FormatVersion;
use super::frame::Handle;
use super::key_block::common_prefix;
use crate::Version;
use std::cmp::Ordering;
use std::ops::Range;

/// What is known about a key block without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSummary<'a> {
    /// Key of its last record.
    pub last_key: &'a [u8],
    /// Version of its last record.
    pub last_version: Version,
    /// Records in it.
    pub records: u32,
    /// Keys whose first record in this table is in it.
    pub keys: u32,
    /// How many keys its records add, if that is known of all of them.
    pub keys_added: Option<i32>,
    /// Largest `main` of its records.
    pub main_max: u64,
}

/// Order of records in a table: keys ascending, versions descending.
pub(super) fn record_order(left: (&[u8], Version), right: (&[u8], Version)) -> Ordering {
    left.0.cmp(right.0).then_with(|| right.1.cmp(&left.1))
}

struct Entry {
    handle: Handle,
    key_end: usize,
    last_version: Version,
    records: u32,
    keys: u32,
    keys_added: Option<i32>,
    main_max: u64,
}

/// Collects entries in block order.
#[derive(Default)]
pub(super) struct IndexBuilder {
    entries: Vec<u8>,
    count: u32,
}

impl IndexBuilder {
    pub(super) fn add(&mut self, handle: Handle, summary: BlockSummary<'_>) {
        let numbers = [
            handle.offset,
            u64::from(handle.len),
            u64::from(summary.records),
            u64::from(summary.keys),
            coded_keys_added(summary.keys_added),
            summary.main_max,
            summary.last_version.main,
            summary.last_version.sub,
            summary.last_key.len() as u64,
        ];
        for number in numbers {
            put_varint(&mut self.entries, number);
        }
        self.entries.extend_from_slice(summary.last_key);
        self.count = self.count.checked_add(1).expect("blocks are far below 2^32");
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The index as a block's content.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entries.extend_from_slice(&self.count.to_le_bytes());
        self.entries
    }
}

/// A decoded index.
#[derive(Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// All last keys, one after the other.
    keys: Vec<u8>,
    /// How many bytes all last keys share at their start.
    shared: usize,
    /// The eight bytes of each last key behind those, as a number: a search compares these first,
    /// and they lie close together.
    heads: Vec<u64>,
}

/// Nine numbers of a byte or more each.
const ENTRY_BYTES_MIN: usize = 9;

impl Index {
    /// Reads an index whose blocks lie at `blocks` of the file.
    pub(super) fn decode(
        content: &[u8],
        version: FormatVersion,
        blocks: &Range<u64>,
    ) -> Result<Index, Damage> {
        let (encoded, count) = content.split_last_chunk().ok_or(Damage("index has no count"))?;
        let count = u32::from_le_bytes(*count) as usize;
        if count > encoded.len() / ENTRY_BYTES_MIN {
            return Err(Damage("index's count is above what it can hold"));
        }
        let mut index = Index { entries: Vec::with_capacity(count), ..Index::default() };
        let mut reader = Reader::new(encoded);
        for _ in 0..count {
            let (entry, key) =
                take_entry(&mut reader, version).ok_or(Damage("index is cut short"))?;
            index.push(entry, key, blocks)?;
        }
        if reader.remaining() != 0 {
            return Err(Damage("bytes after the index"));
        }
        index.keys.shrink_to_fit();
        index.build_heads();
        Ok(index)
    }

    fn push(&mut self, mut entry: Entry, key: &[u8], blocks: &Range<u64>) -> Result<(), Damage> {
        let mut free_from = blocks.start;
        if let Some(before) = self.entries.len().checked_sub(1).and_then(|at| self.summary(at)) {
            let order =
                record_order((before.last_key, before.last_version), (key, entry.last_version));
            if order != Ordering::Less {
                return Err(Damage("index isn't in order"));
            }
        }
        if let Some(end) = self.entries.last().and_then(|before| before.handle.end()) {
            free_from = end;
        }
        if entry.handle.offset < free_from || entry.handle.end().is_none_or(|end| end > blocks.end)
        {
            return Err(Damage("index points outside of the blocks"));
        }
        let added = entry.keys_added.unwrap_or(0).unsigned_abs();
        if entry.records == 0 || entry.keys > entry.records || added > entry.records {
            return Err(Damage("index's counts contradict each other"));
        }
        self.keys.extend_from_slice(key);
        entry.key_end = self.keys.len();
        self.entries.push(entry);
        Ok(())
    }

    fn build_heads(&mut self) {
        let last_key = |at| self.summary(at).map(|summary| summary.last_key);
        let ends = (last_key(0), last_key(self.len().saturating_sub(1)));
        let (Some(first), Some(last)) = ends else {
            return;
        };
        let shared = common_prefix(first, last);
        let heads = (0..self.len()).filter_map(last_key).map(|key| head(key, shared)).collect();
        self.shared = shared;
        self.heads = heads;
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Records in all blocks.
    pub(super) fn records(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.records)).sum()
    }

    /// The place of block `at`.
    pub(super) fn handle(&self, at: usize) -> Option<Handle> {
        Some(self.entries.get(at)?.handle)
    }

    /// What is known of block `at`.
    pub(super) fn summary(&self, at: usize) -> Option<BlockSummary<'_>> {
        let entry = self.entries.get(at)?;
        Some(BlockSummary {
            last_key: self.last_key(at, entry),
            last_version: entry.last_version,
            records: entry.records,
            keys: entry.keys,
            keys_added: entry.keys_added,
            main_max: entry.main_max,
        })
    }

    fn last_key(&self, at: usize, entry: &Entry) -> &[u8] {
        let before = at.checked_sub(1).and_then(|before| self.entries.get(before));
        let start = before.map_or(0, |before| before.key_end);
        self.keys.get(start..entry.key_end).unwrap_or_default()
    }

    /// The first block that may hold a record at or after `(key, version)`; [`Index::len`] if none.
    pub(super) fn find(&self, key: &[u8], version: Version) -> usize {
        let prefix = self.keys.get(..self.shared).unwrap_or_default();
        match key.get(..self.shared).unwrap_or(key).cmp(prefix) {
            Ordering::Less => return 0,
            Ordering::Greater => return self.len(),
            Ordering::Equal => {}
        }
        let wanted = head(key, self.shared);
        let mut low = self.heads.partition_point(|&head| head < wanted);
        let alike = self.heads.get(low..).unwrap_or_default();
        let mut high = low.saturating_add(alike.partition_point(|&head| head == wanted));
        // Blocks before `low` end before `key`, those from `high` on behind it.
        while low < high {
            let middle = low.midpoint(high);
            let Some(entry) = self.entries.get(middle) else {
                break;
            };
            let last = (self.last_key(middle, entry), entry.last_version);
            if record_order(last, (key, version)) == Ordering::Less {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

/// The eight bytes of `key` from `shared` on, zeros where there are fewer, as a number that orders
/// like them.
fn head(key: &[u8], shared: usize) -> u64 {
    let rest = key.get(shared..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return u64::from_be_bytes(*whole);
    }
    let mut padded = [0; 8];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_be_bytes(padded)
}

fn take_entry<'a>(reader: &mut Reader<'a>, version: FormatVersion) -> Option<(Entry, &'a [u8])> {
    let entry = Entry {
        handle: Handle { offset: reader.varint()?, len: reader.varint32()? },
        records: reader.varint32()?,
        keys: reader.varint32()?,
        keys_added: take_keys_added(reader, version)?,
        main_max: reader.varint()?,
        last_version: Version { main: reader.varint()?, sub: reader.varint()? },
        key_end: 0,
    };
    let key_len = reader.size()?;
    Some((entry, reader.bytes(key_len)?))
}

/// One more than the sum, so that 0 says that it isn't known.
fn coded_keys_added(keys_added: Option<i32>) -> u64 {
    let coded = |added| zigzag(i64::from(added).cast_unsigned()).saturating_add(1);
    keys_added.map_or(0, coded)
}

/// What a block's records add; earlier formats have a count of another
/// kind in its place.
fn take_keys_added(reader: &mut Reader<'_>, version: FormatVersion) -> Option<Option<i32>> {
    let coded = reader.varint()?;
    match version {
        FormatVersion::V1 | FormatVersion::V2 => Some(None),
        FormatVersion::V3 => match coded.checked_sub(1) {
            None => Some(None),
            Some(added) => Some(Some(i32::try_from(unzigzag(added).cast_signed()).ok()?)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(last_key: &[u8], main: u64) -> BlockSummary<'_> {
        BlockSummary {
            last_key,
            last_version: Version { main, sub: 0 },
            records: 4,
            keys: 2,
            keys_added: Some(-1),
            main_max: 9,
        }
    }

    fn three_blocks() -> Vec<u8> {
        let mut builder = IndexBuilder::default();
        builder.add(Handle { offset: 24, len: 50 }, summary(b"b", 7));
        builder.add(Handle { offset: 90, len: 50 }, summary(b"b", 3));
        builder.add(Handle { offset: 140, len: 60 }, summary(b"d", 5));
        builder.finish()
    }

    #[test]
    fn finds_the_first_block_that_is_not_before() {
        let index = Index::decode(&three_blocks(), FormatVersion::V3, &(24..200))
            .expect("what was encoded");
        let find = |key: &[u8], main| index.find(key, Version { main, sub: 0 });
        assert_eq!(find(b"a", 1), 0);
        assert_eq!(find(b"b", 7), 0);
        assert_eq!(find(b"b", 6), 1);
        assert_eq!(find(b"b", 2), 2);
        assert_eq!(find(b"d", 5), 2);
        assert_eq!(find(b"d", 4), 3);
        assert_eq!(index.summary(2), Some(summary(b"d", 5)));
        assert_eq!(index.handle(1), Some(Handle { offset: 90, len: 50 }));
        assert_eq!(index.handle(3), None);
    }

    #[test]
    fn blocks_outside_of_the_data_or_out_of_order_are_refused() {
        let bytes = three_blocks();
        assert!(Index::decode(&bytes, FormatVersion::V3, &(24..199)).is_err());
        assert!(Index::decode(&bytes, FormatVersion::V3, &(25..200)).is_err());
        let mut builder = IndexBuilder::default();
        builder.add(Handle { offset: 24, len: 50 }, summary(b"b", 7));
        builder.add(Handle { offset: 90, len: 50 }, summary(b"b", 7));
        assert!(Index::decode(&builder.finish(), FormatVersion::V3, &(24..200)).is_err());
    }

    #[test]
    fn shortened_indexes_are_refused() {
        let bytes = three_blocks();
        for len in 0..bytes.len() {
            assert!(
                Index::decode(&bytes[..len], FormatVersion::V3, &(24..200)).is_err(),
                "length {len}"
            );
        }
    }
}
