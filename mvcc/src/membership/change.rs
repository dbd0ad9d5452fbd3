//! Changes of the membership, in the form in which they travel: raft conf changes with a context.

use bytes::Bytes;
use retcd_api::raftpb::{ConfChange, ConfChangeType};
use serde::{Deserialize, Serialize};

use super::member::Member;
use super::members::Refusal;

/// The context of a change that adds a node: a member, and whether it is a learner that becomes a
/// voter, because both have the same type.
#[derive(Serialize, Deserialize)]
struct Context {
    #[serde(flatten)]
    member: Member,
    #[serde(rename = "isPromote", default)]
    is_promotion: bool,
}

/// A change of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// A voter or learner joins.
    Add(Member),
    /// The learner with this id becomes a voter.
    Promote(u64),
    /// The member with this id leaves for ever.
    Remove(u64),
    /// A member is reached in other places.
    Update {
        /// Its id.
        id: u64,
        /// Its new peer URLs.
        peer_urls: Vec<String>,
    },
}

impl MemberChange {
    /// The conf change to propose, under this request id.
    pub fn to_conf_change(&self, request_id: u64) -> ConfChange {
        let (kind, context) = match self {
            MemberChange::Add(member) => (add_type(member), context(member.clone(), false)),
            MemberChange::Promote(id) => {
                (ConfChangeType::ConfChangeAddNode, context(bare_member(*id), true))
            }
            MemberChange::Remove(_) => (ConfChangeType::ConfChangeRemoveNode, None),
            MemberChange::Update { id, peer_urls } => {
                let member = Member { peer_urls: peer_urls.clone(), ..bare_member(*id) };
                (ConfChangeType::ConfChangeUpdateNode, Some(json(&member)))
            }
        };
        ConfChange { id: request_id, r#type: kind.into(), node_id: self.member_id(), context }
    }

    /// Reads a conf change.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadContext`] if the type is unknown, or the context isn't JSON of the member that
    /// the change is about.
    pub fn of(conf_change: &ConfChange) -> Result<MemberChange, Refusal> {
        let id = conf_change.node_id;
        let bytes = conf_change.context.as_deref().unwrap_or_default();
        let kind = ConfChangeType::try_from(conf_change.r#type).map_err(|_| Refusal::BadContext)?;
        match kind {
            ConfChangeType::ConfChangeAddNode | ConfChangeType::ConfChangeAddLearnerNode => {
                let Context { member, is_promotion } = parse(bytes)?;
                if member.id != id {
                    return Err(Refusal::BadContext);
                }
                if is_promotion {
                    return Ok(MemberChange::Promote(id));
                }
                // What raft does with the node decides.
                let is_learner = kind == ConfChangeType::ConfChangeAddLearnerNode;
                Ok(MemberChange::Add(Member { is_learner, ..member }))
            }
            ConfChangeType::ConfChangeRemoveNode => Ok(MemberChange::Remove(id)),
            ConfChangeType::ConfChangeUpdateNode => {
                let member: Member = parse(bytes)?;
                if member.id != id {
                    return Err(Refusal::BadContext);
                }
                Ok(MemberChange::Update { id, peer_urls: member.peer_urls })
            }
        }
    }

    /// The member that the change is about.
    pub fn member_id(&self) -> u64 {
        match self {
            MemberChange::Add(member) => member.id,
            MemberChange::Promote(id)
            | MemberChange::Remove(id)
            | MemberChange::Update { id, .. } => *id,
        }
    }
}

/// The conf change with which an initial member stands in the first entries of a new log. Its
/// context is the bare member.
pub fn initial_conf_change(member: &Member) -> ConfChange {
    ConfChange {
        id: 0,
        r#type: add_type(member).into(),
        node_id: member.id,
        context: Some(json(member)),
    }
}

fn add_type(member: &Member) -> ConfChangeType {
    if member.is_learner {
        ConfChangeType::ConfChangeAddLearnerNode
    } else {
        ConfChangeType::ConfChangeAddNode
    }
}

fn bare_member(id: u64) -> Member {
    Member { id, ..Member::default() }
}

fn context(member: Member, is_promotion: bool) -> Option<Bytes> {
    Some(json(&Context { member, is_promotion }))
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("numbers, flags and texts are always JSON").into()
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|_| Refusal::BadContext)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64) -> Member {
        Member { id, peer_urls: vec!["http://127.0.0.1:2380".into()], ..Member::default() }
    }

    fn context_of(change: &ConfChange) -> &str {
        std::str::from_utf8(change.context.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn contexts_have_etcds_forms() {
        let id = u64::MAX - 5;
        let add = MemberChange::Add(member(id)).to_conf_change(9);
        assert_eq!((add.id, add.node_id), (9, id));
        assert_eq!(
            context_of(&add),
            r#"{"id":18446744073709551610,"peerURLs":["http://127.0.0.1:2380"],"isPromote":false}"#
        );
        let promote = MemberChange::Promote(7).to_conf_change(9);
        assert_eq!(context_of(&promote), r#"{"id":7,"peerURLs":null,"isPromote":true}"#);
        assert_eq!(promote.r#type(), ConfChangeType::ConfChangeAddNode);
        let initial = initial_conf_change(&Member { name: "default".into(), ..member(7) });
        assert_eq!(
            context_of(&initial),
            r#"{"id":7,"peerURLs":["http://127.0.0.1:2380"],"name":"default"}"#
        );
    }

    #[test]
    fn changes_come_back() {
        let learner = Member { is_learner: true, ..member(u64::MAX) };
        for change in [
            MemberChange::Add(member(1 << 60)),
            MemberChange::Add(learner),
            MemberChange::Promote(3),
            MemberChange::Remove(4),
            MemberChange::Update {
                id: 5,
                peer_urls: vec!["http://a:1".into(), "http://b:1".into()],
            },
        ] {
            assert_eq!(MemberChange::of(&change.to_conf_change(1)), Ok(change));
        }
        let initial = initial_conf_change(&member(8));
        assert_eq!(MemberChange::of(&initial), Ok(MemberChange::Add(member(8))));
    }

    #[test]
    fn bad_contexts_are_refused() {
        let good = MemberChange::Add(member(1)).to_conf_change(1);
        let other_node = ConfChange { node_id: 2, ..good.clone() };
        let no_json = ConfChange { context: Some(Bytes::from_static(b"{")), ..good.clone() };
        let no_context = ConfChange { context: None, ..good.clone() };
        let unknown_type = ConfChange { r#type: 77, ..good };
        for bad in [other_node, no_json, no_context, unknown_type] {
            assert_eq!(MemberChange::of(&bad), Err(Refusal::BadContext));
        }
    }
}
