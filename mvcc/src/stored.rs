//! What the engine's records say, for tools that look at a stopped member's state: the state blob,
//! pairs, changes, attachments and named state, one record at a time.
//!
//! A member that starts refuses a state that doesn't decode. Here each record is judged by itself.

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::AlarmMember;
use retcd_api::leasepb;
use retcd_engine::{Header, Keyspace, Record, Version};

use crate::alarm::ALARM_NAME_PREFIX;
use crate::auth::AuthItem;
use crate::etcd_items::named_item;
use crate::import::parse_revision;
use crate::membership::{Downgrade, Item, Member};
use crate::record::LEASE_ID_BYTES;
use crate::resident::LEASE_NAME_PREFIX;
use crate::{Error, Result};

pub use crate::import::EtcdRevision;
pub use crate::record::{PairHeader, RevKind, rev_kind};
pub use crate::state::State;

/// What a name of [`Keyspace::Meta`] stands for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Named {
    /// A lease that was granted.
    Lease(leasepb::Lease),
    /// An alarm that is raised.
    Alarm(AlarmMember),
    /// A member.
    Member(Member),
    /// The id of a member that was removed.
    Removed(u64),
    /// The cluster's version.
    Version(String),
    /// A downgrade.
    Downgrade(Downgrade),
    /// Something of authentication.
    Auth(AuthItem),
}

/// The lease and the key of a record in [`Keyspace::Lease`].
///
/// # Errors
/// [`Error::Undecodable`].
pub fn attachment(key: &Bytes) -> Result<(i64, Bytes)> {
    let (id, _) = key
        .split_first_chunk()
        .ok_or_else(|| Error::undecodable(Keyspace::Lease, "the key is too short"))?;
    Ok((i64::from_be_bytes(*id), key.slice(LEASE_ID_BYTES..)))
}

/// What a record of [`Keyspace::Meta`] says that isn't a tombstone.
///
/// # Errors
/// [`Error::Undecodable`]; also if this version doesn't know the name.
pub fn named(record: &Record) -> Result<Named> {
    let damaged = |reason| Error::undecodable(Keyspace::Meta, reason);
    let (name, value) = (&record.key, record.value.clone());
    if name.starts_with(LEASE_NAME_PREFIX) {
        let lease = leasepb::Lease::decode(value).map_err(|_| damaged("a bad lease"))?;
        return Ok(Named::Lease(lease));
    }
    if name.starts_with(ALARM_NAME_PREFIX.as_bytes()) {
        let alarm = AlarmMember::decode(value).map_err(|_| damaged("a bad alarm"))?;
        return Ok(Named::Alarm(alarm));
    }
    if let Some(item) = AuthItem::parse(name, &value) {
        return Ok(Named::Auth(item.map_err(damaged)?));
    }
    let item = Item::parse(name, &value);
    Ok(match item.map_err(|_| damaged("an unknown name, or a bad item of the membership"))? {
        Item::Member(member) => Named::Member(member),
        Item::Removed(id) => Named::Removed(id),
        Item::Version(version) => Named::Version(version),
        Item::Downgrade(downgrade) => Named::Downgrade(downgrade),
    })
}

/// What an entry of one of the buckets of etcd's database says, other than those of pairs and of
/// the database itself; `None` for one that means nothing here.
///
/// # Errors
/// What is wrong with it.
pub fn etcd_named(
    bucket: &str,
    key: &[u8],
    value: &Bytes,
) -> std::result::Result<Option<Named>, &'static str> {
    let Some((name, value)) = named_item(bucket, key, value)? else {
        return Ok(None);
    };
    let (version, header) = (Version::default(), Header::default());
    let record = Record { key: name, version, tombstone: false, header, value, keys_added: None };
    named(&record).map(Some).map_err(|_| "its value doesn't decode")
}

/// Reads a key of etcd's bucket of pairs, or a revision in its bucket of the database itself.
pub fn etcd_revision(key: &[u8]) -> Option<EtcdRevision> {
    parse_revision(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::lease_key;
    use crate::resident::lease_name;

    fn meta(name: Bytes, value: impl Into<Bytes>) -> Record {
        Record {
            key: name,
            version: Version::default(),
            tombstone: false,
            header: Header::default(),
            value: value.into(),
            keys_added: None,
        }
    }

    #[test]
    fn named_state_is_told_apart() {
        let lease = leasepb::Lease { id: 7, ttl: 60, remaining_ttl: 0 };
        let record = meta(lease_name(7), lease.encode_to_vec());
        assert_eq!(named(&record).unwrap(), Named::Lease(lease));
        let version = meta("cluster/version".into(), "3.5.0");
        assert_eq!(named(&version).unwrap(), Named::Version("3.5.0".to_owned()));
        assert!(named(&meta("alarm/1/0".into(), &b"\xff"[..])).is_err());
        assert!(named(&meta("else".into(), "")).is_err());
    }

    #[test]
    fn what_etcds_buckets_say_is_told_apart() {
        let lease = leasepb::Lease { id: 7, ttl: 60, remaining_ttl: 0 };
        let value = lease.encode_to_vec().into();
        let found = etcd_named("lease", &7i64.to_be_bytes(), &value);
        assert_eq!(found, Ok(Some(Named::Lease(lease))));
        assert!(etcd_named("lease", &8i64.to_be_bytes(), &value).is_err());
        assert_eq!(etcd_named("cluster", b"storageVersion", &Bytes::new()), Ok(None));
    }

    #[test]
    fn attachments_have_a_lease_and_a_key() {
        let key = lease_key(-3, b"k");
        assert_eq!(attachment(&key).unwrap(), (-3, Bytes::from_static(b"k")));
        assert!(attachment(&key.slice(..7)).is_err());
    }
}
