//! Histories that are the same in every run, so that any operation of them can be made to fail.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use retcd_engine::lsm::manifest;
use retcd_engine::{Engine, Result, Step};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{Change, FOLDER, Kind, Log, Random, apply, assert_same_versions};

/// A fixed history: the seed decides all of it.
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) batches: u64,
}

/// What was promised before the machine stopped.
#[derive(Default)]
pub(crate) struct Promised {
    pub(crate) flushed: u64,
}

/// What a history makes the engine do, and so what can be interrupted in it.
#[derive(Debug, Default)]
struct Deeds {
    /// Manifests that `CURRENT` has named.
    manifests: BTreeSet<u64>,
    /// Steps after which a merge was in the middle of a run.
    trimmed: usize,
    /// Tables that have been on the disk.
    tables: BTreeSet<PathBuf>,
    /// Tables that were unlinked.
    unlinked: usize,
}

impl Deeds {
    fn look(&mut self, vfs: &dyn Vfs) {
        let (number, contents) = manifest::read(vfs, FOLDER.as_ref()).expect("memory only");
        self.manifests.insert(number.0);
        self.trimmed += usize::from(contents.runs.values().any(|run| !run.start.is_empty()));
        let listed = vfs.list(FOLDER.as_ref()).expect("memory only");
        let is_table = |name: &PathBuf| name.extension().is_some_and(|end| end == "sst");
        let tables: BTreeSet<PathBuf> = listed.into_iter().filter(is_table).collect();
        self.tables.extend(tables.iter().cloned());
        self.unlinked = self.tables.len() - tables.len();
    }
}

impl History {
    /// Fails if an LSM that lives through it doesn't do everything that a crash can interrupt:
    /// flushes, merges that end in one piece and in several, new manifests, unlinks.
    pub(crate) fn assert_rich(&self) {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let engine = Kind::Lsm.open(&vfs).expect("memory only");
        let mut deeds = Deeds::default();
        let mut look = || deeds.look(&*vfs);
        let driven = self.drive_seen(&*engine, &self.log(), &mut Promised::default(), &mut look);
        driven.expect("memory only");
        let stats = engine.stats();
        assert!(stats.flushes > 2 && stats.merges > 2, "history {}: {stats:?}", self.seed);
        let rich = deeds.manifests.len() > 2 && deeds.trimmed > 2 && deeds.unlinked > 4;
        assert!(rich, "history {}: {deeds:?}", self.seed);
    }

    pub(crate) fn log(&self) -> Log {
        let mut random = Random(self.seed);
        let mut log = Log::default();
        for _ in 0..self.batches {
            let change: Change = random.change();
            log.append(&change);
        }
        log
    }

    /// Applies what `engine` doesn't hold of `log`, with steps in between, some of which collect
    /// garbage, and merges all at the end.
    pub(crate) fn drive(
        &self,
        engine: &dyn Engine,
        log: &Log,
        promised: &mut Promised,
    ) -> Result<()> {
        self.drive_seen(engine, log, promised, &mut || {})
    }

    /// As [`History::drive`]; calls `seen` after each step.
    fn drive_seen(
        &self,
        engine: &dyn Engine,
        log: &Log,
        promised: &mut Promised,
        seen: &mut dyn FnMut(),
    ) -> Result<()> {
        let mut random = Random(self.seed ^ 0x5eed);
        let flushed = engine.flushed().index;
        for batch in log.batches.iter().filter(|batch| batch.applied.index > flushed) {
            apply(engine, batch)?;
            if random.below(16) == 0 {
                engine.request_flush()?;
            }
            if random.below(16) == 0 {
                engine.request_compaction()?;
            }
            for _ in 0..random.below(12) {
                engine.step()?;
                seen();
                promised.flushed = engine.flushed().index;
            }
        }
        engine.request_merge()?;
        while engine.step()? != Step::Idle {
            seen();
        }
        promised.flushed = engine.flushed().index;
        Ok(())
    }

    pub(crate) fn run(
        &self,
        kind: Kind,
        vfs: &Arc<dyn Vfs>,
        log: &Log,
        promised: &mut Promised,
    ) -> Result<()> {
        let engine = kind.open(vfs)?;
        self.drive(&*engine, log, promised)
    }
}

pub(crate) fn assert_state(engine: &dyn Engine, log: &Log, index: u64) {
    let batch = log.batch_at(index);
    let applied = batch.map(|batch| batch.applied.clone()).unwrap_or_default();
    assert_eq!(engine.applied(), applied);
    let oracle = log.oracle_at(index);
    assert_same_versions(&*engine.view(), &*oracle.view(), applied.watermark);
}
