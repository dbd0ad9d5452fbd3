//! One call of the file system fails, each one in turn. The engine must hand the error out, refuse
//! everything after it, and leave a folder that opens at what was reported flushed or later.

use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::{Engine, Error, Keyspace, Projection, Version};
use retcd_vfs::{CrashVfs, Fault, Vfs};

use crate::history::{History, Promised, assert_state};
use crate::support::{KINDS, Kind, Log};

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
    // The process ends, and in the second case the machine with it.
    let crashed: Arc<dyn Vfs> = Arc::new(files.crash(operation));
    for left in [vfs, crashed] {
        let engine = kind.open(&left).unwrap_or_else(|e| panic!("{fault:?} at {operation}: {e}"));
        let flushed = engine.flushed().index;
        assert!(flushed >= promised.flushed, "{fault:?} at {operation}");
        assert_state(&*engine, log, flushed);
        kind.verify(&*left);
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
