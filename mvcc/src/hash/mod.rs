//! Checksums of the state, by which members are compared.
//!
//! [`Store::hash_kv`] gives etcd's number, so that members of both kinds can be compared;
//! [`Store::hash`] is our own, over everything that is replicated.

mod crc;
mod kv;

pub(crate) use kv::{Bounds, Kept, put_stored, visit};

use retcd_engine::{Direction, KeyRange, Keyspace, Projection};

use crate::read::{Reader, Snapshot, resolve_revision};
use crate::{Result, Store};

/// Records that one pass over the pairs remembers at most: 96 MiB.
const RECORDS_MAX: usize = 4 << 20;

/// A checksum over the pairs of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvHash {
    /// CRC-32C, the number that etcd gives for the same history.
    pub hash: u32,
    /// The compacted revision, on which the number depends; -1 before any compaction.
    pub compact_revision: i64,
    /// The revision up to which changes are in it.
    pub hash_revision: i64,
    /// The current revision.
    pub current_revision: i64,
}

impl Store {
    /// The checksum of all pairs up to `revision`; 0 means the current one. Reads every version
    /// that is stored, several times if there are very many, and remembers at most 96 MiB.
    ///
    /// Unlike etcd from 3.5.6 on, the compacted revision itself is answered with the state that a
    /// compaction leaves, not with a checksum that was taken while compacting.
    ///
    /// # Errors
    ///
    /// Refused if the revision is in the future or below the compacted one.
    pub fn hash_kv(&self, revision: i64) -> Result<KvHash> {
        let snapshot = self.snapshot();
        let hash_revision = match revision {
            0 => snapshot.revision(),
            // Nothing lies at or below it; etcd hashes just that.
            ..0 => revision,
            _ => resolve_revision(&snapshot, revision)?,
        };
        let bounds = kv::Bounds { through: hash_revision, compacted: snapshot.compacted() };
        Ok(KvHash {
            hash: kv::checksum(&*snapshot.view, bounds, RECORDS_MAX)?,
            compact_revision: snapshot.compacted(),
            hash_revision,
            current_revision: snapshot.revision(),
        })
    }

    /// The checksum of everything that is replicated. Members that applied the same entries give
    /// the same number; it isn't etcd's, which depends on its file's buckets.
    pub fn hash(&self) -> Result<u32> {
        let snapshot = self.snapshot();
        let bounds = kv::Bounds { through: snapshot.revision(), compacted: snapshot.compacted() };
        let pairs = kv::checksum(&*snapshot.view, bounds, RECORDS_MAX)?;
        let leases = newest_checksum(&snapshot, Keyspace::Lease, pairs)?;
        newest_checksum(&snapshot, Keyspace::Meta, leases)
    }
}

/// Continues a checksum with the newest published record of each key.
fn newest_checksum(snapshot: &Snapshot, keyspace: Keyspace, mut checksum: u32) -> Result<u32> {
    let all = KeyRange { start: b"", end: None };
    let at = snapshot.newest_entry();
    let mut cursor = snapshot.view.scan(keyspace, all, at, Direction::Forward, Projection::Full)?;
    while let Some(record) = cursor.next()? {
        for part in [&record.key, &record.value] {
            let length = (part.len() as u64).to_le_bytes();
            checksum = crc32c::crc32c_append(checksum, &length);
            checksum = crc32c::crc32c_append(checksum, part);
        }
    }
    Ok(checksum)
}
