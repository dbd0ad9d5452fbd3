//! etcd's checksum over all versions of all pairs, in the order of revisions.
//!
//! etcd's file is in that order; ours is in the order of keys, and an index of all revisions would
//! take 24 bytes for each. So the order is made in passes:
//!
//! 1. walk all records in key order, take the checksum of each, and remember those with the
//!    smallest revisions that no pass has finished yet, as many as memory allows;
//! 2. sort these by revision and append their checksums to the result;
//! 3. if some had to be left out, begin again above the last one appended.
//!
//! What goes in, for a store that is compacted at C and a hash through revision A:
//!
//! * every version above C, up to A;
//! * at or below C, the version that is the newest one up to A, unless it is a tombstone. So a
//!   version that a later one up to A supersedes is left out even where compaction kept it;
//! * but if no key at all is alive at A, etcd leaves out nothing: then what the compaction kept
//!   goes in, which is the newest version up to C of each key, unless it is a tombstone.

use bytes::Bytes;
use retcd_engine::{Direction, KeyRange, Keyspace, Projection, Record, Version, View};

use super::crc::Concatenation;
use crate::Result;
use crate::etcd_database::put_revision;
use crate::read::end_of;
use crate::wire::{WirePair, put_tombstone};

/// What etcd hashes before the first record: the name of its bucket.
const BUCKET_NAME: &[u8] = b"key";

const ALL_KEYS: KeyRange<'_> = KeyRange { start: b"", end: None };

/// Which versions go in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Versions above it are left out.
    pub(crate) through: i64,
    /// The compacted revision, or -1.
    pub(crate) compacted: i64,
}

/// The checksum of one record, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    version: Version,
    checksum: u32,
    bytes: u32,
}

/// The checksum of everything within `bounds`, made with at most `parts_max` records in memory,
/// which must be two at least.
pub(super) fn checksum(view: &dyn View, bounds: Bounds, parts_max: usize) -> Result<u32> {
    assert!(parts_max >= 2, "half of one record can't be kept");
    let mut whole = Concatenation::new(BUCKET_NAME);
    let kept = Kept::of(view, bounds)?;
    let mut above = None;
    loop {
        let mut smallest = Smallest { parts: Vec::new(), parts_max, below: None };
        visit(view, bounds, kept, &mut |record, scratch| {
            if above.is_none_or(|above| record.version > above) && smallest.wants(record.version) {
                smallest.push(part(record, scratch)?);
            }
            Ok(())
        })?;
        smallest.parts.sort_unstable();
        for part in &smallest.parts {
            whole.append(part.checksum, u64::from(part.bytes));
        }
        match (smallest.below, smallest.parts.last()) {
            (Some(_), Some(last)) => above = Some(last.version),
            _ => return Ok(whole.checksum()),
        }
    }
}

/// Which versions at or below the compacted revision go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Those that are the newest of their key up to the hashed revision.
    NewestThrough,
    /// Those that the compaction kept.
    NewestCompacted,
}

impl Kept {
    fn of(view: &dyn View, bounds: Bounds) -> Result<Kept> {
        let at = end_of(bounds.through);
        let mut alive =
            view.scan(Keyspace::Kv, ALL_KEYS, at, Direction::Forward, Projection::Keys)?;
        Ok(if alive.next()?.is_some() { Kept::NewestThrough } else { Kept::NewestCompacted })
    }

    /// The revision whose newest version is kept.
    fn revision(self, bounds: Bounds) -> i64 {
        match self {
            Kept::NewestThrough => bounds.through,
            Kept::NewestCompacted => bounds.compacted,
        }
    }
}

/// Calls `visitor` with each record that goes in, in key order, and a buffer to use.
pub(crate) fn visit(
    view: &dyn View,
    bounds: Bounds,
    kept: Kept,
    visitor: &mut dyn FnMut(&Record, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let mut scratch = Vec::new();
    let mut cursor = view.versions(Keyspace::Kv, ALL_KEYS, Projection::Full)?;
    let mut key = None::<Bytes>;
    // Versions of a key come newest first, so the first one at or below a revision is its newest.
    let mut newest_seen = false;
    while let Some(record) = cursor.next()? {
        if key.as_ref() != Some(&record.key) {
            key = Some(record.key.clone());
            newest_seen = false;
        }
        let revision = record.version.main.cast_signed();
        let is_newest = revision <= kept.revision(bounds) && !newest_seen;
        newest_seen |= is_newest;
        let goes_in = revision <= bounds.through
            && (revision > bounds.compacted || is_newest && !record.tombstone);
        if goes_in {
            visitor(&record, &mut scratch)?;
        }
    }
    Ok(())
}

/// The checksum of etcd's key and value for a record.
fn part(record: &Record, scratch: &mut Vec<u8>) -> Result<Part> {
    scratch.clear();
    put_revision(record.version, scratch);
    if record.tombstone {
        scratch.push(b't');
    }
    put_stored(record, scratch)?;
    Ok(Part {
        version: record.version,
        checksum: crc32c::crc32c(scratch),
        bytes: u32::try_from(scratch.len()).expect("entries are far below 4 GiB, so pairs are"),
    })
}

/// Appends what etcd stores for a record.
pub(crate) fn put_stored(record: &Record, to: &mut Vec<u8>) -> Result<()> {
    match record.tombstone {
        true => put_tombstone(&record.key, to),
        false => WirePair::new(record)?.put(to),
    }
    Ok(())
}

/// The parts with the smallest versions of all that were pushed.
struct Smallest {
    parts: Vec<Part>,
    parts_max: usize,
    /// Once something was dropped: only versions below this are still wanted.
    below: Option<Version>,
}

impl Smallest {
    fn wants(&self, version: Version) -> bool {
        self.below.is_none_or(|below| version < below)
    }

    /// Takes a wanted part. When memory is full, the larger half goes. Stops at the limit rather
    /// than above it, because one more part would double the memory.
    fn push(&mut self, part: Part) {
        self.parts.push(part);
        if self.parts.len() >= self.parts_max {
            let middle = self.parts.len() / 2;
            let (_, first_dropped, _) = self.parts.select_nth_unstable(middle);
            self.below = Some(first_dropped.version);
            self.parts.truncate(middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use retcd_engine::{Engine, oracle::Oracle};

    use super::*;
    use crate::record::PairHeader;

    #[test]
    fn passes_change_nothing_but_memory() {
        let engine = Oracle::new();
        let mut records: Vec<Record> = (0..100u64)
            .map(|i| Record {
                key: Bytes::from(format!("key{}", i * 37 % 20)),
                version: Version { main: 2 + i / 2, sub: i % 2 },
                tombstone: false,
                header: PairHeader { create_revision: 2, version: 1, lease: 0 }.encode(),
                value: Bytes::from(format!("value{i}")),
                keys_added: None,
            })
            .collect();
        engine.write(Keyspace::Kv, &mut records).unwrap();
        let view = engine.view();
        let bounds = Bounds { through: 40, compacted: 11 };
        let at_once = checksum(&*view, bounds, 1000).unwrap();
        for parts_max in [2, 3, 7, 40, 90] {
            assert_eq!(checksum(&*view, bounds, parts_max).unwrap(), at_once, "{parts_max}");
        }
    }
}
