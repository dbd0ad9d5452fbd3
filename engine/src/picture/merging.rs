//! Merges sources of one keyspace into one order: keys in the direction of the walk, versions of
//! one key newest first going forward and oldest first going back.
//!
//! The sources are few (memtables and what the disk has), so they sit in a binary heap of their
//! own: an advance of the first one compares it with its two children and mostly stops there.
//!
//! A record that two sources have, since reads don't mind a replayed write, is yielded twice, one
//! right after the other. Most users look at one record of a key anyway; the others compare
//! versions.

use std::cmp::Ordering;

use bytes::Bytes;

use super::DiskCursor;
use super::memtable::MemtableCursor;
use crate::table::RecordRef;
use crate::{Direction, Result, Version};

/// Something sorted that stands on a record.
pub(crate) enum Source<C> {
    Memtable(Box<MemtableCursor>),
    Disk(Box<C>),
}

impl<C: DiskCursor> Source<C> {
    fn current(&self) -> Option<RecordRef<'_>> {
        match self {
            Source::Memtable(cursor) => cursor.current(),
            Source::Disk(cursor) => cursor.current(),
        }
    }

    #[inline]
    fn place(&self) -> Option<(&[u8], Version)> {
        match self {
            Source::Memtable(cursor) => cursor.place(),
            Source::Disk(cursor) => cursor.place(),
        }
    }

    fn value(&mut self) -> Result<Bytes> {
        match self {
            Source::Memtable(cursor) => Ok(cursor.value()),
            Source::Disk(cursor) => cursor.value(),
        }
    }

    fn value_place(&self) -> Result<ValuePlace<C>> {
        Ok(match self {
            Source::Memtable(cursor) => ValuePlace::AtHand(cursor.value()),
            Source::Disk(cursor) => ValuePlace::Disk(cursor.value_place()?),
        })
    }

    fn advance(&mut self) -> Result<()> {
        match self {
            Source::Memtable(cursor) => cursor.advance(),
            Source::Disk(cursor) => cursor.advance()?,
        }
        Ok(())
    }

    fn seek_forward(&mut self, key: &[u8], version: Version) -> Result<()> {
        match self {
            Source::Memtable(cursor) => cursor.seek_forward(key, version),
            Source::Disk(cursor) => cursor.seek_forward(key, version)?,
        }
        Ok(())
    }
}

/// Where a value is, wherever its source goes meanwhile.
pub(super) enum ValuePlace<C: DiskCursor> {
    AtHand(Bytes),
    Disk(C::ValuePlace),
}

impl<C: DiskCursor> ValuePlace<C> {
    /// Reads the value.
    pub(super) fn read(self, reader: &mut C::ValueReader) -> Result<Bytes> {
        match self {
            ValuePlace::AtHand(value) => Ok(value),
            ValuePlace::Disk(place) => C::value_at(&place, reader),
        }
    }
}

/// See the module's text.
pub(crate) struct Merging<C> {
    /// A heap: the source at `i` isn't behind those at `2i + 1` and `2i + 2`. None is at its end.
    heap: Vec<Source<C>>,
    direction: Direction,
}

impl<C: DiskCursor> Merging<C> {
    /// Stands on the first record of all `sources`, which all go in `direction`.
    pub(crate) fn new(mut sources: Vec<Source<C>>, direction: Direction) -> Merging<C> {
        sources.retain(|source| source.current().is_some());
        let mut merging = Merging { heap: sources, direction };
        for place in (0..merging.heap.len() / 2).rev() {
            merging.sift_down(place);
        }
        merging
    }

    /// The sources on disk that aren't at their end.
    pub(crate) fn disk_cursors(&self) -> impl Iterator<Item = &C> {
        self.heap.iter().filter_map(|source| match source {
            Source::Disk(cursor) => Some(&**cursor),
            Source::Memtable(_) => None,
        })
    }

    /// The source that has the record that comes first, if that is on disk. It must stay there.
    pub(crate) fn first_on_disk(&mut self) -> Option<&mut C> {
        match self.heap.first_mut()? {
            Source::Disk(cursor) => Some(cursor),
            Source::Memtable(_) => None,
        }
    }

