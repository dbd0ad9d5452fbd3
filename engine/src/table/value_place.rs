//! A value that is found and not read yet: a walk can go on and read it later, or never.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::FileNumber;
use super::frame::Handle;
use super::key_block::Place;
use super::reader::Table;
use super::source::Caching;
use crate::Result;
use bytes::Bytes;
use std::collections::VecDeque;

/// Value blocks that are remembered. More runs than that are seldom walked together.
const RECENT_BLOCKS: usize = 8;

/// Where a record's value is. Made by [`super::TableCursor::value_place`]; it stays good wherever
/// the cursor goes.
pub(crate) struct ValuePlace {
    pub(super) table: Table,
    pub(super) caching: Caching,
    pub(super) handle: Handle,
    pub(super) place: Place,
}

/// Reads values by their places. Keeps the blocks that it used last, since neighbours are read one
/// after the other and the cache may be small.
#[derive(Default)]
pub(crate) struct ValueReader {
    /// By file and offset, the one used last in front.
    recent: VecDeque<(FileNumber, u64, Bytes)>,
}

impl ValueReader {
    /// The value at `at`: a part of its block, not a copy.
    pub(crate) fn read(&mut self, at: &ValuePlace) -> Result<Bytes> {
        let wanted = (at.table.file().number, at.handle.offset);
        let is_it = |block: &(FileNumber, u64, Bytes)| (block.0, block.1) == wanted;
        match self.recent.iter().position(is_it) {
            Some(0) => {}
            Some(behind) => self.recent.swap(0, behind),
            None => {
                let content = at.table.block(at.handle, at.caching)?;
                self.recent.truncate(RECENT_BLOCKS.saturating_sub(1));
                self.recent.push_front((wanted.0, wanted.1, content));
            }
        }
        match self.recent.front() {
            Some((_, _, content)) => at.table.slice(at.handle, content, at.place),
            None => Ok(Bytes::new()),
        }
    }
}
