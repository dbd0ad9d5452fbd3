//! What all stores can do, in the terms of the bench.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
pub use retcd_engine::{Direction, Projection};

use super::options::Durability;
use crate::Error;

/// An open store.
pub trait Subject: Send + Sync {
    /// Puts pairs as one batch. Takes them out of `pairs`.
    fn write(&self, pairs: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error>;

    /// Length of a key's newest value, which has been brought into memory.
    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error>;

    /// Goes through a part of the store.
    fn scan(&self, scan: &Scan<'_>) -> Result<Scanned, Error>;

    /// How many keys there are from `start` up to, but without, `end`.
    fn count(&self, start: &[u8], end: &[u8]) -> Result<u64, Error>;

    /// Says that what has been overwritten so far needn't be kept.
    fn compact(&self) -> Result<(), Error>;

    /// Returns when all is on the disk and the background work that this caused is done.
    fn settle(&self) -> Result<(), Error>;

    /// Brings the files into the smallest form that the store makes by itself.
    fn merge(&mut self) -> Result<(), Error>;

    /// Bytes that it says to have written since it was opened, its log apart. `None` if it doesn't
    /// tell.
    fn bytes_written(&self) -> Option<u64> {
        None
    }

    /// Copies the store as it is into folder `to`. `None` if it has no such call.
    fn checkpoint(&self, to: &Path) -> Result<Option<Duration>, Error> {
        let _ = to;
        Ok(None)
    }
}

/// A part of a store.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// First key.
    pub start: &'a [u8],
    /// Key after the last one.
    pub end: &'a [u8],
    /// Keys at most.
    pub limit: usize,
    /// From which end.
    pub direction: Direction,
    /// Whether values are looked at.
    pub projection: Projection,
}

/// What a scan went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Keys.
    pub keys: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Scanned {
    /// Adds a pair.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.keys += 1;
        // The last byte is touched, so that nobody gets away with not reading it.
        let touched = value.last().map_or(0, |byte| usize::from(*byte)) >> 8;
        self.bytes += key.len() + value.len() + touched;
    }
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// For blocks or pages in memory.
    pub cache_bytes: u64,
    /// What a batch is worth when its call returns.
    pub durability: Durability,
}

/// Opens a store.
pub type Open = fn(&Path, Setup) -> Result<Box<dyn Subject>, Error>;

/// A kind of store.
#[derive(Clone, Copy)]
pub struct Candidate {
    /// In tables and on the command line.
    pub name: &'static str,
    /// How it is set up, for the reader of the tables.
    pub note: &'static str,
    /// Opens the store in a folder, or makes an empty one there.
    pub open: Open,
}

/// Where a store may put a log that isn't counted as its own space.
pub fn log_folder(store: &Path) -> std::path::PathBuf {
    store.join("log")
}
