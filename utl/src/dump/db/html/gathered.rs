//! What a page shows, read and summed up, within limits.

use super::super::Error;
use super::super::args::Space;
use super::super::fault::Fault;
use super::super::output::{KEYSPACES, Output, name_of};
use super::super::properties::Totals;
use super::super::space::{self, Measured, Met};
use super::super::subject::Subject;
use super::super::summary::{runs_of, tier_name};
use super::Database;
use crate::progress::Progress;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::table::BlockCache;
use retcd_mvcc::stored::State;
use std::io;
use std::sync::Arc;

/// Prefixes that have a row.
const PREFIXES_MAX: usize = 500;
/// Runs that have a row, and rectangles in all of them.
const RUNS_MAX: usize = 100;
const PARTS_MAX: usize = 1500;
/// Most columns that revisions are put into.
const AGES_MAX: usize = 60;

/// See the module's text.
pub(super) struct Gathered {
    pub(super) path: String,
    /// The engine's name.
    pub(super) engine: &'static str,
    pub(super) is_held: bool,
    /// Up to where it goes.
    pub(super) index: u64,
    pub(super) term: u64,
    /// Absent if the state can't be decoded.
    pub(super) state: Option<State>,
    pub(super) space: Measured,
    /// Whether all keys are in it, not a range of them.
    pub(super) is_all: bool,
    pub(super) ages: Ages,
    /// Of a tree there are none.
    pub(super) runs: Vec<Run>,
    /// Runs that have no row.
    pub(super) runs_left: u64,
    pub(super) totals: Totals,
    /// Tables that a rectangle stands for, at most.
    pub(super) tables_in_part: usize,
    pub(super) faults: Vec<Fault>,
}

/// Versions by revision, in columns of as many revisions as fit.
pub(super) struct Ages {
    /// The newest revision.
    newest: u64,
    /// Of each column: versions with which a key exists, and others.
    pub(super) columns: Vec<(u64, u64)>,
}

/// A run, and its tables in the order of keys.
pub(super) struct Run {
    pub(super) name: String,
    pub(super) keyspace: &'static str,
    pub(super) totals: Totals,
    pub(super) parts: Vec<Part>,
}

/// A table, or neighbours that are shown as one.
pub(super) struct Part {
    /// The first one's number.
    pub(super) table: u64,
    pub(super) totals: Totals,
}

impl Gathered {
    /// Reads the database. Faults are kept.
    pub(super) fn read(
        database: &Database<'_>,
        asked: &Space,
        progress: &mut Progress<'_>,
    ) -> Result<Gathered, Error> {
        let subject = database.subject;
        let applied = subject.applied();
        let state = State::decode(&applied.state).ok();
        let newest = state.as_ref().map_or(0, |state| state.revision.cast_unsigned());
        let mut ages = Ages::new(newest);
        let (mut sink, mut nobody) = (io::sink(), |_| {});
        let mut output = Output::keeping(&mut sink, &mut nobody);
        if state.is_none() && applied.index > 0 {
            let file = subject.path().display().to_string();
            output.fault(Fault::of_file(&file, "the state can't be decoded"))?;
        }
        let asked = Space { limit: asked.limit.min(PREFIXES_MAX), ..asked.clone() };
        let mut bytes = 0.0;
        let space = space::measure(subject, &asked, &mut output, &mut |met| {
            ages.add(&met);
            bytes += met.stored_bytes;
            if bytes >= f64::from(1 << 20) {
                progress.add(bytes as u64);
                bytes = 0.0;
            }
        })?;
        let mut gathered = Gathered {
            path: subject.path().display().to_string(),
            engine: match subject {
                Subject::Tables(_) => "log-structured",
                Subject::Tree(_) => "B+tree",
            },
            is_held: database.is_held,
            index: applied.index,
            term: applied.term,
            state,
            space,
            is_all: asked.range.is_all(),
            ages,
            runs: Vec::new(),
            runs_left: 0,
            totals: Totals::default(),
            tables_in_part: 1,
            faults: Vec::new(),
        };
        if let Subject::Tables(folder) = subject {
            gathered.read_runs(folder, &mut output)?;
        }
        gathered.faults = output.into_faults();
        Ok(gathered)
    }

