//! The memtable: records of all keyspaces that no file has yet.
//!
//! One thread writes, any thread reads. Each keyspace is an ordered map behind one read-write lock.
//! Every call of `write` gets a *stamp*, one above the last; a reader brings the stamp that it saw
//! when its view was made and passes over later records, so a view is a picture although the map
//! goes on growing under it. A frozen memtable is the same structure that nobody writes any more.
//!
//! A cursor copies records out in chunks and holds the lock only while it copies one: a long scan
//! delays the writer by microseconds. Between two chunks it remembers the last place that it saw,
//! which the map never loses, because nothing is ever removed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::{Entry as MapEntry, IntoIter};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use super::graveyard::{Grave, Graveyard};
use super::key_bits::KeyBits;
use crate::table::RecordRef;
use crate::{Direction, Header, KeyRange, Keyspace, Projection, Record, Version};

/// What a record costs beside its key's and value's bytes: its place and entry in the map.
const RECORD_OVERHEAD_BYTES: u64 = 160;

/// Records that a cursor looks at in its first chunk, and in its largest.
const CHUNK_RECORDS_MIN: usize = 8;
const CHUNK_RECORDS_MAX: usize = 256;

/// Records that are counted while the writer waits: some ten microseconds.
const COUNTED_AT_ONCE: usize = 1024;

/// Records that are dropped in one step: about two milliseconds' work.
const DECAY_RECORDS: usize = 8192;

/// Number of a `write`; readers see records up to theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// Above every `write`: all records are seen.
    pub(crate) const MAX: Stamp = Stamp(u64::MAX);
}

/// Key ascending, then newest version first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    key: Bytes,
    version: Reverse<Version>,
}

impl Place {
    fn new(key: &[u8], version: Version) -> Place {
        Place { key: Bytes::copy_from_slice(key), version: Reverse(version) }
    }

    /// Left of every version of `key`, because nothing is newer than `MAX`.
    fn left_of(key: &[u8]) -> Place {
        Place::new(key, Version::MAX)
    }
}

#[derive(Clone, Debug)]
struct Entry {
    stamp: Stamp,
    tombstone: bool,
    header: Header,
    keys_added: Option<i8>,
    value: Bytes,
}

#[derive(Default)]
struct Records {
    map: BTreeMap<Place, Entry>,
    newest: Version,
}

/// What a memtable held, on its way to be dropped.
pub(crate) struct Remains {
    keyspaces: [IntoIter<Place, Entry>; 4],
}

impl Remains {
    /// Drops some records; `false` if there are none left.
    pub(crate) fn decay(&mut self) -> bool {
        let mut rest = self.keyspaces.iter_mut().flatten();
        rest.by_ref().take(DECAY_RECORDS).for_each(drop);
        rest.next().is_some()
    }
}

/// See the module's text.
pub(crate) struct Memtable {
    keyspaces: RwLock<[Records; 4]>,
    /// Of the keys in [`Keyspace::Kv`], which nearly all reads of single keys ask for.
    key_bits: KeyBits,
    published: AtomicU64,
    bytes: AtomicU64,
    graveyard: Arc<Graveyard>,
}

impl Memtable {
    /// An empty memtable, whose records go to `graveyard` when nobody reads them any more.
    pub(crate) fn new(graveyard: Arc<Graveyard>) -> Memtable {
        Memtable {
            keyspaces: RwLock::default(),
            key_bits: KeyBits::default(),
            published: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            graveyard,
        }
    }

