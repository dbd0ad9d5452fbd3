//! How many keys a table's records add within a range: mostly sums that the index has.
//!
//! A block is taken as a whole if all its keys lie in the range and all its records at or below the
//! version that is asked for. All keys of a block are at or after the last key of the block before;
//! so only the first and the last block of a range, and blocks with later versions, are read.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::block_cursor::BlockCursor;
use super::reader::Table;
use super::source::Caching;
use crate::{KeyRange, Result, Version};

impl Table {
    /// How many keys the records in `range` add that are at or below `at`; `None` if one of them
    /// doesn't say, or if one may not.
    pub fn keys_added(&self, range: KeyRange<'_>, at: Version) -> Result<Option<i64>> {
        let index = self.index()?;
        let first = index.find(range.start, Version::MAX);
        let mut starts_inside = *self.properties().smallest_key >= *range.start;
        let mut sum = 0i64;
        for block in first.. {
            let Some(summary) = index.summary(block) else {
                break;
            };
            let ends_inside = range.end.is_none_or(|end| summary.last_key < end);
            let is_whole = starts_inside && ends_inside && Version::end_of(summary.main_max) <= at;
            let added = match summary.keys_added {
                None => return Ok(None),
                Some(added) if is_whole => i64::from(added),
                Some(_) => match self.keys_added_in_block(block, range, at)? {
                    None => return Ok(None),
                    Some(added) => added,
                },
            };
            sum = sum.saturating_add(added);
            if !ends_inside {
                break;
            }
            starts_inside = true;
        }
        Ok(Some(sum))
    }

    fn keys_added_in_block(
        &self,
        block: usize,
        range: KeyRange<'_>,
        at: Version,
    ) -> Result<Option<i64>> {
        let Some(handle) = self.index()?.handle(block) else {
            return Ok(Some(0));
        };
        let damaged = |damage| self.corrupt(handle, damage);
        let mut cursor = BlockCursor::default();
        cursor.enter(self.key_block(handle, Caching::Keep)?);
        cursor.rewind(0).map_err(damaged)?;
        let mut sum = 0i64;
        while cursor.next().map_err(damaged)?
            && let Some(entry) = cursor.entry()
        {
            if range.end.is_some_and(|end| cursor.key() >= end) {
                break;
            }
            if cursor.key() >= range.start && entry.version <= at {
                let Some(added) = entry.keys_added else {
                    return Ok(None);
                };
                sum = sum.saturating_add(i64::from(added));
            }
        }
        Ok(Some(sum))
    }
}
