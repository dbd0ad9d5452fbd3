//! A place within one key block, its key put together.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::Damage;
use super::index::record_order;
use super::key_block::{Entry, KeyBlock, Walk};
use crate::Version;
use std::cmp::Ordering;

/// Bytes of keys that are kept for going back.
const PASSED_BYTES_MAX: usize = 64 << 10;

/// A record that was passed on the way from a restart to the one that a step back was after.
struct Passed {
    entry: Entry,
    /// What comes after it.
    walk: Walk,
    /// Where its key starts among the passed keys.
    key_start: usize,
}

/// Stands on a record of a key block, or nowhere. Keeps one buffer for keys, whichever block it is
/// in.
///
/// Records can only be decoded forwards. So a step back starts at the restart before, and keeps
/// what it passes: the next steps back take it from there, and a walk backwards decodes each record
/// once.
#[derive(Default)]
pub(super) struct BlockCursor {
    block: KeyBlock,
    walk: Walk,
    entry: Entry,
    key: Vec<u8>,
    on_record: bool,
    /// Some of the records from a restart on, without a gap.
    passed: Vec<Passed>,
    passed_keys: Vec<u8>,
}

impl BlockCursor {
    /// Leaves the old block for a new one, and stands nowhere in it.
    pub(super) fn enter(&mut self, block: KeyBlock) {
        self.leave();
        self.forget_passed();
        self.block = block;
    }

    /// Stands nowhere from now on.
    pub(super) fn leave(&mut self) {
        self.on_record = false;
    }

    pub(super) fn block(&self) -> &KeyBlock {
        &self.block
    }

    pub(super) fn entry(&self) -> Option<&Entry> {
        self.on_record.then_some(&self.entry)
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Goes to the next record; `false` at the end, and then it stands nowhere.
    #[inline]
    pub(super) fn next(&mut self) -> Result<bool, Damage> {
        let Some(entry) = self.block.next(&mut self.walk)? else {
            self.on_record = false;
            return Ok(false);
        };
        if entry.shared > self.key.len() {
            self.on_record = false;
            return Err(Damage("a key shares more than the key before has"));
        }
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(self.block.bytes(entry.rest));
        self.entry = entry;
        self.on_record = true;
        Ok(true)
    }

    /// Goes to the record before; `false` at the start, and then it stands nowhere.
    pub(super) fn prev(&mut self) -> Result<bool, Damage> {
        if !self.on_record {
            return Ok(false);
        }
        // `ordinal` counts the records up to and with the current one.
        let Some(before) = self.walk.ordinal().checked_sub(2) else {
            self.on_record = false;
            return Ok(false);
        };
        match self.passed.pop() {
            Some(passed) if passed.walk.ordinal() == self.walk.ordinal().wrapping_sub(1) => {
                self.key.clear();
                let key = self.passed_keys.get(passed.key_start..).unwrap_or_default();
                self.key.extend_from_slice(key);
                self.passed_keys.truncate(passed.key_start);
                (self.entry, self.walk) = (passed.entry, passed.walk);
                Ok(true)
            }
            _ => self.go_to(before),
        }
    }

    /// Goes to the last record.
    pub(super) fn last(&mut self) -> Result<bool, Damage> {
        match self.block.records().checked_sub(1) {
            Some(last) => self.go_to(last),
            None => Ok(false),
        }
    }

    /// Goes to the first record at or after `(key, version)`; `false` if there is none.
    pub(super) fn seek(&mut self, key: &[u8], version: Version) -> Result<bool, Damage> {
        self.rewind(self.block.restart_before(key, version)?)?;
        while self.next()? {
            if record_order((&self.key, self.entry.version), (key, version)) != Ordering::Less {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn go_to(&mut self, ordinal: u32) -> Result<bool, Damage> {
        self.rewind(KeyBlock::restart_of(ordinal))?;
        self.forget_passed();
        while self.next()? {
            if self.walk.ordinal() > ordinal {
                return Ok(true);
            }
            if self.passed_keys.len().saturating_add(self.key.len()) > PASSED_BYTES_MAX {
                self.forget_passed();
            }
            let key_start = self.passed_keys.len();
            self.passed_keys.extend_from_slice(&self.key);
            self.passed.push(Passed { entry: self.entry, walk: self.walk, key_start });
        }
        Ok(false)
    }

    fn forget_passed(&mut self) {
        self.passed.clear();
        self.passed_keys.clear();
    }

    /// Stands nowhere; [`BlockCursor::next`] goes to the restart's record.
    pub(super) fn rewind(&mut self, restart: u32) -> Result<(), Damage> {
        self.on_record = false;
        self.key.clear();
        self.walk = self.block.walk_from(restart)?;
        Ok(())
    }
}
