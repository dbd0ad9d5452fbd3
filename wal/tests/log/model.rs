//! A log and what it must say: every group that was submitted, how many were acknowledged, and what
//! an engine beside it has made durable. After a crash the log must have been left behind some
//! group at or after the last acknowledged one.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{IDENTITY, OPTIONS, Recovery, dir, read_back, with_entries};
use retcd_vfs::CrashVfs;
use retcd_wal::{
    BLOCK_BYTES, Error, Flushed, Group, HardState, Log, LogEntry, LogReader, LogState, Options,
    Purge, Result, SnapshotMark, Step,
};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Submits `entries` entries of `bytes` each, the first `back` before the end of the log.
    Submit { entries: u64, bytes: usize, back: u64 },
    /// Submits a hard state alone.
    Vote,
    /// Waits for the oldest group.
    Complete,
    /// Submits what `Submit` does and waits for everything.
    Append { entries: u64, bytes: usize, back: u64 },
    /// The engine flushes everything acknowledged but the newest `but` entries.
    Flush { but: u64 },
    /// Lets go of segments until there is nothing to let go.
    Purge { segments_max: usize },
    /// Prepares until there is nothing to prepare.
    Prepare,
    /// The engine switches to a snapshot that is `ahead` of the log, and the log is told, in one
    /// group with `entries` behind it.
    Snapshot { ahead: u64, entries: u64 },
    /// The same, but the log isn't told: the member is started again before.
    UntoldSnapshot { ahead: u64 },
    /// Closes and opens again.
    Close,
    /// Opens again without closing.
    Drop,
}

#[derive(Clone, Default, Debug, PartialEq)]
struct Said {
    entries: BTreeMap<u64, LogEntry>,
    state: LogState,
}

#[derive(Clone, Debug)]
struct OwnedGroup {
    entries: Vec<LogEntry>,
    hard_state: Option<HardState>,
    snapshot: Option<SnapshotMark>,
}

impl Said {
    fn apply(&mut self, group: &OwnedGroup) {
        if let Some(mark) = group.snapshot {
            self.restart(mark);
        }
        if let (Some(first), Some(last)) = (group.entries.first(), group.entries.last()) {
            self.entries.split_off(&first.index);
            self.entries.extend(group.entries.iter().map(|e| (e.index, e.clone())));
            (self.state.last_index, self.state.last_term) = (last.index, last.term);
        }
        if let Some(hard_state) = group.hard_state {
            self.state.hard_state = hard_state;
        }
    }

    fn restart(&mut self, mark: SnapshotMark) {
        self.entries.clear();
        self.state.snapshot = mark;
        (self.state.last_index, self.state.last_term) = (mark.index, mark.term);
    }

    /// Restarts the log if an engine that has flushed up to `at` contradicts it.
    fn reconciled_with(mut self, at: Flushed) -> Said {
        let term = match self.entries.get(&at.index) {
            Some(entry) => Some(entry.term),
            None if at.index == self.state.last_index => Some(self.state.last_term),
            None if at.index == self.state.snapshot.index => Some(self.state.snapshot.term),
            None => None,
        };
        if at.index > 0 && term != Some(at.term) {
            self.restart(SnapshotMark { index: at.index, term: at.term });
        }
        self
    }

    /// The entries from `from` up to `to` that have `bytes_max` bytes of log, or the first.
    fn range(&self, from: u64, to: u64, bytes_max: u64) -> Vec<LogEntry> {
        let mut bytes = 0;
        let entries = self.entries.range(from..to).map(|(_, entry)| entry);
        let fitting = entries.enumerate().take_while(|(nth, entry)| {
            bytes += 24 + entry.data.len() as u64;
            *nth == 0 || bytes <= bytes_max
        });
        fitting.map(|(_, entry)| entry.clone()).collect()
    }

    fn term(&self, index: u64) -> Option<u64> {
        let SnapshotMark { index: marked, term } = self.state.snapshot;
        let entry = self.entries.get(&index).map(|entry| entry.term);
        entry.or((index == marked).then_some(term))
    }

