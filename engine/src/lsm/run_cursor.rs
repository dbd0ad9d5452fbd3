//! Walks the versions of one run, table by table, in one direction.
//!
//! A table is opened when the cursor gets to it and let go when it is behind: a merge that runs for
//! minutes holds only the files that it still has to read.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::tree::{Run, TableHandle};
use crate::picture::DiskCursor;
use crate::table::{Footprint, Ratios, RecordRef, Table, TableCursor, ValuePlace, ValueReader};
use crate::{Direction, KeyRange, Projection, Result, Version};

/// Whether the blocks that a cursor reads are worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// For a reader: they go to the cache.
    Read,
    /// For a merge, which reads everything once.
    Merge,
}

/// See the module's text. Yields records in `range`, and in the last table also some beyond its far
/// end: the caller knows where to stop.
pub(crate) struct RunCursor {
    /// Tables that come after the current one, in the cursor's direction from the front.
    ahead: VecDeque<Arc<TableHandle>>,
    current: Option<OpenTable>,
    /// Smaller keys don't belong to the run.
    start: Bytes,
    direction: Direction,
    projection: Projection,
    used_for: Use,
}

struct OpenTable {
    cursor: TableCursor,
    /// What [`RunCursor::footprint`] has to remember.
    ratios: Ratios,
    /// Keeps the file from being unlinked.
    handle: Arc<TableHandle>,
}

impl RunCursor {
    /// Stands on the first record in `range`.
    pub(super) fn new(
        run: &Run,
        range: KeyRange<'_>,
        direction: Direction,
        projection: Projection,
        used_for: Use,
    ) -> Result<RunCursor> {
        let start = range.start.max(&run.start);
        let tables = run.tables_in(KeyRange { start, ..range }).iter().cloned();
        let ahead = match direction {
            Direction::Forward => tables.collect(),
            Direction::Reverse => tables.rev().collect(),
        };
        RunCursor::over(ahead, run, KeyRange { start, ..range }, direction, projection, used_for)
    }

    /// Stands on the first record of one of the run's tables and ends behind its last, for a merge.
    pub(super) fn of_table(run: &Run, table: Arc<TableHandle>) -> Result<RunCursor> {
        let range = KeyRange { start: &run.start, end: None };
        let ahead = VecDeque::from([table]);
        RunCursor::over(ahead, run, range, Direction::Forward, Projection::Full, Use::Merge)
    }

    fn over(
        ahead: VecDeque<Arc<TableHandle>>,
        run: &Run,
        range: KeyRange<'_>,
        direction: Direction,
        projection: Projection,
        used_for: Use,
    ) -> Result<RunCursor> {
        let mut cursor = RunCursor {
            ahead,
            current: None,
            start: run.start.clone(),
            direction,
            projection,
            used_for,
        };
        if let Some(first) = cursor.open_next() {
            match (direction, range.end) {
                (Direction::Forward, _) => first.seek(range.start, Version::MAX)?,
                (Direction::Reverse, None) => first.seek_to_last()?,
                (Direction::Reverse, Some(end)) => first.seek_before(end)?,
            }
            cursor.settle()?;
        }
        Ok(cursor)
    }

    /// The table where the cursor stands.
    pub(super) fn table(&self) -> Option<&Table> {
        self.current.as_ref().map(|open| open.handle.table())
    }

    /// What the current record takes in its file.
    pub(super) fn footprint(&mut self) -> Result<Footprint> {
        match &mut self.current {
            Some(open) => open.cursor.footprint(&mut open.ratios),
            None => Ok(Footprint::default()),
        }
    }

    /// Leaves exhausted tables, and ends at the run's start.
    fn settle(&mut self) -> Result<()> {
        while let Some(open) = &self.current {
            match open.cursor.current() {
                Some(record) if *record.key >= *self.start => return Ok(()),
                Some(_) => {
                    self.current = None;
                    self.ahead.clear();
                    return Ok(());
                }
                None => {}
            }
            self.current = None;
            let direction = self.direction;
            if let Some(next) = self.open_next() {
                match direction {
                    Direction::Forward => next.seek_to_first()?,
                    Direction::Reverse => next.seek_to_last()?,
                }
            }
        }
        Ok(())
    }

    /// Opens the next table; its cursor stands nowhere yet.
    fn open_next(&mut self) -> Option<&mut TableCursor> {
        let handle = self.ahead.pop_front()?;
        let cursor = match self.used_for {
            Use::Read => handle.table().cursor(self.projection),
            Use::Merge => handle.table().cursor_once(self.projection),
        };
        let open = OpenTable { cursor, ratios: Ratios::default(), handle };
        Some(&mut self.current.insert(open).cursor)
    }
}

impl DiskCursor for RunCursor {
    type ValuePlace = Option<ValuePlace>;
    type ValueReader = ValueReader;

    fn current(&self) -> Option<RecordRef<'_>> {
        self.current.as_ref()?.cursor.current()
    }

    #[inline]
    fn place(&self) -> Option<(&[u8], Version)> {
        self.current.as_ref()?.cursor.place()
    }

    fn value(&mut self) -> Result<Bytes> {
        match &mut self.current {
            Some(open) => open.cursor.value(),
            None => Ok(Bytes::new()),
        }
    }

    fn value_place(&self) -> Result<Option<ValuePlace>> {
        self.current.as_ref().map_or(Ok(None), |open| open.cursor.value_place())
    }

    fn value_at(place: &Option<ValuePlace>, reader: &mut ValueReader) -> Result<Bytes> {
        place.as_ref().map_or_else(|| Ok(Bytes::new()), |place| reader.read(place))
    }

    fn advance(&mut self) -> Result<()> {
        if let Some(open) = &mut self.current {
            match self.direction {
                Direction::Forward => open.cursor.next()?,
                Direction::Reverse => open.cursor.prev()?,
            }
        }
        self.settle()
    }

    fn seek_forward(&mut self, key: &[u8], version: Version) -> Result<()> {
        debug_assert_eq!(self.direction, Direction::Forward);
        let Some(open) = &mut self.current else {
            return Ok(());
        };
        if *open.handle.properties().largest_key >= *key {
            open.cursor.seek(key, version)?;
        } else {
            let passed = |table: &mut Arc<TableHandle>| table.properties().largest_key < key;
            while self.ahead.pop_front_if(passed).is_some() {}
            self.current = None;
            if let Some(next) = self.open_next() {
                next.seek(key, version)?;
            }
        }
        self.settle()
    }
}
