//! A whole member without threads: for tests, and for simulations that decide what happens when.
//!
//! The work is cut into the pieces that the threads of a server would do: [`Inline::consult`] (the
//! raft thread), [`Inline::submit`] and [`Inline::complete`] (the log thread), [`Inline::apply`]
//! (the apply thread), [`Inline::maintain`] (the pool). Any order is allowed; [`Inline::settle`]
//! does all of it until nothing is left. After an error nothing is done any more.

use crate::{
    AppendGroup, Dropped, Error, Input, Install, KIND_NORMAL, Output, Parts, Read, Result,
    RoleChange, SnapshotOrder, apply_conf_change, install,
};
use retcd_api::raftpb;
use retcd_engine::{Engine, Step};
use retcd_mvcc::{CommittedEntry, Outcome, Store};
use retcd_wal::{Group, LogEntry, Purge};
use std::collections::VecDeque;
use std::time::Duration;

/// A member in one thread.
pub struct Inline {
    parts: Parts,
    /// Groups that the log doesn't have yet.
    groups: VecDeque<AppendGroup>,
    /// Numbers of the groups under way.
    under_way: VecDeque<u64>,
    /// Committed entries that aren't executed yet.
    committed: VecDeque<LogEntry>,
    told: Told,
    now: Duration,
    stopped: bool,
}

/// What a member has told the world since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Executed entries, in order: also those whose batch failed before it was published.
    pub executed: Vec<LogEntry>,
    /// What published entries led to, in order, one for each.
    pub outcomes: Vec<Outcome>,
    /// Confirmed reads whose index is applied.
    pub reads: Vec<Read>,
    /// Reads that are to be asked again.
    pub reads_dropped: Vec<u64>,
    /// Proposals that didn't enter the log.
    pub dropped: Vec<Dropped>,
    /// Messages to peers.
    pub messages: Vec<raftpb::Message>,
    /// The newest role.
    pub role: Option<RoleChange>,
    /// Whether background work found the disk full. It goes on when there is room.
    pub out_of_space: bool,
    /// Snapshots to be sent: see [`Output::snapshots`].
    pub snapshots: Vec<SnapshotOrder>,
    /// What is to be installed, with [`Inline::install`] once everything before is applied.
    pub install: Option<Install>,
    /// Whether a snapshot that was offered isn't needed.
    pub snapshot_unneeded: bool,
    /// Confirmed reads that wait.
    waiting_reads: Vec<Read>,
}

impl Inline {
    /// Takes the parts over.
    pub fn new(parts: Parts) -> Inline {
        Inline {
            parts,
            groups: VecDeque::new(),
            under_way: VecDeque::new(),
            committed: VecDeque::new(),
            told: Told::default(),
            now: Duration::ZERO,
            stopped: false,
        }
    }

    /// The parts, to look at.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The replicated state.
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// Sets the time that executed entries see.
    pub fn set_now(&mut self, now: Duration) {
        self.now = now;
    }

    /// Steps consensus.
    pub fn step(&mut self, input: Input) -> Result<()> {
        self.guarded(|inline| inline.parts.consensus.step(input))
    }

    /// Takes one output of consensus. Says whether there was one.
    pub fn consult(&mut self) -> Result<bool> {
        self.guarded(|inline| {
            if !inline.parts.consensus.has_output() {
                return Ok(false);
            }
            let output = inline.parts.consensus.take_output()?;
            inline.take(output);
            Ok(true)
        })
    }

    /// Gives the log its next group, if there is one and the log takes it.
    pub fn submit(&mut self) -> Result<bool> {
        self.guarded(|inline| {
            if inline.under_way.len() >= inline.parts.log.depth() {
                return Ok(false);
            }
            let Some(group) = inline.groups.pop_front() else {
                return Ok(false);
            };
            let AppendGroup { entries, hard_state, snapshot, .. } = &group;
            let (hard_state, snapshot) = (*hard_state, *snapshot);
            inline.parts.log.submit(&Group { entries, hard_state, snapshot })?;
            inline.under_way.push_back(group.number);
            Ok(true)
        })
    }

    /// Waits for the oldest group under way, if there is one.
    pub fn complete(&mut self) -> Result<bool> {
        self.guarded(|inline| {
            if inline.parts.log.complete()?.is_none() {
                return Ok(false);
            }
            let number = inline.under_way.pop_front().expect("it was submitted here");
            inline.parts.consensus.step(Input::Persisted { number })?;
            Ok(true)
        })
    }

