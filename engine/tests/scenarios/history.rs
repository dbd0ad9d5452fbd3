//! Histories that are the same in every run, so that any operation of them can be made to fail.

use std::sync::Arc;

use retcd_engine::{Engine, Result};
use retcd_vfs::Vfs;

use crate::support::{Change, Kind, Log, Random, apply, assert_same_versions, settle};

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

impl History {
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
                promised.flushed = engine.flushed().index;
            }
        }
        engine.request_merge()?;
        settle(engine)?;
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
