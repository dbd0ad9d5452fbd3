//! Limits of what can be chosen when an engine is opened: those that both engines have, and how a
//! choice is held against one.

use crate::{Error, Result};

pub(crate) const MIB: u64 = 1 << 20;

/// From where to where a choice may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    name: &'static str,
    min: u64,
    max: u64,
}

/// A memtable, in bytes: the upper limit keeps a flush short.
pub(crate) const MEMTABLE_BYTES: Limit = Limit::new("memtable_bytes", 1 << 10, 4096 * MIB);

/// Entries to apply again after a crash: the upper limit keeps a start short.
pub(crate) const REPLAY_ENTRIES_MAX: Limit = Limit::new("replay_entries_max", 1, 100_000_000);

/// The cache, in bytes; it may be off.
pub(crate) const BLOCK_CACHE_BYTES: Limit = Limit::new("block_cache_bytes", 0, 1 << 40);

/// What a step goes through, in bytes: the upper limit keeps a step short.
pub(crate) const SLICE_BYTES: Limit = Limit::new("slice_bytes", 1, 256 * MIB);

impl Limit {
    pub(crate) const fn new(name: &'static str, min: u64, max: u64) -> Limit {
        assert!(min <= max);
        Limit { name, min, max }
    }

    /// Refuses a `value` that is outside.
    pub(crate) fn check(self, value: u64) -> Result<()> {
        let Limit { name, min, max } = self;
        match (min..=max).contains(&value) {
            true => Ok(()),
            false => Err(Error::InvalidOption { name, value, min, max }),
        }
    }
}