    /// What is above `index`.
    fn above(mut self, index: u64) -> Said {
        self.entries = self.entries.split_off(&(index + 1));
        self
    }
}

/// The log under test.
pub(crate) struct Harness {
    pub(crate) vfs: CrashVfs,
    pub(crate) log: Option<Log>,
    /// A reader of `log`.
    reader: Option<LogReader>,
    expected: Expected,
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What the log must say when it is opened again.
#[derive(Clone)]
pub(crate) struct Expected {
    base: Said,
    submitted: Vec<OwnedGroup>,
    acknowledged: usize,
    flushed: Flushed,
    term: u64,
    created: bool,
    salt: u64,
}

impl Harness {
    pub(crate) fn new(vfs: CrashVfs) -> Harness {
        let expected = Expected {
            base: Said::default(),
            submitted: Vec::new(),
            acknowledged: 0,
            flushed: Flushed::default(),
            term: 1,
            created: false,
            salt: 1,
        };
        Harness { vfs, log: None, reader: None, expected }
    }

    /// The same log, left behind by a crash on another disk.
    pub(crate) fn after_crash(&self, seed: u64) -> Harness {
        Harness { expected: self.expected.clone(), ..Harness::new(self.vfs.crash(seed)) }
    }

    /// The same log after the process was started again on the same disk.
    pub(crate) fn after_kill(&self) -> Harness {
        Harness { expected: self.expected.clone(), ..Harness::new(self.vfs.clone()) }
    }

    pub(crate) fn create(&mut self) -> Result<()> {
        let vfs = Arc::new(self.vfs.clone());
        let start = SnapshotMark::default();
        self.log = Some(Log::create(vfs, dir(), OPTIONS, IDENTITY, start)?);
        self.expected.created = true;
        Ok(())
    }

    /// Opens the log, checks what it says, and goes on from there.
    pub(crate) fn open(&mut self) -> Result<Recovery> {
        (self.log, self.reader) = (None, None);
        let expected = &mut self.expected;
        expected.salt += 1;
        // In every other life large groups are compressed.
        let compress_from_bytes = (expected.salt + 1) % 2 * BLOCK_BYTES;
        let options = Options { salt: expected.salt, compress_from_bytes, ..OPTIONS };
        let vfs = Arc::new(self.vfs.clone());
        let (log, recovery) = match Log::open(vfs, dir(), options, IDENTITY, expected.flushed) {
            Err(Error::NoLog { .. }) if !expected.created => return self.create_again(),
            other => other.and_then(with_entries)?,
        };
        expected.meet(&recovery);
        self.log = Some(log);
        Ok(recovery)
    }

    fn create_again(&mut self) -> Result<Recovery> {
        self.create()?;
        self.open()
    }

    pub(crate) fn run(&mut self, actions: &[Action]) -> Result<()> {
        actions.iter().try_for_each(|action| self.step(action))
    }

    /// Runs actions and reads the log back after each, in ranges that `seed` determines.
    pub(crate) fn run_reading(&mut self, actions: &[Action], seed: u64) -> Result<()> {
        let mut random = Random(seed);
        actions.iter().try_for_each(|action| {
            self.step(action)?;
            self.read_back(&mut random)
        })
    }

    /// Compares what the log's reader says with what is durable.
    pub(crate) fn read_back(&mut self, random: &mut Random) -> Result<()> {
        let log = self.log.as_ref().unwrap();
        // One reader goes on where it stopped before, the other one begins.
        let kept = self.reader.take().unwrap_or_else(|| log.reader());
        self.expected.meet_reader(&kept, random)?;
        self.expected.meet_reader(&kept.clone(), random)?;
        self.reader = Some(kept);
        Ok(())
    }

