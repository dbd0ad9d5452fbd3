//! Writes a table: records come in order, blocks go out as they fill.
//!
//! 1. A record's value goes to one of two open value blocks, that of newest or that of superseded
//!    values, or at once to a block of its own if it is as large as a block.
//! 2. The record itself goes to the open key block, which names the value block by its id.
//! 3. A full value block is written, and with it its place is known.
//! 4. A full key block waits until all value blocks that it names have a place, then it is written
//!    and gets its entry in the index. Key blocks leave in order, so they sit right behind their
//!    values. Superseded values may be rare and their block slow to fill: when too many bytes wait,
//!    the value blocks that the first key block waits for are written as they are.
//! 5. At the end come index, filter, properties and foot, then one sync. The folder isn't synced.

use super::filter::{Filter, KeyHash};
use super::footer::{Foot, FormatVersion};
use super::frame::{Handle, Packing, TRAILER_BYTES};
use super::index::IndexBuilder;
use super::key_block::common_prefix;
use super::key_block_builder::{KeyBlockBuilder, Neighbour, ValueBlockId, ValuePlace};
use super::output::Output;
use super::staircase::{STEP_BYTES, StaircaseBuilder};
use super::{
    Age, BLOCK_TARGET_MAX, Compression, DICTIONARY_BYTES_MAX, FileNumber, KEY_BYTES_MAX,
    META_BYTES_MAX, Properties, RecordRef, TableMeta, TableOptions, VALUE_BYTES_MAX,
};
use crate::{Keyspace, Record, Result, Version};
use bytes::Bytes;
use retcd_vfs::AppendFile;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Bytes of key blocks that may wait for their value blocks.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// An entry of the index without its key, about.
const INDEX_ENTRY_BYTES: usize = 24;

/// Properties, foot, and what blocks at the end have besides their content, about.
const END_BYTES: usize = 300;

/// A value block that takes more values.
struct OpenValueBlock {
    id: ValueBlockId,
    content: Vec<u8>,
}

/// Writes one table. Dropping it before [`TableWriter::finish`] leaves a file of no use.
pub struct TableWriter {
    output: Output,
    options: TableOptions,
    /// Where the dictionary is, or zeros.
    dictionary: Handle,
    key_block: KeyBlockBuilder,
    newest: Option<OpenValueBlock>,
    superseded: Option<OpenValueBlock>,
    /// Places of value blocks by id; `None` while one is open.
    placed: Vec<Option<Handle>>,
    waiting: VecDeque<KeyBlockBuilder>,
    waiting_bytes: usize,
    index: IndexBuilder,
    hashes: Vec<KeyHash>,
    properties: Properties,
    staircase: StaircaseBuilder,
    last_key: Vec<u8>,
    last_version: Version,
}

impl TableWriter {
    /// Begins a table in `file`, which must be empty; `path` is for messages.
    ///
    /// # Panics
    ///
    /// If a block size in `options` is 0 or above 1 MiB.
    pub fn new(
        file: Box<dyn AppendFile>,
        path: PathBuf,
        number: FileNumber,
        keyspace: Keyspace,
        options: TableOptions,
    ) -> Result<TableWriter> {
        for target in [options.key_block_bytes, options.value_block_bytes] {
            assert!((1..=BLOCK_TARGET_MAX).contains(&target), "block of {target} bytes");
        }
        Ok(TableWriter {
            output: Output::new(file, path, number, keyspace, options.compression)?,
            options,
            dictionary: Handle::default(),
            key_block: KeyBlockBuilder::default(),
            newest: None,
            superseded: None,
            placed: Vec::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            index: IndexBuilder::default(),
            hashes: Vec::new(),
            properties: Properties::default(),
            staircase: StaircaseBuilder::new(keyspace),
            last_key: Vec::new(),
            last_version: Version::default(),
        })
    }

    /// Compresses all values with `dictionary`, text that resembles them, and keeps it in the
    /// table. [`super::sample_dictionary`] makes one. Does nothing if it is empty or the options
    /// say not to compress.
    ///
    /// # Panics
    ///
    /// If a record or a dictionary has been added, or `dictionary` is above its limit.
    pub fn use_dictionary(&mut self, dictionary: &[u8]) -> Result<()> {
        assert!(dictionary.len() <= DICTIONARY_BYTES_MAX, "dictionary above its limit");
        let begun = self.properties.records > 0 || self.dictionary != Handle::default();
        assert!(!begun, "records or a dictionary before the dictionary");
        if let Compression::Zstd(level) = self.options.compression
            && !dictionary.is_empty()
        {
            self.dictionary = self.output.dictionary(level, dictionary)?;
        }
        Ok(())
    }

