//! Merges runs of one keyspace into one, a slice at a time, and commits what is done.
//!
//! 1. The inputs are read once, side by side; what the retention rule drops isn't written.
//! 2. When an output table is full, at the first record of a new key, it is ended, and one edit
//!    adds it, removes the input tables that lie wholly before that key, and trims the input runs
//!    to start there. So the space is given back along the way, and a crash loses one table's work.
//! 3. At the end, the last table is added and all that is left of the inputs is removed.
//!
//! A merge of one table is a single edit at its end: the output takes the table's place.
//!
//! The state between two edits is as good as any: the output run holds the keys before, the inputs
//! those after. A merge that is given up simply stops there.

use std::sync::Arc;

use bytes::Bytes;

use super::manifest::{Change, RunId, Tier};
use super::policy::{Plan, Scope};
use super::run_cursor::{RunCursor, Use};
use super::run_writer::RunWriter;
use super::store::Store;
use super::tree::{Run, TableHandle, Tree, any_may_have_older};
use crate::picture::{Merging, Source};
use crate::retention::{Retention, Verdict};
use crate::table::{FileNumber, RecordRef, Table, sample_dictionary};
use crate::{Direction, KeyRange, Keyspace, Projection, Result};

/// See the module's text.
pub(super) struct Merge {
    keyspace: Keyspace,
    inputs: Vec<RunId>,
    tier: Tier,
    scope: Scope,
    /// The watermark when it began; it may rise meanwhile.
    watermark: u64,
    /// Whether the inputs are all runs of the keyspace.
    has_all: bool,
    merging: Merging<RunCursor>,
    retention: Retention,
    output: RunWriter,
}

/// Where the writing of a slice ended.
enum Written {
    /// In the middle of a table.
    Part,
    /// With a table; the next key is the first one that isn't merged.
    Table(Bytes),
    /// With the inputs.
    All,
}

/// How a step went.
pub(super) enum MergeStep {
    /// There is more to do.
    More(Box<Merge>),
    /// The output is whole, and the inputs are gone.
    Done,
    /// The disk is full. The merge is given up, and its unnamed files are removed.
    OutOfSpace,
}

impl Merge {
    /// Begins what `plan` says.
    pub(super) fn new(
        store: &Store,
        keyspace: Keyspace,
        plan: Plan,
        output: RunId,
    ) -> Result<Merge> {
        let picture = store.picture();
        let watermark = picture.disk.applied.watermark;
        let everything = KeyRange { start: &[], end: None };
        let mut sources = Vec::new();
        for run in picture.disk.runs(keyspace) {
            let expired = keyspace == Keyspace::Rev && run.main_max < watermark;
            if plan.inputs.contains(&run.id) && !expired {
                let (direction, projection) = (Direction::Forward, Projection::Full);
                let cursor = match plan.scope {
                    Scope::Runs => {
                        RunCursor::new(run, everything, direction, projection, Use::Merge)?
                    }
                    Scope::Table(number) => RunCursor::of_table(run, table_of(run, number))?,
                };
                sources.push(Source::Disk(Box::new(cursor)));
            }
        }
        let mut runs = picture.disk.runs(keyspace).iter();
        Ok(Merge {
            keyspace,
            has_all: runs.all(|run| plan.inputs.contains(&run.id)),
            inputs: plan.inputs,
            tier: plan.tier,
            scope: plan.scope,
            watermark,
            merging: Merging::new(sources, Direction::Forward),
            retention: Retention::new(keyspace),
            output: RunWriter::new(keyspace, output, plan.tier),
        })
    }

