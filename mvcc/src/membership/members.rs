//! The applied membership and what may be done to it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use retcd_api::{Error, etcdserverpb};

use super::change::MemberChange;
use super::items::{Item, MetaItem, UnknownItem, member_name};
use super::member::{Downgrade, Member};

/// Why a change of the membership isn't applied. Raft then gets a change of no node, and the
/// proposer the error.
///
/// The texts are those that members tell each other; clients get the [`Error`] that it converts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The id belonged to a member that was removed.
    Removed,
    /// The id is taken.
    Exists,
    /// There is no such member.
    NotFound,
    /// Another member has one of the peer URLs.
    PeerUrlExists,
    /// A voter can't be promoted.
    NotLearner,
    /// There are as many learners as there may be.
    TooManyLearners,
    /// The change doesn't say what it is.
    BadContext,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refusal::Removed => "membership: ID removed",
            Refusal::Exists => "membership: ID exists",
            Refusal::NotFound => "membership: ID not found",
            Refusal::PeerUrlExists => "membership: peerURL exists",
            Refusal::NotLearner => "membership: can only promote a learner member",
            Refusal::TooManyLearners => "membership: too many learner members in cluster",
            Refusal::BadContext => "membership: the change has a bad context",
        })
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Removed | Refusal::NotFound => Error::MemberNotFound,
            Refusal::Exists => Error::MemberExist,
            Refusal::PeerUrlExists => Error::PeerURLExist,
            Refusal::NotLearner => Error::MemberNotLearner,
            Refusal::TooManyLearners => Error::TooManyLearners,
            Refusal::BadContext => {
                Error::Other(retcd_api::Code::Unknown, refusal.to_string().into())
            }
        }
    }
}

/// The applied membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    members: BTreeMap<u64, Member>,
    /// Ids that must not come back.
    removed: BTreeSet<u64>,
    cluster_version: Option<String>,
    downgrade: Downgrade,
    learners_max: usize,
}

impl Members {
    /// No members. At most `learners_max` of those to come are learners.
    pub fn new(learners_max: usize) -> Members {
        Members {
            members: BTreeMap::new(),
            removed: BTreeSet::new(),
            cluster_version: None,
            downgrade: Downgrade::default(),
            learners_max,
        }
    }

    /// The membership that was stored, as names and values of the `meta` keyspace.
    ///
    /// # Errors
    ///
    /// If an item isn't one that was stored here.
    pub fn load(
        learners_max: usize,
        items: impl IntoIterator<Item = (Bytes, Bytes)>,
    ) -> Result<Members, UnknownItem> {
        let mut members = Members::new(learners_max);
        for (name, value) in items {
            match Item::parse(&name, &value)? {
                Item::Member(member) => {
                    members.members.insert(member.id, member);
                }
                Item::Removed(id) => {
                    members.removed.insert(id);
                }
                Item::Version(version) => members.cluster_version = Some(version),
                Item::Downgrade(downgrade) => members.downgrade = downgrade,
            }
        }
        Ok(members)
    }

