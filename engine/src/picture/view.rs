//! A view: the memtables and the disk of one moment, and the reads over them.
//!
//! Reads compare versions and trust no order among memtables and what the disk has: the newest
//! record at or below the asked version wins, wherever it is.

use std::sync::Arc;

use super::Disk;
use super::memtable::{Memtable, MemtableCursor, Stamp};
use super::merging::{Merging, Source};
use super::scan::{ForwardScan, ReverseScan, VersionScan};
use crate::health::Health;
use crate::{
    Applied, Cursor, Direction, KeyRange, Keyspace, Projection, Record, Result, Version, View,
};

/// A memtable that takes no more records, and what is covered once it is flushed.
#[derive(Clone)]
pub(crate) struct Frozen {
    pub(crate) memtable: Arc<Memtable>,
    pub(crate) applied: Applied,
}

/// Where all records are at one moment. Immutable, except that `active` grows.
pub(crate) struct Picture<D> {
    pub(crate) active: Arc<Memtable>,
    /// Oldest first.
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) disk: Arc<D>,
}

impl<D> Clone for Picture<D> {
    fn clone(&self) -> Picture<D> {
        Picture {
            active: Arc::clone(&self.active),
            frozen: self.frozen.clone(),
            disk: Arc::clone(&self.disk),
        }
    }
}

impl<D> Picture<D> {
    /// Memtables, newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        let frozen = self.frozen.iter().rev().map(|frozen| &frozen.memtable);
        std::iter::once(&self.active).chain(frozen)
    }
}

/// See the module's text.
pub(crate) struct PictureView<D> {
    picture: Arc<Picture<D>>,
    /// What the active memtable held when the view was made. The others don't change.
    limit: Stamp,
    health: Arc<Health>,
}

impl<D: Disk> PictureView<D> {
    pub(crate) fn new(picture: Arc<Picture<D>>, health: Arc<Health>) -> PictureView<D> {
        let limit = picture.active.published();
        PictureView { picture, limit, health }
    }

    /// A view of files alone.
    pub(crate) fn of_files(disk: Arc<D>) -> PictureView<D> {
        let active = Arc::new(Memtable::new(Arc::default()));
        let picture = Picture { active, frozen: Vec::new(), disk };
        PictureView::new(Arc::new(picture), Arc::default())
    }

    /// Memtables with the stamp up to which this view reads them, newest first.
    fn memtables(&self) -> impl Iterator<Item = (&Arc<Memtable>, Stamp)> {
        let limits = std::iter::once(self.limit).chain(std::iter::repeat(Stamp::MAX));
        self.picture.memtables().zip(limits)
    }

    /// All that can have records of `range` at or below `at`.
    fn merging(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        direction: Direction,
        projection: Projection,
    ) -> Result<Merging<D::Cursor>> {
        self.health.check()?;
        let mut sources = Vec::new();
        if range.end.is_none_or(|end| range.start < end) {
            for (memtable, limit) in self.memtables() {
                let memtable = Arc::clone(memtable);
                let cursor =
                    MemtableCursor::new(memtable, keyspace, range, limit, direction, projection);
                sources.push(Source::Memtable(Box::new(cursor)));
            }
            let disk = self.picture.disk.cursors(keyspace, range, at, direction, projection);
            let disk = self.health.note(disk)?.into_iter();
            sources.extend(disk.map(|cursor| Source::Disk(Box::new(cursor))));
        }
        Ok(Merging::new(sources, direction))
    }

    /// How many keys the records of `range` at or below `at` add, if they all say it.
    pub(crate) fn keys_added(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
    ) -> Result<Option<i64>> {
        if range.end.is_some_and(|end| end <= range.start) {
            return Ok(Some(0));
        }
        let Some(mut sum) = self.picture.disk.keys_added(keyspace, range, at)? else {
            return Ok(None);
        };
        for (memtable, limit) in self.memtables() {
            match memtable.keys_added(keyspace, range, at, limit) {
                Some(added) => sum += added,
                None => return Ok(None),
            }
        }
        Ok(Some(sum))
    }
}

impl<D: Disk> View for PictureView<D> {
    fn get(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        projection: Projection,
    ) -> Result<Option<Record>> {
        self.health.check()?;
        let mut found: Option<Record> = None;
        for (memtable, limit) in self.memtables() {
            let newest = found.as_ref().map(|record| record.version);
            let newer = memtable.get_newer(keyspace, key, at, newest, limit, projection);
            if let Some(newer) = newer
                && newest.is_none_or(|newest| newest < newer.version)
            {
                found = Some(newer);
            }
        }
        let found = self.picture.disk.get(keyspace, key, at, projection, found);
        self.health.note(found)
    }

    fn scan<'a>(
        &'a self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        direction: Direction,
        projection: Projection,
    ) -> Result<Box<dyn Cursor + 'a>> {
        let merging = self.merging(keyspace, range, at, direction, projection)?;
        Ok(match direction {
            Direction::Forward => {
                let scan = ForwardScan::new(merging, range.end, at, projection);
                Box::new(Watched::new(scan, &self.health))
            }
            Direction::Reverse => {
                let scan = ReverseScan::new(merging, range.start, at, projection);
                Box::new(Watched::new(scan, &self.health))
            }
        })
    }

    fn versions<'a>(
        &'a self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        projection: Projection,
    ) -> Result<Box<dyn Cursor + 'a>> {
        let merging =
            self.merging(keyspace, range, Version::MAX, Direction::Forward, projection)?;
        let scan = VersionScan::new(merging, range.end, projection);
        Ok(Box::new(Watched::new(scan, &self.health)))
    }

    /// Adds up what the records say that they add, wherever they are. Only where some don't say it,
    /// keys are looked at.
    fn count(&self, keyspace: Keyspace, range: KeyRange<'_>, at: Version) -> Result<u64> {
        self.health.check()?;
        let added = self.health.note(self.keys_added(keyspace, range, at))?;
        if let Some(added) = added.and_then(|added| u64::try_from(added).ok()) {
            return Ok(added);
        }
        let merging = self.merging(keyspace, range, at, Direction::Forward, Projection::Keys)?;
        let counted = ForwardScan::new(merging, range.end, at, Projection::Keys).count();
        self.health.note(counted)
    }
}

/// A cursor whose first error stops the engine, and which ends with it.
struct Watched<'a, C> {
    cursor: Option<C>,
    health: &'a Health,
}

impl<'a, C: Cursor> Watched<'a, C> {
    fn new(cursor: C, health: &'a Health) -> Watched<'a, C> {
        Watched { cursor: Some(cursor), health }
    }
}

impl<C: Cursor> Cursor for Watched<'_, C> {
    fn next(&mut self) -> Result<Option<Record>> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let next = self.health.note(cursor.next());
        if next.is_err() {
            self.cursor = None;
        }
        next
    }
}
