//! Immutable sorted files: what a flush or a merge writes once and reads serve from then on.
//!
//! A table holds records of one keyspace, keys ascending and versions of one key descending. Keys,
//! versions and headers live in small *key blocks*; values live in *value blocks* of their own, and
//! values of superseded versions apart from those of newest ones. So counting, key-only scans,
//! compares and the decisions of merges touch a tenth of the bytes, and reads of the present don't
//! load the past.
//!
//! * [`TableWriter`] takes records in order and leaves a synced file.
//! * [`Table`] opens one: foot and properties are read at once, index, filter and dictionary when
//!   they are first needed. All of them stay in memory; blocks come through a [`BlockCache`] that
//!   all tables share.
//! * [`TableCursor`] walks every version in both directions.
//!
//! Nothing that comes from disk is believed: each block carries a checksum over its content, its
//! place and its file's number; every length is checked against the file and a limit before memory
//! is taken. The bytes are described in `docs/format.md`, section "Table".
//!
//! What this module doesn't do: choose what to merge, know which files exist, retry.

mod block_cursor;
mod cache;
mod coding;
mod counting;
mod cursor;
mod dictionary;
mod filter;
mod footer;
mod frame;
pub mod fuzz;
mod index;
mod key_block;
mod key_block_builder;
mod layout;
mod output;
mod part;
mod properties;
mod reader;
mod scrub;
mod source;
mod staircase;
mod value_place;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use cache::BlockId;
pub use cache::{BlockCache, CacheStats};
pub use cursor::TableCursor;
pub use dictionary::sample_dictionary;
pub(crate) use filter::KeyHash;
pub use index::BlockSummary;
pub use layout::{BlockPlace, Footprint, Layout, Ratios, Seen, Stored, ValueBlock};
pub use properties::Properties;
pub use reader::Table;
pub(crate) use scrub::TableScrub;
pub use staircase::{RECLAIM_STEPS_MAX, ReclaimStep};
pub(crate) use value_place::{ValuePlace, ValueReader};
pub use writer::TableWriter;

use crate::{Header, Keyspace, Record, Version};

/// Longest key, in bytes. Far above the largest request that is accepted.
pub const KEY_BYTES_MAX: usize = 64 << 20;

/// Longest value, in bytes. Far above the largest request that is accepted.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

/// Largest content of a key or value block: room for one longest record beside a full block.
const BLOCK_BYTES_MAX: usize = 72 << 20;

/// Largest target size of a block.
const BLOCK_TARGET_MAX: usize = 1 << 20;

/// Largest dictionary, in bytes.
pub const DICTIONARY_BYTES_MAX: usize = 64 << 10;

/// Largest content of a table's index or filter.
const META_BYTES_MAX: usize = 1 << 30;

const _: () = assert!(BLOCK_BYTES_MAX > KEY_BYTES_MAX + BLOCK_TARGET_MAX);
const _: () = assert!(BLOCK_BYTES_MAX > VALUE_BYTES_MAX + BLOCK_TARGET_MAX);
const _: () = assert!(META_BYTES_MAX < u32::MAX as usize);

/// Number of a file in an engine's folder. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u64);

/// How blocks are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// zstd at this level where it saves an eighth or more.
    Zstd(i32),
}

/// How a table is written. Nothing here is needed to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// Size at which a key block is cut, in bytes; at most 1 MiB.
    pub key_block_bytes: usize,
    /// Size at which a value block is cut, in bytes; at most 1 MiB. A value of this size or more
    /// gets a block of its own.
    pub value_block_bytes: usize,
    /// How value blocks and the index are stored. Key blocks stay plain.
    pub compression: Compression,
    /// Bits of the filter for each distinct key; 0 for no filter.
    pub filter_bits_per_key: u8,
}

impl Default for TableOptions {
    fn default() -> TableOptions {
        TableOptions {
            key_block_bytes: 4 << 10,
            value_block_bytes: 8 << 10,
            compression: Compression::Zstd(1),
            filter_bits_per_key: 10,
        }
    }
}

/// Whether a record is its key's newest version, as far as the writer of the table knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Age {
    /// The first record of its key; its value sits with those of other newest versions.
    #[default]
    Newest,
    /// An older version than one written before it, here or in the table to the left.
    Superseded,
}

/// What has to be remembered about a table outside of it, in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// The file's number; part of every block's checksum.
    pub number: FileNumber,
    /// The keyspace of all its records.
    pub keyspace: Keyspace,
    /// Length in bytes.
    pub file_bytes: u64,
    /// crc32 of the whole file.
    pub checksum: u32,
}

/// A finished table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMeta {
    /// What the manifest keeps.
    pub file: TableFile,
    /// What the table says about itself when it is opened.
    pub properties: Properties,
}

/// A record without its value, borrowed from where a cursor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its version.
    pub version: Version,
    /// Whether this version says that the key is gone.
    pub tombstone: bool,
    /// Opaque bytes of the layer above.
    pub header: Header,
    /// How many keys there are more with it, if that is known: see [`Record::keys_added`].
    pub keys_added: Option<i8>,
}

impl<'a> From<&'a Record> for RecordRef<'a> {
    fn from(record: &'a Record) -> RecordRef<'a> {
        RecordRef {
            key: &record.key,
            version: record.version,
            tombstone: record.tombstone,
            header: record.header,
            keys_added: record.keys_added,
        }
    }
}

impl Keyspace {
    /// The keyspace with this number on disk.
    pub fn from_disk(number: u8) -> Option<Keyspace> {
        match number {
            0 => Some(Keyspace::Kv),
            1 => Some(Keyspace::Rev),
            2 => Some(Keyspace::Lease),
            3 => Some(Keyspace::Meta),
            _ => None,
        }
    }
}
