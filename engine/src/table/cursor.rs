//! Walks all records of a table, in both directions.
//!
//! A cursor stands on a record or nowhere. Moving past either end, or an error, leaves it nowhere;
//! then only a seek places it again.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::RecordRef;
use super::block_cursor::BlockCursor;
use super::coding::Damage;
use super::frame::Handle;
use super::key_block::{Entry, KeyBlock};
use super::reader::Table;
use super::source::Caching;
use super::value_place::ValuePlace;
use crate::{Projection, Record, Result, Version};
use bytes::Bytes;

/// A place in a table. Made by [`Table::cursor`].
pub struct TableCursor {
    table: Table,
    projection: Projection,
    caching: Caching,
    /// Number of the key block that `position` is in.
    block: usize,
    /// Where that block lies.
    handle: Handle,
    position: BlockCursor,
    /// The value blocks used last, by offset: newest and superseded values alternate.
    values: [(u64, Bytes); 2],
}

/// No block starts here: it is inside of the head.
const NOWHERE: u64 = 0;

impl TableCursor {
    pub(super) fn new(table: Table, projection: Projection, caching: Caching) -> TableCursor {
        TableCursor {
            table,
            projection,
            caching,
            block: 0,
            handle: Handle::default(),
            position: BlockCursor::default(),
            values: [(NOWHERE, Bytes::new()), (NOWHERE, Bytes::new())],
        }
    }

    /// The record that it stands on, without its value.
    #[inline]
    pub fn current(&self) -> Option<RecordRef<'_>> {
        let entry = self.position.entry()?;
        Some(RecordRef {
            key: self.position.key(),
            version: entry.version,
            tombstone: entry.tombstone,
            header: self.position.block().header(entry),
            keys_added: entry.keys_added,
        })
    }

    /// Key and version of the record that it stands on: what an order is made of.
    #[inline]
    pub fn place(&self) -> Option<(&[u8], Version)> {
        let entry = self.position.entry()?;
        Some((self.position.key(), entry.version))
    }

    /// The current record's value: a part of its block, not a copy. Empty if the cursor projects
    /// keys or stands nowhere.
    pub fn value(&mut self) -> Result<Bytes> {
        let place = self.position.entry().map(|entry| entry.place).unwrap_or_default();
        if place.len == 0 || self.projection == Projection::Keys {
            return Ok(Bytes::new());
        }
        let handle = self.table.value_block(self.position.block(), place, self.handle)?;
        if self.values[0].0 != handle.offset {
            self.values.swap(0, 1);
        }
        if self.values[0].0 != handle.offset {
            self.values[0] = (handle.offset, self.table.block(handle, self.caching)?);
        }
        self.table.slice(handle, &self.values[0].1, place)
    }

    /// Where the current record's value is; `None` where [`TableCursor::value`] is empty. Reads
    /// nothing.
    pub(crate) fn value_place(&self) -> Result<Option<ValuePlace>> {
        let place = self.position.entry().map(|entry| entry.place).unwrap_or_default();
        if place.len == 0 || self.projection == Projection::Keys {
            return Ok(None);
        }
        let handle = self.table.value_block(self.position.block(), place, self.handle)?;
        Ok(Some(ValuePlace { table: self.table.clone(), caching: self.caching, handle, place }))
    }

    /// The current record with its value, as copies; `None` if it stands nowhere.
    pub fn record(&mut self) -> Result<Option<Record>> {
        let value = self.value()?;
        Ok(self.current().map(|current| Record {
            key: Bytes::copy_from_slice(current.key),
            version: current.version,
            tombstone: current.tombstone,
            header: current.header,
            value,
            keys_added: None,
        }))
    }

    /// Goes to the first record at or after `(key, version)`: versions of a key come newest first.
    pub fn seek(&mut self, key: &[u8], version: Version) -> Result<()> {
        let block = self.table.index()?.find(key, version);
        if self.enter(block)? {
            let sought = self.position.seek(key, version);
            if !self.checked(sought)? {
                return self.enter_forward(block.saturating_add(1));
            }
        }
        Ok(())
    }

    /// Goes to the first record.
    pub fn seek_to_first(&mut self) -> Result<()> {
        self.enter_forward(0)
    }

    /// Goes to the last record.
    pub fn seek_to_last(&mut self) -> Result<()> {
        self.enter_backward(self.table.index()?.len())
    }

    /// Goes to the last record of the last key before `key`.
    pub fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        let block = self.table.index()?.find(key, Version::MAX);
        if !self.enter(block)? {
            return self.enter_backward(block);
        }
        let sought = self.position.seek(key, Version::MAX);
        if self.checked(sought)? {
            return self.prev();
        }
        self.enter_backward(block.saturating_add(1))
    }

    /// Goes to the next record.
    #[expect(clippy::should_implement_trait, reason = "it moves and yields nothing, as `prev`")]
    #[inline]
    pub fn next(&mut self) -> Result<()> {
        if self.position.entry().is_none() {
            return Ok(());
        }
        let moved = self.position.next();
        if !self.checked(moved)? {
            return self.enter_forward(self.block.saturating_add(1));
        }
        Ok(())
    }

    /// Goes to the record before.
    pub fn prev(&mut self) -> Result<()> {
        if self.position.entry().is_none() {
            return Ok(());
        }
        let moved = self.position.prev();
        if !self.checked(moved)? {
            return self.enter_backward(self.block);
        }
        Ok(())
    }

    /// Goes to the first record of key block `block`, or behind the last one.
    pub(super) fn seek_to_block(&mut self, block: usize) -> Result<()> {
        self.enter_forward(block)
    }

    /// What [`TableCursor::footprint`] measures: the table, the key block that it is in, where that
    /// lies, and the current record there.
    pub(super) fn parts(&self) -> Option<(&Table, &KeyBlock, Handle, &Entry)> {
        let entry = self.position.entry()?;
        Some((&self.table, self.position.block(), self.handle, entry))
    }

    /// Number of the key block that it is in, and where that lies.
    pub(super) fn block(&self) -> (usize, Handle) {
        (self.block, self.handle)
    }

    fn enter_forward(&mut self, block: usize) -> Result<()> {
        if self.enter(block)? {
            let moved = self.position.next();
            self.checked(moved)?;
        }
        Ok(())
    }

    /// Goes to the last record before block `end`.
    fn enter_backward(&mut self, end: usize) -> Result<()> {
        let Some(block) = end.checked_sub(1) else {
            self.position.leave();
            return Ok(());
        };
        if self.enter(block)? {
            let moved = self.position.last();
            self.checked(moved)?;
        }
        Ok(())
    }

    /// Stands before the first record of a block; `false` if there is no such block.
    fn enter(&mut self, block: usize) -> Result<bool> {
        self.position.leave();
        let Some(handle) = self.table.index()?.handle(block) else {
            return Ok(false);
        };
        if (self.block, self.handle) != (block, handle) {
            let entered = self.table.key_block(handle, self.caching)?;
            (self.block, self.handle) = (block, handle);
            self.position.enter(entered);
        }
        let rewound = self.position.rewind(0);
        self.checked(rewound)?;
        Ok(true)
    }

    fn checked<T>(&mut self, done: std::result::Result<T, Damage>) -> Result<T> {
        done.map_err(|damage| {
            self.position.leave();
            self.table.corrupt(self.handle, damage)
        })
    }
}
