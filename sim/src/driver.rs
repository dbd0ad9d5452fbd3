//! A running member: its parts, and the work that lies between them.
//!
//! What a server's threads would do is cut into pieces, as in [`retcd_raft_glue::Inline`]; here, in
//! addition, what goes from one part to another can be done wrong ([`Defect`]).

use crate::defect::Defect;
use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::InternalRaftRequest;
use retcd_api::raftpb::{self, MessageType};
use retcd_engine::{Engine, Step};
use retcd_mvcc::{CommittedEntry, Outcome, Response, Store};
use retcd_raft_glue::{
    AppendGroup, Dropped, Error, Input, Install, KIND_NORMAL, Output, Parts, Read, Result, Role,
    RoleChange, SnapshotOrder, Status, apply_conf_change, install, snapshot_message,
};
use retcd_testkit::random::Random;
use retcd_wal::{Group, HardState, LogEntry, Purge};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One in so many entries is executed wrongly, if that is the defect.
const WRONG_EVERY: u64 = 40;

/// The term of the entries that found a cluster.
const FOUNDING_TERM: u64 = 1;

/// What a member has said since it was last asked.
#[derive(Default)]
pub(crate) struct Told {
    /// Executed entries, in order, and what they led to.
    pub(crate) executed: Vec<(LogEntry, Outcome)>,
    /// Contexts of reads that may be served now.
    pub(crate) reads: Vec<u64>,
    pub(crate) reads_dropped: Vec<u64>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) messages: Vec<raftpb::Message>,
    pub(crate) role: Option<RoleChange>,
    /// Requests that are acknowledged although nothing was executed.
    pub(crate) acknowledged: Vec<u64>,
    /// Whether it doesn't belong to the cluster any more.
    pub(crate) removed: bool,
    /// Snapshots to be sent.
    pub(crate) snapshots: Vec<SnapshotOrder>,
    /// The index of a snapshot that has become the state.
    pub(crate) installed: Option<u64>,
}

/// What members did in the background, to be sure that runs are worth something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkDone {
    /// Flushes and commits of engines.
    pub flushes: u64,
    /// Merges that went on to their end.
    pub merges: u64,
    /// Segments of logs that were begun.
    pub segments: u64,
    /// Segments whose files were used again.
    pub recycled: u64,
}

impl WorkDone {
    /// Both together.
    pub fn plus(&self, other: &WorkDone) -> WorkDone {
        WorkDone {
            flushes: self.flushes + other.flushes,
            merges: self.merges + other.merges,
            segments: self.segments + other.segments,
            recycled: self.recycled + other.recycled,
        }
    }
}

/// A group that the log was given.
struct UnderWay {
    number: u64,
    begun: Duration,
    /// Index of its last entry, if it has any.
    last: Option<u64>,
    requests: Vec<u64>,
}

/// A running member.
pub(crate) struct Driver {
    parts: Parts,
    defect: Option<Defect>,
    groups: VecDeque<AppendGroup>,
    under_way: VecDeque<UnderWay>,
    committed: VecDeque<LogEntry>,
    reads: Vec<Read>,
    /// A snapshot that is to become the state when everything before is executed.
    install: Option<Install>,
    told: Told,
    /// Whether nothing has come to be executed yet.
    is_fresh: bool,
    /// Of the entry that this life executed last; 0 before the first one.
    executed_term: u64,
    /// The last entry that wasn't empty.
    last_request: Option<LogEntry>,
    was_leader: bool,
    /// Index up to which the log is on the disk.
    durable: u64,
}

impl Driver {
    pub(crate) fn new(parts: Parts, defect: Option<Defect>) -> Driver {
        Driver {
            durable: parts.log.last_index(),
            parts,
            defect,
            groups: VecDeque::new(),
            under_way: VecDeque::new(),
            committed: VecDeque::new(),
            reads: Vec::new(),
            install: None,
            told: Told::default(),
            is_fresh: true,
            executed_term: 0,
            last_request: None,
            was_leader: false,
        }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.parts.store
    }

    /// What the log says of term and vote.
    pub(crate) fn logged(&self) -> HardState {
        self.parts.log.state().hard_state
    }

    pub(crate) fn status(&self) -> Status {
        self.parts.consensus.status()
    }

    pub(crate) fn leads(&self) -> bool {
        self.status().role == Role::Leader
    }

    /// Index up to which the engine needs no log.
    pub(crate) fn flushed(&self) -> u64 {
        self.parts.engine.flushed().index
    }

