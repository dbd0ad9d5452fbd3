//! An open table: point reads, and the blocks that cursors walk through.
//!
//! A table is opened with what decisions are made of: its foot and its properties. Index, filter
//! and dictionary are read when they are first needed, and stay: an engine with many tables starts
//! without reading what nobody asks for. What is wrong with them shows then, as with any block.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::cache::BlockCache;
use super::coding::Damage;
use super::cursor::TableCursor;
use super::filter::{Filter, KeyHash};
use super::footer::{Foot, FormatVersion};
use super::frame::Handle;
use super::index::Index;
use super::key_block::{KeyBlock, Place};
use super::part::Part;
use super::source::{Caching, Source};
use super::{BLOCK_BYTES_MAX, BlockSummary, META_BYTES_MAX, Properties, TableFile};
use crate::{Projection, Record, Result, Version};
use bytes::Bytes;
use retcd_vfs::ReadFile;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Inner {
    source: Source,
    properties: Properties,
    index: Part<Index>,
    filter: Part<Filter>,
    /// Where key and value blocks lie.
    blocks: Range<u64>,
    foot: Foot,
}

/// An open table. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

impl Table {
    /// Opens the table that the manifest lists as `listed`; `path` is for messages.
    ///
    /// Reads and checks head, foot and properties; none of the other parts ([`Table::load`]), no
    /// key or value blocks, and not the checksum of the whole file ([`Table::verify`]).
    pub fn open(
        file: Arc<dyn ReadFile>,
        path: PathBuf,
        listed: TableFile,
        cache: Arc<BlockCache>,
    ) -> Result<Table> {
        let mut source = Source::new(file, path, listed, cache);
        let foot = source.foot()?;
        if foot.has_dictionary() {
            source = source.with_dictionary(foot.dictionary);
        }
        let properties = decode_part(&source, foot.properties, |content| {
            Properties::decode(content, foot.version, listed.keyspace)
        })?;
        Ok(Table {
            inner: Arc::new(Inner {
                source,
                properties,
                index: Part::at(foot.index),
                filter: Part::at(foot.filter),
                blocks: foot.blocks_start()..foot.index.offset,
                foot,
            }),
        })
    }

    /// Reads and checks index, filter and dictionary now, rather than with the first read that
    /// needs them.
    pub fn load(&self) -> Result<()> {
        self.inner.source.dictionary()?;
        self.filter()?;
        self.index()?;
        Ok(())
    }

    /// What the manifest lists.
    pub fn file(&self) -> &TableFile {
        self.inner.source.listed()
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.inner.source.path()
    }

    /// Counts, sizes and bounds of the content.
    pub fn properties(&self) -> &Properties {
        &self.inner.properties
    }

    /// `false` only if the table has no record of `key`.
    pub fn may_contain(&self, key: &[u8]) -> Result<bool> {
        Ok(self.filter()?.may_contain(KeyHash::of(key)))
    }

    /// The newest record of `key` at or below `at`, tombstones included.
    pub fn get(&self, key: &[u8], at: Version, projection: Projection) -> Result<Option<Record>> {
        if !self.may_contain(key)? {
            return Ok(None);
        }
        let index = self.index()?;
        let Some(handle) = index.handle(index.find(key, at)) else {
            return Ok(None);
        };
        let block = self.key_block(handle, Caching::Keep)?;
        let found = block.find(key, at);
        let Some(entry) = found.map_err(|damage| self.corrupt(handle, damage))? else {
            return Ok(None);
        };
        let mut value = Bytes::new();
        if projection == Projection::Full && entry.place.len > 0 {
            let values_at = self.value_block(&block, entry.place, handle)?;
            value = self.slice(values_at, &self.block(values_at, Caching::Keep)?, entry.place)?;
        }
        Ok(Some(Record {
            key: Bytes::copy_from_slice(key),
            version: entry.version,
            tombstone: entry.tombstone,
            header: block.header(&entry),
            value,
            keys_added: None,
        }))
    }

