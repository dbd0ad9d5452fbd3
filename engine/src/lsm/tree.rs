//! The tree: an immutable picture of the tables and how they form runs.
//!
//! Each manifest edit makes a new tree; views keep the one that they started with. A table that the
//! manifest no longer names is *doomed*: when its last holder lets go, its number goes to the
//! graveyard, and a later step unlinks the file. So no reader ever waits for an unlink.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::manifest::{Contents, RunEntry, RunId, Tier};
use super::policy::{RunShape, TableShape};
use super::run_cursor::{RunCursor, Use};
use crate::picture::{Disk, Grave, Graveyard};
use crate::table::{FileNumber, Properties, RecordRef, Table, TableFile};
use crate::{Applied, Direction, KeyRange, Keyspace, Projection, Record, Result, Version};

/// An open table that a tree names.
pub(super) struct TableHandle {
    table: Table,
    /// Of what its staircase promises, bytes that whoever wrote it could not leave out: tombstones
    /// over something that may be older elsewhere.
    kept_bytes: u64,
    doomed: AtomicBool,
    graveyard: Arc<Graveyard>,
}

impl TableHandle {
    /// An open table whose writer went by the watermark `written_at`; 0 if that isn't known.
    pub(super) fn new(
        table: Table,
        graveyard: Arc<Graveyard>,
        written_at: u64,
    ) -> Arc<TableHandle> {
        let kept_bytes = dead_bytes(table.file(), table.properties(), written_at);
        Arc::new(TableHandle { table, kept_bytes, doomed: AtomicBool::new(false), graveyard })
    }

    /// Has the file unlinked once the last holder lets go. The manifest no longer names it.
    pub(super) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn properties(&self) -> &Properties {
        self.table.properties()
    }

    fn dead_bytes(&self, watermark: u64) -> u64 {
        dead_bytes(self.table.file(), self.properties(), watermark)
    }
}

/// Bytes of a table that a merge of it alone gives back, estimated by the share of keys and values
/// that they are of: what its staircase promises at the watermark, and tables of `Rev` below it.
pub(super) fn dead_bytes(file: &TableFile, properties: &Properties, watermark: u64) -> u64 {
    if file.keyspace == Keyspace::Rev {
        return if properties.main_max < watermark { file.file_bytes } else { 0 };
    }
    let content_bytes = properties.key_bytes.saturating_add(properties.value_bytes).max(1);
    let share = properties.reclaimable_bytes(watermark) as f64 / content_bytes as f64;
    (file.file_bytes as f64 * share) as u64
}

impl Drop for TableHandle {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Acquire) {
            self.graveyard.take_in(Grave::Table(self.table.file().number));
        }
    }
}

/// The open tables by number.
pub(super) type OpenTables = HashMap<FileNumber, Arc<TableHandle>>;

/// A sorted run with its tables open.
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) tier: Tier,
    /// Smaller keys are in the first table's file, but not part of the run.
    pub(super) start: Bytes,
    /// Keys ascending and disjoint; never empty. All versions of a key are in one table.
    pub(super) tables: Vec<Arc<TableHandle>>,
    /// Bounds of the main versions of all records.
    pub(super) main_min: u64,
    pub(super) main_max: u64,
    pub(super) file_bytes: u64,
    /// Bytes that a merge of it alone gives back at the tree's watermark.
    dead_bytes: u64,
    /// The table of which the largest share is dead, if anything is.
    dirtiest: Option<TableShape>,
}

