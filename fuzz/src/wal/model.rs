//! What the log must say: its state behind every write, and how many writes were acknowledged.

use retcd_wal::{Flushed, Group, HardState, LogEntry, LogState, SnapshotMark};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

/// An entry without its payload, which follows from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its term.
    pub term: u64,
    /// Bytes of its payload.
    pub bytes: usize,
}

impl Kept {
    /// The entry as the log gets it: every other one's payload can be compressed.
    pub fn entry(self, index: u64) -> LogEntry {
        let seed = (index << 32 ^ self.term).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let data = match index % 2 {
            0 => vec![seed as u8; self.bytes],
            _ => NOISE[seed as usize % NOISE_STARTS..][..self.bytes].to_vec(),
        };
        LogEntry { index, term: self.term, kind: (seed >> 32) as u8, data: data.into() }
    }
}

/// No entry is longer, in bytes.
const ENTRY_BYTES_MAX: usize = 16 << 10;
/// Where in the noise a payload may start.
const NOISE_STARTS: usize = 4096;

/// What can't be compressed. Made once: filling payloads byte by byte would take most of the time.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let step = |z: &u64| Some(z.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405));
    let numbers = std::iter::successors(Some(1), step).map(|z| (z >> 56) as u8);
    numbers.take(NOISE_STARTS + ENTRY_BYTES_MAX).collect()
});

/// What the log says behind some write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Entries behind the newest snapshot mark, by index.
    pub entries: BTreeMap<u64, Kept>,
    /// Everything besides entries.
    pub log: LogState,
}

impl State {
    /// Follows one group.
    pub fn apply(&mut self, entries: &[(u64, Kept)], group: &Group<'_>) {
        if let Some(mark) = group.snapshot {
            self.restart(mark);
        }
        if let (Some((first, _)), Some((last, kept))) = (entries.first(), entries.last()) {
            self.entries.split_off(first);
            self.entries.extend(entries.iter().copied());
            (self.log.last_index, self.log.last_term) = (*last, kept.term);
        }
        if let Some(hard_state) = group.hard_state {
            self.log.hard_state = hard_state;
        }
    }

    fn restart(&mut self, mark: SnapshotMark) {
        self.entries.clear();
        self.log.snapshot = mark;
        (self.log.last_index, self.log.last_term) = (mark.index, mark.term);
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        match self.entries.get(&index) {
            Some(kept) => Some(kept.term),
            None if index == self.log.last_index => Some(self.log.last_term),
            None if index == self.log.snapshot.index => Some(self.log.snapshot.term),
            None => None,
        }
    }

    /// What a log that says this must say once it is opened beside an engine that has flushed `at`:
    /// entries above that, or none if the two contradict each other.
    pub fn opened(&self, at: Flushed) -> State {
        let mut state = self.clone();
        if at.index > 0 && self.term_at(at.index) != Some(at.term) {
            state.restart(SnapshotMark { index: at.index, term: at.term });
        }
        state.entries = state.entries.split_off(&(at.index + 1));
        state
    }
}

/// The log's history since it was last opened, and what an engine beside it has made durable.
pub struct Model {
    /// The state when the log was opened, then the one behind each write.
    pub states: Vec<Rc<State>>,
    /// How many of these writes were acknowledged.
    pub acknowledged: usize,
    /// Every state that the log ever had.
    pub ever: Vec<Rc<State>>,
    /// What the engine has made durable.
    pub flushed: Flushed,
    /// The newest term.
    pub term: u64,
}

impl Model {
    /// A new log.
    pub fn new() -> Model {
        let first = Rc::new(State::default());
        Model {
            states: vec![Rc::clone(&first)],
            acknowledged: 0,
            ever: vec![first],
            flushed: Flushed::default(),
            term: 1,
        }
    }

    /// What the log says now.
    pub fn now(&self) -> &State {
        self.states.last().expect("the first is never removed")
    }

    fn acknowledged_state(&self) -> &State {
        &self.states[self.acknowledged]
    }

    /// Notes a write that is about to be submitted.
    pub fn write(&mut self, entries: &[(u64, Kept)], group: &Group<'_>) {
        let mut state = self.now().clone();
        state.apply(entries, group);
        let state = Rc::new(state);
        self.ever.push(Rc::clone(&state));
        self.states.push(state);
    }

    /// The next `count` entries, beginning `back` before the end of the log.
    pub fn next_entries(&mut self, count: u64, bytes: usize, back: u64) -> Vec<(u64, Kept)> {
        let last = self.now().log.last_index;
        let first = (last + 1).saturating_sub(back).max(self.flushed.index + 1);
        self.term += u64::from(first <= last);
        (first..first + count).map(|index| (index, Kept { term: self.term, bytes })).collect()
    }

    /// The engine flushes what is acknowledged, but for the newest `but` entries.
    pub fn flush(&mut self, but: u64) {
        let index = self.acknowledged_state().log.last_index.saturating_sub(but);
        let acknowledged = self.acknowledged_state().entries.get(&index);
        // An entry that a submitted group replaces wasn't committed.
        match (acknowledged, self.now().entries.get(&index)) {
            (Some(kept), Some(same)) if kept == same && index > self.flushed.index => {
                self.flushed = Flushed { index, term: kept.term };
            }
            _ => {}
        }
    }

    /// The engine goes to a snapshot of a newer term, about `ahead` of the log.
    pub fn switch(&mut self, ahead: u64) -> SnapshotMark {
        self.term += 1;
        let index = (self.now().log.last_index + ahead).saturating_sub(2);
        let index = index.max(self.flushed.index + 1);
        self.flushed = Flushed { index, term: self.term };
        SnapshotMark { index, term: self.term }
    }

    /// A hard state of the newest term.
    pub fn hard_state(&self, vote: u64) -> HardState {
        HardState { term: self.term, vote, commit: self.flushed.index }
    }

    /// Finds which of the states from `oldest` on was found, and goes on from there.
    ///
    /// # Panics
    ///
    /// If it is none of them.
    pub fn go_on_from(&mut self, found: &State, oldest: usize) {
        let at = self.flushed;
        let from = self.states[oldest..].iter().find(|state| &state.opened(at) == found);
        let Some(from) = from else {
            panic!(
                "of {} writes {oldest} had to be there, flushed {at:?}\nfound {found:?}\n\
                 expected at least {:?}",
                self.states.len() - 1,
                self.states[oldest].opened(at)
            );
        };
        // What is below the flushed index stays known: the log may be opened from further back.
        let mut base = State::clone(from);
        if base.log != found.log {
            base = found.clone();
        }
        let base = Rc::new(base);
        self.ever.push(Rc::clone(&base));
        self.states = vec![base];
        self.acknowledged = 0;
    }
}

impl Default for Model {
    fn default() -> Model {
        Model::new()
    }
}

/// What was found in a log, in the model's terms.
///
/// # Panics
///
/// If an entry isn't the one that was written under its index and term, or one is missing between
/// two others.
pub fn found(log: LogState, entries: &[LogEntry], flushed: Flushed) -> State {
    let mut kept = BTreeMap::new();
    for (entry, index) in entries.iter().zip(flushed.index + 1..) {
        assert_eq!(entry.index, index, "a gap");
        let as_kept = Kept { term: entry.term, bytes: entry.data.len() };
        assert_eq!(*entry, as_kept.entry(index), "nobody wrote this");
        kept.insert(index, as_kept);
    }
    State { entries: kept, log }
}