    /// Takes all of `records`. A record that is there already stays as it is, since it is the same.
    pub(crate) fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) {
        let mut keyspaces = self.keyspaces.write();
        let Records { map, newest } = &mut keyspaces[keyspace as usize];
        let stamp = Stamp(self.published.load(Ordering::Relaxed) + 1);
        let mut added_bytes = 0;
        for record in records.drain(..) {
            assert!(!record.tombstone || record.value.is_empty(), "a tombstone with a value");
            *newest = record.version.max(*newest);
            if keyspace == Keyspace::Kv {
                self.key_bits.add(&record.key);
            }
            let record_bytes = (record.key.len() + record.value.len()) as u64;
            let place = Place { key: record.key, version: Reverse(record.version) };
            if let MapEntry::Vacant(vacant) = map.entry(place) {
                added_bytes += record_bytes + RECORD_OVERHEAD_BYTES;
                vacant.insert(Entry {
                    stamp,
                    tombstone: record.tombstone,
                    header: record.header,
                    keys_added: record.keys_added,
                    value: record.value,
                });
            }
        }
        self.bytes.fetch_add(added_bytes, Ordering::Relaxed);
        self.published.store(stamp.0, Ordering::Release);
    }

    /// The last finished `write`: what a view made now sees.
    pub(crate) fn published(&self) -> Stamp {
        Stamp(self.published.load(Ordering::Acquire))
    }

    /// Memory held, in bytes, as far as it grows with the records.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many keys the records in `range` add that are at or below `at` and seen at `limit`;
    /// `None` if one doesn't say.
    pub(crate) fn keys_added(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        limit: Stamp,
    ) -> Option<i64> {
        let mut bounds = bounds(range);
        let mut sum = 0;
        loop {
            let keyspaces = self.keyspaces.read();
            let map = &keyspaces[keyspace as usize].map;
            let mut rest = map.range((bounds.0.as_ref(), bounds.1.as_ref()));
            let mut last = None;
            for (place, entry) in rest.by_ref().take(COUNTED_AT_ONCE) {
                last = Some(place);
                if entry.stamp <= limit && place.version.0 <= at {
                    sum += i64::from(entry.keys_added?);
                }
            }
            let Some(last) = last.filter(|_| rest.next().is_some()) else {
                return Some(sum);
            };
            bounds.0 = Bound::Excluded(last.clone());
        }
    }

    /// The newest record of `key` at or below `at`, if this memtable can have one that is newer
    /// than `than`.
    pub(crate) fn get_newer(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        than: Option<Version>,
        limit: Stamp,
        projection: Projection,
    ) -> Option<Record> {
        if keyspace == Keyspace::Kv && !self.key_bits.may_have(key) {
            return None;
        }
        let keyspaces = self.keyspaces.read();
        let Records { map, newest } = &keyspaces[keyspace as usize];
        if map.is_empty() || than.is_some_and(|than| *newest <= than) {
            return None;
        }
        let (place, entry) = map
            .range(Place::new(key, at)..)
            .take_while(|(place, _)| place.key == key)
            .find(|(_, entry)| entry.stamp <= limit)?;
        Some(Record {
            key: place.key.clone(),
            version: place.version.0,
            tombstone: entry.tombstone,
            header: entry.header,
            value: entry.project(projection),
            keys_added: None,
        })
    }
}

/// The last holder may be a reader in a hurry, and a full memtable takes tens of milliseconds to
/// take apart: that is left to a step.
impl Drop for Memtable {
    fn drop(&mut self) {
        let keyspaces = std::mem::take(self.keyspaces.get_mut());
        if keyspaces.iter().any(|records| !records.map.is_empty()) {
            let keyspaces = keyspaces.map(|records| records.map.into_iter());
            self.graveyard.take_in(Grave::Memtable(Box::new(Remains { keyspaces })));
        }
    }
}

impl Entry {
    fn project(&self, projection: Projection) -> Bytes {
        match projection {
            Projection::Keys => Bytes::new(),
            Projection::Full => self.value.clone(),
        }
    }
}

/// The places of all records in `range`.
fn bounds(range: KeyRange<'_>) -> (Bound<Place>, Bound<Place>) {
    let lower = Place::left_of(range.start);
    let upper = match range.end.map(Place::left_of) {
        None => Bound::Unbounded,
        // The map refuses a range that ends before it starts.
        Some(upper) => Bound::Excluded(upper.max(lower.clone())),
    };
    (Bound::Included(lower), upper)
}

