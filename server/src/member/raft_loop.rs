//! The raft thread: steps the consensus and hands its outputs on.

use super::apply::{Apply, Committed, Work};
use super::handle::{DROPPED, Event, Member};
use super::log::Writer;
use super::log_stall::LogStall;
use super::membership::CHANGE_PENDING;
use super::pending::Answer;
use super::stage::{Bring, Stage};
use crate::member::Failure;
use crate::peers::Peers;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use retcd_api::{Code, Error};
use retcd_raft_glue::{DropReason, Input, Member as Consensus, Output, Role, RoleChange};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Inputs stepped before outputs are taken: bounds how long a full queue holds up the log.
const INPUTS_PER_ROUND: usize = 4096;

/// Committed entries that the raft thread applies itself, if there is nothing else to do.
const APPLIED_AT_ONCE_MAX: usize = 64;

/// How long a member that was removed goes on, so that whoever asked for it hears of it.
const REMOVED_GRACE: Duration = Duration::from_secs(1);

/// The raft thread's possessions.
pub(super) struct RaftLoop {
    pub(super) consensus: Consensus,
    pub(super) events: Receiver<Event>,
    pub(super) log: Arc<Stage<Writer>>,
    pub(super) apply: Arc<Stage<Apply>>,
    pub(super) member: Arc<Member>,
    pub(super) peers: Arc<Peers>,
    pub(super) tick: Duration,
    /// Whether groups wait for company (`--wal-group-delay`).
    pub(super) groups_wait: bool,
    /// Whether a group that is handed to the log doesn't hold up who hands it.
    pub(super) log_overlaps: bool,
    /// Applied index that the consensus knows of.
    pub(super) applied: u64,
    /// See [`super::status::Status`].
    pub(super) lone_leader_from: u64,
    /// What the log was given and hasn't made durable yet.
    pub(super) log_stall: LogStall,
    /// When a member that was removed stops: peers and clients are told before.
    pub(super) stops_at: Option<Instant>,
}