    /// Whether the change may be applied.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(&self, change: &MemberChange) -> Result<(), Refusal> {
        let id = change.member_id();
        if self.removed.contains(&id) {
            return Err(Refusal::Removed);
        }
        let known = self.members.get(&id);
        match change {
            MemberChange::Add(member) => {
                if known.is_some() {
                    return Err(Refusal::Exists);
                }
                self.check_peer_urls(id, &member.peer_urls)?;
                let learners = self.members.values().filter(|other| other.is_learner);
                if member.is_learner && learners.count() >= self.learners_max {
                    return Err(Refusal::TooManyLearners);
                }
                Ok(())
            }
            MemberChange::Promote(_) => match known {
                None => Err(Refusal::NotFound),
                Some(member) if !member.is_learner => Err(Refusal::NotLearner),
                Some(_) => Ok(()),
            },
            MemberChange::Remove(_) => known.map(|_| ()).ok_or(Refusal::NotFound),
            MemberChange::Update { peer_urls, .. } => {
                known.ok_or(Refusal::NotFound)?;
                self.check_peer_urls(id, peer_urls)
            }
        }
    }

    /// Applies a change. Gives what is to be stored.
    ///
    /// # Errors
    ///
    /// As [`Members::check`]; nothing changes then.
    pub fn apply(&mut self, change: MemberChange) -> Result<Vec<MetaItem>, Refusal> {
        self.check(&change)?;
        let id = change.member_id();
        let member = match change {
            MemberChange::Add(member) => member,
            MemberChange::Remove(_) => {
                self.members.remove(&id);
                self.removed.insert(id);
                let gone = MetaItem { name: member_name(id), value: None };
                return Ok(vec![gone, Item::Removed(id).to_meta()]);
            }
            MemberChange::Promote(_) => Member {
                is_learner: false,
                ..self.members.get(&id).cloned().ok_or(Refusal::NotFound)?
            },
            // Only where it is reached changes: an update must not make a voter of a learner.
            MemberChange::Update { peer_urls, .. } => {
                Member { peer_urls, ..self.members.get(&id).cloned().ok_or(Refusal::NotFound)? }
            }
        };
        Ok(vec![self.put(member)])
    }

    /// A member tells its name and its client URLs. `None` if it isn't a member (any more).
    pub fn set_attributes(
        &mut self,
        id: u64,
        name: String,
        client_urls: Vec<String>,
    ) -> Option<MetaItem> {
        let member = self.members.get(&id)?;
        let member = Member { name, client_urls, ..member.clone() };
        Some(self.put(member))
    }

    /// Sets the cluster's version, such as `3.5.0`.
    pub fn set_cluster_version(&mut self, version: String) -> MetaItem {
        self.cluster_version = Some(version.clone());
        Item::Version(version).to_meta()
    }

    /// Begins or ends a downgrade.
    pub fn set_downgrade(&mut self, downgrade: Downgrade) -> MetaItem {
        self.downgrade = downgrade.clone();
        Item::Downgrade(downgrade).to_meta()
    }

    /// The cluster's version, once it is decided.
    pub fn cluster_version(&self) -> Option<&str> {
        self.cluster_version.as_deref()
    }

    /// The downgrade under way, or the last one.
    pub fn downgrade(&self) -> &Downgrade {
        &self.downgrade
    }

    /// The member with this id.
    pub fn get(&self, id: u64) -> Option<&Member> {
        self.members.get(&id)
    }

    /// Whether a member with this id was removed.
    pub fn is_removed(&self, id: u64) -> bool {
        self.removed.contains(&id)
    }

    /// Ids of removed members, ascending.
    pub fn removed(&self) -> impl Iterator<Item = u64> {
        self.removed.iter().copied()
    }

    /// All members by id.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// All voters by id.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.iter().filter(|member| !member.is_learner)
    }

    /// All members by id, as responses list them.
    pub fn list(&self) -> Vec<etcdserverpb::Member> {
        self.iter().map(etcdserverpb::Member::from).collect()
    }

    /// Whether a voter that hasn't started can join, in that enough voters have started to be a
    /// quorum with it. A lone started member may always get a second one.
    pub fn may_add_voter(&self) -> bool {
        let (voters, started) = self.count_voters(|_| true);
        (voters == 1 && started == 1) || started >= quorum(voters + 1)
    }

    /// Whether those who have started are a quorum of the voters when the member is gone. A learner
    /// may always go.
    pub fn may_remove(&self, id: u64) -> bool {
        if self.get(id).is_some_and(|member| member.is_learner) {
            return true;
        }
        let (voters, started) = self.count_voters(|member| member.id != id);
        started >= quorum(voters)
    }

    /// Whether those who have started, with the learner that becomes a voter, are a quorum.
    pub fn may_promote(&self) -> bool {
        let (voters, started) = self.count_voters(|_| true);
        started + 1 >= quorum(voters + 1)
    }

    fn count_voters(&self, counts: impl Fn(&Member) -> bool) -> (usize, usize) {
        let voters = self.voters().filter(|member| counts(member));
        voters.fold((0, 0), |(voters, started), member| {
            (voters + 1, started + usize::from(member.is_started()))
        })
    }

    fn check_peer_urls(&self, id: u64, peer_urls: &[String]) -> Result<(), Refusal> {
        let taken: HashSet<&String> = self
            .iter()
            .filter(|member| member.id != id)
            .flat_map(|member| &member.peer_urls)
            .collect();
        if peer_urls.iter().any(|url| taken.contains(url)) {
            Err(Refusal::PeerUrlExists)
        } else {
            Ok(())
        }
    }

    fn put(&mut self, member: Member) -> MetaItem {
        let item = Item::Member(member.clone()).to_meta();
        self.members.insert(member.id, member);
        item
    }
}

fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64) -> Member {
        Member { id, peer_urls: vec![format!("http://host{id}:2380")], ..Member::default() }
    }

    fn learner(id: u64) -> Member {
        Member { is_learner: true, ..member(id) }
    }

    fn started(id: u64) -> Member {
        Member { name: format!("m{id}"), ..member(id) }
    }

    fn with(list: impl IntoIterator<Item = Member>) -> Members {
        let mut members = Members::new(1);
        for member in list {
            members.apply(MemberChange::Add(member)).unwrap();
        }
        members
    }

    #[test]
    fn changes_are_judged_against_what_is_applied() {
        let mut members = with([member(1), learner(2)]);
        let update = |id, url: &str| MemberChange::Update { id, peer_urls: vec![url.into()] };
        for (change, refusal) in [
            (MemberChange::Add(member(1)), Refusal::Exists),
            (MemberChange::Add(learner(3)), Refusal::TooManyLearners),
            (MemberChange::Promote(1), Refusal::NotLearner),
            (MemberChange::Promote(9), Refusal::NotFound),
            (MemberChange::Remove(9), Refusal::NotFound),
            (update(9, "http://new:1"), Refusal::NotFound),
            (update(1, "http://host2:2380"), Refusal::PeerUrlExists),
        ] {
            assert_eq!(members.apply(change), Err(refusal));
        }
        let same_url = Member { id: 3, ..member(1) };
        let same_url = MemberChange::Add(same_url);
        assert_eq!(members.apply(same_url), Err(Refusal::PeerUrlExists));
        members.apply(update(1, "http://host1:2380")).unwrap();
        members.apply(MemberChange::Remove(1)).unwrap();
        assert_eq!(members.apply(MemberChange::Add(member(1))), Err(Refusal::Removed));
        assert_eq!(members.apply(MemberChange::Remove(1)), Err(Refusal::Removed));
        assert_eq!(Error::from(Refusal::Removed), Error::MemberNotFound);
    }

    #[test]
    fn updates_touch_the_peer_urls_only_and_promotions_the_vote_only() {
        let mut members = with([member(1), learner(2)]);
        members.set_attributes(2, "two".into(), vec!["http://c:1".into()]);
        let peer_urls = vec!["http://new:1".to_owned()];
        let update = MemberChange::Update { id: 2, peer_urls: peer_urls.clone() };
        members.apply(update).unwrap();
        let mut expected = Member {
            id: 2,
            peer_urls,
            is_learner: true,
            name: "two".into(),
            client_urls: vec!["http://c:1".into()],
        };
        assert_eq!(members.get(2), Some(&expected));
        members.apply(MemberChange::Promote(2)).unwrap();
        expected.is_learner = false;
        assert_eq!(members.get(2), Some(&expected));
        assert_eq!(members.voters().count(), 2);
    }

    #[test]
    fn what_is_stored_loads_again() {
        let mut stored: BTreeMap<Bytes, Bytes> = BTreeMap::new();
        let mut store = |items: Vec<MetaItem>| {
            for MetaItem { name, value } in items {
                match value {
                    Some(value) => stored.insert(name, value),
                    None => stored.remove(&name),
                };
            }
        };
        let mut members = Members::new(1);
        for id in [3, 1, 2] {
            store(members.apply(MemberChange::Add(member(id))).unwrap());
        }
        store(members.apply(MemberChange::Remove(2)).unwrap());
        store(vec![members.set_attributes(1, "one".into(), vec!["c".into()]).unwrap()]);
        assert_eq!(members.set_attributes(2, "two".into(), Vec::new()), None);
        store(vec![members.set_cluster_version("3.5.0".into())]);
        store(vec![
            members.set_downgrade(Downgrade { target_version: "3.4.0".into(), enabled: true }),
        ]);
        assert_eq!(Members::load(1, stored), Ok(members.clone()));
        let ids: Vec<u64> = members.list().iter().map(|member| member.id).collect();
        assert_eq!(ids, [1, 3]);
        assert_eq!(members.cluster_version(), Some("3.5.0"));
    }

    #[test]
    fn enough_started_members_are_needed() {
        assert!(with([started(1)]).may_add_voter());
        assert!(!with([member(1)]).may_add_voter());
        assert!(!with([started(1), member(2)]).may_add_voter());
        assert!(with([started(1), started(2)]).may_add_voter());
        assert!(with([started(1), started(2), learner(3)]).may_remove(3));
        assert!(with([started(1), member(2)]).may_remove(2));
        assert!(!with([started(1), member(2)]).may_remove(1));
        assert!(!with([started(1)]).may_remove(1));
        assert!(with([started(1), learner(2)]).may_promote());
        assert!(!with([started(1), member(2), member(3), learner(4)]).may_promote());
    }
}
