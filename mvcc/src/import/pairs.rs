//! The pairs, by revision, and which lease each key is attached to in the end.

use bytes::Bytes;
use prost::Message;
use retcd_api::mvccpb::KeyValue;
use retcd_engine::bolt::Entry;
use retcd_engine::table::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use retcd_engine::{Direction, Header, KeyRange, Keyspace, Projection, Record, Version};

use super::{Import, REVISION_MAX, bucket, foreign};
use crate::etcd_database::{PAIRS, REVISION_BYTES};
use crate::record::{PairHeader, RevKind, lease_key, rev_record};
use crate::{Error, Result};

/// A key of etcd's bucket of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtcdRevision {
    /// Main and sub.
    pub version: Version,
    /// Whether it deletes a key.
    pub is_tombstone: bool,
}

/// Reads a revision as etcd's keys have it: main, `_`, sub, and `t` if it deletes.
pub(crate) fn parse_revision(key: &[u8]) -> Option<EtcdRevision> {
    let (revision, mark) = key.split_at_checked(REVISION_BYTES)?;
    let (main, rest) = revision.split_first_chunk()?;
    let (separator, sub) = rest.split_first()?;
    let version =
        Version { main: u64::from_be_bytes(*main), sub: u64::from_be_bytes(*sub.first_chunk()?) };
    let is_known = *separator == b'_' && matches!(mark, b"" | b"t");
    is_known.then_some(EtcdRevision { version, is_tombstone: mark == b"t" })
}

impl Import<'_> {
    /// Takes all pairs over. Returns the newest revision, 0 for none.
    pub(super) fn pairs(&mut self) -> Result<u64> {
        let Some(pairs) = bucket(self.database, PAIRS)? else {
            return Ok(0);
        };
        let mut newest = None;
        for entry in pairs.entries(self.database).map_err(Error::Source)? {
            let (key, entry) = entry.map_err(Error::Source)?;
            let wrong = |reason| foreign(PAIRS, &key, reason);
            let Entry::Value(value) = entry else {
                return Err(wrong("a bucket among pairs"));
            };
            let revision = parse_revision(&key).ok_or_else(|| wrong("the key isn't a revision"))?;
            let main = revision.version.main;
            if main == 0 || main > REVISION_MAX || revision.version.sub > REVISION_MAX {
                return Err(wrong("the revision is out of bounds"));
            }
            // Keys ascend, but a put and a deletion of one revision are two keys.
            if newest >= Some(revision.version) {
                return Err(wrong("two changes have one revision"));
            }
            newest = Some(revision.version);
            if value.is_empty() && !revision.is_tombstone {
                continue;
            }
            // A copy: pages, of which it would be a part, are larger.
            let pair = KeyValue::decode(Bytes::copy_from_slice(&value));
            let pair = pair.map_err(|_| wrong("the value isn't a pair"))?;
            check_pair(&pair, revision).map_err(wrong)?;
            self.pair(pair, revision)?;
        }
        Ok(newest.map_or(0, |version| version.main))
    }

    fn pair(&mut self, pair: KeyValue, revision: EtcdRevision) -> Result<()> {
        let EtcdRevision { version, is_tombstone } = revision;
        let was_there = self.seen.insert(&pair.key)
            && self.writer.newest(&pair.key, Projection::Keys)?.is_some();
        let keys_added = match (is_tombstone, was_there) {
            (true, true) => -1,
            (false, false) => 1,
            _ => 0,
        };
        let keys = &mut self.imported.keys;
        *keys = keys.wrapping_add_signed(i64::from(keys_added));
        self.imported.versions += 1;
        let header = PairHeader {
            create_revision: pair.create_revision,
            version: pair.version,
            lease: pair.lease,
        };
        let kind = if is_tombstone { RevKind::Delete } else { RevKind::Put };
        let record = Record {
            key: pair.key.clone(),
            version,
            tombstone: is_tombstone,
            header: if is_tombstone { Header::default() } else { header.encode() },
            value: if is_tombstone { Bytes::new() } else { pair.value },
            keys_added: Some(keys_added),
        };
        self.push(Keyspace::Kv, record)?;
        // Watches may begin at the compacted revision, not below.
        match version.main.cast_signed() >= self.compacted {
            true => self.push(Keyspace::Rev, rev_record(version, kind, pair.key)),
            false => Ok(()),
        }
    }

    /// Attaches keys to the leases that their newest versions name.
    pub(super) fn attachments(&mut self) -> Result<()> {
        self.writer.write()?;
        let view = self.engine.view();
        let all = KeyRange { start: b"", end: None };
        let (newest, forward) = (Version::MAX, Direction::Forward);
        let mut cursor = view.scan(Keyspace::Kv, all, newest, forward, Projection::Keys)?;
        while let Some(record) = cursor.next()? {
            let lease = PairHeader::decode(&record)?.lease;
            if lease != 0 {
                self.push_named(Keyspace::Lease, lease_key(lease, &record.key), Bytes::new())?;
            }
        }
        Ok(())
    }
}

/// Makes sure that a pair can have been written at this revision, and that it can be kept.
fn check_pair(pair: &KeyValue, revision: EtcdRevision) -> std::result::Result<(), &'static str> {
    if pair.key.is_empty() {
        return Err("the pair has no key");
    }
    if pair.key.len() > KEY_BYTES_MAX || pair.value.len() > VALUE_BYTES_MAX {
        return Err("the key or the value is longer than any that can be kept");
    }
    if revision.is_tombstone {
        return Ok(());
    }
    let main = revision.version.main.cast_signed();
    if pair.mod_revision != main {
        return Err("the pair says that it is of another revision");
    }
    match pair.create_revision >= 1 && pair.create_revision <= main && pair.version >= 1 {
        true => Ok(()),
        false => Err("the pair's numbers are out of bounds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_read_and_nothing_else_is() {
        let key = |mark: &[u8]| [&7u64.to_be_bytes()[..], b"_", &9u64.to_be_bytes(), mark].concat();
        let version = Version { main: 7, sub: 9 };
        let put = EtcdRevision { version, is_tombstone: false };
        assert_eq!(parse_revision(&key(b"")), Some(put));
        assert_eq!(parse_revision(&key(b"t")), Some(EtcdRevision { is_tombstone: true, ..put }));
        for bad in [&b""[..], &key(b"")[..16], &key(b"x"), &key(b"tt"), &[0; 17]] {
            assert_eq!(parse_revision(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn pairs_that_cannot_have_been_written_are_told() {
        let revision = EtcdRevision { version: Version { main: 5, sub: 0 }, is_tombstone: false };
        let pair = KeyValue {
            key: "k".into(),
            create_revision: 3,
            mod_revision: 5,
            version: 2,
            ..KeyValue::default()
        };
        assert_eq!(check_pair(&pair, revision), Ok(()));
        for bad in [
            KeyValue { key: Bytes::new(), ..pair.clone() },
            KeyValue { mod_revision: 4, ..pair.clone() },
            KeyValue { create_revision: 6, ..pair.clone() },
            KeyValue { create_revision: 0, ..pair.clone() },
            KeyValue { version: 0, ..pair.clone() },
        ] {
            assert!(check_pair(&bad, revision).is_err(), "{bad:?}");
        }
        let deleted = EtcdRevision { is_tombstone: true, ..revision };
        assert_eq!(
            check_pair(&KeyValue { key: "k".into(), ..KeyValue::default() }, deleted),
            Ok(())
        );
    }
}
