//! The apply stage: executes committed entries in order and answers those who wait.

use super::handle::{Event, Member};
use super::pending::Answer;
use super::stage::{Queue, Worker};
use crate::member::Failure;
use crate::metrics::{Ops, Request};
use crate::peers::Peers;
use crossbeam_channel::Sender;
use retcd_engine::Replaceable;
use retcd_mvcc::{Applier, CommittedEntry, Response};
use retcd_raft_glue::{ConfChanged, Input, Install, KIND_NORMAL};
use retcd_wal::{LogEntry, SnapshotMark};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How often the engine's backlog is looked at: far more often than a memtable fills.
const PUBLICATIONS_PER_LOOK: u64 = 64;

/// Committed entries on their way to the apply thread.
pub(super) struct Committed {
    pub(super) entries: Vec<LogEntry>,
    /// The raft thread's term: a new leader's first entry carries it.
    pub(super) term: u64,
}

/// Work for the apply thread.
pub(super) enum Work {
    /// Entries to execute.
    Entries(Committed),
    /// A received snapshot that is to become the state.
    Install(Install),
}

/// When a batch of applied entries is published.
#[derive(Clone, Debug)]
pub(crate) struct Batching {
    /// After this many entries.
    pub(crate) limit: usize,
    /// After this much time.
    pub(crate) interval: Duration,
}

/// The apply stage's possessions.
pub(super) struct Apply {
    pub(super) applier: Applier,
    pub(super) raft: Sender<Event>,
    pub(super) member: Arc<Member>,
    pub(super) peers: Arc<Peers>,
    pub(super) engine: Arc<Replaceable>,
    pub(super) batching: Batching,
    pub(super) slow: Duration,
    /// Entries up to here were in the log at the start: whoever asked for them is gone, and an id
    /// of theirs may have been given out again.
    pub(super) unanswered: u64,
    /// How often something was published.
    pub(super) publications: u64,
}

impl Worker for Apply {
    type Work = Work;

    /// A batch ends when the queue is empty, at the limit, or at the interval: it never waits to be
    /// filled.
    fn work(&mut self, first: Work, queue: &Queue<Work>) -> Result<(), Failure> {
        let mut answers = Vec::new();
        let mut started = Instant::now();
        let mut applied = 0;
        let mut last = 0;
        let mut next = Some(first);
        while let Some(work) = next {
            let committed = match work {
                Work::Entries(committed) => committed,
                Work::Install(install) => {
                    if applied > 0 {
                        self.publish(last, &mut answers)?;
                    }
                    self.install(&install)?;
                    (last, applied) = (install.mark.index, 0);
                    Committed { entries: Vec::new(), term: install.mark.term }
                }
            };
            for entry in committed.entries {
                last = entry.index;
                applied += 1;
                let now = self.apply(entry, committed.term, &mut answers)?;
                if applied >= self.batching.limit || now - started >= self.batching.interval {
                    self.publish(last, &mut answers)?;
                    applied = 0;
                    started = now;
                }
            }
            next = queue.next();
        }
        self.publish(last, &mut answers)
    }

    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Apply {
    /// Executes one entry; returns when it was done.
    fn apply(
        &mut self,
        entry: LogEntry,
        term: u64,
        answers: &mut Vec<(u64, Answer)>,
    ) -> Result<Instant, Failure> {
        let started = Instant::now();
        let index = entry.index;
        if entry.kind != KIND_NORMAL {
            self.change_configuration(&entry, answers)?;
            return Ok(Instant::now());
        }
        let request = Request::of_entry(&entry.data);
        let is_first_of_leader = entry.data.is_empty() && entry.term == term;
        let entry = CommittedEntry { index, term: entry.term, data: entry.data };
        let outcome = self.applier.apply(&entry, self.member.now())?;
        if is_first_of_leader {
            self.member.leads();
        }
        if let Some(alarm) = outcome.raise {
            self.member.raise(alarm);
        }
        let now = Instant::now();
        let took = now - started;
        self.count(request, &outcome.result, took);
        if took >= self.slow {
            self.member.apply_was_slow(index, took);
        }
        if index > self.unanswered {
            answers.push((outcome.request_id, outcome.result));
        }
        Ok(now)
    }

    fn count(&self, request: Option<Request>, result: &Answer, took: Duration) {
        let metrics = &self.member.metrics;
        if let Some(request) = request {
            metrics.applied(request, result.is_ok(), took);
        }
        match result {
            Ok(Response::Put(_)) => metrics.executed(Ops::PUT),
            Ok(Response::DeleteRange(_)) => metrics.executed(Ops::DELETE),
            Ok(Response::Range(_)) => metrics.executed(Ops::RANGE),
            Ok(Response::Txn(response)) => metrics.executed(Ops::of_txn(response)),
            Ok(Response::Compaction(_)) => metrics.compacted(SystemTime::now()),
            Ok(Response::LeaseGrant(response)) => metrics.lease_granted(response.ttl),
            Ok(Response::LeaseRevoke(_)) => metrics.lease_revoked(),
            Ok(_) | Err(_) => {}
        }
    }

    fn change_configuration(
        &mut self,
        entry: &LogEntry,
        answers: &mut Vec<(u64, Answer)>,
    ) -> Result<(), Failure> {
        let ConfChanged { change, state, outcome } =
            retcd_raft_glue::apply_conf_change(&mut self.applier, entry)?;
        if entry.index > self.unanswered {
            answers.push((outcome.request_id, outcome.result));
        }
        self.member.membership_applied(&self.peers);
        // The raft thread may be gone at shutdown; then nobody needs to know.
        let _ = self.raft.send(Event::Input(Input::ConfChanged { change, state }));
        Ok(())
    }

    /// Makes a received snapshot the state. Whoever waits for the answer to an entry that it covers
    /// isn't answered.
    fn install(&mut self, install: &Install) -> Result<(), Failure> {
        let began = Instant::now();
        let SnapshotMark { index, term } = install.mark;
        let _applying = self.member.metrics.snapshot_applying();
        let receiver = &self.member.snapshots.receiver;
        retcd_raft_glue::install(install, &self.engine, &mut self.applier, receiver.dir())?;
        receiver.installed();
        self.member.membership_applied(&self.peers);
        let took = began.elapsed();
        tracing::info!("snapshot-index" = index, term, ?took, "applied snapshot");
        // The raft thread may be gone at shutdown; then nobody needs to know.
        let _ = self.raft.send(Event::Input(Input::Installed { index }));
        Ok(())
    }

    fn publish(&mut self, last: u64, answers: &mut Vec<(u64, Answer)>) -> Result<(), Failure> {
        self.applier.publish()?;
        self.member.status.set_applied(last);
        self.member.reads.applied(last);
        self.member.answer(answers);
        self.publications += 1;
        if self.publications.is_multiple_of(PUBLICATIONS_PER_LOOK) {
            self.member.look_after_engine();
        }
        Ok(())
    }
}
