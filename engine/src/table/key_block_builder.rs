//! Builds key blocks; the form is described in [`super::key_block`].

use super::RecordRef;
use super::coding::{put_varint, zigzag};
use super::frame::Handle;
use super::index::BlockSummary;
use super::key_block::{
    ADDS, ADDS_BITS, FLAG_TOMBSTONE, PLACE_AT, PLACE_NEXT, PLACE_NONE, PLACE_SHIFT,
    RESTART_INTERVAL, TAIL_BYTES, VALUE_BLOCK_BYTES,
};
use crate::Version;

/// A value block, numbered through the whole table in the order in which they were begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueBlockId(pub(super) usize);

/// Where the writer put a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValuePlace {
    pub(super) block: ValueBlockId,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// What a record is relative to the one before it in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// How many bytes of key it shares with it.
    pub(super) shared: usize,
    /// Whether it has another key.
    pub(super) starts_key: bool,
}

/// A key block under construction, or one that waits for its value blocks to be placed.
#[derive(Default)]
pub(super) struct KeyBlockBuilder {
    records: Vec<u8>,
    restarts: Vec<u32>,
    value_blocks: Vec<ValueBlockId>,
    base_main: u64,
    main: u64,
    /// Block and end of the last value since the restart.
    value: Option<(usize, u32)>,
    count: u32,
    keys: u32,
    /// Sum of what the records add, if that is known of all.
    keys_added: Option<i32>,
    main_max: u64,
    last_key: Vec<u8>,
    last_version: Version,
}

impl KeyBlockBuilder {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Length of the content so far.
    pub(super) fn len(&self) -> usize {
        self.records.len()
            + self.restarts.len() * size_of::<u32>()
            + self.value_blocks.len() * VALUE_BLOCK_BYTES
            + TAIL_BYTES
    }

    /// Adds the record after all others.
    pub(super) fn add(
        &mut self,
        record: RecordRef<'_>,
        neighbour: Neighbour,
        place: Option<ValuePlace>,
    ) {
        if self.count == 0 {
            self.base_main = record.version.main;
            self.keys_added = Some(0);
        }
        let mut shared = neighbour.shared;
        if self.count.is_multiple_of(RESTART_INTERVAL) {
            let offset = u32::try_from(self.records.len()).expect("blocks are below their limit");
            self.restarts.push(offset);
            self.main = self.base_main;
            self.value = None;
            shared = 0;
        }
        self.put_record(record, shared, place);
        self.count += 1;
        self.keys += u32::from(neighbour.starts_key);
        let added = record.keys_added.map(i32::from);
        self.keys_added = self.keys_added.zip(added).map(|(sum, added)| sum + added);
        self.main = record.version.main;
        self.main_max = self.main_max.max(record.version.main);
        self.last_version = record.version;
    }

    fn put_record(&mut self, record: RecordRef<'_>, shared: usize, place: Option<ValuePlace>) {
        let placed = place.map(|place| {
            let number = self.number_of(place.block);
            let follows = self.value == Some((number, place.offset));
            self.value = Some((number, place.offset + place.len));
            (number, follows, place)
        });
        let tag = match placed {
            None => PLACE_NONE,
            Some((_, true, _)) => PLACE_NEXT,
            Some((_, false, _)) => PLACE_AT,
        };
        let header = record.header.as_slice();
        let rest = &record.key[shared..];
        let tombstone = if record.tombstone { FLAG_TOMBSTONE } else { 0 };
        let out = &mut self.records;
        out.push(header.len() as u8 | tombstone | tag << PLACE_SHIFT);
        put_varint(out, shared as u64);
        let adds = ADDS.iter().position(|&adds| adds == record.keys_added);
        let adds = adds.expect("a record adds a key at most, or takes one away") as u64;
        put_varint(out, (rest.len() as u64) << ADDS_BITS | adds);
        put_varint(out, zigzag(record.version.main.wrapping_sub(self.main)));
        put_varint(out, record.version.sub);
        out.extend_from_slice(header);
        out.extend_from_slice(rest);
        if let Some((number, follows, place)) = placed {
            if !follows {
                put_varint(out, number as u64);
                put_varint(out, u64::from(place.offset));
            }
            put_varint(out, u64::from(place.len));
        }
    }

    /// Position of a value block in this block's list. It is nearly always one of the last two.
    fn number_of(&mut self, block: ValueBlockId) -> usize {
        let known = self.value_blocks.iter().rposition(|&known| known == block);
        known.unwrap_or_else(|| {
            self.value_blocks.push(block);
            self.value_blocks.len() - 1
        })
    }

    /// Ends the block at a record whose key is `last_key`, and starts over.
    pub(super) fn cut(&mut self, last_key: &[u8]) -> KeyBlockBuilder {
        let mut done = std::mem::take(self);
        done.last_key = last_key.to_vec();
        done
    }

    /// The value blocks that its records name.
    pub(super) fn value_blocks(&self) -> &[ValueBlockId] {
        &self.value_blocks
    }

    /// What the index says of the block.
    pub(super) fn summary(&self) -> BlockSummary<'_> {
        BlockSummary {
            last_key: &self.last_key,
            last_version: self.last_version,
            records: self.count,
            keys: self.keys,
            keys_added: self.keys_added,
            main_max: self.main_max,
        }
    }

    /// Takes the block's content, once all value blocks have a place.
    pub(super) fn encode(&mut self, handle_of: impl Fn(ValueBlockId) -> Handle) -> Vec<u8> {
        let len = self.len();
        let mut out = std::mem::take(&mut self.records);
        out.reserve_exact(len - out.len());
        for restart in &self.restarts {
            out.extend_from_slice(&restart.to_le_bytes());
        }
        for block in &self.value_blocks {
            let handle = handle_of(*block);
            out.extend_from_slice(&handle.offset.to_le_bytes());
            out.extend_from_slice(&handle.len.to_le_bytes());
        }
        let value_blocks = u32::try_from(self.value_blocks.len()).expect("fewer than records");
        out.extend_from_slice(&self.base_main.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&value_blocks.to_le_bytes());
        out
    }
}
