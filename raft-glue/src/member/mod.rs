//! Consensus as a step function.
//!
//! How to drive a [`Member`]:
//!
//! 1. [`Member::step`] every input that is there: ticks, proposals, messages, reports.
//! 2. [`Member::take_output`] once. Append its group to the log, hand its committed entries to
//!    whoever applies, send its messages, answer its reads and refusals. Repeat while
//!    [`Member::has_output`].
//! 3. When a group is durable, step [`Input::Persisted`]; when entries are applied, step
//!    [`Input::Applied`], each in order and at any later time.
//!
//! What it guarantees: a message that the protocol allows only after a sync is held back until the
//! group that it depends on (or, without one, everything before it) was reported persisted; the
//! member doesn't count itself into a quorum before; committed entries come out in index order,
//! each exactly once. A lone voter campaigns as soon as it can win.
//!
//! What it doesn't do: joint configurations.

mod feed;
mod feeding;
mod grouping;
mod io;
#[cfg(test)]
mod lagging;
mod output;
mod peer;
#[cfg(test)]
mod questions;
mod reads;
mod restore;
mod snapshot;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;

pub use io::{
    AppendGroup, DropReason, Dropped, Input, MemberConfig, Output, Read, Restored, Role,
    RoleChange, Status,
};
pub use snapshot::{Install, SnapshotOrder, SnapshotOutcome};

use crate::Result;
use crate::conf_change::{checked_conf_change, same_conf_state, to_raft};
use crate::convert::{conf_change_proposal, proposal};
use crate::election::timeout_ticks;
use crate::limits::{
    COMMITTED_BYTES_PER_OUTPUT, INFLIGHT_MESSAGES_MAX, MESSAGE_BYTES_MAX, UNAPPLIED_ENTRIES_MAX,
};
use crate::tail::Tail;
use bytes::Bytes;
use feed::Feed;
use grouping::fits;
use raft::eraftpb::{Entry, Message, MessageType};
use raft::{RawNode, StateRole};
use reads::Reads;
use restore::restored_tail;
pub(crate) use restore::{agreed_hard_state, first_hard_state};
use retcd_api::raftpb::{ConfChange, ConfChangeType, ConfState};
use retcd_wal::HardState;
use snapshot::Installing;
use std::collections::VecDeque;

/// One member's consensus.
pub struct Member {
    raw: RawNode<Tail>,
    config: MemberConfig,
    /// Readies that raft gave out and that aren't known to be durable, oldest first.
    unpersisted: VecDeque<Unpersisted>,
    /// What the newest group told the log.
    logged: HardState,
    /// The term that the log is known to have. Nobody leads or votes in a later one: after a crash
    /// this member would not know of it, and could do so a second time. Where raft's term is later
    /// and nothing is to be written, which only an installation that a crash has cut short leaves
    /// behind, answers go out in raft's.
    term_persisted: u64,
    /// Index of the last committed entry that went out.
    handed_out: u64,
    /// Indexes of membership changes that went out and whose execution wasn't reported.
    changes_out: VecDeque<u64>,
    /// Membership changes that went out before a snapshot took their place; their execution means
    /// nothing any more.
    changes_superseded: usize,
    /// A snapshot that raft has and the engine doesn't.
    installing: Option<Installing>,
    /// The highest reported applied index. raft isn't told beyond a change that is out.
    applied_reported: u64,
    /// Proposals since the last output; they enter raft as one batch.
    proposals: Vec<Entry>,
    proposal_tokens: Vec<u64>,
    proposal_bytes: usize,
    reads: Reads,
    /// What followers that lag may have.
    feed: Feed,
    known_role: RoleChange,
    output: Output,
}

/// What has to wait for a group, and what waits for that.
struct Unpersisted {
    number: u64,
    /// Whether the log was given a group of this number; otherwise it waits for the ones before.
    is_group: bool,
    /// The term that is durable with it.
    term: u64,
    messages: Vec<Message>,
}

