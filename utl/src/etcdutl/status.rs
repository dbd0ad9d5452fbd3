//! `snapshot status`: what a snapshot holds, as etcd counts and hashes it.
//!
//! The hash is the CRC-32C of the names of all buckets, each followed by its keys and values, in
//! the order of the file. The revision is that of the last pair; what counts as a key is every
//! entry of every bucket.

use super::Surroundings;
use super::failure::Failure;
use super::output::{Field, Format, print};
use super::source;
use crate::notation::DecimalSize;
use retcd_engine::bolt::Entry;
use std::io::Write;
use std::path::Path;

/// Entries after which the progress is shown anew.
const ENTRIES_PER_LOOK: u64 = 1024;

/// See the module's text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    hash: u32,
    revision: i64,
    keys: u64,
    bytes: u64,
}

impl Status {
    /// Prints it.
    pub(super) fn print(&self, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
        let field =
            |title, name, json, number: i64, text| Field { title, name, json, number, text };
        let Status { hash, revision, keys, bytes } = *self;
        let size = DecimalSize(bytes).to_string();
        let fields = [
            field("hash", "Hash", "hash", hash.into(), format!("{hash:x}")),
            field("revision", "Revision", "revision", revision, revision.to_string()),
            field("total keys", "Keys", "totalKey", keys.cast_signed(), keys.to_string()),
            field("total size", "Size", "totalSize", bytes.cast_signed(), size),
        ];
        print(&fields, format, out)
    }
}

/// Reads the whole file, and makes sure that it is whole.
pub(super) fn read(path: &Path, surroundings: &mut Surroundings<'_>) -> Result<Status, Failure> {
    let vfs = surroundings.vfs.clone();
    let database = source::open(&*vfs, path)?;
    database.verify().map_err(|error| {
        Failure::Refused(format!("snapshot file integrity check failed. 1 errors found.\n{error}"))
    })?;
    let meta = database.meta();
    let bytes = meta.pages * u64::from(meta.page_bytes);
    let mut status = Status { bytes, ..Status::default() };
    let mut progress = surroundings.progress("reading", database.file_bytes());
    let (mut entries, mut read) = (0u64, 0);
    for bucket in database.root().entries(&database)? {
        let (name, entry) = bucket?;
        let Entry::Bucket(bucket) = entry else {
            let name = name.escape_ascii();
            return Err(Failure::Refused(format!("cannot get hash of bucket {name}")));
        };
        status.hash = crc32c::crc32c_append(status.hash, &name);
        for entry in bucket.entries(&database)? {
            let (key, entry) = entry?;
            status.hash = crc32c::crc32c_append(status.hash, &key);
            if let Entry::Value(value) = &entry {
                status.hash = crc32c::crc32c_append(status.hash, value);
                read += value.len() as u64;
            }
            status.keys += 1;
            if let Some(main) = key.first_chunk().filter(|_| name == "key") {
                status.revision = i64::from_be_bytes(*main);
            }
            entries += 1;
            if entries.is_multiple_of(ENTRIES_PER_LOOK) {
                progress.add(std::mem::take(&mut read));
            }
        }
    }
    Ok(status)
}