/// Walks the versions that a reader sees, in one direction.
pub(crate) struct MemtableCursor {
    table: Arc<Memtable>,
    keyspace: Keyspace,
    limit: Stamp,
    direction: Direction,
    projection: Projection,
    /// What is still to be copied.
    lower: Bound<Place>,
    upper: Bound<Place>,
    /// Copied records, the next one last.
    chunk: Vec<(Place, Entry)>,
    chunk_records: usize,
}

impl MemtableCursor {
    /// Stands on the first record in `range`.
    pub(crate) fn new(
        table: Arc<Memtable>,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        limit: Stamp,
        direction: Direction,
        projection: Projection,
    ) -> MemtableCursor {
        let (lower, upper) = bounds(range);
        let mut cursor = MemtableCursor {
            table,
            keyspace,
            limit,
            direction,
            projection,
            lower,
            upper,
            chunk: Vec::new(),
            chunk_records: CHUNK_RECORDS_MIN,
        };
        cursor.fill();
        cursor
    }

    /// Where the cursor stands; `None` at the end.
    pub(crate) fn current(&self) -> Option<RecordRef<'_>> {
        self.chunk.last().map(|(place, entry)| RecordRef {
            key: &place.key,
            version: place.version.0,
            tombstone: entry.tombstone,
            header: entry.header,
            keys_added: entry.keys_added,
        })
    }

    /// Key and version of the record where it stands.
    pub(crate) fn place(&self) -> Option<(&[u8], Version)> {
        self.chunk.last().map(|(place, _)| (&*place.key, place.version.0))
    }

    /// The value of the current record; empty at the end.
    pub(crate) fn value(&self) -> Bytes {
        let current = self.chunk.last();
        current.map_or_else(Bytes::new, |(_, entry)| entry.value.clone())
    }

    /// Goes to the next record in the cursor's direction.
    pub(crate) fn advance(&mut self) {
        if self.chunk.len() <= 1 {
            self.fill();
        } else {
            self.chunk.pop();
        }
    }

    /// Goes forward to the first record at or after (`key`, `version`) in the cursor's order.
    pub(crate) fn seek_forward(&mut self, key: &[u8], version: Version) {
        debug_assert_eq!(self.direction, Direction::Forward);
        let target = Place::new(key, version);
        let passed = |place: &Place| *place < target;
        match self.chunk.first() {
            Some((last, _)) if passed(last) => {}
            _ => {
                self.chunk.truncate(self.chunk.partition_point(|(place, _)| !passed(place)));
                return;
            }
        }
        if matches!(&self.upper, Bound::Excluded(upper) if *upper < target) {
            self.lower = Bound::Unbounded;
            self.upper = Bound::Excluded(Place::left_of(&[]));
        } else {
            self.lower = Bound::Included(target);
        }
        self.chunk_records = CHUNK_RECORDS_MIN;
        self.fill();
    }

    /// Copies the next chunk that has a visible record.
    fn fill(&mut self) {
        self.chunk.clear();
        while self.chunk.is_empty() {
            let keyspaces = self.table.keyspaces.read();
            let map = &keyspaces[self.keyspace as usize].map;
            let mut range = map.range((self.lower.as_ref(), self.upper.as_ref()));
            let mut last = None;
            for _ in 0..self.chunk_records {
                let step = match self.direction {
                    Direction::Forward => range.next(),
                    Direction::Reverse => range.next_back(),
                };
                let Some((place, entry)) = step else {
                    break;
                };
                last = Some(place);
                if entry.stamp <= self.limit {
                    let value = entry.project(self.projection);
                    self.chunk.push((place.clone(), Entry { value, ..*entry }));
                }
            }
            let Some(last) = last.cloned() else {
                return;
            };
            match self.direction {
                Direction::Forward => self.lower = Bound::Excluded(last),
                Direction::Reverse => self.upper = Bound::Excluded(last),
            }
            self.chunk_records = (self.chunk_records * 2).min(CHUNK_RECORDS_MAX);
        }
        self.chunk.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u64, main: u64) -> Record {
        Record {
            key: Bytes::from(format!("{key:04}")),
            version: Version { main, sub: 0 },
            tombstone: false,
            header: Header::default(),
            value: Bytes::from_static(b"value"),
            keys_added: Some(1),
        }
    }

    fn cursor(table: &Arc<Memtable>, limit: Stamp, direction: Direction) -> MemtableCursor {
        let range = KeyRange { start: b"", end: Some(b"0900") };
        let projection = Projection::Full;
        let table = Arc::clone(table);
        MemtableCursor::new(table, Keyspace::Kv, range, limit, direction, projection)
    }

    fn drain(mut cursor: MemtableCursor) -> Vec<(Bytes, u64)> {
        let mut places = Vec::new();
        while let Some(record) = cursor.current() {
            places.push((Bytes::copy_from_slice(record.key), record.version.main));
            cursor.advance();
        }
        places
    }

    #[test]
    fn cursors_pass_over_what_came_after_their_stamp() {
        let table = Arc::new(Memtable::new(Arc::default()));
        table.write(Keyspace::Kv, &mut (0..1000).map(|key| put(key, 1)).collect());
        let before = table.published();
        table.write(Keyspace::Kv, &mut (0..1000).step_by(2).map(|key| put(key, 2)).collect());
        for direction in [Direction::Forward, Direction::Reverse] {
            let mut old = drain(cursor(&table, before, direction));
            assert_eq!(old.len(), 900);
            assert!(old.iter().all(|(_, main)| *main == 1));
            if direction == Direction::Reverse {
                old.reverse();
            }
            assert!(old.is_sorted());
            let new = drain(cursor(&table, table.published(), direction));
            assert_eq!(new.len(), 900 + 450);
        }
    }

    #[test]
    fn seeks_land_inside_of_a_chunk_and_beyond_it() {
        let table = Arc::new(Memtable::new(Arc::default()));
        table.write(Keyspace::Kv, &mut (0..1000).map(|key| put(key, 5)).collect());
        let mut cursor = cursor(&table, Stamp::MAX, Direction::Forward);
        for (key, main, expected) in [
            ("0003", 9, Some("0003")),
            ("0003", 5, Some("0003")),
            ("0003", 4, Some("0004")),
            ("0500", 0, Some("0501")),
            ("0777", 9, Some("0777")),
            ("0899", 4, None),
            ("0999", 9, None),
        ] {
            cursor.seek_forward(key.as_bytes(), Version::end_of(main));
            let found = cursor.current().map(|record| record.key);
            assert_eq!(found, expected.map(str::as_bytes), "{key} {main}");
        }
    }

    #[test]
    fn single_records_are_found_in_every_keyspace() {
        let table = Memtable::new(Arc::default());
        for keyspace in Keyspace::ALL {
            let get = |key: &[u8], at: u64, limit| {
                let at = Version::end_of(at);
                let found = table.get_newer(keyspace, key, at, None, limit, Projection::Full);
                found.map(|record| record.version.main)
            };
            assert_eq!(get(b"0007", 9, Stamp::MAX), None);
            table.write(keyspace, &mut (0..100).map(|key| put(key, 1)).collect());
            let before = table.published();
            table.write(keyspace, &mut vec![put(7, 5), put(200, 5)]);
            assert_eq!(get(b"0200", 9, Stamp::MAX), Some(5));
            assert_eq!(get(b"0200", 9, before), None);
            assert_eq!(get(b"0007", 9, Stamp::MAX), Some(5));
            assert_eq!(get(b"0007", 9, before), Some(1));
            assert_eq!(get(b"0007", 4, Stamp::MAX), Some(1));
            assert_eq!(get(b"0007", 0, Stamp::MAX), None);
            assert_eq!(get(b"0100", 9, Stamp::MAX), None);
        }
    }

    #[test]
    fn a_record_written_again_is_not_new() {
        let table = Arc::new(Memtable::new(Arc::default()));
        table.write(Keyspace::Kv, &mut vec![put(1, 1)]);
        let (before, bytes) = (table.published(), table.bytes());
        table.write(Keyspace::Kv, &mut vec![put(1, 1)]);
        assert_eq!(table.bytes(), bytes);
        assert_eq!(drain(cursor(&table, before, Direction::Forward)).len(), 1);
    }
}