    /// Index up to which the log is on the disk, whatever the member was told.
    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// What this life did in the background.
    pub(crate) fn work_done(&self) -> WorkDone {
        let (engine, log) = (self.parts.engine.stats(), self.parts.log.stats());
        WorkDone {
            flushes: engine.flushes,
            merges: engine.merges,
            segments: log.rotations,
            recycled: log.recycled,
        }
    }

    pub(crate) fn has_committed(&self) -> bool {
        !self.committed.is_empty() || self.is_installing()
    }

    /// Whether a snapshot is on its way to be the state.
    pub(crate) fn is_installing(&self) -> bool {
        self.install.is_some()
    }

    /// Whether nothing is left to be written or executed.
    pub(crate) fn is_idle(&self) -> bool {
        self.groups.is_empty() && self.under_way.is_empty() && self.committed.is_empty()
    }

    /// What was said since the last call.
    pub(crate) fn told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    pub(crate) fn step(&mut self, input: Input) -> Result<()> {
        self.parts.consensus.step(input)
    }

    /// One unit of time passed. A leader whose disk has done nothing for so long lets another lead.
    pub(crate) fn tick(&mut self, now: Duration, patience: Duration) -> Result<()> {
        self.step(Input::Tick)?;
        let is_stalled = |group: &UnderWay| now.saturating_sub(group.begun) > patience;
        if self.leads() && self.under_way.front().is_some_and(is_stalled) {
            self.step(Input::StepDown)?;
        }
        Ok(())
    }

    /// Takes a peer's message.
    pub(crate) fn hear(&mut self, message: Box<raftpb::Message>) -> Result<()> {
        let is_question = message.r#type() == MessageType::MsgReadIndex;
        if self.defect == Some(Defect::LeaderAnswersAlone)
            && is_question
            && self.has_executed_as_leader()
        {
            let status = self.status();
            self.told.messages.push(raftpb::Message {
                r#type: MessageType::MsgReadIndexResp.into(),
                from: message.to,
                to: message.from,
                term: status.term,
                index: status.committed,
                ..*message
            });
            return Ok(());
        }
        self.step(Input::Message(message))
    }

    /// Whether this member leads and has executed an entry of its term.
    fn has_executed_as_leader(&self) -> bool {
        let status = self.status();
        status.role == Role::Leader && self.executed_term == status.term
    }

    /// Asks whether a read is linearizable.
    pub(crate) fn ask_read(&mut self, context: u64) -> Result<()> {
        let status = self.status();
        let index = match self.defect {
            Some(Defect::ReadWithoutRound) => 0,
            Some(Defect::LeaderReadsAlone) if status.role == Role::Leader => status.committed,
            _ => return self.step(Input::ReadIndex { context }),
        };
        self.reads.push(Read { context, index });
        self.release_reads();
        Ok(())
    }

    /// Takes all outputs of consensus.
    pub(crate) fn consult(&mut self) -> Result<()> {
        while self.parts.consensus.has_output() {
            let output = self.parts.consensus.take_output()?;
            self.take(output)?;
        }
        Ok(())
    }

    fn take(&mut self, output: Output) -> Result<()> {
        self.groups.extend(output.groups);
        self.told.messages.extend(output.messages);
        self.reads.extend(output.reads);
        self.told.reads_dropped.extend(output.reads_dropped);
        self.told.dropped.extend(output.dropped);
        self.told.role = output.role.or(self.told.role);
        self.told.removed |= output.removed;
        self.told.snapshots.extend(output.snapshots);
        self.install = output.install.or(self.install.take());
        if let Some(change) = output.role {
            self.note_role(change.role == Role::Leader);
        }
        if let Some(index) = self.passed_over(&output.committed) {
            return self.step(Input::Applied { index });
        }
        self.is_fresh &= output.committed.is_empty();
        self.committed.extend(output.committed);
        self.release_reads();
        Ok(())
    }

    /// Index of the last of the first committed entries, if these are to be passed over.
    fn passed_over(&mut self, committed: &[LogEntry]) -> Option<u64> {
        let may_be = |entry: &LogEntry| entry.kind == KIND_NORMAL && entry.term > FOUNDING_TERM;
        let are_passed_over = self.defect == Some(Defect::SkipReplay)
            && std::mem::take(&mut self.is_fresh)
            && committed.iter().all(may_be);
        committed.last().filter(|_| are_passed_over).map(|last| last.index)
    }

