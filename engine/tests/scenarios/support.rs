//! What the scenarios share: batches of records as a replicated log would hand them over, the
//! oracle fed with the same ones, and the comparison of what both show.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::bolt::Database;
use retcd_engine::btree::{self, Btree};
use retcd_engine::table::{Compression, TableOptions};
use retcd_engine::{
    Applied, Cursor, Direction, Engine, Header, KeyRange, Keyspace, Lsm, Options, Oracle,
    Projection, Record, Step, Version, View,
};
use retcd_vfs::Vfs;

pub(crate) const KEYSPACES: [Keyspace; 4] =
    [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];

/// What one log entry writes, before it has an index and a revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Key, tombstone, length of the value. A key may come more than once.
    pub(crate) kv: Vec<(u8, bool, u8)>,
    pub(crate) lease: Vec<(u8, bool)>,
    pub(crate) meta: Vec<(u8, bool)>,
    /// Moves the watermark by this many parts of 255 of its way to the revision.
    pub(crate) compact: Option<u8>,
}

/// What one log entry writes.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<(Keyspace, Record)>,
    pub(crate) applied: Applied,
    /// Main of the newest `Kv` record so far.
    pub(crate) revision: u64,
}

/// A replicated log: a list of batches that can be applied again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) batches: Vec<Batch>,
    /// Keys that exist.
    alive: BTreeSet<Bytes>,
}

/// Of so many revisions one doesn't say what its records add.
const SILENT_REVISION: u64 = 61;

impl Log {
    pub(crate) fn applied(&self) -> Applied {
        self.batches.last().map(|batch| batch.applied.clone()).unwrap_or_default()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.batches.last().map_or(0, |batch| batch.revision)
    }

    /// Gives `change` the next index, and the next revision if it writes to `Kv`.
    pub(crate) fn append(&mut self, change: &Change) -> Batch {
        let before = self.applied();
        let index = before.index + 1;
        let revision = self.revision() + u64::from(!change.kv.is_empty());
        let mut records = Vec::new();
        for (sub, &(key, tombstone, len)) in (0..).zip(&change.kv) {
            let version = Version { main: revision, sub };
            let rev_key = [revision.to_be_bytes(), sub.to_be_bytes()].concat();
            let mut rev = record(rev_key.into(), version, tombstone, 0);
            rev.tombstone = false;
            rev.header = Header::new(&kv_key(key)).expect("short");
            records.push((Keyspace::Rev, rev));
            let mut kv = record(kv_key(key), version, tombstone, len);
            let added = self.bury_or_wake(kv_key(key), tombstone);
            kv.keys_added = (!revision.is_multiple_of(SILENT_REVISION)).then_some(added);
            records.push((Keyspace::Kv, kv));
        }
        let named = [(Keyspace::Lease, &change.lease), (Keyspace::Meta, &change.meta)];
        for (keyspace, names) in named {
            for (sub, &(name, tombstone)) in (0..).zip(names) {
                let version = Version { main: index, sub };
                records.push((keyspace, record(kv_key(name), version, tombstone, 5)));
            }
        }
        let way = (revision - before.watermark) * u64::from(change.compact.unwrap_or(0)) / 255;
        let applied = Applied {
            index,
            term: 1,
            watermark: before.watermark + way,
            state: Bytes::from(format!("state {index}")),
        };
        let batch = Batch { records, applied, revision };
        self.batches.push(batch.clone());
        batch
    }

    /// Notes that `key` is there, or gone, and says how many keys that adds.
    fn bury_or_wake(&mut self, key: Bytes, tombstone: bool) -> i8 {
        match tombstone {
            true => -i8::from(self.alive.remove(&key)),
            false => i8::from(self.alive.insert(key)),
        }
    }

    /// An oracle that has applied everything up to `index`.
    pub(crate) fn oracle_at(&self, index: u64) -> Oracle {
        let oracle = Oracle::new();
        for batch in self.batches.iter().filter(|batch| batch.applied.index <= index) {
            apply(&oracle, batch).expect("memory only");
        }
        oracle
    }

    pub(crate) fn batch_at(&self, index: u64) -> Option<&Batch> {
        self.batches.iter().find(|batch| batch.applied.index == index)
    }

    /// Applies again what `engine` doesn't hold.
    pub(crate) fn replay(&self, engine: &dyn Engine) -> retcd_engine::Result<()> {
        let flushed = engine.flushed().index;
        let missing = self.batches.iter().filter(|batch| batch.applied.index > flushed);
        missing.into_iter().try_for_each(|batch| apply(engine, batch))
    }
}