impl RaftLoop {
    /// Runs until told to stop.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        let stopped = self.step_until_stopped();
        // The kernel may give up writes whose thread ends.
        stopped.and(self.log.settle())
    }

    fn step_until_stopped(&mut self) -> Result<(), Failure> {
        let mut next_tick = Instant::now() + self.tick;
        loop {
            // Whatever is to be said before the first event (a lone voter campaigns at once).
            self.hand_on()?;
            let first = match self.events.recv_deadline(next_tick) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            self.note_applied()?;
            let now = Instant::now();
            if now >= next_tick {
                if now - next_tick > self.tick && self.leads_others() {
                    self.member.metrics.heartbeat_is_late();
                }
                self.consensus.step(Input::Tick)?;
                // Ticks that a stall swallowed don't come back: peers must not be hurried.
                next_tick = (next_tick + self.tick).max(now);
                self.step_down_if_stalled(now)?;
                if self.stops_at.is_some_and(|stops_at| stops_at <= now) {
                    return Err(Failure::Removed);
                }
            }
            let more = first.is_some().then(|| self.events.clone());
            let more = more.iter().flat_map(|events| events.try_iter());
            for event in first.into_iter().chain(more).take(INPUTS_PER_ROUND) {
                match event {
                    Event::Input(input) => {
                        if let Input::Persisted { number } = input {
                            self.log_stall.persisted(number, Instant::now());
                        }
                        self.consensus.step(input)?;
                    }
                    Event::Peer(message, room) => {
                        self.consensus.step(Input::Message(message))?;
                        drop(room);
                    }
                    Event::Inspect(look) => look(&self.consensus),
                    Event::Removed => return Err(Failure::Removed),
                    Event::Stop => return Ok(()),
                }
            }
        }
    }

    fn note_applied(&mut self) -> Result<(), Failure> {
        let applied = self.member.status.applied();
        if applied > self.applied {
            self.applied = applied;
            self.consensus.step(Input::Applied { index: applied })?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Failure> {
        while self.consensus.has_output() {
            let output = self.consensus.take_output()?;
            self.publish(output.role);
            self.hand_on_output(output)?;
        }
        Ok(())
    }

    fn hand_on_output(&mut self, output: Output) -> Result<(), Failure> {
        // First of all: followers write while this member does.
        self.peers.send(output.messages);
        if !output.committed.is_empty() {
            let term = self.consensus.status().term;
            let committed = Committed { entries: output.committed, term };
            let is_small = committed.entries.len() <= APPLIED_AT_ONCE_MAX;
            // With something to write at the same time, applying goes on beside the disk. Peers
            // must not wait for it either.
            let is_alone = self.consensus.reads_alone();
            let bring = match is_alone && is_small && output.groups.is_empty() {
                true => Bring::Now,
                false => Bring::Later,
            };
            self.apply.bring(Work::Entries(committed), bring)?;
        }
        if let Some(install) = output.install {
            self.apply.bring(Work::Install(install), Bring::Later)?;
        }
        if output.snapshot_unneeded {
            self.member.discard_snapshot();
        }
        for order in output.snapshots {
            self.member.snapshots.sender.start(&self.member, &self.peers, order);
        }
        for group in output.groups {
            // Peers must not wait for this member's disk; a lone voter has none.
            // A group that waits for company does so on the log's own thread.
            let waits_for_nobody = self.log_overlaps || self.consensus.reads_alone();
            let is_now = waits_for_nobody && !self.groups_wait;
            let bring = if is_now { Bring::Now } else { Bring::Later };
            self.log_stall.handed_over(group.number, Instant::now());
            self.log.bring(group, bring)?;
        }
        for read in output.reads {
            let applied = self.member.status.applied();
            if let Some(context) = self.member.reads.confirmed(read.context, read.index, applied) {
                self.consensus.step(Input::ReadIndex { context })?;
            }
        }
        for context in output.reads_dropped {
            if let Some(context) = self.member.reads.dropped(context) {
                self.consensus.step(Input::ReadIndex { context })?;
            }
        }
        let mut refused: Vec<(u64, Answer)> = output
            .dropped
            .iter()
            .map(|dropped| (dropped.token, Err(refusal(dropped.reason))))
            .collect();
        self.member.answer(&mut refused);
        if output.removed && self.stops_at.is_none() {
            self.stops_at = Some(Instant::now() + REMOVED_GRACE);
        }
        Ok(())
    }

    fn leads_others(&self) -> bool {
        self.member.is_leader() && !self.consensus.reads_alone()
    }

    /// A leader whose disk has done nothing for an election's time would hold up everyone: it lets
    /// another one lead.
    fn step_down_if_stalled(&mut self, now: Instant) -> Result<(), Failure> {
        let limit = self.member.election_timeout;
        if self.leads_others()
            && let Some(stalled) = self.log_stall.lasts(now).filter(|&stalled| stalled > limit)
        {
            tracing::warn!(?stalled, "the log's disk stalls; giving up leadership");
            self.member.metrics.stepped_down();
            self.consensus.step(Input::StepDown)?;
        }
        Ok(())
    }

    fn publish(&mut self, role: Option<RoleChange>) {
        let status = self.consensus.status();
        if self.consensus.reads_alone() {
            if self.lone_leader_from == 0 {
                self.lone_leader_from = status.committed;
            }
        } else {
            self.lone_leader_from = 0;
        }
        self.member.status.set_raft(&status, self.lone_leader_from);
        if let Some(change) = role {
            self.member.role_changed(change.role == Role::Leader, change.leader, change.term);
        }
    }
}

/// However the raft thread ends, nothing comes after it.
impl Drop for RaftLoop {
    fn drop(&mut self) {
        self.log.end();
        self.apply.end();
    }
}

/// What a client is told about a proposal that didn't enter the log.
fn refusal(reason: DropReason) -> Error {
    match reason {
        DropReason::TooManyRequests => Error::RequestTooManyRequests,
        DropReason::NoLeader | DropReason::LeaderTransfer | DropReason::Removed => {
            Error::Other(Code::Unknown, DROPPED.into())
        }
        DropReason::ConfChangePending => Error::Other(Code::Unavailable, CHANGE_PENDING.into()),
        DropReason::InvalidConfChange => Error::Unhealthy,
        _ => Error::Unhealthy,
    }
}