impl Run {
    fn new(id: RunId, entry: &RunEntry, open: &OpenTables, watermark: u64) -> Run {
        let handle = |number| Arc::clone(open.get(number).expect("a named table is open"));
        let tables: Vec<_> = entry.tables.iter().map(|file| handle(&file.number)).collect();
        let properties = || tables.iter().map(|table| table.properties());
        let shape = |table: &Arc<TableHandle>| {
            let TableFile { number, file_bytes, .. } = *table.table().file();
            let dead_bytes = table.dead_bytes(watermark).saturating_sub(table.kept_bytes);
            TableShape { number, bytes: file_bytes, dead_bytes }
        };
        let dirty = tables.iter().map(shape).filter(|table| table.dead_bytes > 0);
        Run {
            dead_bytes: tables.iter().map(|table| table.dead_bytes(watermark)).sum(),
            dirtiest: dirty.max_by_key(TableShape::dead_share),
            id,
            tier: entry.tier,
            start: entry.start.clone(),
            main_min: properties().map(|p| p.main_min).min().unwrap_or(0),
            main_max: properties().map(|p| p.main_max).max().unwrap_or(0),
            file_bytes: entry.tables.iter().map(|file| file.file_bytes).sum(),
            tables,
        }
    }

    /// The newest record of `key` at or below `at`, tombstones included.
    fn get(&self, key: &[u8], at: Version, projection: Projection) -> Result<Option<Record>> {
        match self.table_of(key) {
            Some(table) => table.table.get(key, at, projection),
            None => Ok(None),
        }
    }

    /// `false` only if the run has no record of `key` that is older than `version`.
    fn may_have_older(&self, key: &[u8], version: Version) -> Result<bool> {
        match self.table_of(key) {
            Some(table) if self.main_min <= version.main => table.table.may_contain(key),
            _ => Ok(false),
        }
    }

    /// Bytes of its files that a merge of it alone gives back at `watermark`; see [`dead_bytes`].
    fn dead_bytes_at(&self, watermark: u64) -> u64 {
        self.tables.iter().map(|table| table.dead_bytes(watermark)).sum()
    }

    /// What the policy has to know of it.
    pub(super) fn shape(&self, busy: bool) -> RunShape {
        RunShape {
            id: self.id,
            tier: self.tier,
            bytes: self.file_bytes,
            dead_bytes: self.dead_bytes,
            dirtiest: self.dirtiest,
            busy,
        }
    }

    /// The first key of its first table.
    pub(super) fn smallest_key(&self) -> &Bytes {
        &self.tables.first().expect("a run has tables").properties().smallest_key
    }

    /// The one table that can have `key`.
    fn table_of(&self, key: &[u8]) -> Option<&TableHandle> {
        let left = self.tables.partition_point(|table| table.properties().largest_key < key);
        let table = self.tables.get(left)?;
        let covered = *key >= *self.start && *key >= *table.properties().smallest_key;
        covered.then_some(table)
    }

    /// The tables that can have keys in `range`, keys ascending.
    pub(super) fn tables_in(&self, range: KeyRange<'_>) -> &[Arc<TableHandle>] {
        let first = self.tables.partition_point(|t| t.properties().largest_key < range.start);
        let rest = self.tables.get(first..).unwrap_or_default();
        let inside = match range.end {
            None => rest.len(),
            Some(end) => rest.partition_point(|t| t.properties().smallest_key < end),
        };
        rest.get(..inside).unwrap_or_default()
    }
}

/// `false` only if none of `runs` has a record of the same key that is older than `record`.
pub(super) fn any_may_have_older<'a>(
    runs: impl IntoIterator<Item = &'a Arc<Run>>,
    record: RecordRef<'_>,
) -> Result<bool> {
    for run in runs {
        if run.may_have_older(record.key, record.version)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The runs of each keyspace, and what they cover.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) applied: Applied,
    /// By [`Keyspace`]; the run with the newest record first, since reads end early with it.
    keyspaces: [Vec<Arc<Run>>; 4],
    pub(super) totals: Totals,
    /// A watermark, and what can go at it: asked for with each write, and changed rarely.
    dead_ahead: Mutex<Option<(u64, u64)>>,
}

/// Sums over all runs.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) file_bytes: u64,
    pub(super) runs: u64,
    /// Runs of `Kv` that no merge has taken yet.
    pub(super) level_zero_runs: u64,
    /// Bytes of `Kv` above the last tier.
    pub(super) level_bytes: u64,
    /// Bytes of `Kv` in the last tier that a merge of it alone keeps.
    pub(super) last_living_bytes: u64,
}

