//! Counts that were dear to find, remembered.
//!
//! Every list with a limit says how many keys its range has, so a client that pages through ten
//! million keys asks for ten thousand counts. Two kinds of counts are kept:
//!
//! * *current* ones, of a few ranges, which every publication brings up to date: a key that comes
//!   or goes changes the count of each range that it lies in. A range is entered before it is
//!   counted, so that no change is missed while somebody counts;
//! * *past* ones, of a range at a revision, which never change. A page leaves behind the count of
//!   what follows it, which is where the next page begins.
//!
//! The range of all keys is always among the current ones. Small counts aren't worth a place.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use retcd_engine::KeyRange;

use crate::{Change, ChangeKind, Commit};

/// Ranges whose counts are kept current.
const CURRENT_MAX: usize = 16;

/// Counts at revisions that are kept.
const PAST_MAX: usize = 64;

/// The first key of the range of all keys: keys aren't empty.
const FIRST_KEY: &[u8] = b"\0";

/// The remembered counts of a store.
pub(crate) struct CountMemo {
    /// Smaller counts are cheaper to find than to keep.
    dear: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    /// The revision that the current counts are of.
    revision: i64,
    /// Least recently used first; the range of all keys is the first one and stays.
    current: Vec<Current>,
    /// Oldest first.
    past: VecDeque<Past>,
    next_id: u64,
}

#[derive(PartialEq, Eq)]
struct OwnedRange {
    start: Bytes,
    end: Option<Bytes>,
}

impl OwnedRange {
    fn new(range: KeyRange<'_>) -> OwnedRange {
        OwnedRange {
            start: Bytes::copy_from_slice(range.start),
            end: range.end.map(Bytes::copy_from_slice),
        }
    }

    fn is(&self, range: KeyRange<'_>) -> bool {
        self.start == range.start && self.end.as_deref() == range.end
    }

    fn contains(&self, key: &[u8]) -> bool {
        *self.start <= *key && self.end.as_ref().is_none_or(|end| *key < **end)
    }
}

struct Current {
    id: u64,
    range: OwnedRange,
    /// The count when it was entered; `None` while somebody counts.
    counted: Option<u64>,
    /// Keys that came, less those that went, since then.
    change: i64,
}

struct Past {
    range: OwnedRange,
    revision: i64,
    count: u64,
}

impl CountMemo {
    /// A memo for a store that has `key_count` keys at `revision`. Counts below `dear` aren't kept.
    pub(crate) fn new(revision: i64, key_count: u64, dear: u64) -> CountMemo {
        CountMemo {
            dear,
            inner: Mutex::new(Inner {
                revision,
                current: vec![Current::all(key_count)],
                past: VecDeque::new(),
                next_id: 1,
            }),
        }
    }

    /// Brings the current counts up to `revision`, and publishes it by calling `publish` before
    /// anybody can ask for a count.
    pub(crate) fn advance(&self, revision: i64, commits: &[Commit], publish: impl FnOnce()) {
        let mut inner = self.inner.lock();
        for change in commits.iter().flat_map(|commit| &commit.changes) {
            let step = keys_added(change);
            if step != 0 {
                for current in &mut inner.current {
                    if current.range.contains(&change.key) {
                        current.change += step;
                    }
                }
            }
        }
        inner.revision = revision;
        publish();
    }

    /// Forgets the current counts because another state takes the place of the one that they are
    /// of, with `key_count` keys at `revision`; `publish` makes it visible. Past ones stay true: a
    /// revision is the same on all members.
    pub(crate) fn reset(&self, revision: i64, key_count: u64, publish: impl FnOnce()) {
        let mut inner = self.inner.lock();
        inner.current = vec![Current::all(key_count)];
        inner.revision = revision;
        publish();
    }

    /// Begins a count of `range` at `revision`.
    pub(super) fn begin<'a>(&'a self, range: KeyRange<'a>, revision: i64) -> Counting<'a> {
        let mut inner = self.inner.lock();
        let known = inner.known(range, revision);
        let entered = match known {
            Some(_) => None,
            None => inner.enter(range, revision),
        };
        Counting { memo: self, range, revision, known, entered }
    }

