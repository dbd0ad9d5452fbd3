//! All versions of a keyspace, keys ascending and versions of one key descending, and what each
//! takes on disk.

use bytes::Bytes;

use crate::lsm::run_cursor::{RunCursor, Use};
use crate::lsm::tree::Tree;
use crate::picture::{Merging, Source};
use crate::table::{Footprint, RecordRef, Seen};
use crate::{Direction, KeyRange, Keyspace, Projection, Result};

/// See the module's text. A record that two runs have comes twice, one right after the other.
pub struct Walk {
    merging: Merging<RunCursor>,
    end: Option<Bytes>,
    started: bool,
}

impl Walk {
    pub(super) fn new(tree: &Tree, keyspace: Keyspace, range: KeyRange<'_>) -> Result<Walk> {
        let mut sources = Vec::new();
        for run in tree.runs(keyspace) {
            let direction = Direction::Forward;
            let cursor = RunCursor::new(run, range, direction, Projection::Keys, Use::Merge)?;
            sources.push(Source::Disk(Box::new(cursor)));
        }
        Ok(Walk {
            merging: Merging::new(sources, Direction::Forward),
            end: range.end.map(Bytes::copy_from_slice),
            started: false,
        })
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// Those of reading a block. The walk must not be used afterwards.
    #[expect(clippy::should_implement_trait, reason = "it lends, and may fail")]
    pub fn next(&mut self) -> Result<Option<Seen<'_>>> {
        if std::mem::replace(&mut self.started, true) {
            self.merging.advance()?;
        }
        let footprint = match self.merging.first_on_disk() {
            Some(cursor) => cursor.footprint()?,
            None => Footprint::default(),
        };
        let record = self.merging.current();
        let inside = |record: &RecordRef<'_>| self.end.as_ref().is_none_or(|end| record.key < end);
        Ok(record.filter(inside).map(|record| Seen { record, footprint }))
    }
}