    /// Adds a record. As [`TableWriter::add_parts`].
    pub fn add(&mut self, record: &Record, age: Age) -> Result<()> {
        self.add_parts(RecordRef::from(record), &record.value, age)
    }

    /// Adds a record that comes after all added so far: keys ascending, versions descending.
    ///
    /// # Panics
    ///
    /// If it doesn't come after them, if a key's second record is said to be its newest, if a
    /// tombstone has a value, or if key or value are above their limits.
    pub fn add_parts(&mut self, record: RecordRef<'_>, value: &[u8], age: Age) -> Result<()> {
        self.output.check()?;
        assert!(record.key.len() <= KEY_BYTES_MAX, "key above its limit");
        assert!(value.len() <= VALUE_BYTES_MAX, "value above its limit");
        assert!(!record.tombstone || value.is_empty(), "a tombstone with a value");
        let neighbour = self.neighbour(record.key, record.version);
        assert!(neighbour.starts_key || age == Age::Superseded, "a key's second newest record");
        if self.key_block.len() >= self.options.key_block_bytes && !self.key_block.is_empty() {
            self.cut_key_block()?;
        }
        let place = self.put_value(value, age)?;
        self.key_block.add(record, neighbour, place);
        self.account(record, value.len(), neighbour, age);
        self.last_key.truncate(neighbour.shared);
        self.last_key.extend_from_slice(&record.key[neighbour.shared..]);
        self.last_version = record.version;
        Ok(())
    }

    /// About how long the file would be if it were finished now. What isn't written yet counts as
    /// if it didn't compress.
    pub fn estimated_len(&self) -> u64 {
        let values = [&self.newest, &self.superseded].into_iter().flatten();
        let values: usize = values.map(|block| block.content.len() + TRAILER_BYTES).sum();
        let blocks = self.waiting.len() + 1;
        let keys = self.key_block.len() + self.waiting_bytes + blocks * TRAILER_BYTES;
        let index = self.index.len() + blocks * (INDEX_ENTRY_BYTES + self.last_key.len());
        let filter = self.hashes.len() * usize::from(self.options.filter_bits_per_key) / 8;
        let steps = self.staircase.len() * STEP_BYTES;
        self.output.len() + (values + keys + index + filter + steps + END_BYTES) as u64
    }

    /// Writes what is left and syncs the file. A table without records is valid.
    pub fn finish(mut self) -> Result<TableMeta> {
        self.output.check()?;
        if !self.key_block.is_empty() {
            self.cut_key_block()?;
        }
        self.close(Age::Newest)?;
        self.close(Age::Superseded)?;
        assert!(self.waiting.is_empty(), "no value block is open, so none is waited for");
        self.properties.largest_key = Bytes::from(std::mem::take(&mut self.last_key));
        self.properties.reclaim = self.staircase.finish();
        let filter = Filter::build(&self.hashes, self.options.filter_bits_per_key).encode();
        let index = self.index.finish();
        assert!(index.len().max(filter.len()) <= META_BYTES_MAX, "a table above its limit");
        let foot = Foot {
            version: FormatVersion::V3,
            dictionary: self.dictionary,
            index: self.output.block(&index, Packing::Compressed)?,
            filter: self.output.block(&filter, Packing::Plain)?,
            properties: self.output.block(&self.properties.encode(), Packing::Plain)?,
        };
        let (number, keyspace) = (self.output.number(), self.output.keyspace());
        let foot = foot.encode(number, keyspace, self.output.len());
        Ok(TableMeta { file: self.output.finish(&foot)?, properties: self.properties })
    }

    /// Checks the order and compares with the record before.
    fn neighbour(&self, key: &[u8], version: Version) -> Neighbour {
        if self.properties.records == 0 {
            return Neighbour { shared: 0, starts_key: true };
        }
        let shared = common_prefix(&self.last_key, key);
        let starts_key = self.last_key[shared..] != key[shared..];
        let in_order = if starts_key {
            self.last_key[shared..] < key[shared..]
        } else {
            self.last_version > version
        };
        assert!(in_order, "records out of order");
        Neighbour { shared, starts_key }
    }

