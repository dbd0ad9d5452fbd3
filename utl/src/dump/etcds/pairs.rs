//! etcd's pairs, summed up: how many keys and versions there are, and what their prefixes take.
//!
//! Memory is the prefixes, of which there is a limit.

use bytes::Bytes;
use prost::Message;
use retcd_api::mvccpb::KeyValue;
use retcd_engine::Result;
use retcd_engine::bolt::{Database, Entry};
use retcd_mvcc::stored::{EtcdRevision, etcd_revision};
use serde::Serialize;
use std::collections::BTreeMap;

/// Faults that are kept.
const FAULTS_MAX: usize = 64;
/// Sumses that are told apart, and bytes of them all.
const PREFIXES_MAX: usize = 1 << 16;
const PREFIX_BYTES_MAX: usize = 16 << 20;
/// Entries after which who waits is told how far it is.
const ENTRIES_PER_LOOK: u64 = 1024;

/// Sums over pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::dump) struct Sums {
    /// Keys that exist, if no compaction is under way. Negative only in a database that contradicts
    /// itself.
    #[serde(skip)]
    pub(in crate::dump) keys: i64,
    /// Versions, deletions among them.
    pub(in crate::dump) versions: u64,
    pub(in crate::dump) key_bytes: u64,
    pub(in crate::dump) value_bytes: u64,
}

impl Sums {
    /// Of keys and values.
    pub(in crate::dump) fn bytes(&self) -> u64 {
        self.key_bytes.saturating_add(self.value_bytes)
    }

    /// The share of `all`, in percent with one decimal.
    pub(in crate::dump) fn percent_of(&self, all: Sums) -> f64 {
        let share = self.bytes() as f64 / all.bytes().max(1) as f64;
        (1000.0 * share).round() / 10.0
    }

    pub(in crate::dump) fn add(&mut self, other: Sums) {
        self.keys += other.keys;
        self.versions += other.versions;
        self.key_bytes = self.key_bytes.saturating_add(other.key_bytes);
        self.value_bytes = self.value_bytes.saturating_add(other.value_bytes);
    }
}

/// All pairs, summed up.
#[derive(Debug, Default)]
pub(in crate::dump) struct Pairs {
    pub(in crate::dump) total: Sums,
    /// Of these, deletions.
    pub(in crate::dump) deletions: u64,
    /// The oldest revision of a pair.
    pub(in crate::dump) oldest: Option<u64>,
    /// By what keys begin with.
    pub(in crate::dump) prefixes: BTreeMap<Bytes, Sums>,
    /// Pairs of prefixes that there was no room for.
    pub(in crate::dump) others: Sums,
    prefix_bytes: usize,
    pub(in crate::dump) faults: Vec<String>,
}

impl Pairs {
    /// Reads all pairs. `prefix_of` says what a key belongs to, `read` is told of bytes.
    ///
    /// How many keys exist follows from how etcd compacts: of what is at or below `compacted` each
    /// key has its newest version only, or none; all versions above are there, from a key's first
    /// one or from that one on.
    pub(in crate::dump) fn read(
        database: &Database,
        compacted: u64,
        prefix_of: &dyn Fn(&[u8]) -> usize,
        read: &mut dyn FnMut(u64),
    ) -> Result<Pairs> {
        let mut pairs = Pairs::default();
        let Some(bucket) = database.bucket(b"key")? else {
            return Ok(pairs);
        };
        let (mut entries, mut bytes) = (0u64, 0);
        for entry in bucket.entries(database)? {
            let (key, entry) = entry?;
            entries += 1;
            match (etcd_revision(&key), entry) {
                (Some(revision), Entry::Value(value)) => {
                    bytes += value.len() as u64;
                    pairs.take(revision, &value, compacted, prefix_of);
                }
                _ => pairs.fault(&key, "neither a pair nor a deletion"),
            }
            if entries.is_multiple_of(ENTRIES_PER_LOOK) {
                read(std::mem::take(&mut bytes));
            }
        }
        Ok(pairs)
    }

    fn take(
        &mut self,
        revision: EtcdRevision,
        value: &Bytes,
        compacted: u64,
        prefix_of: &dyn Fn(&[u8]) -> usize,
    ) {
        let EtcdRevision { version, is_tombstone } = revision;
        self.oldest.get_or_insert(version.main);
        // How `etcdutl snapshot restore --bump-revision` marks the revision that it goes on from.
        if value.is_empty() && !is_tombstone {
            return;
        }
        // A copy: the value is a part of its page, which a prefix would keep.
        let Ok(pair) = KeyValue::decode(Bytes::copy_from_slice(value)) else {
            return self.fault(&version.main.to_be_bytes(), "the value isn't a pair");
        };
        self.deletions += u64::from(is_tombstone);
        let is_above = version.main > compacted;
        let keys = match (is_tombstone, is_above) {
            (true, true) => -1,
            (true, false) => 0,
            (false, true) => i64::from(pair.version == 1),
            (false, false) => 1,
        };
        let (key_bytes, value_bytes) = (pair.key.len() as u64, pair.value.len() as u64);
        let sums = Sums { keys, versions: 1, key_bytes, value_bytes };
        self.total.add(sums);
        let end = prefix_of(&pair.key).min(pair.key.len());
        let prefix = &pair.key[..end];
        if let Some(row) = self.prefixes.get_mut(prefix) {
            return row.add(sums);
        }
        let has_room = self.prefixes.len() < PREFIXES_MAX
            && self.prefix_bytes.saturating_add(end) <= PREFIX_BYTES_MAX;
        match has_room {
            true => {
                self.prefix_bytes += end;
                self.prefixes.insert(Bytes::copy_from_slice(prefix), sums);
            }
            false => self.others.add(sums),
        }
    }

    fn fault(&mut self, key: &[u8], reason: &str) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(format!("bucket key, at {}: {reason}", key.escape_ascii()));
        }
    }
}
