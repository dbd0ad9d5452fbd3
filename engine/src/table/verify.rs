//! Reads a whole table and compares everything in it that is said twice.
//!
//! Damage doesn't end it: a block that can't be read is passed over, and what depends on it isn't
//! compared.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::block_cursor::BlockCursor;
use super::coding::Damage;
use super::filter::{Filter, KeyHash};
use super::footer::FormatVersion;
use super::frame::Handle;
use super::index::{Index, record_order};
use super::key_block::Place;
use super::reader::Table;
use super::source::Caching;
use super::staircase::StaircaseBuilder;
use super::{BlockSummary, Properties, RecordRef};
use crate::{Error, Keyspace, Result, Version};
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Bytes read at once for the checksum of the whole file.
const CHUNK_BYTES: usize = 256 << 10;

impl Table {
    /// Checks the whole file: its checksum, every block, the order of records, and that index,
    /// filter and properties say what the records say. Leaves the cache alone.
    ///
    /// # Errors
    /// The first that [`Table::verify_all`] shows.
    pub fn verify(&self) -> Result<()> {
        let mut first = None;
        self.verify_all(&mut |error| {
            first.get_or_insert(error);
        });
        first.map_or(Ok(()), Err)
    }

    /// As [`Table::verify`], but shows `fault` everything that doesn't hold: a damaged block once,
    /// and of what contradicts each other in one block the first.
    pub fn verify_all(&self, fault: &mut dyn FnMut(Error)) {
        if let Err(error) = self.verify_checksum() {
            fault(error);
        }
        let index = match self.index() {
            Ok(index) => index,
            Err(error) => return fault(error),
        };
        let filter = self.filter().map_err(&mut *fault).ok();
        let mut walk = Walk::new(self, index, filter);
        for block in 0..index.len() {
            if let Err(error) = walk.verify_block(block, fault) {
                fault(error);
                walk.pass_over(block);
            }
        }
        if let Err(damage) = walk.sums.compare(self) {
            let end = Handle { offset: self.file().file_bytes, ..Handle::default() };
            fault(self.corrupt(end, damage));
        }
    }

    fn verify_checksum(&self) -> Result<()> {
        let mut hasher = crc32fast::Hasher::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let len = self.file().file_bytes;
        let mut offset = 0;
        while offset < len {
            let count = len.saturating_sub(offset).min(CHUNK_BYTES as u64);
            chunk.truncate(count as usize);
            self.source().read_at(offset, &mut chunk)?;
            hasher.update(&chunk);
            offset = offset.saturating_add(count);
        }
        if hasher.finalize() != self.file().checksum {
            let damage = Damage("the file's checksum isn't what the manifest says");
            return Err(self.corrupt(Handle::default(), damage));
        }
        Ok(())
    }
}

/// Goes through all blocks.
struct Walk<'a> {
    table: &'a Table,
    index: &'a Index,
    position: BlockCursor,
    /// The value blocks used last: newest and superseded values alternate.
    values: [(Handle, Bytes); 2],
    /// Offsets of value blocks that can't be read.
    damaged: BTreeSet<u64>,
    sums: Sums<'a>,
}

impl<'a> Walk<'a> {
    fn new(table: &'a Table, index: &'a Index, filter: Option<&'a Filter>) -> Walk<'a> {
        Walk {
            table,
            index,
            position: BlockCursor::default(),
            values: Default::default(),
            damaged: BTreeSet::new(),
            sums: Sums::new(table.file().keyspace, filter),
        }
    }

    fn verify_block(&mut self, block: usize, fault: &mut dyn FnMut(Error)) -> Result<()> {
        let table = self.table;
        let handle = self.index.handle(block).unwrap_or_default();
        let corrupt = |damage| table.corrupt(handle, damage);
        self.position.enter(table.key_block(handle, Caching::Bypass)?);
        self.position.rewind(0).map_err(corrupt)?;
        while self.position.next().map_err(corrupt)? {
            let Some(&entry) = self.position.entry() else {
                break;
            };
            let value_bytes = match self.value_bytes(entry.place, handle) {
                Ok(value_bytes) => value_bytes,
                Err(error) => {
                    self.sums.whole = false;
                    self.note_value_block(entry.place, handle, error, fault);
                    0
                }
            };
            let record = RecordRef {
                key: self.position.key(),
                version: entry.version,
                tombstone: entry.tombstone,
                header: self.position.block().header(&entry),
                keys_added: entry.keys_added,
            };
            self.sums.add(record, value_bytes).map_err(corrupt)?;
        }
        self.sums.end_block(self.index.summary(block)).map_err(corrupt)
    }

    /// Length of the value at `place`, which is read.
    fn value_bytes(&mut self, place: Place, handle: Handle) -> Result<usize> {
        if place.len == 0 {
            return Ok(0);
        }
        let values = self.table.value_block(self.position.block(), place, handle)?;
        let [first, second] = &mut self.values;
        if first.0 != values {
            std::mem::swap(first, second);
        }
        if first.0 != values {
            *first = (values, self.table.block(values, Caching::Bypass)?);
        }
        Ok(self.table.slice(values, &first.1, place)?.len())
    }

    /// Shows `fault` that a value can't be read, unless it is because of a block that it has been
    /// shown already.
    fn note_value_block(
        &mut self,
        place: Place,
        handle: Handle,
        error: Error,
        fault: &mut dyn FnMut(Error),
    ) {
        let values = self.table.value_block(self.position.block(), place, handle);
        if self.damaged.insert(values.unwrap_or(handle).offset) {
            fault(error);
        }
    }

    /// Goes on behind a block that can't be read, as the index says where that ends.
    fn pass_over(&mut self, block: usize) {
        self.sums.whole = false;
        self.sums.block = BlockSums::default();
        let summary = self.index.summary(block);
        self.sums.last = summary.map(|summary| (summary.last_key.to_vec(), summary.last_version));
    }
}

/// What the records say, to be compared with what is said about them.
struct Sums<'a> {
    /// The filter, if it can be read.
    filter: Option<&'a Filter>,
    properties: Properties,
    staircase: StaircaseBuilder,
    /// Whether every record was seen with its value.
    whole: bool,
    /// The block under way.
    block: BlockSums,
    last: Option<(Vec<u8>, Version)>,
}

