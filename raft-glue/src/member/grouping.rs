//! Groups that fit into a segment of the log.

use crate::AppendGroup;
use bytes::Bytes;
use retcd_wal::{Group, HardState, LogEntry, group_bytes};

/// Makes the group of ready `number`, in as many parts as the limit asks for. `before` is the hard
/// state that the log has, `state` the one that it is to have.
///
/// A crash may leave any first few of the parts, so each must be a state that a member could be in:
/// the first one brings the term that later entries carry, and none a commit index above its own
/// last entry.
pub(super) fn split(
    number: u64,
    mut entries: Vec<LogEntry>,
    before: HardState,
    state: HardState,
    bytes_max: u64,
    groups: &mut Vec<AppendGroup>,
) {
    let mut known = before;
    while let Some(count) = parted(&entries, bytes_max) {
        let rest = entries.split_off(count);
        let last = entries.last().map_or(0, |entry| entry.index);
        let reached = HardState { commit: state.commit.min(last).max(known.commit), ..state };
        groups.push(AppendGroup {
            number: number.saturating_sub(1),
            entries: std::mem::replace(&mut entries, rest),
            hard_state: (reached != known).then_some(reached),
            snapshot: None,
        });
        known = reached;
    }
    let hard_state = (state != known).then_some(state);
    groups.push(AppendGroup { number, entries, hard_state, snapshot: None });
}

/// Whether an entry with a payload of this length fits into a group.
pub(super) fn fits(payload_bytes: usize, bytes_max: u64) -> bool {
    let entry = LogEntry { index: 0, term: 0, kind: 0, data: Bytes::new() };
    let around = bytes(std::slice::from_ref(&entry));
    around.saturating_add(payload_bytes as u64) <= bytes_max
}

/// How many of the entries make the first part; `None` if all of them fit into one.
fn parted(entries: &[LogEntry], bytes_max: u64) -> Option<usize> {
    if bytes(entries) <= bytes_max {
        return None;
    }
    let empty = bytes(&[]);
    let mut total = empty;
    let fitting = entries.iter().take_while(|entry| {
        total += bytes(std::slice::from_ref(entry)) - empty;
        total <= bytes_max
    });
    let count = fitting.count().max(1);
    (count < entries.len()).then_some(count)
}

/// Bytes of a group with these entries and a hard state.
fn bytes(entries: &[LogEntry]) -> u64 {
    let hard_state = Some(HardState::default());
    group_bytes(&Group { entries, hard_state, snapshot: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sizes: &[usize]) -> Vec<LogEntry> {
        let entry = |(size, index): (&usize, u64)| LogEntry {
            index,
            term: 5,
            kind: 0,
            data: vec![0; *size].into(),
        };
        sizes.iter().zip(11..).map(entry).collect()
    }

    fn parts(sizes: &[usize], before: HardState, state: HardState) -> Vec<AppendGroup> {
        let mut groups = Vec::new();
        split(7, entries(sizes), before, state, 4_096, &mut groups);
        assert_eq!(groups.concat_entries(), entries(sizes));
        groups
    }

    trait Concat {
        fn concat_entries(&self) -> Vec<LogEntry>;
    }

    impl Concat for Vec<AppendGroup> {
        fn concat_entries(&self) -> Vec<LogEntry> {
            self.iter().flat_map(|group| group.entries.clone()).collect()
        }
    }

    const OLD: HardState = HardState { term: 4, vote: 2, commit: 10 };
    const NEW: HardState = HardState { term: 5, vote: 1, commit: 12 };

    #[test]
    fn what_fits_is_one_group() {
        let groups = parts(&[100, 200, 300], OLD, NEW);
        assert_eq!(groups.len(), 1);
        assert_eq!((groups[0].number, groups[0].hard_state), (7, Some(NEW)));
        assert_eq!(parts(&[100], NEW, NEW)[0].hard_state, None);
        assert_eq!(parts(&[], OLD, NEW)[0].hard_state, Some(NEW));
    }

    #[test]
    fn every_part_is_a_state_that_a_member_could_be_in() {
        let groups = parts(&[3_000, 3_000, 800, 9_000, 10], OLD, NEW);
        let counts: Vec<_> = groups.iter().map(|group| group.entries.len()).collect();
        assert_eq!(counts, [1, 2, 1, 1]);
        let numbers: Vec<_> = groups.iter().map(|group| group.number).collect();
        assert_eq!(numbers, [6, 6, 6, 7]);
        assert_eq!(groups[0].hard_state, Some(HardState { commit: 11, ..NEW }));
        assert_eq!(groups[1].hard_state, Some(NEW));
        assert!(groups[2..].iter().all(|group| group.hard_state.is_none()));
    }
}
