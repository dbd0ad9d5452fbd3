//! What of the membership is stored, and under which names in the `meta` keyspace.
//!
//! ```text
//! member/<id, 16 hex digits>           JSON of the member
//! member-removed/<id, 16 hex digits>   `removed`
//! cluster/version                      the cluster's version, such as 3.5.0
//! cluster/downgrade                    JSON of the downgrade
//! ```

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::member::{Downgrade, Member};

/// What the names of members begin with.
pub const MEMBER_NAME_PREFIX: &str = "member/";
/// What the names of removed members begin with.
pub const REMOVED_NAME_PREFIX: &str = "member-removed/";
/// What the names of the cluster's version and downgrade begin with.
pub const CLUSTER_NAME_PREFIX: &str = "cluster/";

const VERSION_NAME: &str = "cluster/version";
const DOWNGRADE_NAME: &str = "cluster/downgrade";
const REMOVED_VALUE: &[u8] = b"removed";

/// A name in the `meta` keyspace and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaItem {
    /// The name.
    pub name: Bytes,
    /// The new value; `None` if the name is to be deleted.
    pub value: Option<Bytes>,
}

/// A stored item that isn't one of these, or whose value doesn't parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownItem {
    /// Its name.
    pub name: Bytes,
}

impl std::fmt::Display for UnknownItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the stored membership has a bad item {}", self.name.escape_ascii())
    }
}

impl std::error::Error for UnknownItem {}

/// What a stored item says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Member(Member),
    Removed(u64),
    Version(String),
    Downgrade(Downgrade),
}

impl Item {
    /// The item to be stored.
    pub(crate) fn to_meta(&self) -> MetaItem {
        let (name, value) = match self {
            Item::Member(member) => (member_name(member.id), json(member)),
            Item::Removed(id) => (
                format!("{REMOVED_NAME_PREFIX}{id:016x}").into(),
                Bytes::from_static(REMOVED_VALUE),
            ),
            Item::Version(version) => {
                (Bytes::from_static(VERSION_NAME.as_bytes()), version.clone().into())
            }
            Item::Downgrade(downgrade) => {
                (Bytes::from_static(DOWNGRADE_NAME.as_bytes()), json(downgrade))
            }
        };
        MetaItem { name, value: Some(value) }
    }

    /// Reads a stored item.
    pub(crate) fn parse(name: &Bytes, value: &[u8]) -> Result<Item, UnknownItem> {
        let unknown = || UnknownItem { name: name.clone() };
        let text = std::str::from_utf8(name).map_err(|_| unknown())?;
        let item = if let Some(digits) = text.strip_prefix(MEMBER_NAME_PREFIX) {
            parse_json(value)
                .filter(|member: &Member| parse_id(digits) == Some(member.id))
                .map(Item::Member)
        } else if let Some(digits) = text.strip_prefix(REMOVED_NAME_PREFIX) {
            parse_id(digits).map(Item::Removed)
        } else if text == VERSION_NAME {
            String::from_utf8(value.to_vec()).ok().map(Item::Version)
        } else if text == DOWNGRADE_NAME {
            parse_json(value).map(Item::Downgrade)
        } else {
            None
        };
        item.ok_or_else(unknown)
    }
}

/// The name of a member's item.
pub(super) fn member_name(id: u64) -> Bytes {
    format!("{MEMBER_NAME_PREFIX}{id:016x}").into()
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("numbers, flags and texts are always JSON").into()
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn parse_id(digits: &str) -> Option<u64> {
    let is_hex = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back() {
        let member = Member {
            id: u64::MAX,
            peer_urls: vec!["http://a:1".into()],
            is_learner: true,
            name: "a".into(),
            client_urls: vec!["http://a:2".into()],
        };
        let downgrade = Downgrade { target_version: "3.4.0".into(), enabled: true };
        for item in [
            Item::Member(member),
            Item::Removed(0xab),
            Item::Version("3.5.0".into()),
            Item::Downgrade(downgrade),
        ] {
            let MetaItem { name, value } = item.to_meta();
            assert_eq!(Item::parse(&name, &value.unwrap()), Ok(item));
        }
    }

    #[test]
    fn names_and_values_are_checked() {
        let member = Item::Member(Member::default()).to_meta();
        for (name, value) in [
            (&b"member/0000000000000001"[..], &member.value.clone().unwrap()[..]),
            (b"member/+000000000000000", &member.value.unwrap()),
            (b"member/0000000000000000", b"{"),
            (b"member-removed/xyz", b"removed"),
            (b"cluster/\xff", b""),
            (b"cluster/version", b"\xff"),
            (b"cluster/other", b""),
        ] {
            let name = Bytes::copy_from_slice(name);
            assert_eq!(Item::parse(&name, value), Err(UnknownItem { name }));
        }
    }
}