pub(crate) fn apply(engine: &dyn Engine, batch: &Batch) -> retcd_engine::Result<()> {
    for keyspace in KEYSPACES {
        let of_keyspace = batch.records.iter().filter(|(of, _)| *of == keyspace);
        let mut records: Vec<Record> = of_keyspace.map(|(_, record)| record.clone()).collect();
        engine.write(keyspace, &mut records)?;
        assert!(records.is_empty(), "the records are taken");
    }
    engine.commit(batch.applied.clone())
}

/// Keys of different lengths, some of them prefixes of others, one of them empty.
pub(crate) fn kv_key(number: u8) -> Bytes {
    let text = format!("{number:03}");
    Bytes::from(match number % 4 {
        0 => text[..usize::from(number / 4 % 4)].to_owned(),
        1 => format!("{text}/a-longer-key"),
        _ => text,
    })
}

/// A record whose header and value tell its version.
pub(crate) fn record(key: Bytes, version: Version, tombstone: bool, len: u8) -> Record {
    let header = Header::new(&version.main.to_le_bytes()).expect("short");
    let text = format!("{}.{}", version.main, version.sub);
    let value = text.bytes().cycle().take(usize::from(len)).collect();
    let value = if tombstone { Bytes::new() } else { value };
    Record { key, version, tombstone, header, value, keys_added: None }
}

/// Options with which a few records fill memtables, tables and manifests.
pub(crate) fn tiny_options() -> Options {
    Options {
        memtable_bytes: 4 << 10,
        replay_entries_max: 60,
        block_cache_bytes: 64 << 10,
        table: TableOptions {
            key_block_bytes: 128,
            value_block_bytes: 128,
            compression: Compression::None,
            filter_bits_per_key: 10,
        },
        table_bytes: 1 << 10,
        concatenated_bytes: 1 << 10,
        slice_bytes: 400,
        manifest_bytes: 700,
        ..Options::default()
    }
}

/// Where the engine lives.
pub(crate) const FOLDER: &str = "/member/engine";

pub(crate) fn open(vfs: &Arc<dyn Vfs>) -> retcd_engine::Result<Lsm> {
    open_in(vfs, Path::new(FOLDER))
}

pub(crate) fn open_in(vfs: &Arc<dyn Vfs>, dir: &Path) -> retcd_engine::Result<Lsm> {
    Lsm::open(Arc::clone(vfs), dir, tiny_options())
}

/// The engines that keep files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lsm,
    Btree,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Lsm, Kind::Btree];

/// Options with which a few records fill memtables and slices.
pub(crate) fn tiny_btree_options() -> btree::Options {
    btree::Options {
        batch_operations: 50,
        memtable_bytes: 4 << 10,
        replay_entries_max: 60,
        block_cache_bytes: 256 << 10,
        slice_bytes: 400,
    }
}

impl Kind {
    /// Opens the engine with tiny options.
    pub(crate) fn open(self, vfs: &Arc<dyn Vfs>) -> retcd_engine::Result<Box<dyn Engine>> {
        self.open_in(vfs, Path::new(FOLDER))
    }

    /// Opens it in another folder.
    pub(crate) fn open_in(
        self,
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
    ) -> retcd_engine::Result<Box<dyn Engine>> {
        let vfs = Arc::clone(vfs);
        Ok(match self {
            Kind::Lsm => Box::new(Lsm::open(vfs, dir, tiny_options())?),
            Kind::Btree => Box::new(Btree::open(vfs, dir, tiny_btree_options())?),
        })
    }

    /// Reads the files by other code than the engine's, if there is some: each page of a tree is
    /// used once or free, and keys ascend.
    pub(crate) fn verify(self, vfs: &dyn Vfs) {
        self.verify_in(vfs, Path::new(FOLDER));
    }

    /// The same for another folder.
    pub(crate) fn verify_in(self, vfs: &dyn Vfs, dir: &Path) {
        if self == Kind::Btree {
            let path = dir.join("tree.db");
            let database = Database::open(vfs, &path).expect("it is there");
            let usage = database.verify().expect("it is whole");
            let pages = usage.trees + usage.free + usage.bookkeeping;
            assert_eq!(pages, database.meta().pages, "a page is neither used nor free: {usage:?}");
        }
    }
}

/// Steps until nothing is due.
pub(crate) fn settle(engine: &dyn Engine) -> retcd_engine::Result<()> {
    while engine.step()? != Step::Idle {}
    Ok(())
}

pub(crate) fn drain(mut cursor: Box<dyn Cursor + '_>) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(record) = cursor.next().expect("no error was planned") {
        records.push(record);
    }
    assert_eq!(cursor.next().expect("an ended cursor stays ended"), None);
    records
}

