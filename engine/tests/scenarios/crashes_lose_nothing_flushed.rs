//! The machine stops at every single operation of a history with flushes, merges and new manifests,
//! and the disk is left as different seeds decide. Opening must then succeed, show exactly the state
//! at the applied index that it reports, report no less than was reported before the crash, and go on
//! from there to the same end.

use std::sync::Arc;

use retcd_engine::{Engine, Lsm, Result};
use retcd_vfs::{CrashVfs, Vfs};

use crate::support::{Change, Log, Random, apply, assert_same_versions, open, settle};

/// A fixed history: the seed decides all of it.
struct History {
    seed: u64,
    batches: u64,
}

/// What was promised before the machine stopped.
#[derive(Default)]
struct Promised {
    flushed: u64,
}

impl History {
    fn log(&self) -> Log {
        let mut random = Random(self.seed);
        let mut log = Log::default();
        for _ in 0..self.batches {
            let change: Change = random.change();
            log.append(&change);
        }
        log
    }

    /// Applies what `engine` doesn't hold of `log`, with steps in between, and merges all at the
    /// end.
    fn drive(&self, engine: &Lsm, log: &Log, promised: &mut Promised) -> Result<()> {
        let mut random = Random(self.seed ^ 0x5eed);
        let flushed = engine.flushed().index;
        for batch in log.batches.iter().filter(|batch| batch.applied.index > flushed) {
            apply(engine, batch)?;
            if random.below(16) == 0 {
                engine.request_flush()?;
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

    fn run(&self, vfs: &Arc<dyn Vfs>, log: &Log, promised: &mut Promised) -> Result<()> {
        let engine = open(vfs)?;
        self.drive(&engine, log, promised)
    }
}

fn assert_state(engine: &Lsm, log: &Log, index: u64) {
    let batch = log.batch_at(index);
    let applied = batch.map(|batch| batch.applied.clone()).unwrap_or_default();
    assert_eq!(engine.applied(), applied);
    let oracle = log.oracle_at(index);
    assert_same_versions(&*engine.view(), &*oracle.view(), applied.watermark);
}

fn crash_everywhere(history: &History, stride: u64) {
    let log = history.log();
    let quiet = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(quiet.clone());
    history.run(&vfs, &log, &mut Promised::default()).expect("nothing was planned");
    let operations = quiet.operations();
    assert!(operations > 500, "the history is too short to mean something: {operations}");

    for stop in (1..=operations).step_by(stride as usize) {
        let stopped = CrashVfs::new();
        stopped.stop_at(stop);
        let vfs: Arc<dyn Vfs> = Arc::new(stopped.clone());
        let mut promised = Promised::default();
        history.run(&vfs, &log, &mut promised).expect_err("the machine has stopped");
        // The stop is the seed: each one leaves another disk.
        let context = format!("history {}, stop {stop}", history.seed);
        let left: Arc<dyn Vfs> = Arc::new(stopped.crash(stop));
        let engine = open(&left).unwrap_or_else(|error| panic!("{context}: {error}"));
        let flushed = engine.flushed().index;
        assert!(flushed >= promised.flushed, "{context}: {flushed} < {}", promised.flushed);
        assert_state(&engine, &log, flushed);
        if stop % 16 == 0 {
            let went_on = history.drive(&engine, &log, &mut Promised::default());
            went_on.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_state(&engine, &log, log.applied().index);
        }
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_flushed() {
    crash_everywhere(&History { seed: 7, batches: 30 }, 1);
}

#[test]
fn so_do_crashes_in_longer_histories() {
    for seed in [11, 12, 13] {
        crash_everywhere(&History { seed, batches: 250 }, 401);
    }
}