impl Member {
    /// Continues from what the log and the engine kept. The logger gets the raft library's lines.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Inconsistent`] if the log ends before the applied or the commit index, or if
    /// the hard state is older than the last entry.
    pub fn new(config: MemberConfig, restored: Restored, logger: &slog::Logger) -> Result<Member> {
        let applied = restored.applied.index;
        let logged = restored.hard_state;
        let tail = restored_tail(restored)?;
        let raft_config = raft::Config {
            id: config.id,
            election_tick: config.election_ticks,
            heartbeat_tick: 1,
            applied,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: INFLIGHT_MESSAGES_MAX,
            check_quorum: true,
            pre_vote: config.pre_vote,
            max_committed_size_per_ready: COMMITTED_BYTES_PER_OUTPUT,
            batch_append: true,
            ..raft::Config::default()
        };
        let raw = RawNode::new(&raft_config, tail, logger)?;
        let known_role = RoleChange { leader: 0, role: Role::Follower, term: raw.raft.term };
        let mut member = Member {
            raw,
            config,
            unpersisted: VecDeque::new(),
            logged,
            term_persisted: logged.term,
            handed_out: applied,
            changes_out: VecDeque::new(),
            changes_superseded: 0,
            installing: None,
            applied_reported: applied,
            proposals: Vec::new(),
            proposal_tokens: Vec::new(),
            proposal_bytes: 0,
            reads: Reads::default(),
            feed: Feed::default(),
            known_role,
            output: Output::default(),
        };
        member.campaign_if_alone()?;
        member.settle_election_timeout();
        member.raw.store().check()?;
        Ok(member)
    }

    /// Takes one input. What follows from it is in the next output.
    ///
    /// # Errors
    ///
    /// The member must stop on any.
    pub fn step(&mut self, input: Input) -> Result<()> {
        self.raw.store().check()?;
        match input {
            Input::Propose { token, data } => {
                self.gather(token, data);
                return Ok(());
            }
            Input::ProposeAsLeader { term, data } => self.propose_as_leader(term, data),
            Input::ProposeConfChange { token, data } => {
                self.propose_gathered();
                self.propose_conf_change(token, &data);
            }
            Input::ReadIndex { context } => self.read_index(context),
            Input::Tick => self.tick(),
            Input::Message(message) => self.receive(*message)?,
            Input::Persisted { number } => self.persisted(number),
            Input::ConfChanged { change, state } => self.conf_changed(change.as_deref(), &state)?,
            Input::Applied { index } => self.applied(index),
            Input::TransferLeader { to } => self.raw.transfer_leader(to),
            Input::StepDown => self.step_down(),
            Input::Unreachable { peer } => self.raw.report_unreachable(peer),
            Input::Snapshot(message) => self.offer(*message),
            Input::Installed { index } => self.installed(index),
            Input::SnapshotReport { to, outcome } => self.report_snapshot(to, outcome),
        }
        self.feed_followers();
        self.campaign_if_alone()?;
        self.settle_election_timeout();
        self.raw.store().check()
    }

    /// Where the member stands.
    pub fn status(&self) -> Status {
        let raft = &self.raw.raft;
        Status {
            term: raft.term,
            leader: raft.leader_id,
            role: role_of(raft.state),
            committed: raft.raft_log.committed,
            applied: raft.raft_log.applied,
            persisted: raft.raft_log.persisted,
            last: raft.raft_log.last_index(),
            replicated: self.replicated(),
            tail_bytes: self.raw.store().bytes(),
        }
    }

    /// Up to where each member's log is known to agree with this one's, which leads; `None` if it
    /// doesn't.
    pub fn matched(&self) -> Option<Vec<(u64, u64)>> {
        let raft = &self.raw.raft;
        let of_each = || raft.prs().iter().map(|(&id, progress)| (id, progress.matched)).collect();
        (raft.state == StateRole::Leader).then(of_each)
    }

    fn replicated(&self) -> u64 {
        if self.raw.raft.state != StateRole::Leader {
            return 0;
        }
        let matched = self.raw.raft.prs().iter().map(|(_, progress)| progress.matched);
        matched.min().unwrap_or(0)
    }