/// The versions that a scan has to look at.
fn versions_to_read(keyspace: Keyspace, watermark: u64, revision: u64) -> Vec<Version> {
    let mid = watermark.midpoint(revision);
    match keyspace {
        Keyspace::Kv => [watermark, mid, revision].map(Version::end_of).to_vec(),
        _ => vec![Version::MAX],
    }
}

/// Holds everything that can be read from `view` against `oracle`, from `watermark` on.
pub(crate) fn assert_same(view: &dyn View, oracle: &dyn View, watermark: u64, revision: u64) {
    let from_watermark = watermark.to_be_bytes();
    for keyspace in KEYSPACES {
        let rev = keyspace == Keyspace::Rev;
        let first: &[u8] = if rev { &from_watermark } else { b"" };
        let (low, high) = (kv_key(17), kv_key(54));
        let ranges = [
            KeyRange { start: first, end: None },
            KeyRange { start: first.max(&low), end: Some(&high) },
            KeyRange { start: &high, end: Some(&low) },
        ];
        for at in versions_to_read(keyspace, watermark, revision) {
            for range in ranges {
                assert_same_scans(view, oracle, keyspace, range, at);
            }
            assert_same_gets(view, oracle, keyspace, at);
        }
    }
    assert_same_versions(view, oracle, watermark);
}

/// Holds the records that no engine may lose against each other: everything, read one way.
pub(crate) fn assert_same_versions(view: &dyn View, oracle: &dyn View, watermark: u64) {
    let from_watermark = watermark.to_be_bytes();
    for keyspace in KEYSPACES {
        let start: &[u8] = if keyspace == Keyspace::Rev { &from_watermark } else { b"" };
        let all = KeyRange { start, end: None };
        let versions = |view: &dyn View| {
            let versions = view.versions(keyspace, all, Projection::Full).expect("opens");
            retained(keyspace, drain(versions), watermark)
        };
        assert_eq!(versions(view), versions(oracle), "versions of {keyspace:?}");
    }
}

fn assert_same_scans(
    view: &dyn View,
    oracle: &dyn View,
    keyspace: Keyspace,
    range: KeyRange<'_>,
    at: Version,
) {
    for direction in [Direction::Forward, Direction::Reverse] {
        for projection in [Projection::Keys, Projection::Full] {
            let scan = |view: &dyn View| {
                drain(view.scan(keyspace, range, at, direction, projection).expect("opens"))
            };
            let what = (keyspace, range, at, direction, projection);
            assert_eq!(scan(view), scan(oracle), "{what:?}");
        }
    }
    let count = |view: &dyn View| view.count(keyspace, range, at).expect("no error was planned");
    assert_eq!(count(view), count(oracle), "count of {keyspace:?} {range:?} {at:?}");
}

fn assert_same_gets(view: &dyn View, oracle: &dyn View, keyspace: Keyspace, at: Version) {
    if keyspace == Keyspace::Rev {
        return;
    }
    for number in 0..=255 {
        let key = kv_key(number);
        for projection in [Projection::Keys, Projection::Full] {
            // A tombstone may have been merged away: either way the key is gone.
            let get = |view: &dyn View| {
                let found = view.get(keyspace, &key, at, projection).expect("no error");
                found.filter(|record| !record.tombstone)
            };
            assert_eq!(get(view), get(oracle), "{keyspace:?} {key:?} {at:?}");
        }
    }
}

/// What no engine may lose: the rule of compaction by revision, in its simplest words.
pub(crate) fn retained(keyspace: Keyspace, versions: Vec<Record>, watermark: u64) -> Vec<Record> {
    let settled_below = match keyspace {
        Keyspace::Kv => watermark,
        Keyspace::Rev => 0,
        Keyspace::Lease | Keyspace::Meta => u64::MAX,
    };
    let mut settled: Option<Bytes> = None;
    let mut kept = Vec::new();
    for record in versions {
        if record.version.main > settled_below || keyspace == Keyspace::Rev {
            kept.push(record);
        } else if settled.as_ref() != Some(&record.key) {
            settled = Some(record.key.clone());
            if !record.tombstone {
                kept.push(record);
            }
        }
    }
    kept
}

/// A small generator for histories that must come out the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn change(&mut self) -> Change {
        let writes = 1 + self.below(4);
        let kv =
            (0..writes).map(|_| (self.below(64) as u8, self.below(4) == 0, self.below(200) as u8));
        let kv = kv.collect();
        Change {
            kv,
            lease: vec![(self.below(16) as u8, self.below(2) == 0)],
            meta: vec![(self.below(8) as u8, self.below(5) == 0)],
            compact: (self.below(12) == 0).then(|| self.below(256) as u8),
        }
    }
}