    fn account(&mut self, record: RecordRef<'_>, value: usize, neighbour: Neighbour, age: Age) {
        let properties = &mut self.properties;
        let main = record.version.main;
        if properties.records == 0 {
            properties.smallest_key = Bytes::copy_from_slice(record.key);
            properties.main_min = main;
        }
        let (key, value) = (record.key.len() as u64, value as u64);
        properties.records += 1;
        properties.tombstones += u64::from(record.tombstone);
        properties.main_min = properties.main_min.min(main);
        properties.main_max = properties.main_max.max(main);
        properties.key_bytes += key;
        properties.value_bytes += value;
        if age == Age::Superseded {
            properties.superseded_bytes += key + value;
        }
        let newer = (!neighbour.starts_key).then_some(self.last_version.main);
        self.staircase.add(main, record.tombstone, newer, key + value);
        if neighbour.starts_key {
            properties.keys += 1;
            if self.options.filter_bits_per_key > 0 {
                self.hashes.push(KeyHash::of(record.key));
            }
        }
    }

    fn put_value(&mut self, value: &[u8], age: Age) -> Result<Option<ValuePlace>> {
        if value.is_empty() {
            return Ok(None);
        }
        let len = value.len() as u32;
        if value.len() >= self.options.value_block_bytes {
            let handle = self.output.block(value, Packing::Values)?;
            self.placed.push(Some(handle));
            let block = ValueBlockId(self.placed.len() - 1);
            return Ok(Some(ValuePlace { block, offset: 0, len }));
        }
        let open = self.open_block(age).as_ref();
        let filled = open.map_or(0, |block| block.content.len());
        if filled + value.len() > self.options.value_block_bytes {
            self.close(age)?;
        }
        let (placed, open) = match age {
            Age::Newest => (&mut self.placed, &mut self.newest),
            Age::Superseded => (&mut self.placed, &mut self.superseded),
        };
        let block = open.get_or_insert_with(|| {
            placed.push(None);
            OpenValueBlock {
                id: ValueBlockId(placed.len() - 1),
                content: Vec::with_capacity(self.options.value_block_bytes),
            }
        });
        let offset = block.content.len() as u32;
        block.content.extend_from_slice(value);
        Ok(Some(ValuePlace { block: block.id, offset, len }))
    }

    fn open_block(&mut self, age: Age) -> &mut Option<OpenValueBlock> {
        match age {
            Age::Newest => &mut self.newest,
            Age::Superseded => &mut self.superseded,
        }
    }

    /// Writes an open value block, if there is one, then the key blocks that waited for no other.
    fn close(&mut self, age: Age) -> Result<()> {
        if let Some(block) = self.open_block(age).take() {
            let handle = self.output.block(&block.content, Packing::Values)?;
            self.placed[block.id.0] = Some(handle);
        }
        self.write_waiting()
    }

    fn cut_key_block(&mut self) -> Result<()> {
        let block = self.key_block.cut(&self.last_key);
        self.waiting_bytes += block.len();
        self.waiting.push_back(block);
        self.write_waiting()?;
        for age in [Age::Superseded, Age::Newest] {
            if self.waiting_bytes > WAITING_BYTES_MAX && self.first_waits_for(age) {
                self.close(age)?;
            }
        }
        Ok(())
    }

    fn first_waits_for(&mut self, age: Age) -> bool {
        let Some(open) = self.open_block(age).as_ref().map(|block| block.id) else {
            return false;
        };
        self.waiting.front().is_some_and(|block| block.value_blocks().contains(&open))
    }

    fn write_waiting(&mut self) -> Result<()> {
        let placed = &self.placed;
        let ready = |block: &mut KeyBlockBuilder| {
            block.value_blocks().iter().all(|id| placed[id.0].is_some())
        };
        while let Some(mut block) = self.waiting.pop_front_if(ready) {
            self.waiting_bytes -= block.len();
            let handle_of = |id: ValueBlockId| placed[id.0].expect("the block is ready");
            let content = block.encode(handle_of);
            let handle = self.output.block(&content, Packing::Plain)?;
            self.index.add(handle, block.summary());
        }
        Ok(())
    }
}
