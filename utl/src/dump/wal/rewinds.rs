//! Which entries were replaced later, in bounded memory.
//!
//! An entry is superseded if a later record puts another one, or a snapshot, in its place. So the
//! log is read twice: first to note where it goes back, and to which index; then each entry is
//! compared with the lowest index that the log goes back to behind it. A place is forgotten as soon
//! as a later one goes back at least as far, so what is kept ascends with place and index: a few
//! changes of leader in a log that a member wrote.

use retcd_wal::Record;
use std::collections::VecDeque;

/// More places than this aren't kept, whatever the log holds.
const REWINDS_MAX: usize = 1 << 20;

/// Where a record lies. Later in the log is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Offset of the group, in bytes.
    pub(super) offset: u64,
    /// Position in the group.
    pub(super) record: u32,
}

/// Follows the last index of the log, record by record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Follow {
    /// Index of the last entry, or of the snapshot behind which there is none.
    pub(super) last_index: u64,
}

impl Follow {
    /// Takes the next record. Returns the first index that it replaces, or why it can't stand here.
    pub(super) fn take(&mut self, record: &Record) -> Result<Option<u64>, &'static str> {
        match record {
            Record::HardState(_) => Ok(None),
            Record::Snapshot(mark) => {
                let replaced = (mark.index < self.last_index).then_some(mark.index);
                self.last_index = mark.index;
                Ok(replaced.map(|index| index.saturating_add(1)))
            }
            Record::Entry(entry) => {
                let follows = entry.index > 0 && entry.index <= self.last_index.saturating_add(1);
                let replaced = (entry.index <= self.last_index).then_some(entry.index);
                self.last_index = entry.index;
                match follows {
                    true => Ok(replaced),
                    false => Err("an entry doesn't follow the one before"),
                }
            }
        }
    }
}

/// Where a log goes back, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Rewinds {
    places: VecDeque<(Position, u64)>,
    /// Up to here entries may be superseded without being known to be.
    forgotten: Option<Position>,
}

impl Rewinds {
    /// Notes that the log goes back to `index` at a position behind all that were noted.
    pub(super) fn note(&mut self, position: Position, index: u64) {
        while self.places.back().is_some_and(|&(_, before)| before >= index) {
            self.places.pop_back();
        }
        if self.places.len() == REWINDS_MAX {
            self.forgotten = self.places.pop_front().map(|(position, _)| position);
        }
        self.places.push_back((position, index));
    }

    /// Whether the entry `index` at `position` was replaced later.
    pub(super) fn supersedes(&self, position: Position, index: u64) -> bool {
        let later = self.places.partition_point(|(place, _)| *place <= position);
        self.places.get(later).is_some_and(|&(_, back_to)| back_to <= index)
    }

    /// The segment and offset up to which not every replacement is known, if there is one.
    pub(super) fn forgotten(&self) -> Option<Position> {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use retcd_wal::{HardState, LogEntry, SnapshotMark};

    fn entry(index: u64) -> Record {
        Record::Entry(LogEntry { index, term: 1, kind: 0, data: bytes::Bytes::new() })
    }

    fn at(offset: u64) -> Position {
        Position { segment: 1, offset, record: 0 }
    }

    #[test]
    fn follows_entries_marks_and_gaps() {
        let mut follow = Follow::default();
        assert_eq!(follow.take(&entry(1)), Ok(None));
        assert_eq!(follow.take(&entry(2)), Ok(None));
        assert_eq!(follow.take(&Record::HardState(HardState::default())), Ok(None));
        assert_eq!(follow.take(&entry(2)), Ok(Some(2)));
        let mark = |index| Record::Snapshot(SnapshotMark { index, term: 1 });
        assert_eq!(follow.take(&mark(9)), Ok(None));
        assert_eq!(follow.take(&mark(4)), Ok(Some(5)));
        assert!(follow.take(&entry(6)).is_err());
        assert!(Follow::default().take(&entry(0)).is_err());
    }

    #[test]
    fn what_is_too_much_to_keep_is_said() {
        let mut rewinds = Rewinds::default();
        for place in 0..=REWINDS_MAX as u64 {
            rewinds.note(at(place), place + 1);
        }
        assert_eq!(rewinds.places.len(), REWINDS_MAX);
        assert_eq!(rewinds.forgotten(), Some(at(0)));
    }

    proptest! {
        #[test]
        fn says_what_a_full_list_says(indexes in proptest::collection::vec(1u64..9, 1..40)) {
            let mut follow = Follow::default();
            let mut rewinds = Rewinds::default();
            for (place, &index) in indexes.iter().enumerate() {
                if let Ok(Some(back_to)) = follow.take(&entry(index)) {
                    rewinds.note(at(place as u64), back_to);
                }
            }
            let mut follow = Follow::default();
            let back: Vec<_> = indexes.iter().map(|&index| follow.take(&entry(index))).collect();
            for (place, &index) in indexes.iter().enumerate() {
                let replaces = |back: &Result<Option<u64>, _>| {
                    matches!(back, Ok(Some(back_to)) if *back_to <= index)
                };
                let expected = back[place + 1..].iter().any(replaces);
                prop_assert_eq!(rewinds.supersedes(at(place as u64), index), expected);
            }
        }
    }
}