    /// Does one bounded piece.
    pub(super) fn step(mut self: Box<Merge>, store: &Store) -> Result<MergeStep> {
        match self.write(store) {
            Ok(Written::Part) => Ok(MergeStep::More(self)),
            Ok(Written::Table(next)) => {
                self.commit_before(store, &next)?;
                Ok(MergeStep::More(self))
            }
            Ok(Written::All) => {
                self.commit_all(store)?;
                Ok(MergeStep::Done)
            }
            Err(error) if error.is_out_of_space() => {
                self.output.abandon(store)?;
                Ok(MergeStep::OutOfSpace)
            }
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, store: &Store) -> Result<Written> {
        let tree = &store.picture().disk;
        let mut bytes_left = store.options().slice_bytes;
        while let Some(record) = self.merging.current() {
            if bytes_left == 0 {
                return Ok(Written::Part);
            }
            if self.retention.starts_key(record.key) {
                self.release(store)?;
                if self.scope == Scope::Runs && self.output.is_full(store) {
                    self.output.finish_table()?;
                    let (next, _) = self.merging.place().expect("the inputs stand on a record");
                    return Ok(Written::Table(Bytes::copy_from_slice(next)));
                }
            }
            let bytes = self.write_record(store, tree)?;
            bytes_left = bytes_left.saturating_sub(bytes);
            self.merging.advance()?;
        }
        self.release(store)?;
        self.output.finish_table()?;
        Ok(Written::All)
    }

    /// Writes the record where the inputs stand, if it stays, and tells its length.
    fn write_record(&mut self, store: &Store, tree: &Tree) -> Result<u64> {
        let record = self.merging.current().expect("the inputs stand on a record");
        let key_bytes = record.key.len() as u64 + 1;
        let older = || older_elsewhere(tree, self.keyspace, &self.inputs, record);
        let verdict = self.retention.decide(record, tree.applied.watermark, older)?;
        match verdict {
            Verdict::Drop => return Ok(key_bytes),
            Verdict::Vanish(age) => {
                self.output.hold_to_vanish(record, age);
                return Ok(key_bytes);
            }
            Verdict::Keep(_) | Verdict::KeepLast(_) => {}
        }
        let value = self.merging.value()?;
        let bytes = key_bytes + value.len() as u64;
        let record = self.merging.current().expect("it stands where it stood");
        match verdict {
            Verdict::Drop | Verdict::Vanish(_) => {}
            Verdict::KeepLast(age) => self.output.hold(record, value, age),
            Verdict::Keep(age) => {
                let dictionary = || dictionary(self.tier, &self.merging);
                self.output.add(store, record, &value, age, dictionary)?;
            }
        }
        Ok(bytes)
    }

    /// Writes the last record of the key that is through.
    fn release(&mut self, store: &Store) -> Result<()> {
        let keys_added = match self.has_all {
            true => self.retention.keys_added_by_all(),
            false => self.retention.keys_added(),
        };
        let dictionary = || dictionary(self.tier, &self.merging);
        self.output.release(store, keys_added, dictionary)
    }

    /// Makes the output count for the keys before `next`, and the inputs for those from there on.
    fn commit_before(&mut self, store: &Store, next: &Bytes) -> Result<()> {
        let tables = self.output.take_finished();
        let mut changes = self.output.changes(&tables);
        for run in store.picture().disk.runs(self.keyspace) {
            if !self.inputs.contains(&run.id) {
                continue;
            }
            let passed = run.tables.partition_point(|t| t.properties().largest_key < next);
            let (passed, rest) = run.tables.split_at(passed);
            changes.extend(passed.iter().map(|t| Change::RemoveTable(t.table().file().number)));
            // What an earlier, unfinished merge has trimmed further stays so.
            let straddles = rest.first().is_some_and(|t| t.properties().smallest_key < next);
            if straddles && run.start < next {
                changes.push(Change::TrimRun { run: run.id, start: next.clone() });
            }
        }
        store.commit(changes, &tables, self.watermark, |_| {})
    }

    /// Makes the output count for everything.
    fn commit_all(&mut self, store: &Store) -> Result<()> {
        let tables = self.output.take_finished();
        if let Scope::Table(old) = self.scope {
            let change = match tables.first() {
                Some(new) => Change::ReplaceTable { old, file: new.file },
                None => Change::RemoveTable(old),
            };
            return store.commit(vec![change], &tables, self.watermark, |_| {});
        }
        let mut changes = self.output.changes(&tables);
        let picture = store.picture();
        let inputs = picture.disk.runs(self.keyspace).iter();
        let inputs = inputs.filter(|run| self.inputs.contains(&run.id));
        for table in inputs.flat_map(|run| &run.tables) {
            changes.push(Change::RemoveTable(table.table().file().number));
        }
        store.commit(changes, &tables, self.watermark, |_| {})
    }
}

/// The table that a plan names. The run is busy with this merge, so its tables stay.
fn table_of(run: &Run, number: FileNumber) -> Arc<TableHandle> {
    let found = run.tables.iter().find(|table| table.table().file().number == number);
    Arc::clone(found.expect("a plan names a table of its input"))
}

/// What the values of the next table are compressed with: pieces of the tables that it is made of.
/// Only the last tier lives long enough to earn it.
fn dictionary(tier: Tier, merging: &Merging<RunCursor>) -> Result<Vec<u8>> {
    if tier != Tier::Last {
        return Ok(Vec::new());
    }
    let tables: Vec<Table> = merging.disk_cursors().filter_map(RunCursor::table).cloned().collect();
    sample_dictionary(&tables)
}

/// Whether a run outside of the merge can have an older version of the record's key. What is
/// written or flushed later is newer, so what isn't there now won't come.
fn older_elsewhere(
    tree: &Tree,
    keyspace: Keyspace,
    inputs: &[RunId],
    record: RecordRef<'_>,
) -> Result<bool> {
    let others = tree.runs(keyspace).iter().filter(|run| !inputs.contains(&run.id));
    any_may_have_older(others, record)
}
