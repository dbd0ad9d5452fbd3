//! The records of a group.
//!
//! ```text
//!    0 kind u8   1 entry kind u8   2 zeros u16   4 body bytes u32   8 body
//!
//!    kind 1, entry:        8 index u64   16 term u64   24 data
//!    kind 2, hard state:   8 term u64    16 vote u64   24 commit u64
//!    kind 3, snapshot:     8 index u64   16 term u64
//! ```
//!
//! Within a group a snapshot mark comes first, then entries, then the hard state.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::layout::{put, take, u16_at, u32_at, u64_at};
use crate::types::{Group, HardState, LogEntry, SnapshotMark};
use bytes::{Buf, Bytes};

const HEAD_BYTES: usize = 8;
const AT_ENTRY_KIND: usize = 1;
const AT_ZEROS: usize = 2;
const AT_BODY_BYTES: usize = 4;

const KIND_ENTRY: u8 = 1;
const KIND_HARD_STATE: u8 = 2;
const KIND_SNAPSHOT: u8 = 3;

const ENTRY_FIXED_BYTES: usize = 16;
const HARD_STATE_BODY_BYTES: usize = 24;
const SNAPSHOT_BODY_BYTES: usize = 16;

/// Bytes of an entry's record besides its data.
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = HEAD_BYTES + ENTRY_FIXED_BYTES;
/// Bytes of a hard state's record.
pub(crate) const HARD_STATE_BYTES: usize = HEAD_BYTES + HARD_STATE_BODY_BYTES;
/// Bytes of a snapshot mark's record.
pub(crate) const SNAPSHOT_BYTES: usize = HEAD_BYTES + SNAPSHOT_BODY_BYTES;

impl HardState {
    pub(crate) fn encode(&self) -> [u8; HARD_STATE_BODY_BYTES] {
        let mut body = [0; HARD_STATE_BODY_BYTES];
        put(&mut body, 0, self.term.to_le_bytes());
        put(&mut body, 8, self.vote.to_le_bytes());
        put(&mut body, 16, self.commit.to_le_bytes());
        body
    }

    pub(crate) fn decode(body: [u8; HARD_STATE_BODY_BYTES]) -> HardState {
        let at = |at| u64_at(&body, at).unwrap_or_default();
        HardState { term: at(0), vote: at(8), commit: at(16) }
    }
}

impl SnapshotMark {
    pub(crate) fn encode(&self) -> [u8; SNAPSHOT_BODY_BYTES] {
        let mut body = [0; SNAPSHOT_BODY_BYTES];
        put(&mut body, 0, self.index.to_le_bytes());
        put(&mut body, 8, self.term.to_le_bytes());
        body
    }

    pub(crate) fn decode(body: [u8; SNAPSHOT_BODY_BYTES]) -> SnapshotMark {
        let at = |at| u64_at(&body, at).unwrap_or_default();
        SnapshotMark { index: at(0), term: at(8) }
    }
}

impl Group<'_> {
    /// Bytes of the group's records.
    pub(crate) fn record_bytes(&self) -> u64 {
        let entries: u64 = self
            .entries
            .iter()
            .map(|entry| (ENTRY_OVERHEAD_BYTES as u64).saturating_add(entry.data.len() as u64))
            .sum();
        let hard_state = self.hard_state.map_or(0, |_| HARD_STATE_BYTES as u64);
        let snapshot = self.snapshot.map_or(0, |_| SNAPSHOT_BYTES as u64);
        entries.saturating_add(hard_state).saturating_add(snapshot)
    }

    /// How many records the group makes.
    pub(crate) fn record_count(&self) -> u32 {
        let count = self.entries.len();
        let count = count.saturating_add(usize::from(self.hard_state.is_some()));
        let count = count.saturating_add(usize::from(self.snapshot.is_some()));
        u32::try_from(count).expect("a group that fits into a segment has fewer records than bytes")
    }

    /// Writes the records to the start of `payload`, which has room for `record_bytes`.
    pub(crate) fn encode_records(&self, payload: &mut [u8]) {
        let mut rest = payload;
        if let Some(mark) = self.snapshot {
            rest = put_record(rest, [KIND_SNAPSHOT, 0], &mark.encode(), &[]);
        }
        for entry in self.entries {
            let mut fixed = [0; ENTRY_FIXED_BYTES];
            put(&mut fixed, 0, entry.index.to_le_bytes());
            put(&mut fixed, 8, entry.term.to_le_bytes());
            rest = put_record(rest, [KIND_ENTRY, entry.kind], &fixed, &entry.data);
        }
        if let Some(hard_state) = self.hard_state {
            put_record(rest, [KIND_HARD_STATE, 0], &hard_state.encode(), &[]);
        }
    }
}