    /// Whether this member may answer linearizable reads without asking anyone: it leads, it is the
    /// only voter, and an entry of its own term is committed. Reads then wait only until everything
    /// that was committed at this moment is applied.
    pub fn reads_alone(&self) -> bool {
        let raft = &self.raw.raft;
        raft.state == StateRole::Leader
            && raft.prs().is_singleton()
            && raft.commit_to_current_term()
    }

    /// Whether proposals are refused because too much waits to be applied.
    pub fn is_overloaded(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        log.committed.saturating_sub(log.applied) > UNAPPLIED_ENTRIES_MAX
            || self.raw.store().bytes() + self.proposal_bytes > self.config.tail_bytes_max
    }

    fn gather(&mut self, token: u64, data: Bytes) {
        if self.is_overloaded() {
            self.drop_proposal(token, DropReason::TooManyRequests);
        } else if !fits(data.len(), self.config.group_bytes_max) {
            self.drop_proposal(token, DropReason::TooLarge);
        } else {
            self.proposal_bytes += data.len();
            self.proposals.push(proposal(data));
            self.proposal_tokens.push(token);
        }
    }

    fn propose_gathered(&mut self) {
        if self.proposals.is_empty() {
            return;
        }
        self.proposal_bytes = 0;
        let entries = std::mem::take(&mut self.proposals);
        if self.propose(entries) {
            self.proposal_tokens.clear();
            return;
        }
        let reason = self.drop_reason();
        let dropped = self.proposal_tokens.drain(..);
        self.output.dropped.extend(dropped.map(|token| Dropped { token, reason }));
    }

    /// Enters raft at once: what is gathered is forwarded if this member is deposed before the next
    /// output.
    fn propose_as_leader(&mut self, term: u64, data: Bytes) {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader
            || raft.term != term
            || self.is_overloaded()
            || !fits(data.len(), self.config.group_bytes_max)
        {
            return;
        }
        self.propose_gathered();
        // raft refuses while it hands leadership over.
        self.propose(vec![proposal(data)]);
    }

    fn propose_conf_change(&mut self, token: u64, data: &[u8]) {
        let Some(data) = checked_conf_change(data) else {
            self.drop_proposal(token, DropReason::InvalidConfChange);
            return;
        };
        let raft = &self.raw.raft;
        // raft would put an empty entry in its place, and nobody would ever be answered.
        if raft.state == StateRole::Leader && raft.has_pending_conf() {
            self.drop_proposal(token, DropReason::ConfChangePending);
            return;
        }
        if !self.propose(vec![conf_change_proposal(data)]) {
            self.drop_proposal(token, self.drop_reason());
        }
    }

    /// Gives entries to raft, which appends or forwards all of them or none.
    fn propose(&mut self, entries: Vec<Entry>) -> bool {
        let message = Message {
            msg_type: MessageType::MsgPropose,
            from: self.config.id,
            entries: entries.into(),
            ..Message::default()
        };
        self.raw.step(message).is_ok()
    }

    fn drop_proposal(&mut self, token: u64, reason: DropReason) {
        self.output.dropped.push(Dropped { token, reason });
    }

    /// Why raft has just refused a proposal.
    fn drop_reason(&self) -> DropReason {
        let raft = &self.raw.raft;
        if raft.leader_id == raft::INVALID_ID {
            DropReason::NoLeader
        } else if raft.lead_transferee.is_some() {
            DropReason::LeaderTransfer
        } else {
            DropReason::Removed
        }
    }

    fn tick(&mut self) {
        // A lone voter has nobody to wait for. raft's own timer must not start its campaign,
        // because raft wins it on the spot and then insists that everything is persisted.
        if !self.is_lone_candidate() && !self.awaits_snapshot() {
            self.raw.tick();
        }
        self.feed.tick();
        self.ask_reads_again();
    }