    pub(crate) fn step(&mut self, action: &Action) -> Result<()> {
        match *action {
            Action::Submit { entries, bytes, back } => {
                let entries = self.expected.next_entries(entries, bytes, back);
                let hard_state = entries.last().filter(|e| e.index % 4 == 0).map(|e| HardState {
                    term: e.term,
                    vote: 3,
                    commit: self.expected.flushed.index,
                });
                self.submit(OwnedGroup { entries, hard_state, snapshot: None })
            }
            Action::Vote => {
                self.expected.term += 1;
                let hard_state = HardState { term: self.expected.term, vote: 2, commit: 0 };
                let hard_state = Some(hard_state);
                self.submit(OwnedGroup { entries: Vec::new(), hard_state, snapshot: None })
            }
            Action::Complete => {
                if self.log().complete()?.is_some() {
                    self.expected.acknowledged += 1;
                }
                Ok(())
            }
            Action::Append { entries, bytes, back } => {
                self.step(&Action::Submit { entries, bytes, back })?;
                self.complete_all()
            }
            Action::Flush { but } => {
                self.expected.flush(but);
                Ok(())
            }
            Action::Purge { segments_max } => {
                let flushed = self.expected.flushed.index;
                let limits = Purge { flushed, replicated: flushed.saturating_sub(3), segments_max };
                while self.log().purge(limits)? == Step::Worked {}
                Ok(())
            }
            Action::Prepare => {
                while self.log().prepare()? == Step::Worked {}
                Ok(())
            }
            Action::Snapshot { ahead, entries } => {
                self.complete_all()?;
                let mark = self.expected.switch(ahead);
                self.submit_behind_mark(mark, entries)
            }
            Action::UntoldSnapshot { ahead } => {
                self.complete_all()?;
                self.expected.switch(ahead);
                self.open().map(drop)
            }
            Action::Close => {
                self.complete_all()?;
                self.log.take().unwrap().close()?;
                let recovery = self.open()?;
                assert_eq!(recovery.verdict, retcd_wal::Verdict::Closed);
                Ok(())
            }
            Action::Drop => self.open().map(drop),
        }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    fn complete_all(&mut self) -> Result<()> {
        while self.log().complete()?.is_some() {
            self.expected.acknowledged += 1;
        }
        Ok(())
    }

    fn submit(&mut self, group: OwnedGroup) -> Result<()> {
        if self.log().under_way() == self.log().depth() {
            self.step(&Action::Complete)?;
        }
        self.expected.submitted.push(group.clone());
        let OwnedGroup { entries, hard_state, snapshot } = group;
        self.log().submit(&Group { entries: &entries, hard_state, snapshot }).map(drop)
    }

    /// The log writes the mark by itself first, so a crash may leave it without the rest.
    fn submit_behind_mark(&mut self, mark: SnapshotMark, entries: u64) -> Result<()> {
        let term = self.expected.term;
        let entries: Vec<_> = (mark.index + 1..=mark.index + entries)
            .map(|index| crate::support::entry(index, term, 3000))
            .collect();
        let commit = mark.index + entries.len() as u64;
        let alone = HardState { term, vote: 7, commit: mark.index };
        let together = HardState { commit, ..alone };
        self.expected.submitted.push(OwnedGroup {
            entries: Vec::new(),
            hard_state: Some(alone),
            snapshot: Some(mark),
        });
        if !entries.is_empty() {
            self.expected.submitted.push(OwnedGroup {
                entries: entries.clone(),
                hard_state: Some(together),
                snapshot: None,
            });
        }
        self.log().submit(&Group {
            entries: &entries,
            hard_state: Some(together),
            snapshot: Some(mark),
        })?;
        self.expected.acknowledged += usize::from(!entries.is_empty());
        Ok(())
    }
}

impl Expected {
    /// What the log says after the first `count` groups.
    fn said(&self, count: usize) -> Said {
        let mut said = self.base.clone();
        self.submitted[..count].iter().for_each(|group| said.apply(group));
        said
    }

    fn next_entries(&mut self, count: u64, bytes: usize, back: u64) -> Vec<LogEntry> {
        let last = self.said(self.submitted.len()).state.last_index;
        let first = (last + 1).saturating_sub(back).max(self.flushed.index + 1);
        if first <= last {
            self.term += 1;
        }
        (first..first + count).map(|index| crate::support::entry(index, self.term, bytes)).collect()
    }

