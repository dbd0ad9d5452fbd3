//! Writes a frozen memtable into tables, a slice at a time.
//!
//! 1. Each keyspace in turn becomes one run of level 0; several tables where one would be long.
//! 2. Versions that the memtable's own watermark allows to lose aren't written: the edit that makes
//!    the tables count makes that watermark durable too.
//! 3. At the end one edit adds all tables and says up to where they cover. Until then a crash
//!    leaves files that the manifest doesn't name.
//!
//! A failure here is final, a full disk too: the log can't be cut and memory can't be freed.

use std::sync::Arc;

use super::manifest::{Change, RunId, Tier};
use super::run_writer::RunWriter;
use super::store::Store;
use super::tree::any_may_have_older;
use crate::picture::{Frozen, MemtableCursor, Stamp};
use crate::retention::{Retention, Verdict};
use crate::table::TableMeta;
use crate::{Direction, KeyRange, Keyspace, Projection, Result};

/// See the module's text.
pub(super) struct Flush {
    frozen: Frozen,
    /// What is still to be written; the last one is under way.
    keyspaces: Vec<KeyspaceFlush>,
    tables: Vec<TableMeta>,
    changes: Vec<Change>,
}

struct KeyspaceFlush {
    keyspace: Keyspace,
    cursor: MemtableCursor,
    retention: Retention,
    output: RunWriter,
}

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    More,
    Done,
}

impl Flush {
    /// A flush of the oldest frozen memtable.
    pub(super) fn new(store: &Store, frozen: Frozen) -> Flush {
        let everything = KeyRange { start: &[], end: None };
        let keyspaces = Keyspace::ALL.map(|keyspace| KeyspaceFlush {
            keyspace,
            cursor: MemtableCursor::new(
                Arc::clone(&frozen.memtable),
                keyspace,
                everything,
                Stamp::MAX,
                Direction::Forward,
                Projection::Full,
            ),
            retention: Retention::new(keyspace),
            output: RunWriter::new(keyspace, RunId(store.take_number()), Tier::Level(0)),
        });
        Flush { keyspaces: keyspaces.into(), frozen, tables: Vec::new(), changes: Vec::new() }
    }

    /// Does one bounded piece; the last one makes the flush count.
    pub(super) fn step(&mut self, store: &Store) -> Result<Slice> {
        let Some(under_way) = self.keyspaces.last_mut() else {
            self.commit(store)?;
            return Ok(Slice::Done);
        };
        if under_way.step(store, self.frozen.applied.watermark)? == Slice::Done {
            let tables = under_way.output.take_finished();
            self.changes.extend(under_way.output.changes(&tables));
            self.tables.extend(tables);
            self.keyspaces.pop();
        }
        Ok(Slice::More)
    }

    fn commit(&mut self, store: &Store) -> Result<()> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.push(Change::Applied(self.frozen.applied.clone()));
        store.commit(changes, &self.tables, self.frozen.applied.watermark, |picture| {
            picture.frozen.remove(0);
        })
    }
}

/// A flush is short-lived, and a dictionary for each of its tables would weigh more than it saves.
fn no_dictionary() -> Result<Vec<u8>> {
    Ok(Vec::new())
}

impl KeyspaceFlush {
    fn step(&mut self, store: &Store, watermark: u64) -> Result<Slice> {
        let picture = store.picture();
        let runs = picture.disk.runs(self.keyspace);
        let mut bytes_left = store.options().slice_bytes;
        while let Some(record) = self.cursor.current() {
            if bytes_left == 0 {
                return Ok(Slice::More);
            }
            if self.retention.starts_key(record.key) {
                self.output.release(store, self.retention.keys_added(), no_dictionary)?;
                if self.output.is_full(store) {
                    self.output.finish_table()?;
                }
            }
            let older = || any_may_have_older(runs, record);
            let verdict = self.retention.decide(record, watermark, older)?;
            let value = self.cursor.value();
            let bytes = record.key.len() + value.len();
            bytes_left = bytes_left.saturating_sub(bytes as u64 + 1);
            match verdict {
                Verdict::Keep(age) => {
                    self.output.add(store, record, &value, age, no_dictionary)?;
                }
                Verdict::KeepLast(age) => self.output.hold(record, value, age),
                Verdict::Vanish(age) => self.output.hold_to_vanish(record, age),
                Verdict::Drop => {}
            }
            self.cursor.advance();
        }
        self.output.release(store, self.retention.keys_added(), no_dictionary)?;
        self.output.finish_table()?;
        Ok(Slice::Done)
    }
}
