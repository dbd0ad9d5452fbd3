//! Reads a whole table and compares everything in it that is said twice.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::Damage;
use super::frame::Handle;
use super::index::record_order;
use super::reader::Table;
use super::{BlockSummary, Properties, RecordRef};
use crate::{Projection, Result, Version};
use bytes::Bytes;
use std::cmp::Ordering;

/// Bytes read at once for the checksum of the whole file.
const CHUNK_BYTES: usize = 256 << 10;

impl Table {
    /// Checks the whole file: its checksum, every block, the order of records, and that index,
    /// filter and properties say what the records say. Leaves the cache alone.
    pub fn verify(&self) -> Result<()> {
        self.verify_checksum()?;
        let mut cursor = self.cursor_once(Projection::Full);
        let mut sums = Sums::default();
        cursor.seek_to_first()?;
        loop {
            let value_bytes = cursor.value()?.len();
            let (block, handle) = cursor.block();
            let Some(record) = cursor.current() else {
                break;
            };
            sums.add(self, block, record, value_bytes)
                .map_err(|damage| self.corrupt(handle, damage))?;
            cursor.next()?;
        }
        let end = Handle { offset: self.file().file_bytes, ..Handle::default() };
        sums.compare(self).map_err(|damage| self.corrupt(end, damage))
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

/// What the records say, to be compared with what is said about them.
#[derive(Default)]
struct Sums {
    properties: Properties,
    /// How many blocks have begun; the last of them is under way.
    blocks: usize,
    block: BlockSums,
    last: Option<(Vec<u8>, Version)>,
}

/// What the records of one block say.
#[derive(Default)]
struct BlockSums {
    records: u32,
    keys: u32,
    live_max: u32,
    main_max: u64,
}

impl Sums {
    fn add(
        &mut self,
        table: &Table,
        block: usize,
        record: RecordRef<'_>,
        value_bytes: usize,
    ) -> std::result::Result<(), Damage> {
        if block >= self.blocks {
            self.end_block(table)?;
        }
        let starts_key = self.check_order(record)?;
        if !table.may_contain(record.key) {
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
        let seen = &mut self.block;
        let live = starts_key && !record.tombstone;
        seen.records = seen.records.saturating_add(1);
        seen.keys = seen.keys.saturating_add(u32::from(starts_key));
        seen.live_max = seen.live_max.saturating_add(u32::from(live));
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

    /// Compares what was seen of the block under way with the index's entry. Which records were
    /// newest isn't written, so its count of live keys can only be bounded.
    fn end_block(&mut self, table: &Table) -> std::result::Result<(), Damage> {
        if let Some(ended) = self.blocks.checked_sub(1) {
            let listed = table.index().summary(ended);
            let seen = self.last.as_ref().map(|(key, version)| BlockSummary {
                last_key: key,
                last_version: *version,
                records: self.block.records,
                keys: self.block.keys,
                live: listed.map_or(0, |listed| listed.live.min(self.block.live_max)),
                main_max: self.block.main_max,
            });
            if listed != seen {
                return Err(Damage("the index doesn't describe its block"));
            }
        }
        self.blocks = self.blocks.saturating_add(1);
        self.block = BlockSums::default();
        Ok(())
    }

    fn compare(mut self, table: &Table) -> std::result::Result<(), Damage> {
        self.end_block(table)?;
        if let Some((key, _)) = self.last.take() {
            self.properties.largest_key = Bytes::from(key);
        }
        // Which records were superseded isn't written anywhere.
        self.properties.superseded_bytes = table.properties().superseded_bytes;
        if self.properties != *table.properties() {
            return Err(Damage("the properties don't describe the records"));
        }
        Ok(())
    }
}