    /// Remembers that `range` has `count` keys at `revision`.
    pub(super) fn learn(&self, range: KeyRange<'_>, revision: i64, count: u64) {
        if count >= self.dear {
            self.inner.lock().remember_past(range, revision, count);
        }
    }
}

/// How many keys there are more after a change.
fn keys_added(change: &Change) -> i64 {
    match change.kind {
        ChangeKind::Put { version: 1, .. } => 1,
        ChangeKind::Put { .. } => 0,
        ChangeKind::Delete => -1,
    }
}

impl Inner {
    fn known(&mut self, range: KeyRange<'_>, revision: i64) -> Option<u64> {
        if revision == self.revision
            && let Some(place) = self.current.iter().position(|current| current.range.is(range))
        {
            let count = self.current[place].count();
            if count.is_some() && place > 0 {
                self.current[place..].rotate_left(1);
            }
            return count;
        }
        let is_it = |past: &&Past| past.revision == revision && past.range.is(range);
        self.past.iter().find(is_it).map(|past| past.count)
    }

    /// Enters a range that is going to be counted; `None` if it is too late for this revision, or
    /// if all places are taken by such ranges.
    fn enter(&mut self, range: KeyRange<'_>, revision: i64) -> Option<u64> {
        if revision != self.revision || self.current.iter().any(|other| other.range.is(range)) {
            return None;
        }
        if self.current.len() >= CURRENT_MAX {
            let oldest = (1..self.current.len()).find(|i| self.current[*i].counted.is_some())?;
            self.current.remove(oldest);
        }
        let id = self.next_id;
        self.next_id += 1;
        let range = OwnedRange::new(range);
        self.current.push(Current { id, range, counted: None, change: 0 });
        Some(id)
    }

    fn remember_past(&mut self, range: KeyRange<'_>, revision: i64, count: u64) {
        if self.past.len() >= PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(Past { range: OwnedRange::new(range), revision, count });
    }
}

impl Current {
    /// The range of all keys, counted.
    fn all(key_count: u64) -> Current {
        let range = OwnedRange::new(KeyRange { start: FIRST_KEY, end: None });
        Current { id: 0, range, counted: Some(key_count), change: 0 }
    }

    fn count(&self) -> Option<u64> {
        let counted = self.counted?;
        let count = counted.checked_add_signed(self.change);
        Some(count.expect("only keys that were counted can go"))
    }
}

/// A count that somebody needs, known or under way.
pub(super) struct Counting<'a> {
    memo: &'a CountMemo,
    range: KeyRange<'a>,
    revision: i64,
    known: Option<u64>,
    /// The place that waits for the count.
    entered: Option<u64>,
}

impl Counting<'_> {
    /// The count, if it is remembered.
    pub(super) fn known(&self) -> Option<u64> {
        self.known
    }

    /// Remembers the count.
    pub(super) fn finish(mut self, count: u64) {
        if count < self.memo.dear || self.known.is_some() {
            return;
        }
        let mut inner = self.memo.inner.lock();
        match self.entered.take() {
            Some(id) => {
                if let Some(current) = inner.current.iter_mut().find(|current| current.id == id) {
                    current.counted = Some(count);
                }
            }
            None => inner.remember_past(self.range, self.revision, count),
        }
    }
}

