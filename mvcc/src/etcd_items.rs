//! What isn't a pair: under which name it lies in the `meta` keyspace here, and in which bucket of
//! etcd's database there. Both ways, so that what came from etcd goes back as it was.
//!
//! ```text
//! here                        etcd's bucket     its key
//! lease/<id, i64 BE>          lease             id, i64 BE
//! alarm/<kind>/<member>       alarm             the AlarmMember, with nothing as its value
//! member/<id, 16 digits>      members           id, hex
//! member-removed/<id>         members_removed   id, hex
//! cluster/version             cluster           clusterVersion
//! cluster/downgrade           cluster           downgrade
//! auth/enabled                auth              authEnabled
//! auth/revision               auth              authRevision
//! auth-user/<name>            authUsers         name
//! auth-role/<name>            authRoles         name
//! ```

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::AlarmMember;
use retcd_api::leasepb;

use crate::alarm::{ALARM_NAME_PREFIX, alarm_name};
use crate::auth::{
    AUTH_ENABLED_NAME, AUTH_REVISION_NAME, AUTH_ROLE_PREFIX, AUTH_USER_PREFIX, AuthItem,
};
use crate::membership::{
    CLUSTER_NAME_PREFIX, Downgrade, Item, MEMBER_NAME_PREFIX, Member, MetaItem, REMOVED_NAME_PREFIX,
};
use crate::resident::{LEASE_NAME_PREFIX, lease_name};

/// Bucket, key and value of a named item; `None` if the name isn't known.
pub(crate) fn etcd_item(name: &[u8], value: &[u8]) -> Option<(&'static str, Vec<u8>, Vec<u8>)> {
    if let Some(id) = name.strip_prefix(LEASE_NAME_PREFIX) {
        return Some(("lease", id.to_vec(), value.to_vec()));
    }
    if name.starts_with(ALARM_NAME_PREFIX.as_bytes()) {
        return Some(("alarm", value.to_vec(), Vec::new()));
    }
    // Ours have leading zeros, so that they sort by number.
    let hex = |id: &[u8]| {
        let id = u64::from_str_radix(std::str::from_utf8(id).ok()?, 16).ok()?;
        Some(format!("{id:x}").into_bytes())
    };
    if let Some(id) = name.strip_prefix(MEMBER_NAME_PREFIX.as_bytes()) {
        return Some(("members", hex(id)?, value.to_vec()));
    }
    if let Some(id) = name.strip_prefix(REMOVED_NAME_PREFIX.as_bytes()) {
        return Some(("members_removed", hex(id)?, value.to_vec()));
    }
    if let Some(user) = name.strip_prefix(AUTH_USER_PREFIX) {
        return Some(("authUsers", user.to_vec(), value.to_vec()));
    }
    if let Some(role) = name.strip_prefix(AUTH_ROLE_PREFIX) {
        return Some(("authRoles", role.to_vec(), value.to_vec()));
    }
    let (bucket, key) = match name {
        AUTH_ENABLED_NAME => ("auth", "authEnabled"),
        AUTH_REVISION_NAME => ("auth", "authRevision"),
        _ => match name.strip_prefix(CLUSTER_NAME_PREFIX.as_bytes())? {
            b"version" => ("cluster", "clusterVersion"),
            b"downgrade" => ("cluster", "downgrade"),
            _ => return None,
        },
    };
    Some((bucket, key.into(), value.to_vec()))
}

/// Buckets whose entries [`named_item`] knows.
pub(crate) const ITEM_BUCKETS: [&str; 8] =
    ["alarm", "auth", "authRoles", "authUsers", "cluster", "lease", "members", "members_removed"];

