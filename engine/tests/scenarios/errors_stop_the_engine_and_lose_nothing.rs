//! One call of the file system fails, each one in turn. The engine must hand the error out, refuse
//! everything after it, and leave a folder that opens at what was reported flushed or later. What
//! the next process finds there must not be lost any more, even if the machine stops right then:
//! logs are cut by it, and tables removed.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::{Engine, Error, Keyspace, Projection, Version};
use retcd_vfs::{CrashVfs, Fault, Vfs};

use crate::history::{History, Promised, assert_state};
use crate::support::{FOLDER, KINDS, Kind, Log};

/// A crash may keep what wasn't synced.
const CRASHES_AFTER_OPEN: u64 = 3;

fn assert_poisoned(engine: &dyn Engine) {
    let poisoned = |result: retcd_engine::Result<()>, call: &str| {
        assert!(matches!(result, Err(Error::Poisoned)), "{call}: {result:?}");
    };
    poisoned(engine.write(Keyspace::Meta, &mut Vec::new()), "write");
    poisoned(engine.commit(engine.applied()), "commit");
    poisoned(engine.request_flush(), "request_flush");
    poisoned(engine.request_merge(), "request_merge");
    poisoned(engine.step().map(drop), "step");
    let view = engine.view();
    let key = Bytes::from_static(b"k");
    let got = view.get(Keyspace::Kv, &key, Version::MAX, Projection::Keys);
    poisoned(got.map(drop), "get");
}

/// Fails the `operation`-th call; answers whether anybody noticed.
fn fail_one(kind: Kind, history: &History, log: &Log, operation: u64, fault: Fault) -> bool {
    let files = CrashVfs::new();
    files.fail_at(operation, fault);
    let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
    let mut promised = Promised::default();
    let noticed = match kind.open(&vfs) {
        Err(_) => true,
        Ok(engine) => {
            let failed = history.drive(&*engine, log, &mut promised).is_err();
            if failed {
                assert_poisoned(&*engine);
            }
            failed
        }
    };
    let reopen = |left: CrashVfs, promised: u64| {
        let left: Arc<dyn Vfs> = Arc::new(left);
        let engine = kind.open(&left).unwrap_or_else(|e| panic!("{fault:?} at {operation}: {e}"));
        let flushed = engine.flushed().index;
        assert!(flushed >= promised, "{kind:?}: {fault:?} at {operation}: {flushed} < {promised}");
        assert_state(&*engine, log, flushed);
        kind.verify(&*left);
        flushed
    };
    // The process ends, and the machine with it.
    reopen(files.crash(operation), promised.flushed);
    // The process ends, the next one opens, and then the machine stops.
    let found = reopen(files.clone(), promised.flushed);
    for seed in 0..CRASHES_AFTER_OPEN {
        reopen(files.crash(operation + seed), found);
    }
    noticed
}

#[test]
fn any_error_stops_the_engine_and_loses_nothing() {
    KINDS.into_iter().for_each(check);
}

fn check(kind: Kind) {
    let history = History { seed: 21, batches: 16 };
    history.assert_rich();
    let log = history.log();
    let quiet = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(quiet.clone());
    history.run(kind, &vfs, &log, &mut Promised::default()).expect("nothing was planned");
    for operation in 1..=quiet.operations() {
        let fault = if operation % 2 == 0 { Fault::Io } else { Fault::ShortWrite };
        let noticed = fail_one(kind, &history, &log, operation, fault);
        assert!(noticed, "{kind:?}: {fault:?} at {operation} is lost");
    }
}

/// An open writes a new manifest. There are so many calls of that: creating, appending and syncing
/// it and the next `CURRENT`, for which it looks whether there is one, renaming that, syncing the
/// folder twice, unlinking.
const CALLS_OF_A_MANIFEST: usize = 11;

/// What an interrupted merge has left.
const ORPHANS: [&str; 2] = ["00000000000000fe.sst", "00000000000000ff.sst"];

fn orphans(files: &CrashVfs) -> Vec<&'static str> {
    let is_there = |name: &&str| files.exists(&Path::new(FOLDER).join(name)).expect("memory only");
    ORPHANS.into_iter().filter(is_there).collect()
}

/// Only an open member can free space, and it begins with what nobody needs. The newest file stays
/// while nothing else says that its number is taken.
#[test]
fn a_full_disk_keeps_no_engine_from_opening() {
    let history = History { seed: 21, batches: 16 };
    let log = history.log();
    let filled = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(filled.clone());
    history.run(Kind::Lsm, &vfs, &log, &mut Promised::default()).expect("nothing was planned");
    for name in ORPHANS {
        drop(filled.create_append(&Path::new(FOLDER).join(name)).expect("memory only"));
    }
    filled.settle();
    let opened = filled.crash(0);
    drop(Kind::Lsm.open(&(Arc::new(opened.clone()) as Arc<dyn Vfs>)).expect("nothing was planned"));
    let mut survived = 0;
    for operation in 1..=opened.operations() {
        let full = filled.crash(0);
        full.fail_at(operation, Fault::NoSpace);
        let vfs: Arc<dyn Vfs> = Arc::new(full.clone());
        let Ok(engine) = Kind::Lsm.open(&vfs) else { continue };
        survived += 1;
        let mut scrub = engine.scrub();
        let mut is_last = false;
        while !is_last {
            let step = scrub.step(u64::MAX).expect("the engine is well");
            assert!(step.damage.is_empty(), "call {operation}: {:?}", step.damage);
            is_last = step.is_last;
        }
        drop(scrub);
        let flushed = engine.flushed().index;
        drop(engine);
        let left = full.crash(operation);
        let vfs: Arc<dyn Vfs> = Arc::new(left.clone());
        let engine = Kind::Lsm.open(&vfs).unwrap_or_else(|e| panic!("call {operation}: {e}"));
        assert!(orphans(&left).is_empty(), "call {operation}");
        assert_eq!(engine.flushed().index, flushed, "call {operation}");
        assert_state(&*engine, &log, flushed);
    }
    assert_eq!(survived, CALLS_OF_A_MANIFEST);
}
