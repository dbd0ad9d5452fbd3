//! bbolt's file format: the one in which etcd keeps its database and sends its snapshots.
//!
//! A file is a row of pages of equal size, 4 KiB as a rule. A page that doesn't hold its content
//! goes on in the *overflow* pages behind it. Two meta pages at the start name, each in turn, the
//! root of a tree of buckets; a bucket is a B+tree of keys and values, sorted by key.
//!
//! ```text
//! page     0 id u64   8 kind u16   10 count u16   12 overflow u32   16 content
//! meta    16 magic u32 0xed0cdaed   20 version u32   24 page bytes u32   28 flags u32
//!         32 root page u64   40 root sequence u64   48 freelist page u64   56 pages u64
//!         64 transaction u64   72 FNV-1a of bytes 16..72, u64
//! leaf    16 elements: flags u32, position u32, key bytes u32, value bytes u32; keys and values
//! branch  16 elements: position u32, key bytes u32, page u64; keys
//! bucket   0 root page u64   8 sequence u64   16 its only page, if the root page is 0
//! ```
//!
//! Positions count from the element they are in. All numbers are little-endian. [`Database`] reads
//! such a file, whoever wrote it; [`Writer`] writes one from sorted pairs, from front to end; the
//! engine of [`crate::btree`] changes one page by page. Nothing here changes a file in place, and
//! nothing knows what etcd keeps in its buckets.

mod bucket;
pub(crate) mod builder;
mod database;
pub(crate) mod meta;
pub(crate) mod page;
mod writer;

pub use bucket::{Bucket, Entries, Entry};
pub use database::{Database, Usage};
pub use meta::Meta;
pub use writer::{Head, Writer};

/// Size of the pages that a [`Writer`] makes, in bytes: what bbolt takes on common machines.
pub const PAGE_BYTES: u32 = 4096;

/// Sizes of pages that are read, in bytes: powers of two between these.
const PAGE_BYTES_MIN: u32 = 512;
const PAGE_BYTES_MAX: u32 = 64 << 10;

/// Longest key, in bytes: bbolt's number.
pub const KEY_BYTES_MAX: usize = 32 << 10;

/// Longest value, in bytes: bbolt's number.
pub const VALUE_BYTES_MAX: usize = (1 << 31) - 2;

/// Most pages of one path from a bucket's root to a leaf, and most buckets within each other.
pub(crate) const DEPTH_MAX: usize = 32;

const _: () = {
    assert!(PAGE_BYTES_MIN <= PAGE_BYTES && PAGE_BYTES <= PAGE_BYTES_MAX);
    assert!(PAGE_BYTES.is_power_of_two());
    // Lengths are u32 on disk.
    assert!(KEY_BYTES_MAX + VALUE_BYTES_MAX < u32::MAX as usize);
};

#[cfg(test)]
mod tests;
