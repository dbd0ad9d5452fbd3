//! What etcd's database says of the cluster and of itself.
//!
//! Nothing is believed: what doesn't decode is a fault, and the rest is read on. Memory is the
//! members, of which there is a limit.

use bytes::Bytes;
use retcd_engine::bolt::{Bucket, Database, Entry};
use retcd_engine::{Error, Result};
use retcd_mvcc::membership::{Downgrade, Member};
use retcd_mvcc::stored::{Named, etcd_named, etcd_revision};
use serde::Deserialize;

/// Members, removed members and alarms that are kept.
const LISTED_MAX: usize = 10_000;
/// Faults that are kept.
const FAULTS_MAX: usize = 64;

/// Buckets that are etcd's, the pairs' one left out.
const SMALL_BUCKETS: [&str; 8] =
    ["alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members", "members_removed"];

/// raft's configuration as etcd keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(in crate::dump) struct Configuration {
    /// Members that vote.
    #[serde(default)]
    pub(in crate::dump) voters: Vec<u64>,
    /// Members that don't.
    #[serde(default)]
    pub(in crate::dump) learners: Vec<u64>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(in crate::dump) struct Facts {
    /// The raft index up to which the pairs are.
    pub(in crate::dump) consistent_index: Option<u64>,
    /// The term of that entry. etcd keeps it from 3.5 on.
    pub(in crate::dump) term: Option<u64>,
    /// From 3.5 on, too.
    pub(in crate::dump) configuration: Option<Configuration>,
    /// Version of the database's form. etcd keeps it from 3.6 on.
    pub(in crate::dump) storage_version: Option<String>,
    /// The newest revision of a pair; 0 for none.
    pub(in crate::dump) revision: u64,
    /// Up to where compaction came to its end.
    pub(in crate::dump) compacted: Option<u64>,
    /// Up to where it was begun.
    pub(in crate::dump) compacting: Option<u64>,
    pub(in crate::dump) members: Vec<Member>,
    pub(in crate::dump) removed: Vec<u64>,
    pub(in crate::dump) cluster_version: Option<String>,
    pub(in crate::dump) downgrade: Option<Downgrade>,
    pub(in crate::dump) alarms: u64,
    pub(in crate::dump) leases: u64,
    pub(in crate::dump) users: u64,
    pub(in crate::dump) roles: u64,
    pub(in crate::dump) auth_enabled: bool,
    /// What doesn't hold: the bucket, and what.
    pub(in crate::dump) faults: Vec<String>,
}

impl Facts {
    /// Reads everything but the pairs.
    pub(in crate::dump) fn read(database: &Database) -> Result<Facts> {
        let mut facts = Facts::default();
        facts.read_meta(database)?;
        for name in SMALL_BUCKETS {
            let Some(bucket) = database.bucket(name.as_bytes())? else { continue };
            for entry in bucket.entries(database)? {
                let (key, entry) = entry?;
                match entry {
                    Entry::Value(value) => facts.take(name, &key, &value),
                    Entry::Bucket(_) => facts.fault(name, &key, "a bucket where there is none"),
                }
            }
        }
        if let Some(pairs) = database.bucket(b"key")? {
            facts.revision = newest(database, &pairs)?;
        }
        Ok(facts)
    }

    fn read_meta(&mut self, database: &Database) -> Result<()> {
        let Some(meta) = database.bucket(b"meta")? else {
            return Ok(());
        };
        let get = |name: &str| {
            Ok::<_, Error>(match meta.get(database, name.as_bytes())? {
                Some(Entry::Value(value)) => Some(value),
                _ => None,
            })
        };
        let number = |value: &Bytes| value.first_chunk().copied().map(u64::from_be_bytes);
        for (name, field) in
            [("consistent_index", &mut self.consistent_index), ("term", &mut self.term)]
        {
            if let Some(value) = get(name)? {
                *field = number(&value);
            }
        }
        for (name, field) in [
            ("finishedCompactRev", &mut self.compacted),
            ("scheduledCompactRev", &mut self.compacting),
        ] {
            if let Some(value) = get(name)? {
                *field = etcd_revision(&value).map(|found| found.version.main);
            }
        }
        let text = get("storageVersion")?;
        self.storage_version = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        if let Some(value) = get("confState")? {
            match serde_json::from_slice(&value) {
                Ok(configuration) => self.configuration = Some(configuration),
                Err(_) => self.fault("meta", b"confState", "it isn't raft's configuration"),
            }
        }
        Ok(())
    }

    fn take(&mut self, bucket: &'static str, key: &[u8], value: &Bytes) {
        match bucket {
            "authUsers" => self.users += 1,
            "authRoles" => self.roles += 1,
            "lease" => self.leases += 1,
            "alarm" => self.alarms += 1,
            "auth" if key == b"authEnabled" => self.auth_enabled = value[..] == [1],
            _ => {}
        }
        match etcd_named(bucket, key, value) {
            Ok(Some(Named::Member(member))) if self.members.len() < LISTED_MAX => {
                self.members.push(member);
            }
            Ok(Some(Named::Removed(id))) if self.removed.len() < LISTED_MAX => {
                self.removed.push(id);
            }
            Ok(Some(Named::Version(version))) => self.cluster_version = Some(version),
            Ok(Some(Named::Downgrade(downgrade))) => self.downgrade = Some(downgrade),
            Ok(_) => {}
            Err(reason) => self.fault(bucket, key, reason),
        }
    }

    fn fault(&mut self, bucket: &str, key: &[u8], reason: &str) {
        if self.faults.len() < FAULTS_MAX {
            let key = key.escape_ascii();
            self.faults.push(format!("bucket {bucket}, key {key}: {reason}"));
        }
    }
}

/// The newest revision in the bucket of pairs, by halving: a bucket is walked upwards only.
fn newest(database: &Database, pairs: &Bucket) -> Result<u64> {
    let first_from = |main: u64| {
        let found = pairs.seek(database, &main.to_be_bytes())?.next().transpose()?;
        Ok::<_, Error>(found.and_then(|(key, _)| etcd_revision(&key)))
    };
    let Some(mut low) = first_from(0)?.map(|found| found.version.main) else {
        return Ok(0);
    };
    let mut high = u64::MAX;
    // There is a pair at or above `low`, and none at or above `high`: unless pages are damaged,
    // which may show a pair to one search and hide it from another.
    while high.saturating_sub(low) > 1 {
        let middle = low + (high - low) / 2;
        match first_from(middle)? {
            Some(found) => low = found.version.main.max(middle),
            None => high = middle,
        }
    }
    Ok(low)
}
