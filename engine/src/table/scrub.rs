//! Reads a whole table piece by piece and checks every checksum in it, for a scrub.
//!
//! 1. The outline: key blocks are read in order, because they alone know where value blocks lie.
//! 2. The pass: the file is read once from start to end, block by block. Each block is checked by
//!    itself, so damage has a place; all bytes together are held against the manifest's checksum,
//!    so that nothing between the blocks goes unseen.
//!
//! Nothing is decompressed in the pass. Blocks neither come from the cache nor go there. What can't
//! be read is damage like what reads wrong: it is noted, and the pass goes on behind it.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::Damage;
use super::frame::{self, Handle};
use super::key_block::KeyBlock;
use super::reader::Table;
use super::source::Caching;
use crate::Error;

/// Bytes read at once where no block is known.
const CHUNK_BYTES: u64 = 64 << 10;

/// Damaged places of one table that are told one by one. Behind them it isn't read any further.
const DAMAGE_MAX: usize = 16;

/// How far the scrub of one table is. The table itself comes with each step, so that nothing keeps
/// its file in between.
#[derive(Default)]
pub(crate) struct TableScrub {
    /// Key blocks whose value blocks are known.
    outlined: usize,
    /// Blocks; after the outline ascending by offset, without those that have been read.
    blocks: Vec<Handle>,
    is_outlined: bool,
    /// Whether the index can't be read: that has been told, and no block is known.
    is_blind: bool,
    offset: u64,
    hasher: crc32fast::Hasher,
    damage_count: usize,
}

/// What a step read.
#[derive(Default)]
pub(crate) struct Piece {
    /// Bytes read.
    pub(crate) bytes: u64,
    /// What isn't as it was written.
    pub(crate) damage: Option<Error>,
    /// Whether that was the end of the table.
    pub(crate) is_last: bool,
}

impl TableScrub {
    /// Reads one more block of `table`, which is the same in every step.
    pub(crate) fn step(&mut self, table: &Table) -> Piece {
        let mut piece = match self.is_outlined {
            false => self.outline(table),
            true if self.offset >= table.file().file_bytes => self.end(table),
            true => self.read(table),
        };
        self.damage_count = self.damage_count.saturating_add(usize::from(piece.damage.is_some()));
        piece.is_last |= self.damage_count >= DAMAGE_MAX;
        piece
    }

    /// Notes where the next key block and its value blocks lie.
    fn outline(&mut self, table: &Table) -> Piece {
        if self.is_blind {
            return self.end_outline(table);
        }
        let index = match table.index() {
            Ok(index) => index,
            Err(error) => {
                self.is_blind = true;
                return Piece { damage: Some(error), ..Piece::default() };
            }
        };
        let Some(handle) = index.handle(self.outlined) else {
            return self.end_outline(table);
        };
        self.outlined = self.outlined.saturating_add(1);
        self.blocks.push(handle);
        let bytes = u64::from(handle.len);
        // That it can't be read is found, and told, in the pass.
        let damage = match table.block(handle, Caching::Bypass) {
            Err(_) => None,
            Ok(content) => match KeyBlock::decode(content, table.version()) {
                Err(damage) => Some(table.corrupt(handle, damage)),
                Ok(block) => {
                    let numbers = 0..block.value_blocks();
                    self.blocks.extend(numbers.filter_map(|number| block.value_block(number)));
                    None
                }
            },
        };
        Piece { bytes, damage, is_last: false }
    }

    /// Puts the blocks in order, with those that hold the other parts of the table.
    fn end_outline(&mut self, table: &Table) -> Piece {
        let damage = match table.source().foot() {
            Ok(foot) => {
                self.blocks.extend([foot.dictionary, foot.filter, foot.properties]);
                self.blocks.extend((!self.is_blind).then_some(foot.index));
                None
            }
            // It was another one when the table was opened: the file's checksum tells.
            Err(Error::Version { .. }) => None,
            Err(error) => Some(error),
        };
        self.blocks.retain(|block| block.len > 0);
        self.blocks.sort_unstable_by_key(|block| (std::cmp::Reverse(block.offset), block.len));
        self.blocks.dedup_by_key(|block| block.offset);
        self.is_outlined = true;
        Piece { damage, ..Piece::default() }
    }

    /// Reads the block that begins here, or what lies before the next one.
    fn read(&mut self, table: &Table) -> Piece {
        let left = table.file().file_bytes.saturating_sub(self.offset);
        while self.blocks.last().is_some_and(|block| block.offset < self.offset) {
            self.blocks.pop();
        }
        let next = self.blocks.last().copied();
        let block = next.filter(|block| block.offset == self.offset);
        let len = match (block, next) {
            (Some(block), _) => u64::from(block.len),
            (None, Some(next)) => next.offset.saturating_sub(self.offset).min(CHUNK_BYTES),
            (None, None) => CHUNK_BYTES,
        };
        let len = len.min(left);
        let mut bytes = vec![0; len as usize];
        let read = table.source().read_at(self.offset, &mut bytes);
        let damage = read.err().or_else(|| {
            let handle = block?;
            let checked = frame::check(&bytes, table.file().number, handle.offset);
            Some(table.corrupt(handle, checked.err()?))
        });
        self.hasher.update(&bytes);
        self.offset = self.offset.saturating_add(len);
        Piece { bytes: len, damage, is_last: false }
    }

    /// Damage in a block has been told already; its checksum is a part of the file's.
    fn end(&mut self, table: &Table) -> Piece {
        let is_whole = self.hasher.clone().finalize() == table.file().checksum;
        let damage = (!is_whole && self.damage_count == 0).then(|| {
            let damage = Damage("the file's checksum isn't what the manifest says");
            table.corrupt(Handle::default(), damage)
        });
        Piece { bytes: 0, damage, is_last: true }
    }
}