/// What the records of one block say.
#[derive(Default)]
struct BlockSums {
    records: u32,
    keys: u32,
    /// The sum, and whether all records say what they add.
    keys_added: i32,
    all_say: bool,
    main_max: u64,
}

impl<'a> Sums<'a> {
    fn new(keyspace: Keyspace, filter: Option<&'a Filter>) -> Sums<'a> {
        Sums {
            filter,
            properties: Properties::default(),
            staircase: StaircaseBuilder::new(keyspace),
            whole: true,
            block: BlockSums::default(),
            last: None,
        }
    }

    fn add(
        &mut self,
        record: RecordRef<'_>,
        value_bytes: usize,
    ) -> std::result::Result<(), Damage> {
        let before = self.last.as_ref().map(|(_, version)| version.main);
        let starts_key = self.check_order(record)?;
        let hash = KeyHash::of(record.key);
        if self.filter.is_some_and(|filter| !filter.may_contain(hash)) {
            return Err(Damage("the filter doesn't know a key"));
        }
        let main = record.version.main;
        let seen = &mut self.properties;
        if seen.records == 0 {
            seen.smallest_key = Bytes::copy_from_slice(record.key);
            seen.main_min = main;
        }
        seen.records = seen.records.saturating_add(1);
        seen.keys = seen.keys.saturating_add(u64::from(starts_key));
        seen.tombstones = seen.tombstones.saturating_add(u64::from(record.tombstone));
        seen.main_min = seen.main_min.min(main);
        seen.main_max = seen.main_max.max(main);
        seen.key_bytes = seen.key_bytes.saturating_add(record.key.len() as u64);
        seen.value_bytes = seen.value_bytes.saturating_add(value_bytes as u64);
        let bytes = (record.key.len() as u64).saturating_add(value_bytes as u64);
        let newer = before.filter(|_| !starts_key);
        self.staircase.add(main, record.tombstone, newer, bytes);
        let seen = &mut self.block;
        seen.all_say = (seen.all_say || seen.records == 0) && record.keys_added.is_some();
        let added = i32::from(record.keys_added.unwrap_or(0));
        seen.keys_added = seen.keys_added.saturating_add(added);
        seen.records = seen.records.saturating_add(1);
        seen.keys = seen.keys.saturating_add(u32::from(starts_key));
        seen.main_max = seen.main_max.max(main);
        Ok(())
    }

    /// Remembers the record as the last one, and says whether the one before had another key.
    fn check_order(&mut self, record: RecordRef<'_>) -> std::result::Result<bool, Damage> {
        let mut starts_key = true;
        if let Some((key, version)) = &self.last {
            let here = (record.key, record.version);
            if record_order((key, *version), here) != Ordering::Less {
                return Err(Damage("records aren't in order"));
            }
            starts_key = key != record.key;
        }
        let (key, version) = self.last.get_or_insert_default();
        key.clear();
        key.extend_from_slice(record.key);
        *version = record.version;
        Ok(starts_key)
    }

    /// Compares what was seen of the block under way with `listed`, the index's entry.
    fn end_block(&mut self, listed: Option<BlockSummary<'_>>) -> std::result::Result<(), Damage> {
        let seen = self.last.as_ref().map(|(key, version)| BlockSummary {
            last_key: key,
            last_version: *version,
            records: self.block.records,
            keys: self.block.keys,
            keys_added: self.block.all_say.then_some(self.block.keys_added),
            main_max: self.block.main_max,
        });
        if listed != seen {
            return Err(Damage("the index doesn't describe its block"));
        }
        self.block = BlockSums::default();
        Ok(())
    }

    fn compare(mut self, table: &Table) -> std::result::Result<(), Damage> {
        if !self.whole {
            return Ok(());
        }
        if let Some((key, _)) = self.last.take() {
            self.properties.largest_key = Bytes::from(key);
        }
        // Which records were superseded isn't written anywhere.
        self.properties.superseded_bytes = table.properties().superseded_bytes;
        self.properties.reclaim = match table.version() {
            FormatVersion::V1 => table.properties().reclaim.clone(),
            FormatVersion::V2 | FormatVersion::V3 => self.staircase.finish(),
        };
        if self.properties != *table.properties() {
            return Err(Damage("the properties don't describe the records"));
        }
        Ok(())
    }
}
