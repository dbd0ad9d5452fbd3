//! The machine stops at every single operation of a history with flushes, merges and new manifests,
//! and the disk is left as different seeds decide. Opening must then succeed, show exactly the
//! state at the applied index that it reports, report no less than was reported before the crash,
//! and go on from there to the same end. So it must if the machine stops again while it opens.

use std::sync::Arc;

use retcd_vfs::{CrashVfs, Vfs};

use crate::history::{History, Promised, assert_state};
use crate::support::{KINDS, Kind};

/// Opens the folder and stops the machine at one of the calls of that; nothing if they are fewer.
fn crash_again(kind: Kind, left: CrashVfs, stop: u64) -> CrashVfs {
    left.stop_at(1 + stop % 24);
    let vfs: Arc<dyn Vfs> = Arc::new(left.clone());
    drop(kind.open(&vfs));
    left.crash(stop + 1)
}

fn crash_everywhere(kind: Kind, history: &History, stride: u64) {
    history.assert_rich();
    let log = history.log();
    let quiet = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(quiet.clone());
    history.run(kind, &vfs, &log, &mut Promised::default()).expect("nothing was planned");
    let operations = quiet.operations();
    assert!(operations > 400, "the history is too short to mean something: {operations}");

    for stop in (1..=operations).step_by(stride as usize) {
        let stopped = CrashVfs::new();
        stopped.stop_at(stop);
        let vfs: Arc<dyn Vfs> = Arc::new(stopped.clone());
        let mut promised = Promised::default();
        history.run(kind, &vfs, &log, &mut promised).expect_err("the machine has stopped");
        // The stop is the seed: each one leaves another disk.
        let context = format!("{kind:?}, history {}, stop {stop}", history.seed);
        let left = crash_again(kind, stopped.crash(stop), stop);
        let left: Arc<dyn Vfs> = Arc::new(left);
        let engine = kind.open(&left).unwrap_or_else(|error| panic!("{context}: {error}"));
        let flushed = engine.flushed().index;
        assert!(flushed >= promised.flushed, "{context}: {flushed} < {}", promised.flushed);
        assert_state(&*engine, &log, flushed);
        kind.verify(&*left);
        if stop % 16 == 0 {
            let went_on = history.drive(&*engine, &log, &mut Promised::default());
            went_on.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_state(&*engine, &log, log.applied().index);
            kind.verify(&*left);
        }
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_flushed() {
    // The tree calls the file system less often.
    for (kind, batches) in [(Kind::Lsm, 18), (Kind::Btree, 44)] {
        crash_everywhere(kind, &History { seed: 7, batches }, 1);
    }
}

#[test]
fn so_do_crashes_in_longer_histories() {
    for seed in [11, 12, 13] {
        for kind in KINDS {
            crash_everywhere(kind, &History { seed, batches: 250 }, 401);
        }
    }
}
