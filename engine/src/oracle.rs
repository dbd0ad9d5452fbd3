//! The in-memory engine that is obviously right: one ordered map for each keyspace, and no file.
//!
//! Every differential test holds another engine against this one. It keeps all versions of all keys
//! for ever, so it is the logical state before any physical removal: an engine may have lost what
//! the watermark allows to lose, and nothing else. A view shares the maps until the next write,
//! which then copies them: simple, and slow while views are held.
//!
//! It has no durability. [`Engine::flushed`] is what the last requested flush *would* have covered.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    Applied, Cursor, Direction, Engine, KeyRange, Keyspace, Projection, Record, Result, Stats,
    Step, Version, View,
};

/// The key, then its newest version first: the order of [`View::versions`].
type Records = BTreeMap<(Bytes, Reverse<Version>), Record>;

/// One map for each [`Keyspace`], at its discriminant.
type Keyspaces = [Records; 4];

/// The oracle.
#[derive(Default)]
pub struct Oracle {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keyspaces: Arc<Keyspaces>,
    applied: Applied,
    flushed: Applied,
    flush_requested: bool,
}

impl Oracle {
    /// An empty engine.
    pub fn new() -> Oracle {
        Oracle::default()
    }
}

impl Engine for Oracle {
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()> {
        let mut state = self.state.lock();
        let map = &mut Arc::make_mut(&mut state.keyspaces)[keyspace as usize];
        for record in records.drain(..) {
            map.insert((record.key.clone(), Reverse(record.version)), record);
        }
        Ok(())
    }

    fn commit(&self, applied: Applied) -> Result<()> {
        self.state.lock().applied = applied;
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(OracleView { keyspaces: Arc::clone(&self.state.lock().keyspaces) })
    }

    fn applied(&self) -> Applied {
        self.state.lock().applied.clone()
    }

    fn flushed(&self) -> Applied {
        self.state.lock().flushed.clone()
    }

    fn request_flush(&self) -> Result<()> {
        self.state.lock().flush_requested = true;
        Ok(())
    }

    fn request_merge(&self) -> Result<()> {
        Ok(())
    }

    fn step(&self) -> Result<Step> {
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.flush_requested) {
            return Ok(Step::Idle);
        }
        state.flushed = state.applied.clone();
        Ok(Step::Worked)
    }

    fn stats(&self) -> Stats {
        let state = self.state.lock();
        let records = state.keyspaces.iter().flat_map(BTreeMap::values);
        Stats {
            memtable_bytes: records.map(|r| (r.key.len() + r.value.len()) as u64).sum(),
            ..Stats::default()
        }
    }
}

struct OracleView {
    keyspaces: Arc<Keyspaces>,
}

impl OracleView {
    fn records(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
    ) -> btree_map::Range<'_, (Bytes, Reverse<Version>), Record> {
        // Nothing is newer than `MAX`, so this place is left of every version of its key.
        let left_of = |key: &[u8]| (Bytes::copy_from_slice(key), Reverse(Version::MAX));
        let map = &self.keyspaces[keyspace as usize];
        match range.end {
            None => map.range(left_of(range.start)..),
            Some(end) if end <= range.start => {
                map.range(left_of(range.start)..left_of(range.start))
            }
            Some(end) => map.range(left_of(range.start)..left_of(end)),
        }
    }

    fn visible(&self, keyspace: Keyspace, range: KeyRange<'_>, at: Version) -> Vec<&Record> {
        let mut visible = Vec::new();
        let mut last_key: Option<&Bytes> = None;
        for ((key, Reverse(version)), record) in self.records(keyspace, range) {
            if *version > at || last_key == Some(key) {
                continue;
            }
            last_key = Some(key);
            if !record.tombstone {
                visible.push(record);
            }
        }
        visible
    }
}

impl View for OracleView {
    fn get(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        projection: Projection,
    ) -> Result<Option<Record>> {
        let first = (Bytes::copy_from_slice(key), Reverse(at));
        let map = &self.keyspaces[keyspace as usize];
        let found = map.range((Bound::Included(first), Bound::Unbounded)).next();
        Ok(found
            .filter(|((found_key, _), _)| found_key == key)
            .map(|(_, record)| project(record, projection)))
    }

    fn scan<'a>(
        &'a self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        direction: Direction,
        projection: Projection,
    ) -> Result<Box<dyn Cursor + 'a>> {
        let mut records = self.visible(keyspace, range, at);
        if direction == Direction::Reverse {
            records.reverse();
        }
        Ok(Box::new(OracleCursor { records: records.into_iter(), projection }))
    }

    fn versions<'a>(
        &'a self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        projection: Projection,
    ) -> Result<Box<dyn Cursor + 'a>> {
        let records: Vec<&Record> = self.records(keyspace, range).map(|(_, r)| r).collect();
        Ok(Box::new(OracleCursor { records: records.into_iter(), projection }))
    }

    fn count(&self, keyspace: Keyspace, range: KeyRange<'_>, at: Version) -> Result<u64> {
        Ok(self.visible(keyspace, range, at).len() as u64)
    }
}

struct OracleCursor<'a> {
    records: std::vec::IntoIter<&'a Record>,
    projection: Projection,
}

impl Cursor for OracleCursor<'_> {
    fn next(&mut self) -> Result<Option<Record>> {
        Ok(self.records.next().map(|record| project(record, self.projection)))
    }
}

fn project(record: &Record, projection: Projection) -> Record {
    let mut record = Record { keys_added: None, ..record.clone() };
    if projection == Projection::Keys {
        record.value = Bytes::new();
    }
    record
}