/// Writes one record and returns what is behind it.
fn put_record<'a>(to: &'a mut [u8], kinds: [u8; 2], fixed: &[u8], data: &[u8]) -> &'a mut [u8] {
    let body_bytes = u32::try_from(fixed.len().saturating_add(data.len()))
        .expect("a record that fits into a segment is shorter than 4 GiB");
    let (head, rest) = to.split_at_mut(HEAD_BYTES);
    put(head, 0, kinds);
    put(head, AT_ZEROS, [0, 0]);
    put(head, AT_BODY_BYTES, body_bytes.to_le_bytes());
    let (fixed_to, rest) = rest.split_at_mut(fixed.len());
    fixed_to.copy_from_slice(fixed);
    let (data_to, rest) = rest.split_at_mut(data.len());
    data_to.copy_from_slice(data);
    rest
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A raft entry.
    Entry(LogEntry),
    /// A hard state.
    HardState(HardState),
    /// A snapshot's position.
    Snapshot(SnapshotMark),
}

/// A record without an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordHead {
    Entry { index: u64, term: u64, kind: u8 },
    HardState(HardState),
    Snapshot(SnapshotMark),
}

impl RecordHead {
    /// Reads the record at the start of `bytes`; returns its length, too.
    fn decode(bytes: &[u8]) -> Option<(RecordHead, usize)> {
        let kind = *bytes.first()?;
        let entry_kind = *bytes.get(AT_ENTRY_KIND)?;
        let zeros = u16_at(bytes, AT_ZEROS)?;
        let body_bytes = usize::try_from(u32_at(bytes, AT_BODY_BYTES)?).ok()?;
        let end = HEAD_BYTES.checked_add(body_bytes)?;
        let body = bytes.get(HEAD_BYTES..end)?;
        if zeros != 0 || (kind != KIND_ENTRY && entry_kind != 0) {
            return None;
        }
        let head = match kind {
            KIND_ENTRY => RecordHead::Entry {
                index: u64_at(body, 0)?,
                term: u64_at(body, 8)?,
                kind: entry_kind,
            },
            KIND_HARD_STATE if body_bytes == HARD_STATE_BODY_BYTES => {
                RecordHead::HardState(HardState::decode(take(body, 0)?))
            }
            KIND_SNAPSHOT if body_bytes == SNAPSHOT_BODY_BYTES => {
                RecordHead::Snapshot(SnapshotMark::decode(take(body, 0)?))
            }
            _ => return None,
        };
        Some((head, end))
    }
}

/// What is said of a payload that isn't records.
const NO_RECORD: &str = "a group with a right checksum holds something that isn't a record";

/// The records of one group, without entries' data, and the bytes of each. Ends after what isn't a
/// record.
pub(crate) struct RecordHeads<'a> {
    rest: &'a [u8],
}

impl<'a> RecordHeads<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> RecordHeads<'a> {
        RecordHeads { rest: payload }
    }
}

impl<'a> Iterator for RecordHeads<'a> {
    type Item = Result<(RecordHead, &'a [u8]), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let decoded = RecordHead::decode(rest).and_then(|(head, end)| {
            let (record, behind) = rest.split_at_checked(end)?;
            self.rest = behind;
            Some((head, record))
        });
        Some(decoded.ok_or(NO_RECORD))
    }
}

/// The records of one group. Yields what doesn't hold if the bytes aren't records, and then ends.
pub struct Records {
    rest: Bytes,
}

impl Records {
    /// Reads a group's payload.
    pub fn new(payload: Bytes) -> Records {
        Records { rest: payload }
    }
}

impl Iterator for Records {
    type Item = Result<Record, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((head, end)) = RecordHead::decode(&self.rest) else {
            self.rest.clear();
            return Some(Err(NO_RECORD));
        };
        let record = match head {
            RecordHead::Entry { index, term, kind } => {
                let data = self.rest.slice(ENTRY_OVERHEAD_BYTES..end);
                Record::Entry(LogEntry { index, term, kind, data })
            }
            RecordHead::HardState(hard_state) => Record::HardState(hard_state),
            RecordHead::Snapshot(mark) => Record::Snapshot(mark),
        };
        self.rest.advance(end);
        Some(Ok(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = LogEntry> {
        let data = vec(any::<u8>(), 0..40);
        (any::<u64>(), any::<u64>(), any::<u8>(), data)
            .prop_map(|(index, term, kind, data)| LogEntry { index, term, kind, data: data.into() })
    }

    proptest! {
        #[test]
        fn records_come_back(
            entries in proptest::collection::vec(entry(), 0..5),
            hard in any::<Option<(u64, u64, u64)>>(),
            mark in any::<Option<(u64, u64)>>(),
        ) {
            let hard_state = hard.map(|(term, vote, commit)| HardState { term, vote, commit });
            let snapshot = mark.map(|(index, term)| SnapshotMark { index, term });
            let group = Group { entries: &entries, hard_state, snapshot };
            let mut payload = vec![0; group.record_bytes() as usize];
            group.encode_records(&mut payload);
            let read: Vec<_> = Records::new(payload.into()).map(Result::unwrap).collect();
            let mut expected: Vec<_> = snapshot.map(Record::Snapshot).into_iter().collect();
            expected.extend(entries.iter().cloned().map(Record::Entry));
            expected.extend(hard_state.map(Record::HardState));
            prop_assert_eq!(read.len(), group.record_count() as usize);
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(payload in vec(0u8..32, 0..99)) {
            let count = Records::new(payload.into()).count();
            prop_assert!(count <= 13);
        }
    }
}