impl Tree {
    /// The tree that the manifest describes.
    pub(super) fn new(contents: &Contents, open: &OpenTables) -> Tree {
        let watermark = contents.applied.watermark;
        let mut tree = Tree { applied: contents.applied.clone(), ..Tree::default() };
        for (&id, entry) in &contents.runs {
            let run = Arc::new(Run::new(id, entry, open, watermark));
            tree.keyspaces[entry.keyspace as usize].push(run);
        }
        for runs in &mut tree.keyspaces {
            runs.sort_by_key(|run| Reverse((run.main_max, run.id)));
        }
        tree.totals = tree.sum();
        tree
    }

    fn sum(&self) -> Totals {
        let mut totals = Totals::default();
        for run in self.all_runs() {
            totals.file_bytes += run.file_bytes;
            totals.runs += 1;
        }
        for run in self.runs(Keyspace::Kv) {
            match run.tier {
                Tier::Last => totals.last_living_bytes += run.file_bytes - run.dead_bytes,
                Tier::Level(level) => {
                    totals.level_bytes += run.file_bytes;
                    totals.level_zero_runs += u64::from(level == 0);
                }
            }
        }
        totals
    }

    /// Bytes that a complete merge gives back once `watermark` is durable, as far as is known.
    pub(super) fn dead_bytes(&self, watermark: u64) -> u64 {
        let mut ahead = self.dead_ahead.lock();
        match *ahead {
            Some((known, bytes)) if known == watermark => bytes,
            _ => {
                let bytes = self.all_runs().map(|run| run.dead_bytes_at(watermark)).sum();
                *ahead = Some((watermark, bytes));
                bytes
            }
        }
    }

    /// What a manifest says that makes this tree, if `next` is the next unused number.
    pub(super) fn contents(&self, next: u64) -> Contents {
        let entry = |run: &Run, keyspace| RunEntry {
            keyspace,
            tier: run.tier,
            start: run.start.clone(),
            tables: run.tables.iter().map(|table| *table.table().file()).collect(),
        };
        let runs = Keyspace::ALL.into_iter().flat_map(|keyspace| {
            let runs = self.runs(keyspace).iter();
            runs.map(move |run| (run.id, entry(run, keyspace)))
        });
        Contents { applied: self.applied.clone(), next, runs: runs.collect() }
    }

    pub(super) fn runs(&self, keyspace: Keyspace) -> &[Arc<Run>] {
        &self.keyspaces[keyspace as usize]
    }

    pub(super) fn all_runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.keyspaces.iter().flatten()
    }
}

impl Disk for Tree {
    type Cursor = RunCursor;

    fn applied(&self) -> &Applied {
        &self.applied
    }

    /// A merge may have taken any set of runs, so versions decide and not the order of runs.
    fn get(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        projection: Projection,
        mut found: Option<Record>,
    ) -> Result<Option<Record>> {
        for run in self.runs(keyspace) {
            let newest = found.as_ref().map(|record| record.version);
            if newest.is_some_and(|newest| newest.main > run.main_max) {
                break;
            }
            if run.main_min > at.main {
                continue;
            }
            if let Some(record) = run.get(key, at, projection)?
                && newest.is_none_or(|newest| newest < record.version)
            {
                found = Some(record);
            }
        }
        Ok(found)
    }

    fn cursors(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        direction: Direction,
        projection: Projection,
    ) -> Result<Vec<RunCursor>> {
        let runs = self.runs(keyspace).iter().filter(|run| run.main_min <= at.main);
        runs.map(|run| RunCursor::new(run, range, direction, projection, Use::Read)).collect()
    }

    fn keys_added(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
    ) -> Result<Option<i64>> {
        let mut sum = 0;
        for run in self.runs(keyspace).iter().filter(|run| run.main_min <= at.main) {
            let range = KeyRange { start: range.start.max(&run.start), ..range };
            for handle in run.tables_in(range) {
                match handle.table.keys_added(range, at)? {
                    Some(added) => sum += added,
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(sum))
    }
}