    /// The record that comes first; `None` at the end.
    pub(crate) fn current(&self) -> Option<RecordRef<'_>> {
        self.heap.first()?.current()
    }

    /// Key and version of the record that comes first.
    pub(crate) fn place(&self) -> Option<(&[u8], Version)> {
        self.heap.first()?.place()
    }

    /// The value of the current record; empty at the end.
    pub(crate) fn value(&mut self) -> Result<Bytes> {
        self.heap.first_mut().map_or_else(|| Ok(Bytes::new()), Source::value)
    }

    /// Where the value of the current record is; nowhere at the end.
    pub(super) fn value_place(&self) -> Result<ValuePlace<C>> {
        let nowhere = || Ok(ValuePlace::AtHand(Bytes::new()));
        self.heap.first().map_or_else(nowhere, Source::value_place)
    }

    /// Leaves the current record.
    pub(crate) fn advance(&mut self) -> Result<()> {
        if let Some(first) = self.heap.first_mut() {
            first.advance()?;
            self.repair();
        }
        Ok(())
    }

    /// Goes forward to the first record at or after (`key`, `version`), which lies ahead.
    pub(crate) fn seek_forward(&mut self, key: &[u8], version: Version) -> Result<()> {
        while let Some(first) = self.heap.first_mut() {
            let behind = |place| order(place, (key, version)) == Ordering::Less;
            if !first.place().is_some_and(behind) {
                break;
            }
            first.seek_forward(key, version)?;
            self.repair();
        }
        Ok(())
    }

    /// Puts the first source, which has moved ahead, where it belongs.
    fn repair(&mut self) {
        if self.heap.first().is_some_and(|first| first.place().is_none()) {
            self.heap.swap_remove(0);
        }
        self.sift_down(0);
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let right = left + 1;
            if left >= self.heap.len() {
                return;
            }
            let right_first =
                right < self.heap.len() && self.compare(right, left) == Ordering::Less;
            let child = if right_first { right } else { left };
            if self.compare(child, place) != Ordering::Less {
                return;
            }
            self.heap.swap(child, place);
            place = child;
        }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let place =
            |index: usize| self.heap[index].place().expect("sources at their end leave the heap");
        match self.direction {
            Direction::Forward => order(place(a), place(b)),
            Direction::Reverse => order(place(b), place(a)),
        }
    }
}

/// Key ascending, then version descending.
fn order(a: (&[u8], Version), b: (&[u8], Version)) -> Ordering {
    a.0.cmp(b.0).then_with(|| b.1.cmp(&a.1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::picture::memtable::{Memtable, Stamp};
    use crate::{Header, KeyRange, Keyspace, Projection, Record};

    /// There is no disk here.
    enum NoDisk {}

    impl DiskCursor for NoDisk {
        type ValuePlace = ();
        type ValueReader = ();

        fn current(&self) -> Option<RecordRef<'_>> {
            match *self {}
        }

        fn place(&self) -> Option<(&[u8], Version)> {
            match *self {}
        }

        fn value(&mut self) -> Result<Bytes> {
            match *self {}
        }

        fn value_place(&self) -> Result<()> {
            match *self {}
        }

        fn value_at(_: &(), _: &mut ()) -> Result<Bytes> {
            Ok(Bytes::new())
        }

        fn advance(&mut self) -> Result<()> {
            match *self {}
        }

        fn seek_forward(&mut self, _: &[u8], _: Version) -> Result<()> {
            match *self {}
        }
    }

    /// One source for each list of (key, main).
    fn merging(lists: &[&[(&'static str, u64)]], direction: Direction) -> Merging<NoDisk> {
        let source = |list: &&[(&'static str, u64)]| {
            let table = Arc::new(Memtable::new(Arc::default()));
            let record = |&(key, main): &(&'static str, u64)| Record {
                key: Bytes::from_static(key.as_bytes()),
                version: Version { main, sub: 0 },
                tombstone: false,
                header: Header::default(),
                value: Bytes::from_static(key.as_bytes()),
                keys_added: None,
            };
            table.write(Keyspace::Kv, &mut list.iter().map(record).collect());
            let range = KeyRange { start: b"", end: None };
            let (keyspace, projection) = (Keyspace::Kv, Projection::Full);
            Source::Memtable(Box::new(MemtableCursor::new(
                table,
                keyspace,
                range,
                Stamp::MAX,
                direction,
                projection,
            )))
        };
        Merging::new(lists.iter().map(source).collect(), direction)
    }

    fn drain(mut merging: Merging<NoDisk>) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(record) = merging.current() {
            found.push(format!("{}{}", String::from_utf8_lossy(record.key), record.version.main));
            let key = Bytes::copy_from_slice(record.key);
            assert_eq!(merging.value().expect("memory only"), key);
            merging.advance().expect("memory only");
        }
        found
    }

    const LISTS: [&[(&str, u64)]; 5] = [
        &[("a", 1), ("c", 3)],
        &[("a", 2), ("b", 1), ("d", 1)],
        &[],
        &[("c", 3), ("c", 1)],
        &[("c", 3), ("e", 9)],
    ];

    #[test]
    fn sources_become_one_order_with_twins_side_by_side() {
        let expected = ["a2", "a1", "b1", "c3", "c3", "c3", "c1", "d1", "e9"];
        assert_eq!(drain(merging(&LISTS, Direction::Forward)), expected);
        let mut reversed = drain(merging(&LISTS, Direction::Reverse));
        reversed.reverse();
        assert_eq!(reversed, expected);
    }

    #[test]
    fn a_seek_moves_every_source_that_is_behind() {
        let mut merging = merging(&LISTS, Direction::Forward);
        merging.seek_forward(b"c", Version::end_of(2)).expect("memory only");
        assert_eq!(drain(merging), ["c1", "d1", "e9"]);
    }
}