    fn persisted(&mut self, number: u64) {
        let mut covered = 0;
        while let Some(oldest) = self.unpersisted.front() {
            if oldest.is_group && oldest.number > number {
                break;
            }
            covered = oldest.number;
            if let Some(oldest) = self.unpersisted.pop_front() {
                self.term_persisted = self.term_persisted.max(oldest.term);
                self.send(oldest.messages);
            }
        }
        self.raw.on_persist_ready(covered);
        self.tell_install();
        self.advance_applied();
    }

    fn conf_changed(&mut self, change: Option<&ConfChange>, state: &ConfState) -> Result<()> {
        if self.changes_superseded > 0 {
            self.changes_superseded -= 1;
            return Ok(());
        }
        self.raw.mut_store().set_conf_state(state);
        let mapped = to_raft(change);
        if mapped.node_id != raft::INVALID_ID {
            let reached = self.raw.apply_conf_change(&mapped)?;
            assert!(
                same_conf_state(state, &reached),
                "the applied configuration {state:?} isn't raft's {reached:?}"
            );
        }
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader && !raft.promotable() {
            // raft leaves a removed leader in office, where it would look for itself and panic.
            raft.become_follower(raft.term, raft::INVALID_ID);
        }
        self.output.removed |= change.is_some_and(|change| {
            change.r#type() == ConfChangeType::ConfChangeRemoveNode
                && change.node_id == self.config.id
        });
        self.changes_out.pop_front();
        self.advance_applied();
        Ok(())
    }

    fn applied(&mut self, index: u64) {
        let handed_out = self.handed_out;
        assert!(index <= handed_out, "applied {index}, but only {handed_out} was handed out");
        self.applied_reported = self.applied_reported.max(index);
        self.advance_applied();
    }

    /// Lets go of leadership, unless nobody else could have it. What this member says as a follower
    /// or candidate waits for its disk, so it isn't elected again before that is well.
    fn step_down(&mut self) {
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader && !raft.prs().is_singleton() {
            raft.become_follower(raft.term, raft::INVALID_ID);
        }
    }

    /// Tells raft what is applied, and trims the tail. Reports may overtake each other: until raft
    /// has carried out a membership change, its entry doesn't count as applied, or a second change
    /// could be proposed on top of it. A snapshot counts only when the log has it, too.
    fn advance_applied(&mut self) {
        let before_change = self.changes_out.front().map_or(u64::MAX, |index| index - 1);
        let log = &self.raw.raft.raft_log;
        let index = self.applied_reported.min(before_change).min(log.persisted).max(log.applied);
        self.raw.advance_apply_to(index);
        let has_peers = self.raw.raft.prs().iter().len() > 1;
        let budget = if has_peers { self.config.tail_bytes_kept } else { 0 };
        self.raw.mut_store().trim(index, budget);
    }

    /// Whether this member is the only voter and not the leader.
    fn is_lone_candidate(&self) -> bool {
        let raft = &self.raw.raft;
        raft.state != StateRole::Leader && raft.promotable() && raft.prs().is_singleton()
    }

    /// A lone voter needs nobody's vote, so it doesn't wait for a timeout. But everything in its
    /// log must be durable, and no committed membership change may be waiting to be applied.
    fn campaign_if_alone(&mut self) -> Result<()> {
        let log = &self.raw.raft.raft_log;
        if self.is_lone_candidate()
            && log.persisted == log.last_index()
            && !self.raw.store().has_conf_change(log.applied, log.committed)
        {
            self.raw.campaign()?;
        }
        Ok(())
    }

    /// Replaces the timeout that raft drew by the one that the seed gives.
    fn settle_election_timeout(&mut self) {
        let raft = &mut self.raw.raft;
        let MemberConfig { id, seed, .. } = self.config;
        let ticks = timeout_ticks(seed, id, raft.term, self.config.election_ticks);
        if raft.randomized_election_timeout() != ticks {
            raft.set_randomized_election_timeout(ticks);
        }
    }
}

fn role_of(state: StateRole) -> Role {
    match state {
        StateRole::Follower => Role::Follower,
        StateRole::PreCandidate => Role::PreCandidate,
        StateRole::Candidate => Role::Candidate,
        StateRole::Leader => Role::Leader,
    }
}