/// Name and value of an entry in one of [`ITEM_BUCKETS`]; `Ok(None)` for one that has no meaning
/// here.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn named_item(
    bucket: &str,
    key: &[u8],
    value: &Bytes,
) -> Result<Option<(Bytes, Bytes)>, &'static str> {
    let as_it_is = |name: Bytes| Ok(Some((name, value.clone())));
    match bucket {
        "lease" => {
            let lease = leasepb::Lease::decode(value.clone()).map_err(|_| "a bad lease")?;
            if key != lease.id.to_be_bytes() {
                return Err("a lease under another one's id");
            }
            as_it_is(lease_name(lease.id))
        }
        "alarm" => {
            let alarm = AlarmMember::decode(key).map_err(|_| "a bad alarm")?;
            Ok(Some((alarm_name(&alarm), alarm.encode_to_vec().into())))
        }
        "members" => {
            let member: Member = serde_json::from_slice(value).map_err(|_| "a bad member")?;
            if hex_id(key) != Some(member.id) {
                return Err("a member under another one's id");
            }
            stored(Item::Member(member))
        }
        "members_removed" => stored(Item::Removed(hex_id(key).ok_or("a bad id of a member")?)),
        "cluster" => cluster_item(key, value),
        _ => {
            let item = AuthItem::of_etcds(bucket, key, value)?;
            Ok(item.map(|item| item.to_meta()))
        }
    }
}

fn cluster_item(key: &[u8], value: &Bytes) -> Result<Option<(Bytes, Bytes)>, &'static str> {
    match key {
        b"clusterVersion" => {
            let version = String::from_utf8(value.to_vec()).map_err(|_| "a bad version")?;
            stored(Item::Version(version))
        }
        b"downgrade" => {
            let downgrade: Downgrade =
                serde_json::from_slice(value).map_err(|_| "a bad downgrade")?;
            stored(Item::Downgrade(downgrade))
        }
        _ => Ok(None),
    }
}

fn stored(item: Item) -> Result<Option<(Bytes, Bytes)>, &'static str> {
    let MetaItem { name, value } = item.to_meta();
    Ok(value.map(|value| (name, value)))
}

fn hex_id(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::authpb;

    fn user() -> Bytes {
        authpb::User { name: "u".into(), ..authpb::User::default() }.encode_to_vec().into()
    }

    #[test]
    fn what_came_from_etcd_goes_back_as_it_was() {
        let lease = leasepb::Lease { id: -7, ttl: 60, remaining_ttl: 5 };
        let alarm = AlarmMember { member_id: 10, alarm: 1 };
        let role = authpb::Role { name: "r".into(), key_permission: Vec::new() };
        let member = br#"{"id":171,"peerURLs":["http://a:1"],"name":"a"}"#;
        for (bucket, key, value) in [
            ("lease", (-7i64).to_be_bytes().to_vec(), lease.encode_to_vec()),
            ("alarm", alarm.encode_to_vec(), Vec::new()),
            ("members", b"ab".to_vec(), member.to_vec()),
            ("members_removed", b"cd".to_vec(), b"removed".to_vec()),
            ("cluster", b"clusterVersion".to_vec(), b"3.5.0".to_vec()),
            ("auth", b"authEnabled".to_vec(), vec![1]),
            ("auth", b"authRevision".to_vec(), vec![0, 0, 0, 0, 0, 0, 0, 9]),
            ("authUsers", b"u".to_vec(), user().to_vec()),
            ("authRoles", b"r".to_vec(), role.encode_to_vec()),
        ] {
            let (name, stored) =
                named_item(bucket, &key, &value.clone().into()).unwrap().expect(bucket);
            assert_eq!(etcd_item(&name, &stored), Some((bucket, key, value)), "{bucket}");
        }
    }

    #[test]
    fn damage_is_told() {
        for (bucket, key, value) in [
            ("lease", &b"short"[..], Bytes::new()),
            ("alarm", b"\xff", Bytes::new()),
            ("members", b"ab", Bytes::from_static(b"{\"id\":1}")),
            ("members", b"ab", Bytes::from_static(b"{")),
            ("members_removed", b"xyz", Bytes::new()),
            ("cluster", b"clusterVersion", Bytes::from_static(b"\xff")),
            ("auth", b"authEnabled", Bytes::new()),
            ("auth", b"authRevision", Bytes::from_static(b"1")),
            ("authUsers", b"other", user()),
            ("authRoles", b"r", Bytes::from_static(b"\xff")),
        ] {
            assert!(named_item(bucket, key, &value).is_err(), "{bucket}");
        }
    }

    #[test]
    fn what_has_no_meaning_here_is_left_out() {
        assert_eq!(named_item("cluster", b"storageVersion", &Bytes::new()), Ok(None));
        assert_eq!(named_item("auth", b"other", &Bytes::new()), Ok(None));
        assert_eq!(etcd_item(b"cluster/other", b""), None);
        assert_eq!(etcd_item(b"other", b""), None);
    }
}
