//! A new cluster as etcd founds it: every member derives the same ids from the same options, and
//! its log begins with the addition of each member, sorted by id, in term 1. Where the state comes
//! from elsewhere, the log begins behind these.

use crate::{Error, KIND_CONF_CHANGE, Result};
use bytes::Bytes;
use prost::Message;
use retcd_api::raftpb::ConfState;
use retcd_mvcc::membership::{Member, cluster_id, initial_conf_change, member_id};
use retcd_wal::{HardState, Identity, LogEntry, SnapshotMark};

/// The term in which founding members are added.
const FOUNDING_TERM: u64 = 1;

/// One founding member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundingMember {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where its peers reach it.
    pub peer_urls: Vec<String>,
}

/// A cluster that is to be founded.
pub(crate) struct Founding {
    pub(crate) identity: Identity,
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) hard_state: HardState,
}

/// The founding members with their ids, seen from one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founders {
    /// The cluster, and who is seen from.
    pub identity: Identity,
    /// All members by id.
    pub members: Vec<Member>,
}

impl Founders {
    /// Derives the ids, seen from the member called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOptions`] if there is no such member, or two that can't be told apart.
    pub fn new(name: &str, members: &[FoundingMember], token: &str) -> Result<Founders> {
        let mut members: Vec<_> = members.iter().map(|founder| with_id(founder, token)).collect();
        members.sort_unstable_by_key(|member| member.id);
        if members.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(Error::InvalidOptions("two initial members have the same peer URLs"));
        }
        let mut own = members.iter().filter(|member| member.name == name);
        let Some(member) = own.next() else {
            return Err(Error::InvalidOptions("this member isn't among the initial cluster"));
        };
        if own.next().is_some() {
            return Err(Error::InvalidOptions("two initial members have this member's name"));
        }
        let ids: Vec<u64> = members.iter().map(|member| member.id).collect();
        let identity = Identity { cluster: cluster_id(&ids), member: member.id };
        Ok(Founders { identity, members })
    }

    /// Where a log begins that doesn't hold the additions of the members any more.
    pub fn mark(&self) -> SnapshotMark {
        SnapshotMark { index: self.members.len() as u64, term: FOUNDING_TERM }
    }

    /// Raft's configuration at [`Founders::mark`], as the applier is given it.
    pub fn conf_state(&self) -> Bytes {
        let voters = self.members.iter().map(|member| member.id).collect();
        ConfState { voters, ..ConfState::default() }.encode_to_vec().into()
    }
}

fn with_id(founder: &FoundingMember, token: &str) -> Member {
    let mut peer_urls = founder.peer_urls.clone();
    peer_urls.sort_unstable();
    let id = member_id(&peer_urls, token, None);
    Member { id, peer_urls, name: founder.name.clone(), ..Member::default() }
}

/// Founds a cluster, seen from the member called `name`.
pub(crate) fn found(name: &str, members: &[FoundingMember], token: &str) -> Result<Founding> {
    let Founders { identity, members } = Founders::new(name, members, token)?;
    let entries = (1..).zip(&members).map(|(index, member)| LogEntry {
        index,
        term: FOUNDING_TERM,
        kind: KIND_CONF_CHANGE,
        data: initial_conf_change(member).encode_to_vec().into(),
    });
    let entries: Vec<_> = entries.collect();
    let commit = entries.len() as u64;
    let hard_state = HardState { term: FOUNDING_TERM, vote: 0, commit };
    Ok(Founding { identity, entries, hard_state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::raftpb::ConfChange;

    fn member(name: &str, urls: &[&str]) -> FoundingMember {
        let peer_urls = urls.iter().map(|&url| url.to_owned()).collect();
        FoundingMember { name: name.into(), peer_urls }
    }

    #[test]
    fn ids_are_etcds() {
        let alone = [member("default", &["http://127.0.0.1:12380"])];
        let founding = found("default", &alone, "etcd-cluster").expect("one member");
        let identity = Identity { cluster: 0xa7ef_944b_9571_1739, member: 0xddd6_7b31_2462_fd7b };
        assert_eq!(founding.identity, identity);
        let change = ConfChange::decode(founding.entries[0].data.clone()).expect("a conf change");
        assert_eq!(change.node_id, identity.member);
        let context = change.context.expect("the member");
        let told =
            r#"{"id":15985099378392235387,"peerURLs":["http://127.0.0.1:12380"],"name":"default"}"#;
        assert_eq!(context, told);
    }

    #[test]
    fn members_are_added_in_the_order_of_their_ids() {
        let members = [member("a", &["http://b:1", "http://a:1"]), member("b", &["http://c:1"])];
        let founding = found("b", &members, "t").expect("two members");
        let mut turned = members.clone();
        turned.reverse();
        turned[1].peer_urls.reverse();
        assert_eq!(found("b", &turned, "t").expect("two members").entries, founding.entries);
        assert_eq!(founding.hard_state, HardState { term: 1, vote: 0, commit: 2 });
        assert_eq!(founding.entries.iter().map(|e| e.index).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn contradictions_are_refused() {
        let one = member("a", &["http://a:1"]);
        assert!(found("b", std::slice::from_ref(&one), "t").is_err(), "not among them");
        assert!(found("a", &[one.clone(), member("b", &["http://a:1"])], "t").is_err(), "URLs");
        assert!(found("a", &[one, member("a", &["http://b:1"])], "t").is_err(), "names");
    }
}
