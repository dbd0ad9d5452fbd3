//! What both engines on disk have in front of their files: memtables, the picture of everything at
//! one moment, and the reads over it.
//!
//! ```text
//! write ─▶ active memtable ─▶ frozen, at most two ─flush─▶ Disk
//!                     commit rotates
//! ```
//!
//! An engine brings its [`Disk`]: what its files hold at one moment, immutable and kept readable
//! for as long as somebody holds it. A [`Front`] takes writes, freezes memtables between two
//! commits, and shows pictures. A view reads the memtables and the disk of its picture as one.

mod front;
mod graveyard;
mod key_bits;
mod memtable;
mod merging;
mod scan;
mod view;

use bytes::Bytes;

pub(crate) use front::{Due, Front};
pub(crate) use graveyard::{Grave, Graveyard};
pub(crate) use memtable::{MemtableCursor, Stamp};
pub(crate) use merging::{Merging, Source};
pub(crate) use view::{Frozen, Picture, PictureView};

use crate::table::RecordRef;
use crate::{Applied, Direction, KeyRange, Keyspace, Projection, Record, Result, Version};

/// What an engine's files hold at one moment.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Walks a sorted part of it.
    type Cursor: DiskCursor;

    /// What the files cover.
    fn applied(&self) -> &Applied;

    /// The newest record of `key` at or below `at` among `found` and the files, tombstones
    /// included.
    fn get(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        projection: Projection,
        found: Option<Record>,
    ) -> Result<Option<Record>>;

    /// Cursors that together have every record of `range` at or below `at`, and may have others
    /// too, each standing on its first one.
    fn cursors(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        direction: Direction,
        projection: Projection,
    ) -> Result<Vec<Self::Cursor>>;

    /// How many keys the records in `range` add that are at or below `at`; `None` if that isn't
    /// known of all of them.
    fn keys_added(
        &self,
        _keyspace: Keyspace,
        _range: KeyRange<'_>,
        _at: Version,
    ) -> Result<Option<i64>> {
        Ok(None)
    }
}

/// Stands on a record of a [`Disk`]. Going forward, records come keys ascending and versions of a
/// key descending; going back, the other way round. Beyond the far end of its range it may go on.
pub(crate) trait DiskCursor: Send {
    /// Where a value is, whatever the cursor does meanwhile; good as long as the [`Disk`] is held.
    type ValuePlace: Send;

    /// What reads values by their places.
    type ValueReader: Default + Send;

    /// Where the cursor stands; `None` at the end.
    fn current(&self) -> Option<RecordRef<'_>>;

    /// Key and version of the record where it stands.
    fn place(&self) -> Option<(&[u8], Version)>;

    /// The value of the current record; empty at the end.
    fn value(&mut self) -> Result<Bytes>;

    /// Where the value of the current record is; nowhere at the end.
    fn value_place(&self) -> Result<Self::ValuePlace>;

    /// The value at `place`, read by a `reader` that may have read others.
    fn value_at(place: &Self::ValuePlace, reader: &mut Self::ValueReader) -> Result<Bytes>;

    /// Goes to the next record in the cursor's direction.
    fn advance(&mut self) -> Result<()>;

    /// Goes forward to the first record at or after (`key`, `version`) in the cursor's order. For
    /// cursors that go forward.
    fn seek_forward(&mut self, key: &[u8], version: Version) -> Result<()>;
}