    /// Executes up to `entries_max` committed entries as one batch.
    pub fn apply(&mut self, entries_max: usize) -> Result<bool> {
        self.guarded(|inline| {
            let count = entries_max.min(inline.committed.len());
            let batch: Vec<_> = inline.committed.drain(..count).collect();
            let Some(index) = batch.last().map(|entry| entry.index) else {
                return Ok(false);
            };
            let mut outcomes = Vec::new();
            for entry in batch {
                outcomes.push(inline.execute(entry)?);
            }
            inline.parts.applier.publish()?;
            inline.told.outcomes.append(&mut outcomes);
            inline.parts.consensus.step(Input::Applied { index })?;
            inline.release_reads();
            Ok(true)
        })
    }

    /// Applies what was committed before, and makes the checkpoint in [`DataDir::incoming`] the
    /// state: that of [`Told::install`].
    ///
    /// [`DataDir::incoming`]: crate::DataDir::incoming
    pub fn install(&mut self, told: &Install) -> Result<()> {
        while self.apply(usize::MAX)? {}
        self.guarded(|inline| {
            let Parts { engine, applier, data_dir, .. } = &mut inline.parts;
            install(told, engine, applier, data_dir.incoming())?;
            inline.parts.consensus.step(Input::Installed { index: told.mark.index })?;
            inline.release_reads();
            Ok(())
        })
    }

    /// Does one piece of what is due in the background: flushes, merges, log segments.
    pub fn maintain(&mut self) -> Result<bool> {
        self.guarded(|inline| {
            let flushed = inline.parts.engine.flushed().index;
            let replicated = inline.parts.consensus.status().replicated;
            let purge = Purge { flushed, replicated, segments_max: 0 };
            let worked = match inline.parts.engine.step()? {
                Step::Worked => true,
                Step::Idle => false,
                Step::OutOfSpace => {
                    inline.told.out_of_space = true;
                    false
                }
            };
            Ok(worked
                || inline.parts.log.purge(purge)? == retcd_wal::Step::Worked
                || inline.prepare_log()?)
        })
    }

    /// Lets go of a log segment beyond the newest so many, whoever may lack it. Says whether there
    /// was one.
    pub fn purge_beyond(&mut self, segments_max: usize) -> Result<bool> {
        self.guarded(|inline| {
            let flushed = inline.parts.engine.flushed().index;
            let purge = Purge { flushed, replicated: 0, segments_max };
            Ok(inline.parts.log.purge(purge)? == retcd_wal::Step::Worked)
        })
    }

    fn prepare_log(&mut self) -> Result<bool> {
        match self.parts.log.prepare() {
            Ok(step) => Ok(step == retcd_wal::Step::Worked),
            Err(retcd_wal::Error::PreparationDiskFull { .. }) => {
                self.told.out_of_space = true;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Does everything that is due, until nothing is left.
    pub fn settle(&mut self) -> Result<()> {
        while self.consult()?
            || self.submit()?
            || self.complete()?
            || self.apply(usize::MAX)?
            || self.maintain()?
        {}
        Ok(())
    }

    /// What was told since the last call.
    pub fn told(&mut self) -> Told {
        let waiting_reads = std::mem::take(&mut self.told.waiting_reads);
        std::mem::replace(&mut self.told, Told { waiting_reads, ..Told::default() })
    }

    /// Stops cleanly: the log is closed. What wasn't appended is lost.
    pub fn close(self) -> Result<()> {
        Ok(self.parts.log.close()?)
    }

    fn take(&mut self, output: Output) {
        self.groups.extend(output.groups);
        self.committed.extend(output.committed);
        self.told.messages.extend(output.messages);
        self.told.waiting_reads.extend(output.reads);
        self.told.reads_dropped.extend(output.reads_dropped);
        self.told.dropped.extend(output.dropped);
        self.told.role = output.role.or(self.told.role);
        self.told.snapshots.extend(output.snapshots);
        self.told.snapshot_unneeded |= output.snapshot_unneeded;
        self.told.install = output.install.or(self.told.install.take());
        self.release_reads();
    }

    fn execute(&mut self, entry: LogEntry) -> Result<Outcome> {
        self.told.executed.push(entry.clone());
        if entry.kind == KIND_NORMAL {
            let LogEntry { index, term, data, .. } = entry;
            let entry = CommittedEntry { index, term, data };
            return Ok(self.parts.applier.apply(&entry, self.now)?);
        }
        let changed = apply_conf_change(&mut self.parts.applier, &entry)?;
        let (change, state) = (changed.change, changed.state);
        self.parts.consensus.step(Input::ConfChanged { change, state })?;
        Ok(changed.outcome)
    }

    fn release_reads(&mut self) {
        let applied = self.parts.store.applied_index();
        let ready = self.told.waiting_reads.extract_if(.., |read| read.index <= applied);
        self.told.reads.extend(ready);
    }

    /// Runs `work` unless an earlier call failed; remembers if it does.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Inline) -> Result<T>) -> Result<T> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        let result = work(self);
        self.stopped = result.is_err();
        result
    }
}