    /// Whether there is a group for the log, and the log takes it.
    pub(crate) fn has_group(&self) -> bool {
        !self.groups.is_empty() && self.under_way.len() < self.parts.log.depth()
    }

    /// Gives the log its next group.
    pub(crate) fn begin_group(&mut self, now: Duration) -> Result<()> {
        let group = self.groups.pop_front().expect("there is one");
        let AppendGroup { number, entries, hard_state, snapshot } = &group;
        let hard_state = hard_state.map(|state| self.kept(state, entries));
        self.parts.log.submit(&Group { entries, hard_state, snapshot: *snapshot })?;
        let number = *number;
        let unsynced = match self.leads() {
            true => Defect::LeaderCountsUnsynced,
            false => Defect::FollowerAnswersUnsynced,
        };
        if self.defect == Some(unsynced) {
            self.step(Input::Persisted { number })?;
        }
        let requests = entries.iter().filter_map(request_id).collect();
        let last = entries.last().map(|entry| entry.index);
        self.under_way.push_back(UnderWay { number, begun: now, last, requests });
        Ok(())
    }

    fn kept(&self, state: HardState, entries: &[LogEntry]) -> HardState {
        match self.defect {
            Some(Defect::ForgetVote) => HardState { vote: 0, ..state },
            Some(Defect::ForgetTerm) if entries.is_empty() => {
                let term = self.parts.log.state().last_term;
                HardState { term, vote: 0, ..state }
            }
            _ => state,
        }
    }

    /// The oldest group under way is durable.
    pub(crate) fn end_group(&mut self) -> Result<()> {
        let completed = self.parts.log.complete()?;
        let (Some(_), Some(group)) = (completed, self.under_way.pop_front()) else {
            panic!("no group is under way");
        };
        self.durable = group.last.unwrap_or(self.durable);
        if self.defect == Some(Defect::AnswerBeforeCommit) && self.leads() {
            self.told.acknowledged.extend(group.requests);
        }
        self.step(Input::Persisted { number: group.number })
    }

    /// Executes up to `entries_max` committed entries as one batch.
    pub(crate) fn apply(
        &mut self,
        entries_max: usize,
        now: Duration,
        random: &mut Random,
    ) -> Result<()> {
        self.install_if_due()?;
        let count = entries_max.min(self.committed.len());
        let batch: Vec<_> = self.committed.drain(..count).collect();
        let Some(&LogEntry { index, term, .. }) = batch.last() else {
            return Ok(());
        };
        self.executed_term = term;
        let mut executed = Vec::new();
        for entry in batch {
            let outcome = self.execute(&entry, now, random)?;
            // A new leader's first entry: leases count from now.
            if entry.data.is_empty() && entry.term == self.status().term && self.leads() {
                self.parts.store.promote(now, Duration::ZERO);
            }
            executed.push((entry, outcome));
        }
        self.parts.applier.publish()?;
        if self.defect == Some(Defect::ExchangeAnswers) {
            exchange(&mut executed);
        }
        self.told.executed.append(&mut executed);
        self.step(Input::Applied { index })?;
        self.release_reads();
        Ok(())
    }

    fn execute(&mut self, entry: &LogEntry, now: Duration, random: &mut Random) -> Result<Outcome> {
        if entry.kind != KIND_NORMAL {
            let is_first = entry.term == FOUNDING_TERM;
            return match self.defect {
                Some(Defect::SkipConfChange) if !is_first && random.one_in(2) => {
                    self.pass_over_configuration(entry)
                }
                _ => self.change_configuration(entry),
            };
        }
        let mut data = entry.data.clone();
        match self.defect {
            Some(Defect::SkipEntry) if random.one_in(WRONG_EVERY) => data.clear(),
            Some(Defect::OtherValueOnFollower) if !self.leads() && random.one_in(WRONG_EVERY) => {
                data = with_other_value(&data);
            }
            Some(Defect::ExecuteTwice) if data.is_empty() => {
                if let Some(last) = self.last_request.take() {
                    data = last.data;
                }
            }
            _ => {}
        }
        if !entry.data.is_empty() {
            self.last_request = Some(entry.clone());
        }
        let LogEntry { index, term, .. } = *entry;
        Ok(self.parts.applier.apply(&CommittedEntry { index, term, data }, now)?)
    }