    /// Opens all tables, one at a time.
    fn read_runs(&mut self, folder: &Folder<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        let runs = KEYSPACES.into_iter().flat_map(|keyspace| runs_of(folder, keyspace));
        let tables: usize = runs.map(|(_, run)| run.tables.len()).sum();
        self.tables_in_part = tables.div_ceil(PARTS_MAX).max(1);
        let cache = Arc::new(BlockCache::new(0));
        let watermark = folder.contents().applied.watermark;
        let runs = KEYSPACES.into_iter().flat_map(|keyspace| runs_of(folder, keyspace));
        for (id, run) in runs {
            let mut row = Run {
                name: format!("{} {}, {}", name_of(run.keyspace), id.0, tier_name(run.tier)),
                keyspace: name_of(run.keyspace),
                totals: Totals::default(),
                parts: Vec::new(),
            };
            for (at, file) in run.tables.iter().enumerate() {
                match folder.open(*file, &cache) {
                    Ok(table) => {
                        let totals = Totals::of(file, table.properties(), watermark);
                        let begins = at.is_multiple_of(self.tables_in_part);
                        row.add(file.number.0, &totals, begins);
                    }
                    Err(error) => output.fault(&error)?,
                }
            }
            self.totals.add(&row.totals);
            match self.runs.len() < RUNS_MAX {
                true => self.runs.push(row),
                false => self.runs_left += 1,
            }
        }
        Ok(())
    }
}

impl Run {
    /// Adds its next table, which `begins` a part or belongs to the last one.
    fn add(&mut self, table: u64, totals: &Totals, begins: bool) {
        self.totals.add(totals);
        match self.parts.last_mut().filter(|_| !begins) {
            Some(part) => part.totals.add(totals),
            None => self.parts.push(Part { table, totals: totals.clone() }),
        }
    }
}

impl Ages {
    fn new(newest: u64) -> Ages {
        let columns = usize::try_from(newest).unwrap_or(usize::MAX).clamp(1, AGES_MAX);
        Ages { newest: newest.max(1), columns: vec![(0, 0); columns] }
    }

    fn add(&mut self, met: &Met) {
        let columns = self.columns.len();
        let at = u128::from(met.revision.saturating_sub(1)) * columns as u128;
        let at = usize::try_from(at / u128::from(self.newest)).unwrap_or(usize::MAX);
        // What is newer than the newest revision contradicts it; it isn't left out for that.
        let (live, others) = &mut self.columns[at.min(columns - 1)];
        match met.is_live {
            true => *live += 1,
            false => *others += 1,
        }
    }

    /// The first and the last revision of a column.
    pub(super) fn revisions(&self, column: usize) -> (u64, u64) {
        let until = |column: usize| {
            let until =
                (column as u128 * u128::from(self.newest)).div_ceil(self.columns.len() as u128);
            u64::try_from(until).unwrap_or(u64::MAX)
        };
        (until(column) + 1, until(column + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_revision_is_in_the_column_that_says_so() {
        for newest in [1, 2, 59, 60, 61, 142, 1_000_003] {
            let mut next = 1;
            let columns = Ages::new(newest).columns.len();
            for column in 0..columns {
                let (first, last) = Ages::new(newest).revisions(column);
                assert_eq!(first, next, "{newest}");
                assert!(first <= last, "{newest}: column {column} is empty");
                next = last + 1;
                for revision in [first, last] {
                    let mut ages = Ages::new(newest);
                    ages.add(&Met { revision, is_live: true, stored_bytes: 1.0 });
                    assert_eq!(ages.columns[column], (1, 0), "{revision} of {newest}");
                }
            }
            assert_eq!(next, newest + 1);
        }
        let mut ages = Ages::new(u64::MAX);
        ages.add(&Met { revision: u64::MAX, is_live: false, stored_bytes: 1.0 });
        assert_eq!(ages.columns.last(), Some(&(0, 1)));
        let mut empty = Ages::new(0);
        empty.add(&Met { revision: 0, is_live: false, stored_bytes: 1.0 });
        assert_eq!(empty.columns, [(0, 1)]);
    }

    #[test]
    fn very_many_tables_are_few_parts() {
        let run = |tables: u64, in_part: u64| {
            let (name, totals, parts) = (String::new(), Totals::default(), Vec::new());
            let mut run = Run { name, keyspace: "kv", totals, parts };
            let mut table = Totals::default();
            (table.tables, table.file_bytes) = (1, 3);
            (0..tables).for_each(|at| run.add(at, &table, at % in_part == 0));
            run
        };
        let many = run(1_000_000, 1_000_000_u64.div_ceil(PARTS_MAX as u64));
        assert!(many.parts.len() <= PARTS_MAX, "{}", many.parts.len());
        assert_eq!((many.totals.tables, many.totals.file_bytes), (1_000_000, 3_000_000));
        assert_eq!(many.parts.iter().map(|part| part.totals.tables).sum::<u64>(), 1_000_000);
        assert_eq!(run(5, 1).parts.len(), 5);
        assert_eq!(run(5, 2).parts.iter().map(|part| part.table).collect::<Vec<_>>(), [0, 2, 4]);
    }
}
