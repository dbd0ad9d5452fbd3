//! Our engines as the server uses them: one thread works in the background, writers are held back
//! while it is behind, and with durability each batch is a synced group of the log.
//!
//! A put is two records, as in the server: the pair and its place in the order of revisions. Each
//! put has its own revision, each batch is one entry.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use retcd_engine::{
    Applied, Btree, Engine, Header, KeyRange, Keyspace, Lsm, Projection, Record, Step, Version,
    btree, lsm,
};
use retcd_vfs::RealVfs;
use retcd_wal::IoMode;

use super::options::Durability;
use super::subject::{Candidate, Scan, Scanned, Setup, Subject, log_folder};
use crate::Error;
use crate::wal::modes::{Mode, RawCall};
use crate::wal::tended::Tended;

/// So many frozen memtables hold a writer back, as in the server.
const FROZEN_MAX: u64 = 2;
/// What a record in revision order says of a put.
const KIND_OF_PUT: [u8; 1] = [0];
/// The log takes whatever way the file system has.
const LOG: Mode = Mode { name: "auto", io: IoMode::Auto, depth: 1, raw: RawCall::DirectDsync };

/// The engines of this tree.
pub const CANDIDATES: [Candidate; 2] = [
    Candidate {
        name: "lsm",
        note: "defaults; with durability each batch is a group of our log, uncompressed; the log \
               counts as written, and not as space",
        open: open_lsm,
    },
    Candidate {
        name: "btree",
        note: "as lsm; it commits by size and number, not by the clock as the server asks it to",
        open: open_btree,
    },
];

fn open_lsm(folder: &Path, setup: Setup) -> Result<Box<dyn Subject>, Error> {
    let options = lsm::Options { block_cache_bytes: setup.cache_bytes, ..Default::default() };
    let engine = Lsm::open(Arc::new(RealVfs), &folder.join("engine"), options)?;
    Ok(Box::new(Driven::new(Arc::new(engine), folder, setup)?))
}

fn open_btree(folder: &Path, setup: Setup) -> Result<Box<dyn Subject>, Error> {
    let options = btree::Options { block_cache_bytes: setup.cache_bytes, ..Default::default() };
    let engine = Btree::open(Arc::new(RealVfs), &folder.join("engine"), options)?;
    Ok(Box::new(Driven::new(Arc::new(engine), folder, setup)?))
}

/// An engine and what a server does for it.
struct Driven {
    engine: Arc<dyn Engine>,
    /// Held while a batch is written.
    log: Mutex<Option<Tended>>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// Between the writer and the background thread.
#[derive(Default)]
struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    due: bool,
    working: bool,
    stopping: bool,
    failure: Option<String>,
}