    /// A cursor over all records, standing nowhere yet. With [`Projection::Keys`] values are empty.
    pub fn cursor(&self, projection: Projection) -> TableCursor {
        TableCursor::new(self.clone(), projection, Caching::Keep)
    }

    /// As [`Table::cursor`], but its blocks neither come from the cache nor go there: for merges,
    /// which read everything once.
    pub fn cursor_once(&self, projection: Projection) -> TableCursor {
        TableCursor::new(self.clone(), projection, Caching::Bypass)
    }

    /// What the index knows of the key blocks, in order.
    pub fn blocks(&self) -> Result<impl Iterator<Item = BlockSummary<'_>>> {
        let index = self.index()?;
        Ok((0..).map_while(|at| index.summary(at)))
    }

    pub(super) fn version(&self) -> FormatVersion {
        self.inner.foot.version
    }

    /// The index, read if it wasn't yet.
    pub(super) fn index(&self) -> Result<&Index> {
        let Inner { source, properties, index, blocks, foot, .. } = &*self.inner;
        index.get_or_read(|handle| {
            let index = decode_part(source, handle, |content| {
                Index::decode(content, foot.version, blocks)
            })?;
            if index.records() != properties.records {
                let damage = Damage("index and properties differ in the number of records");
                return Err(source.corrupt(foot.properties.offset, damage));
            }
            Ok(index)
        })
    }

    /// The filter, read if it wasn't yet.
    pub(super) fn filter(&self) -> Result<&Filter> {
        let Inner { source, filter, .. } = &*self.inner;
        filter.get_or_read(|handle| decode_part(source, handle, Filter::decode))
    }

    pub(super) fn source(&self) -> &Source {
        &self.inner.source
    }

    /// The key block at `handle`, which comes from the index.
    pub(super) fn key_block(&self, handle: Handle, caching: Caching) -> Result<KeyBlock> {
        let decoded = KeyBlock::decode(self.block(handle, caching)?, self.version());
        decoded.map_err(|damage| self.corrupt(handle, damage))
    }

    /// Where the value block of a record lies whose key block is `block`, itself at `handle`.
    pub(super) fn value_block(
        &self,
        block: &KeyBlock,
        place: Place,
        handle: Handle,
    ) -> Result<Handle> {
        let in_file = |values: &Handle| {
            let end = values.end().is_some_and(|end| end <= self.inner.blocks.end);
            end && values.offset >= self.inner.blocks.start
        };
        block.value_block(place.block).filter(in_file).ok_or_else(|| {
            let damage = Damage("a value's block is none of this table's");
            self.corrupt(handle, damage)
        })
    }

    /// The value at `place` of the value block `values`, which lies at `handle`; not a copy.
    pub(super) fn slice(&self, handle: Handle, values: &Bytes, place: Place) -> Result<Bytes> {
        let start = place.offset as usize;
        match start.checked_add(place.len as usize) {
            Some(end) if end <= values.len() => Ok(values.slice(start..end)),
            _ => Err(self.corrupt(handle, Damage("a value ends outside of its block"))),
        }
    }

    /// The content of a block that lies within the file.
    pub(super) fn block(&self, handle: Handle, caching: Caching) -> Result<Bytes> {
        self.inner.source.block(handle, BLOCK_BYTES_MAX, caching)
    }

    /// The error that the block at `handle` is damaged.
    pub(super) fn corrupt(&self, handle: Handle, damage: Damage) -> crate::Error {
        self.inner.source.corrupt(handle.offset, damage)
    }
}

fn decode_part<T>(
    source: &Source,
    handle: Handle,
    decode: impl FnOnce(&[u8]) -> std::result::Result<T, Damage>,
) -> Result<T> {
    let content = source.read(handle, META_BYTES_MAX)?;
    decode(&content).map_err(|damage| source.corrupt(handle.offset, damage))
}
