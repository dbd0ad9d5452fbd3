//! Members that come, are promoted, and go.
//!
//! A new member is started when its addition is executed, and begins with an empty log, which the
//! leader fills, by a snapshot if its own was cut. A member that was removed goes on for a moment
//! after it has learned of it; those that don't learn of it are stopped in the end.

use super::{Event, Simulation};
use crate::network::Place;
use crate::node::{End, Node};
use prost::Message;
use retcd_mvcc::membership::{Member, MemberChange, member_id};
use retcd_raft_glue::Input;
use retcd_wal::Identity;
use std::time::Duration;

/// Members there are at a time, at most.
const VOTERS_MAX: usize = 5;

/// Members there are in a run, at most.
const NODES_MAX: usize = 9;

/// How long a member goes on that was removed.
const GRACE: Duration = Duration::from_millis(100);

impl Simulation {
    /// Asks for a change of the membership: as many voters stay as a majority of those before.
    pub(super) fn change_membership(&mut self, place: Place) {
        let cluster = &self.judge.cluster;
        let (voters, learner) = (cluster.voters(), cluster.learner());
        let id = self.nodes[place].id;
        let may_leave = voters >= 3 && self.is_member(place);
        let change = match (self.random.below(3), learner) {
            (0, Some(learner)) => MemberChange::Promote(learner),
            (0 | 1, None) if voters < VOTERS_MAX => match self.new_member() {
                Some(member) => MemberChange::Add(member),
                None => return,
            },
            _ if may_leave => MemberChange::Remove(id),
            _ => return,
        };
        self.note(&format!("somebody asks for {change:?}"));
        self.propose_change(&change);
    }

    /// Somebody says that a member is reached elsewhere now.
    pub(super) fn change_address(&mut self, place: Place) {
        let address = format!("http://10.0.{}.1:2380", self.random.below(250));
        let update = MemberChange::Update { id: self.nodes[place].id, peer_urls: vec![address] };
        self.propose_change(&update);
    }

    fn propose_change(&mut self, change: &MemberChange) {
        let Some(through) = self.some_member() else { return };
        let data = change.to_conf_change(0).encode_to_vec().into();
        self.drive(through, |driver| driver.step(Input::ProposeConfChange { token: 0, data }));
    }

    /// Makes a machine ready for one more member.
    fn new_member(&mut self) -> Option<Member> {
        let place = self.nodes.len();
        if place == NODES_MAX {
            return None;
        }
        let peer_urls = vec![format!("http://10.1.0.{}:2380", place + 1)];
        let id = member_id(&peer_urls, crate::plan::TOKEN, Some(place as i64));
        let cluster = self.nodes[0].cluster_id;
        let mut node = Node::new(&self.plan, place);
        node.joins(Identity { cluster, member: id });
        self.nodes.push(node);
        let is_learner = self.random.one_in(2);
        Some(Member { id, peer_urls, is_learner, ..Member::default() })
    }

    /// Whether the member at this place belongs to the cluster.
    pub(super) fn is_member(&self, place: Place) -> bool {
        self.judge.cluster.has(self.nodes[place].id)
    }

    /// All members that belong to the cluster.
    pub(super) fn members(&self) -> impl Iterator<Item = Place> {
        (0..self.nodes.len()).filter(|place| self.is_member(*place))
    }

    /// A change of the membership was executed somewhere.
    pub(super) fn follow_membership(&mut self) {
        let is_new = |place: &Place| self.nodes[*place].life == 0 && self.is_member(*place);
        let new: Vec<Place> = (0..self.nodes.len()).filter(is_new).collect();
        for place in new {
            let pause = self.micros(200_000);
            self.schedule.after(pause, Event::Start { place });
        }
    }

    /// A member knows that it was removed.
    pub(super) fn is_removed(&mut self, place: Place) {
        let life = self.nodes[place].life;
        self.schedule.after(GRACE, Event::Leave { place, life });
    }

    /// A member that was removed ends for good.
    pub(super) fn leave(&mut self, place: Place) {
        if self.nodes[place].driver.is_some() {
            self.end(place, End::Kill);
        }
    }
}