    /// Moves the flushed index, never past what is acknowledged.
    fn flush(&mut self, but: u64) {
        let acknowledged = self.said(self.acknowledged);
        let certain = self.said(self.submitted.len());
        let index = acknowledged.state.last_index.saturating_sub(but);
        // An entry that a submitted group replaces wasn't committed.
        match (acknowledged.entries.get(&index), certain.entries.get(&index)) {
            (Some(entry), Some(same)) if entry == same && index > self.flushed.index => {
                self.flushed = Flushed { index, term: entry.term };
            }
            _ => {}
        }
    }

    /// The engine goes to a snapshot of a newer term.
    fn switch(&mut self, ahead: u64) -> SnapshotMark {
        self.term += 1;
        let index = self.said(self.submitted.len()).state.last_index + ahead;
        let index = index.saturating_sub(2).max(self.flushed.index + 1);
        self.flushed = Flushed { index, term: self.term };
        SnapshotMark { index, term: self.term }
    }

    /// Checks that the log was left behind one of the groups that it may have been left behind, and
    /// takes that as the new start.
    fn meet(&mut self, recovery: &Recovery) {
        let found = Said {
            entries: recovery.entries.iter().map(|e| (e.index, e.clone())).collect(),
            state: recovery.state,
        };
        let at = self.flushed;
        let behind = (self.acknowledged..=self.submitted.len())
            .map(|count| self.said(count).reconciled_with(at))
            .find(|said| said.clone().above(at.index) == found);
        let Some(said) = behind else {
            panic!(
                "of {} groups {} were acknowledged, flushed {:?}\nfound {:?} {:?} {:?}\n\
                 needed {:?}",
                self.submitted.len(),
                self.acknowledged,
                self.flushed,
                recovery.verdict,
                found.state,
                found.entries.keys(),
                self.said(self.acknowledged).reconciled_with(at),
            )
        };
        self.base = said;
        self.submitted.clear();
        self.acknowledged = 0;
    }

    /// Checks that a reader says what the log says behind some group that may be durable: all of
    /// it, from what the engine has flushed on, and any range of it.
    fn meet_reader(&self, reader: &LogReader, random: &mut Random) -> Result<()> {
        let first = first_readable(reader)?;
        let last = reader.last_index();
        assert!(first <= self.flushed.index.max(last) + 1, "from {first}, {:?}", self.flushed);
        let all = read_back(reader, first, u64::MAX)?;
        let position = (last, reader.term(last)?);
        let has_all = |said: &Said| {
            (said.state.last_index, said.state.last_term) == position
                && said.entries.range(first..).map(|(_, entry)| entry).eq(&all)
        };
        let mut counts = self.acknowledged..=self.submitted.len();
        let Some(said) = counts.find_map(|count| Some(self.said(count)).filter(has_all)) else {
            let indexes: Vec<_> = all.iter().map(|entry| (entry.index, entry.term)).collect();
            panic!("{indexes:?} isn't {:?}", self.said(self.acknowledged));
        };
        for _ in 0..4 {
            let from = first + random.below(last + 2 - first);
            let to = from + random.below(8);
            let bytes_max = random.below(9000);
            let found = reader.entries(from, to, bytes_max)?;
            assert_eq!(found, said.range(from, to, bytes_max), "{from} to {to}, {bytes_max}");
            let index = first - 1 + random.below(last + 2 - first);
            assert_eq!(Some(reader.term(index)?), said.term(index), "of {index}");
        }
        assert!(matches!(reader.term(last + 1), Err(Error::NotInLog { .. })));
        Ok(())
    }
}

/// The lowest index that can be read: segments from before the start may turn out to be of no use.
fn first_readable(reader: &LogReader) -> Result<u64> {
    loop {
        let first = reader.first_index();
        match reader.entries(first, first + 1, 0) {
            Err(Error::NotInLog { .. }) => assert!(reader.first_index() > first),
            other => return other.map(|_| first),
        }
    }
}
