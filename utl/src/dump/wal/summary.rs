//! Totals of what was read.

use super::line::{GroupLine, Status};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many of the biggest entries are kept.
const BIGGEST: usize = 10;

/// Totals. Segments and groups are counted whole, records as far as the filter admits them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    /// Segments whose header could be read.
    pub(super) segments: u64,
    /// Bytes of their files.
    pub(super) segment_bytes: u64,
    /// Groups.
    pub(super) groups: u64,
    /// Bytes of the groups' headers and payloads.
    pub(super) group_bytes: u64,
    /// Groups whose records are compressed.
    pub(super) groups_compressed: u64,
    /// Bytes of all groups' records before they were compressed.
    pub(super) record_bytes: u64,
    /// Bytes of the groups up to the next one.
    pub(super) padded_bytes: u64,
    /// Records in all groups, whatever the filter admits.
    pub(super) group_records: u64,
    /// Records in the group with most of them.
    pub(super) group_records_max: u32,
    /// Groups that don't count.
    pub(super) groups_given_up: u64,
    /// Entries.
    pub(super) entries: u64,
    /// Bytes of their payloads.
    pub(super) entry_bytes: u64,
    /// Entries that were replaced later.
    pub(super) superseded: u64,
    /// Entries in groups that don't count.
    pub(super) given_up: u64,
    /// Hard states.
    pub(super) hard_states: u64,
    /// Snapshot marks.
    pub(super) snapshots: u64,
    /// Lowest and highest index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) indexes: Option<(u64, u64)>,
    /// Lowest and highest term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) terms: Option<(u64, u64)>,
    /// Entries by kind.
    pub(super) kinds: BTreeMap<&'static str, KindTotal>,
    /// The biggest entries.
    pub(super) biggest: Vec<Biggest>,
}

/// Totals of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct KindTotal {
    /// Entries.
    pub(super) entries: u64,
    /// Bytes of their payloads.
    pub(super) bytes: u64,
}

/// One of the biggest entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Biggest {
    /// Bytes of its payload.
    pub(super) bytes: u64,
    /// Raft index.
    pub(super) index: u64,
    /// Raft term.
    pub(super) term: u64,
    /// What it asks for.
    pub(super) kind: &'static str,
    /// Number of its segment.
    pub(super) segment: u64,
    /// Where its group starts.
    pub(super) offset: u64,
}

impl Summary {
    /// Counts a segment.
    pub(super) fn segment(&mut self, bytes: u64) {
        self.segments += 1;
        self.segment_bytes += bytes;
    }

    /// Counts a group.
    pub(super) fn group(&mut self, group: &GroupLine) {
        self.groups += 1;
        self.group_bytes += group.bytes;
        self.groups_compressed += u64::from(group.compressed);
        self.record_bytes += group.record_bytes;
        self.padded_bytes += group.padded_bytes;
        self.group_records += u64::from(group.records);
        self.group_records_max = self.group_records_max.max(group.records);
        self.groups_given_up += u64::from(!group.counts);
    }

    /// Counts an entry.
    pub(super) fn entry(&mut self, entry: Biggest, status: Status) {
        self.entries += 1;
        self.entry_bytes += entry.bytes;
        self.superseded += u64::from(status == Status::Superseded);
        self.given_up += u64::from(status == Status::GivenUp);
        widen(&mut self.indexes, entry.index);
        widen(&mut self.terms, entry.term);
        let total = self.kinds.entry(entry.kind).or_default();
        total.entries += 1;
        total.bytes += entry.bytes;
        let place = self.biggest.partition_point(|known| known.bytes >= entry.bytes);
        if place < BIGGEST {
            self.biggest.insert(place, entry);
            self.biggest.truncate(BIGGEST);
        }
    }

    /// Kinds, most bytes first.
    pub(super) fn kinds_by_bytes(&self) -> Vec<(&'static str, KindTotal)> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|(&kind, &total)| (kind, total)).collect();
        kinds.sort_by_key(|(_, total)| std::cmp::Reverse((total.bytes, total.entries)));
        kinds
    }
}

fn widen(range: &mut Option<(u64, u64)>, number: u64) {
    let (low, high) = range.unwrap_or((number, number));
    *range = Some((low.min(number), high.max(number)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, kind: &'static str, bytes: u64) -> Biggest {
        Biggest { bytes, index, term: index / 3, kind, segment: 0, offset: 4096 }
    }

    #[test]
    fn the_biggest_entries_are_kept() {
        let mut summary = Summary::default();
        for index in 1..=30 {
            let kind = if index % 2 == 0 { "put" } else { "txn" };
            summary.entry(entry(index, kind, (index * 7) % 31), Status::Live);
        }
        let bytes: Vec<_> = summary.biggest.iter().map(|entry| entry.bytes).collect();
        assert_eq!(bytes, [30, 29, 28, 27, 26, 25, 24, 23, 22, 21]);
        assert_eq!((summary.indexes, summary.terms), (Some((1, 30)), Some((0, 10))));
        assert_eq!(summary.kinds["put"].entries + summary.kinds["txn"].entries, 30);
    }

    #[test]
    fn the_kind_with_the_most_bytes_comes_first() {
        let mut summary = Summary::default();
        summary.entry(entry(1, "put", 5), Status::Live);
        summary.entry(entry(2, "txn", 9), Status::Superseded);
        summary.entry(entry(3, "put", 2), Status::GivenUp);
        let kinds: Vec<_> = summary.kinds_by_bytes().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["txn", "put"]);
        assert_eq!((summary.superseded, summary.given_up), (1, 1));
    }
}