    fn change_configuration(&mut self, entry: &LogEntry) -> Result<Outcome> {
        let changed = apply_conf_change(&mut self.parts.applier, entry)?;
        let (change, state) = (changed.change, changed.state);
        self.step(Input::ConfChanged { change, state })?;
        Ok(changed.outcome)
    }

    fn pass_over_configuration(&mut self, entry: &LogEntry) -> Result<Outcome> {
        let LogEntry { index, term, .. } = *entry;
        let nothing = CommittedEntry { index, term, data: Bytes::new() };
        let outcome = self.parts.applier.apply(&nothing, Duration::ZERO)?;
        let state = raftpb::ConfState::decode(self.parts.applier.conf_state().clone());
        let state = Box::new(state.expect("it was encoded here"));
        self.step(Input::ConfChanged { change: None, state })?;
        Ok(outcome)
    }

    fn install_if_due(&mut self) -> Result<()> {
        if !self.committed.is_empty() {
            return Ok(());
        }
        let Some(told) = self.install.take() else { return Ok(()) };
        let Parts { engine, applier, data_dir, .. } = &mut self.parts;
        install(&told, engine, applier, data_dir.incoming())?;
        self.told.installed = Some(told.mark.index);
        self.step(Input::Installed { index: told.mark.index })?;
        self.release_reads();
        Ok(())
    }

    /// Makes a checkpoint in folder `to`, and the message that offers it.
    pub(crate) fn checkpoint(
        &mut self,
        ordered: raftpb::Message,
        to: &Path,
    ) -> Result<raftpb::Message> {
        let engine = &self.parts.engine;
        engine.request_flush()?;
        while engine.step()? == Step::Worked {}
        let mut checkpoint = engine.checkpoint(to)?;
        loop {
            if let Some(applied) = checkpoint.step()? {
                return snapshot_message(ordered, &applied);
            }
        }
    }

    /// Does one piece of what is due in the background: flushes, merges, log segments. `replicated`
    /// is up to where no member needs the log.
    pub(crate) fn maintain(&mut self, replicated: u64, segments_max: usize) -> Result<()> {
        let flushed = self.flushed();
        let replicated = replicated.min(self.known_to_match());
        if self.parts.engine.step()? == Step::Worked {
            return Ok(());
        }
        let purge = Purge { flushed, replicated, segments_max };
        if self.parts.log.purge(purge)? == retcd_wal::Step::Worked {
            return Ok(());
        }
        match self.parts.log.prepare() {
            Ok(_) | Err(retcd_wal::Error::PreparationDiskFull { .. }) => Ok(()),
            Err(error) => Err(Error::from(error)),
        }
    }

    /// Up to where a leader knows all logs to agree with its own: it goes back so far.
    fn known_to_match(&self) -> u64 {
        let matched = self.parts.consensus.matched().unwrap_or_default();
        matched.into_iter().map(|(_, index)| index).min().unwrap_or(u64::MAX)
    }

    /// A member that doesn't lead any more doesn't judge leases.
    fn note_role(&mut self, leads: bool) {
        if self.was_leader && !leads {
            self.parts.store.demote();
        }
        self.was_leader = leads;
    }

    fn release_reads(&mut self) {
        let applied = match self.defect {
            Some(Defect::ReadBeforeApplied) => u64::MAX,
            _ => self.parts.store.applied_index(),
        };
        let ready = self.reads.extract_if(.., |read| read.index <= applied);
        self.told.reads.extend(ready.map(|read| read.context));
    }
}

fn request_id(entry: &LogEntry) -> Option<u64> {
    let request = InternalRaftRequest::decode(entry.data.clone()).ok()?;
    (entry.kind == KIND_NORMAL).then_some(request.header?.id)
}

/// The two last answers of clients' puts change places.
fn exchange(executed: &mut [(LogEntry, Outcome)]) {
    let is_put = |outcome: &Outcome| matches!(outcome.result, Ok(Response::Put(_)));
    let mut puts = executed.iter_mut().rev().filter(|(_, outcome)| is_put(outcome));
    if let (Some((_, one)), Some((_, other))) = (puts.next(), puts.next()) {
        std::mem::swap(&mut one.result, &mut other.result);
    }
}

fn with_other_value(data: &[u8]) -> Bytes {
    let mut request = InternalRaftRequest::decode(data).expect("somebody encoded it");
    if let Some(put) = &mut request.put {
        put.value = "another".into();
    }
    request.encode_to_vec().into()
}
