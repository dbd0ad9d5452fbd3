//! Commits a frozen memtable: one transaction, a slice of its records at a time.
//!
//! Keyspaces come one after the other, records in the order of the buckets, so that a slice touches
//! few pages of the slice before. Retention takes away, from the pages that are written anyway,
//! what the memtable's own watermark allows to lose: the transaction makes that watermark durable.
//!
//! A failure here is final, a full disk too: the log can't be cut and memory can't be freed.

use std::sync::Arc;

use super::ledger::{Ledger, Open, Says, Trimming};
use super::record::{encode, seek_key};
use super::update::{Change, ChangeKind, Losing};
use crate::picture::{Frozen, MemtableCursor, Stamp};
use crate::{Direction, KeyRange, Keyspace, Projection, Record, Result};

const KEYSPACES: [Keyspace; 4] = [Keyspace::Rev, Keyspace::Kv, Keyspace::Lease, Keyspace::Meta];

/// See the module's text.
pub(super) struct Flush {
    frozen: Frozen,
    open: Open,
    /// What is still to be written, the next one last.
    cursors: Vec<(Keyspace, MemtableCursor)>,
}

/// What became of a step.
pub(super) enum FlushStep {
    /// There is more to do.
    More(Box<Flush>),
    /// All of it is durable.
    Done,
}

impl Flush {
    /// Begins a transaction for `frozen`.
    pub(super) fn begin(ledger: &mut Ledger, frozen: Frozen) -> Result<Flush> {
        let everything = KeyRange { start: &[], end: None };
        let cursor = |keyspace| {
            let memtable = Arc::clone(&frozen.memtable);
            let (direction, projection) = (Direction::Forward, Projection::Full);
            let cursor = MemtableCursor::new(
                memtable,
                keyspace,
                everything,
                Stamp::MAX,
                direction,
                projection,
            );
            (keyspace, cursor)
        };
        let cursors = KEYSPACES.map(cursor).into();
        Ok(Flush { open: ledger.begin()?, frozen, cursors })
    }

    /// Writes about `slice_bytes` of records; the last step makes all of them durable.
    pub(super) fn step(
        mut self: Box<Flush>,
        ledger: &mut Ledger,
        slice_bytes: u64,
    ) -> Result<FlushStep> {
        let Some((keyspace, cursor)) = self.cursors.last_mut() else {
            let applied = self.frozen.applied.clone();
            let says = Says { applied, swept: ledger.swept.clone(), trimming: Trimming::Large };
            let prepared = ledger.prepare(self.open, says)?;
            ledger.seal(prepared)?;
            return Ok(FlushStep::Done);
        };
        let keyspace = *keyspace;
        let changes = slice(keyspace, cursor, slice_bytes);
        let next = cursor.place().map(|(key, version)| seek_key(keyspace, key, version));
        if next.is_none() {
            self.cursors.pop();
        }
        let losing = match (keyspace, self.frozen.applied.watermark) {
            (Keyspace::Kv | Keyspace::Rev, 0) => Losing::Nothing,
            (_, watermark) => Losing::Below { watermark, unfinished: next.as_deref() },
        };
        if !changes.is_empty() {
            ledger.update(&mut self.open, keyspace, losing, &changes)?;
        }
        Ok(FlushStep::More(self))
    }
}

/// Takes some records from `cursor`.
fn slice(keyspace: Keyspace, cursor: &mut MemtableCursor, slice_bytes: u64) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut bytes_left = slice_bytes;
    while let Some(record) = cursor.current()
        && bytes_left > 0
    {
        let record = Record {
            key: bytes::Bytes::copy_from_slice(record.key),
            version: record.version,
            tombstone: record.tombstone,
            header: record.header,
            value: cursor.value(),
            keys_added: None,
        };
        let (key, value) = encode(keyspace, &record);
        bytes_left = bytes_left.saturating_sub((key.len() + value.len()) as u64);
        changes.push(Change { key, kind: ChangeKind::Put(value) });
        cursor.advance();
    }
    changes
}
