//! One member, and its JSON, which conf changes and the database carry.

use retcd_api::etcdserverpb;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A member of the cluster.
///
/// Its JSON has etcd's names and order: `id` is a number (above 2^53, too), `peerURLs` is `null`
/// when there are none, the rest is left out when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The id.
    #[serde(default)]
    pub id: u64,
    /// Where other members reach it.
    #[serde(
        rename = "peerURLs",
        default,
        serialize_with = "list_or_null",
        deserialize_with = "null_or_list"
    )]
    pub peer_urls: Vec<String>,
    /// Whether it has no vote.
    #[serde(rename = "isLearner", default, skip_serializing_if = "is_false")]
    pub is_learner: bool,
    /// Its name; empty until it has started for the first time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where clients reach it.
    #[serde(
        rename = "clientURLs",
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_or_list"
    )]
    pub client_urls: Vec<String>,
}

impl Member {
    /// Whether it has started once and told its name.
    pub fn is_started(&self) -> bool {
        !self.name.is_empty()
    }
}

impl From<&Member> for etcdserverpb::Member {
    fn from(member: &Member) -> etcdserverpb::Member {
        etcdserverpb::Member {
            id: member.id,
            name: member.name.clone(),
            peer_ur_ls: member.peer_urls.clone(),
            client_ur_ls: member.client_urls.clone(),
            is_learner: member.is_learner,
        }
    }
}

/// A downgrade under way, or the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downgrade {
    /// The version to which the cluster goes down.
    #[serde(rename = "target-version", default)]
    pub target_version: String,
    /// Whether it is under way.
    #[serde(default)]
    pub enabled: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn list_or_null<S: Serializer>(list: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
}

fn null_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_etcds() {
        let json = concat!(
            r#"{"id":1518530654159652862,"peerURLs":["http://127.0.0.1:2380"],"#,
            r#""name":"default"}"#
        );
        let member: Member = serde_json::from_str(json).unwrap();
        assert_eq!(member.id, 1_518_530_654_159_652_862);
        assert!(member.is_started() && !member.is_learner && member.client_urls.is_empty());
        assert_eq!(serde_json::to_string(&member).unwrap(), json);
    }

    #[test]
    fn what_is_missing_or_null_is_empty() {
        let member: Member =
            serde_json::from_str(r#"{"id":18446744073709551615,"peerURLs":null}"#).unwrap();
        let expected = Member { id: u64::MAX, ..Member::default() };
        assert_eq!(member, expected);
        assert_eq!(
            serde_json::to_string(&member).unwrap(),
            r#"{"id":18446744073709551615,"peerURLs":null}"#
        );
    }
}