impl Driven {
    fn new(engine: Arc<dyn Engine>, folder: &Path, setup: Setup) -> Result<Driven, Error> {
        let log = match setup.durability {
            Durability::None => None,
            Durability::Batch => {
                let folder = log_folder(folder);
                // What an earlier run logged has been flushed: it settled before it ended.
                if folder.exists() {
                    std::fs::remove_dir_all(&folder)?;
                }
                Some(Tended::new(&folder, LOG)?)
            }
        };
        let bell = Arc::<Bell>::default();
        let own = (Arc::clone(&engine), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name("background".into());
        let thread = Some(thread.spawn(move || work(&*own.0, &own.1))?);
        Ok(Driven { engine, log: Mutex::new(log), bell, thread })
    }

    fn hold_back(&self) -> Result<(), Error> {
        if self.engine.stats().frozen_memtables == 0 {
            return Ok(());
        }
        self.bell.ring();
        self.bell.wait_until(|_| self.engine.stats().frozen_memtables < FROZEN_MAX)
    }

    /// The newest version.
    fn now(&self) -> Version {
        Version::end_of(revision(&self.engine.applied()))
    }
}

/// The revision is the state that goes with the applied index.
fn revision(applied: &Applied) -> u64 {
    <[u8; 8]>::try_from(&applied.state[..]).map_or(0, u64::from_be_bytes)
}

impl Subject for Driven {
    fn write(&self, pairs: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error> {
        let mut log = self.log.lock().map_err(|_| "a writer has panicked")?;
        if let Some(log) = log.as_mut() {
            log.append(1, &payload(pairs))?;
        }
        let applied = self.engine.applied();
        let mut main = revision(&applied);
        let (mut kv, mut rev) = (Vec::new(), Vec::new());
        let view = self.engine.view();
        for (key, value) in pairs.drain(..) {
            main += 1;
            let version = Version { main, sub: 0 };
            let place = [main.to_be_bytes(), [0; 8]].concat();
            rev.push(record(place.into(), version, &KIND_OF_PUT, key.clone()));
            // A member looks each key up before it writes it.
            let before = view.get(Keyspace::Kv, &key, Version::MAX, Projection::Keys)?;
            let keys_added = Some(i8::from(before.is_none()));
            kv.push(Record { keys_added, ..record(key, version, &[1, 1], value) });
        }
        self.engine.write(Keyspace::Kv, &mut kv)?;
        self.engine.write(Keyspace::Rev, &mut rev)?;
        let state = Bytes::copy_from_slice(&main.to_be_bytes());
        self.engine.commit(Applied { index: applied.index + 1, state, ..applied })?;
        self.hold_back()
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        let view = self.engine.view();
        let found = view.get(Keyspace::Kv, key, Version::MAX, Projection::Full)?;
        Ok(found.map(|record| record.value.len()))
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Scanned, Error> {
        let Scan { start, end, limit, direction, projection } = *scan;
        let view = self.engine.view();
        let range = KeyRange { start, end: Some(end) };
        let mut cursor = view.scan(Keyspace::Kv, range, self.now(), direction, projection)?;
        let mut scanned = Scanned::default();
        while scanned.keys < limit
            && let Some(record) = cursor.next()?
        {
            scanned.add(&record.key, &record.value);
        }
        Ok(scanned)
    }

    fn count(&self, start: &[u8], end: &[u8]) -> Result<u64, Error> {
        let range = KeyRange { start, end: Some(end) };
        Ok(self.engine.view().count(Keyspace::Kv, range, self.now())?)
    }

    fn compact(&self) -> Result<(), Error> {
        let applied = self.engine.applied();
        let (index, watermark) = (applied.index + 1, revision(&applied));
        self.engine.commit(Applied { index, watermark, ..applied })?;
        // Merges go by what a flush has made durable, as the server asks for one.
        self.engine.request_flush()?;
        self.hold_back()
    }

    fn settle(&self) -> Result<(), Error> {
        self.engine.request_flush()?;
        self.bell.ring();
        self.bell.wait_until(|state| !state.due && !state.working)
    }

    fn merge(&mut self) -> Result<(), Error> {
        self.engine.request_merge()?;
        self.settle()
    }

    fn bytes_written(&self) -> Option<u64> {
        Some(self.engine.stats().bytes_written)
    }

    fn checkpoint(&self, to: &Path) -> Result<Option<Duration>, Error> {
        let started_at = Instant::now();
        let mut checkpoint = self.engine.checkpoint(to)?;
        while checkpoint.step()?.is_none() {}
        Ok(Some(started_at.elapsed()))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.bell.state().stopping = true;
        self.bell.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It says in the state why it failed, if it did.
            let _ = thread.join();
        }
    }
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    fn ring(&self) {
        self.state().due = true;
        self.changed.notify_all();
    }

    fn wait_until(&self, is_met: impl Fn(&State) -> bool) -> Result<(), Error> {
        let mut state = self.state();
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone().into());
            }
            if is_met(&state) {
                return Ok(());
            }
            state = self.changed.wait(state).expect("nobody panics while holding it");
        }
    }

    /// Waits for work; `false` at the end.
    fn take_work(&self) -> bool {
        let mut state = self.state();
        state.working = false;
        self.changed.notify_all();
        while !state.due && !state.stopping {
            state = self.changed.wait(state).expect("nobody panics while holding it");
        }
        state.due = false;
        state.working = !state.stopping;
        state.working
    }
}

/// The background thread.
fn work(engine: &dyn Engine, bell: &Bell) {
    while bell.take_work() {
        loop {
            let step = engine.step();
            let mut state = bell.state();
            match step {
                Ok(Step::Worked) => {}
                Ok(Step::Idle) => break,
                Ok(Step::OutOfSpace) => state.failure = Some("the disk is full".into()),
                Err(error) => state.failure = Some(error.to_string()),
            }
            bell.changed.notify_all();
            if state.stopping || state.failure.is_some() {
                return;
            }
        }
    }
}

fn record(key: Bytes, version: Version, header: &[u8], value: Bytes) -> Record {
    let header = Header::new(header).expect("the bench's headers are two bytes at most");
    Record { key, version, tombstone: false, header, value, keys_added: None }
}

/// An entry's payload as long as a request's.
fn payload(pairs: &[(Bytes, Bytes)]) -> Bytes {
    let bytes = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    let mut payload = BytesMut::with_capacity(bytes);
    for (key, value) in pairs {
        payload.put_slice(key);
        payload.put_slice(value);
    }
    payload.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_engine::Direction;

    fn pairs(numbers: std::ops::Range<u32>) -> Vec<(Bytes, Bytes)> {
        let pair = |n: u32| (format!("k{n:03}").into(), format!("value {n}").into());
        numbers.map(pair).collect()
    }

    #[test]
    fn what_was_written_is_read_and_outlives_a_restart() {
        for Candidate { name, open, .. } in CANDIDATES {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let setup = Setup { cache_bytes: 1 << 20, durability: Durability::None };
            for _ in 0..2 {
                let mut store = open(folder.path(), setup).expect("a store");
                store.write(&mut pairs(0..300)).expect("a batch");
                store.write(&mut pairs(0..10)).expect("a batch");
                store.compact().expect("a compaction");
                store.merge().expect("a merge");
                assert_eq!(store.get(b"k123").expect("a get"), Some(9), "{name}");
                assert_eq!(store.get(b"k999").expect("a get"), None, "{name}");
                assert_eq!(store.count(b"k", b"l").expect("a count"), 300, "{name}");
                let scan = Scan {
                    start: b"k100",
                    end: b"l",
                    limit: 20,
                    direction: Direction::Reverse,
                    projection: Projection::Keys,
                };
                let scanned = store.scan(&scan).expect("a scan");
                assert_eq!(scanned, Scanned { keys: 20, bytes: 80 }, "{name}");
            }
            let store = open(folder.path(), setup).expect("a store");
            let made = store.checkpoint(&folder.path().join("copy")).expect("a checkpoint");
            assert!(made.is_some(), "{name}");
        }
    }
}
