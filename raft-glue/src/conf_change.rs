//! Membership changes: etcd's numbering here and on the wire, the raft library's inside.
//!
//! | change | etcd | raft library |
//! |---|---|---|
//! | add a voter | 0 | 0 |
//! | remove | 1 | 1 |
//! | update (peer URLs only) | 2 | none: a change of node 0, which does nothing |
//! | add a learner | 3 | 2 |
//!
//! Entries carry etcd's bytes, which the raft library never decodes (see `convert`). They are
//! checked before they are proposed, and mapped by [`to_raft`] when they are applied.

use crate::limits::CONF_CHANGE_BYTES_MAX;
use crate::{Error, Result};
use bytes::Bytes;
use prost::Message as _;
use raft::eraftpb;
use retcd_api::raftpb::{ConfChange, ConfChangeType, ConfState};

/// Checks a membership change that somebody wants to propose: its size, that it decodes, a known
/// kind, a node. Returns it encoded anew, without fields that nobody here knows.
///
/// `None` if it must be refused.
pub fn checked_conf_change(data: &[u8]) -> Option<Bytes> {
    if data.len() > CONF_CHANGE_BYTES_MAX {
        return None;
    }
    let change = ConfChange::decode(data).ok()?;
    ConfChangeType::try_from(change.r#type).ok()?;
    (change.node_id != 0).then(|| change.encode_to_vec().into())
}

/// Decodes a committed membership change.
pub fn decode_conf_change(index: u64, data: &[u8]) -> Result<ConfChange> {
    let unknown = |reason| Error::UnknownEntry { index, reason };
    let change =
        ConfChange::decode(data).map_err(|_| unknown("it isn't an encoded membership change"))?;
    ConfChangeType::try_from(change.r#type)
        .map_err(|_| unknown("it is a membership change of an unknown kind"))?;
    Ok(change)
}

/// The configuration after an accepted change, or `None` if raft can't go there because no voter
/// would be left: then the change must be refused.
pub fn conf_state_after(state: &ConfState, change: &ConfChange) -> Option<ConfState> {
    let mut next = state.clone();
    let id = change.node_id;
    match change.r#type() {
        ConfChangeType::ConfChangeAddNode => {
            next.learners.retain(|&learner| learner != id);
            insert_sorted(&mut next.voters, id);
        }
        ConfChangeType::ConfChangeRemoveNode => {
            next.learners.retain(|&learner| learner != id);
            next.voters.retain(|&voter| voter != id);
        }
        ConfChangeType::ConfChangeAddLearnerNode => {
            next.voters.retain(|&voter| voter != id);
            insert_sorted(&mut next.learners, id);
        }
        ConfChangeType::ConfChangeUpdateNode => {}
    }
    (!next.voters.is_empty()).then_some(next)
}

fn insert_sorted(ids: &mut Vec<u64>, id: u64) {
    if !ids.contains(&id) {
        ids.push(id);
        ids.sort_unstable();
    }
}

/// What the raft library is told when a change is applied; `None` is a refused one.
pub(crate) fn to_raft(change: Option<&ConfChange>) -> eraftpb::ConfChange {
    let mut mapped = eraftpb::ConfChange::default();
    let Some(change) = change else { return mapped };
    mapped.node_id = change.node_id;
    match change.r#type() {
        ConfChangeType::ConfChangeAddNode => {
            mapped.change_type = eraftpb::ConfChangeType::AddNode;
        }
        ConfChangeType::ConfChangeRemoveNode => {
            mapped.change_type = eraftpb::ConfChangeType::RemoveNode;
        }
        ConfChangeType::ConfChangeAddLearnerNode => {
            mapped.change_type = eraftpb::ConfChangeType::AddLearnerNode;
        }
        ConfChangeType::ConfChangeUpdateNode => mapped.node_id = raft::INVALID_ID,
    }
    mapped
}

/// A configuration as the raft library wants it.
pub(crate) fn conf_state_to_raft(state: &ConfState) -> eraftpb::ConfState {
    eraftpb::ConfState {
        voters: state.voters.clone(),
        learners: state.learners.clone(),
        ..eraftpb::ConfState::default()
    }
}

/// Whether the raft library has come to the same configuration, order aside.
pub(crate) fn same_conf_state(ours: &ConfState, theirs: &eraftpb::ConfState) -> bool {
    let sorted = |ids: &[u64]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    sorted(&ours.voters) == sorted(&theirs.voters)
        && sorted(&ours.learners) == sorted(&theirs.learners)
        && theirs.voters_outgoing.is_empty()
        && theirs.learners_next.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: ConfChangeType, node_id: u64) -> ConfChange {
        ConfChange { id: 9, r#type: kind.into(), node_id, context: Some(Bytes::from_static(b"{}")) }
    }

    #[test]
    fn maps_etcds_numbers_to_the_librarys() {
        use ConfChangeType::*;
        for (kind, wanted, node) in [
            (ConfChangeAddNode, eraftpb::ConfChangeType::AddNode, 5),
            (ConfChangeRemoveNode, eraftpb::ConfChangeType::RemoveNode, 5),
            (ConfChangeUpdateNode, eraftpb::ConfChangeType::AddNode, 0),
            (ConfChangeAddLearnerNode, eraftpb::ConfChangeType::AddLearnerNode, 5),
        ] {
            let mapped = to_raft(Some(&change(kind, 5)));
            assert_eq!((mapped.change_type, mapped.node_id), (wanted, node), "{kind:?}");
        }
        assert_eq!(to_raft(None).node_id, 0, "a refused change is a change of node 0");
    }

    #[test]
    fn refuses_what_raft_must_not_decode() {
        let good = change(ConfChangeType::ConfChangeAddLearnerNode, 5).encode_to_vec();
        assert_eq!(checked_conf_change(&good).as_deref(), Some(&good[..]));
        assert!(checked_conf_change(&good[..good.len() - 1]).is_none(), "cut short");
        let nobody = change(ConfChangeType::ConfChangeAddNode, 0).encode_to_vec();
        assert!(checked_conf_change(&nobody).is_none(), "no node");
        let mut strange = change(ConfChangeType::ConfChangeAddNode, 5);
        strange.r#type = 4;
        assert!(checked_conf_change(&strange.encode_to_vec()).is_none(), "kind 4");
        let mut large = change(ConfChangeType::ConfChangeAddNode, 5);
        large.context = Some(vec![0; CONF_CHANGE_BYTES_MAX].into());
        assert!(checked_conf_change(&large.encode_to_vec()).is_none(), "too large");
    }

    #[test]
    fn never_leaves_a_cluster_without_voters() {
        use ConfChangeType::*;
        let empty = ConfState::default();
        let one = conf_state_after(&empty, &change(ConfChangeAddNode, 3)).expect("a voter");
        assert_eq!(one.voters, [3]);
        assert_eq!(conf_state_after(&one, &change(ConfChangeRemoveNode, 3)), None);
        assert_eq!(conf_state_after(&one, &change(ConfChangeAddLearnerNode, 3)), None);
        let two = conf_state_after(&one, &change(ConfChangeAddLearnerNode, 2)).expect("a voter");
        assert_eq!((&two.voters[..], &two.learners[..]), (&[3][..], &[2][..]));
        let promoted = conf_state_after(&two, &change(ConfChangeAddNode, 2)).expect("voters");
        assert_eq!((&promoted.voters[..], promoted.learners.len()), (&[2, 3][..], 0));
    }
}
