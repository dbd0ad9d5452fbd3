//! Who belongs to the cluster, by etcd's rules, without any of the product's code for them.

use retcd_api::etcdserverpb;
use retcd_mvcc::membership::MemberChange;
use std::collections::{BTreeMap, BTreeSet};

/// Members without a vote that a cluster may have.
const LEARNERS_MAX: usize = 1;

/// A member as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) addresses: Vec<String>,
    pub(crate) is_learner: bool,
}

/// The membership.
#[derive(Default)]
pub(crate) struct Cluster {
    members: BTreeMap<u64, Known>,
    removed: BTreeSet<u64>,
}

impl Cluster {
    pub(crate) fn has(&self, id: u64) -> bool {
        self.members.contains_key(&id)
    }

    pub(crate) fn was_removed(&self, id: u64) -> bool {
        self.removed.contains(&id)
    }

    pub(crate) fn voters(&self) -> usize {
        self.members.values().filter(|known| !known.is_learner).count()
    }

    /// The learner, if there is one.
    pub(crate) fn learner(&self) -> Option<u64> {
        self.members.iter().find(|(_, known)| known.is_learner).map(|(id, _)| *id)
    }

    /// How many have come after so many founders, and how many have gone.
    pub(crate) fn joined_and_left(&self, founders: usize) -> (u64, u64) {
        let known = self.members.len() + self.removed.len();
        (known.saturating_sub(founders) as u64, self.removed.len() as u64)
    }

    /// Carries a change out, if it is one that the rules allow.
    pub(crate) fn execute(&mut self, change: MemberChange) {
        if !self.allows(&change) {
            return;
        }
        match change {
            MemberChange::Add(member) => {
                let (addresses, is_learner) = (member.peer_urls, member.is_learner);
                self.members.insert(member.id, Known { addresses, is_learner });
            }
            MemberChange::Promote(id) => {
                self.members.get_mut(&id).expect("it is there").is_learner = false;
            }
            MemberChange::Remove(id) => {
                self.members.remove(&id);
                self.removed.insert(id);
            }
            MemberChange::Update { id, peer_urls } => {
                self.members.get_mut(&id).expect("it is there").addresses = peer_urls;
            }
        }
    }

    fn allows(&self, change: &MemberChange) -> bool {
        let id = change.member_id();
        let known = self.members.get(&id);
        let is_taken = |addresses: &Vec<String>| {
            let others = self.members.iter().filter(|(other, _)| **other != id);
            others.flat_map(|(_, known)| &known.addresses).any(|one| addresses.contains(one))
        };
        let is_last_voter = self.voters() == 1 && known.is_some_and(|known| !known.is_learner);
        match change {
            MemberChange::Add(member) => {
                let has_room = !member.is_learner || self.voters() + LEARNERS_MAX > self.len();
                known.is_none()
                    && !self.removed.contains(&id)
                    && !is_taken(&member.peer_urls)
                    && has_room
            }
            MemberChange::Promote(_) => known.is_some_and(|known| known.is_learner),
            MemberChange::Remove(_) => known.is_some() && !is_last_voter,
            MemberChange::Update { peer_urls, .. } => known.is_some() && !is_taken(peer_urls),
        }
    }

    fn len(&self) -> usize {
        self.members.len()
    }

    /// Panics unless a member knows just these.
    pub(crate) fn assert_known(&self, name: &str, members: Vec<etcdserverpb::Member>) {
        let known = |member: etcdserverpb::Member| {
            let (addresses, is_learner) = (member.peer_ur_ls, member.is_learner);
            (member.id, Known { addresses, is_learner })
        };
        let known: BTreeMap<u64, Known> = members.into_iter().map(known).collect();
        assert_eq!(known, self.members, "the members that {name} knows");
    }
}