/// A count that isn't finished gives its place back.
impl Drop for Counting<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.entered {
            self.memo.inner.lock().current.retain(|current| current.id != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAR: u64 = 1000;
    const RANGE: KeyRange<'_> = KeyRange { start: b"a", end: Some(b"m") };

    fn commit(revision: i64, put: &[&'static str], deleted: &[&'static str]) -> Commit {
        let put = put.iter().map(|key| Change {
            key: Bytes::from_static(key.as_bytes()),
            kind: ChangeKind::Put {
                create_revision: revision,
                version: 1,
                value: Bytes::new(),
                lease: 0,
            },
        });
        let deleted = deleted.iter().map(|key| Change {
            key: Bytes::from_static(key.as_bytes()),
            kind: ChangeKind::Delete,
        });
        Commit { revision, changes: put.chain(deleted).collect() }
    }

    fn advance(memo: &CountMemo, commit: Commit) {
        memo.advance(commit.revision, &[commit], || ());
    }

    fn known(memo: &CountMemo, range: KeyRange<'_>, revision: i64) -> Option<u64> {
        memo.begin(range, revision).known()
    }

    #[test]
    fn changes_while_somebody_counts_are_not_missed() {
        let memo = CountMemo::new(10, 5000, DEAR);
        let counting = memo.begin(RANGE, 10);
        assert_eq!(counting.known(), None);
        advance(&memo, commit(11, &["b", "x"], &["a", "c", "m"]));
        counting.finish(2000);
        assert_eq!(known(&memo, RANGE, 11), Some(1999));
        advance(&memo, commit(12, &["d"], &[]));
        assert_eq!(known(&memo, RANGE, 12), Some(2000));
        let all = KeyRange { start: FIRST_KEY, end: None };
        assert_eq!(known(&memo, all, 12), Some(5000));
    }

    #[test]
    fn a_count_at_an_older_revision_is_kept_for_that_revision() {
        let memo = CountMemo::new(10, 0, DEAR);
        memo.begin(RANGE, 9).finish(3000);
        assert_eq!(known(&memo, RANGE, 9), Some(3000));
        assert_eq!(known(&memo, RANGE, 10), None);
        memo.learn(RANGE, 8, 2000);
        memo.learn(RANGE, 7, DEAR - 1);
        assert_eq!((known(&memo, RANGE, 8), known(&memo, RANGE, 7)), (Some(2000), None));
    }

    #[test]
    fn small_and_abandoned_counts_leave_no_place_taken() {
        let memo = CountMemo::new(10, 0, DEAR);
        memo.begin(RANGE, 10).finish(3);
        drop(memo.begin(RANGE, 10));
        assert_eq!(memo.inner.lock().current.len(), 1);
    }

    #[test]
    fn the_least_recently_used_count_makes_room() {
        let memo = CountMemo::new(10, 7, DEAR);
        let range = |i: &'static [u8; 1]| KeyRange { start: i, end: None };
        let starts = b"abcdefghijklmnopq";
        let (starts, _) = starts.as_chunks::<1>();
        for start in &starts[..CURRENT_MAX - 1] {
            memo.begin(range(start), 10).finish(5000);
        }
        assert!(known(&memo, range(b"a"), 10).is_some());
        memo.begin(range(b"z"), 10).finish(5000);
        assert!(known(&memo, range(b"a"), 10).is_some());
        assert!(known(&memo, range(b"b"), 10).is_none());
        assert_eq!(known(&memo, KeyRange { start: FIRST_KEY, end: None }, 10), Some(7));
    }

    #[test]
    fn another_state_has_other_counts() {
        let memo = CountMemo::new(10, 5000, DEAR);
        memo.begin(RANGE, 10).finish(2000);
        let counting = memo.begin(KeyRange { start: b"b", end: None }, 10);
        memo.reset(20, 7000, || ());
        counting.finish(3000);
        let all = KeyRange { start: FIRST_KEY, end: None };
        assert_eq!((known(&memo, all, 20), known(&memo, RANGE, 20)), (Some(7000), None));
        assert_eq!(known(&memo, KeyRange { start: b"b", end: None }, 20), None);
    }

    #[test]
    fn of_two_who_count_the_same_range_one_is_remembered() {
        let memo = CountMemo::new(10, 0, DEAR);
        let first = memo.begin(RANGE, 10);
        let second = memo.begin(RANGE, 10);
        second.finish(2000);
        first.finish(2000);
        advance(&memo, commit(11, &["b"], &[]));
        assert_eq!(known(&memo, RANGE, 11), Some(2001));
        assert_eq!(known(&memo, RANGE, 10), Some(2000));
    }
}
