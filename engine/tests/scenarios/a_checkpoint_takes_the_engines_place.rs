//! An engine has fallen behind and receives a checkpoint of another one. It takes the engine's
//! place while views of the old state are open, and wherever the machine stops there is the old
//! state or the new one. Both engines, since only folders are moved.

use std::path::Path;
use std::sync::Arc;

use retcd_engine::{Applied, Engine, Error, Replaceable, Result};
use retcd_vfs::{CrashVfs, Fault, Vfs};

use crate::history::{History, Promised, assert_state};
use crate::support::{FOLDER, KINDS, Kind, Log, assert_same_versions, settle};

/// Where the other engine lives, and where its checkpoint arrives.
const OTHER: &str = "/other/engine";
const INCOMING: &str = "/member/incoming";

fn open(kind: Kind, vfs: &Arc<dyn Vfs>) -> Result<Replaceable> {
    let files = Arc::clone(vfs);
    let opener = move |dir: &Path| Ok(Arc::from(kind.open_in(&files, dir)?));
    Replaceable::open(Arc::clone(vfs), FOLDER.as_ref(), Box::new(opener))
}

/// What both have applied: the other one's history is longer, and not the same.
struct Logs {
    own: Log,
    other: Log,
}

impl Logs {
    fn new() -> Logs {
        let log = |seed, batches| History { seed, batches }.log();
        Logs { own: log(51, 60), other: log(52, 90) }
    }

    /// Compares with whichever of the two it has to be; says whether it is the other one's.
    fn assert_either(&self, engine: &dyn Engine) -> bool {
        let index = engine.applied().index;
        let is_new = index == self.other.applied().index;
        let log = if is_new { &self.other } else { &self.own };
        assert!(is_new || index == self.own.applied().index, "index {index}");
        assert_state(engine, log, index);
        is_new
    }
}

/// The files of an engine with everything flushed, and of the checkpoint.
fn disk(kind: Kind, logs: &Logs) -> CrashVfs {
    let files = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
    let other = kind.open_in(&vfs, OTHER.as_ref()).expect("nothing was planned");
    let history = History { seed: 52, batches: 0 };
    let driven = history.drive(&*other, &logs.other, &mut Promised::default());
    driven.expect("nothing was planned");
    let mut checkpoint = other.checkpoint(INCOMING.as_ref()).expect("nothing was planned");
    while checkpoint.step().expect("nothing was planned").is_none() {}
    let engine = open(kind, &vfs).expect("nothing was planned");
    let driven = history.drive(&engine, &logs.own, &mut Promised::default());
    driven.expect("nothing was planned");
    assert_eq!(engine.flushed(), logs.own.applied());
    drop((engine, checkpoint, other));
    files.settle();
    files
}

/// The same files again, with the engine open.
fn prepared(kind: Kind, disk: &CrashVfs) -> (CrashVfs, Arc<dyn Vfs>, Replaceable) {
    let files = disk.crash(0);
    let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
    let engine = open(kind, &vfs).expect("nothing was planned");
    settle(&engine).expect("nothing was planned");
    (files, vfs, engine)
}

fn replace(engine: &Replaceable) -> Result<()> {
    engine.replace(INCOMING.as_ref())?.switch();
    settle(engine)
}

#[test]
fn readers_see_the_old_state_until_the_switch_and_in_their_views_after_it() {
    let logs = Logs::new();
    for kind in KINDS {
        let (_, vfs, engine) = prepared(kind, &disk(kind, &logs));
        let (before, stats) = (engine.view(), engine.stats());
        let replacement = engine.replace(INCOMING.as_ref()).expect("nothing was planned");
        assert!(!logs.assert_either(&engine), "nothing was switched");
        assert!(logs.assert_either(&**replacement.engine()));
        drop(replacement.switch());
        assert!(logs.assert_either(&engine));
        assert!(engine.stats().flushes >= stats.flushes, "counts go on");

        let old = logs.own.oracle_at(u64::MAX);
        assert_same_versions(&*before, &*old.view(), logs.own.applied().watermark);
        settle(&engine).expect("nothing was planned");
        let beside = vfs.list("/member".as_ref()).expect("memory only");
        assert_eq!(beside, [Path::new("engine")], "nothing is left of the old engine");
        assert_same_versions(&*before, &*old.view(), logs.own.applied().watermark);

        // The engine goes on from there, and another one may come.
        let mut log = logs.other.clone();
        let tail = History { seed: 53, batches: 40 }.log();
        let applied = log.applied();
        for mut batch in tail.batches {
            batch.records.clear();
            batch.applied =
                Applied { index: batch.applied.index + applied.index, ..applied.clone() };
            log.batches.push(batch);
        }
        log.replay(&engine).expect("nothing was planned");
        engine.request_flush().expect("nothing was planned");
        settle(&engine).expect("nothing was planned");
        drop((before, engine));
        let engine = open(kind, &vfs).expect("nothing was planned");
        assert_eq!(engine.applied(), log.applied());
        kind.verify(&*vfs);
    }
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_state_or_the_new_one() {
    let logs = Logs::new();
    for kind in KINDS {
        let disk = disk(kind, &logs);
        let (quiet, _, engine) = prepared(kind, &disk);
        let before = quiet.operations();
        replace(&engine).expect("nothing was planned");
        let (mut old, mut new) = (0, 0);
        for stop in before + 1..=quiet.operations() {
            let (stopped, _, engine) = prepared(kind, &disk);
            stopped.stop_at(stop);
            let switched = engine.replace(INCOMING.as_ref()).map(|replacement| {
                drop(replacement.switch());
            });
            let _ = settle(&engine);
            // The machine stops again at one of the calls of the next start.
            let left = stopped.crash(stop);
            left.stop_at(1 + stop % 24);
            let vfs: Arc<dyn Vfs> = Arc::new(left.clone());
            drop(open(kind, &vfs));
            let left: Arc<dyn Vfs> = Arc::new(left.crash(stop));
            let engine = open(kind, &left).unwrap_or_else(|error| panic!("stop {stop}: {error}"));
            let is_new = logs.assert_either(&engine);
            assert!(is_new || switched.is_err(), "stop {stop}: a switch was lost");
            kind.verify(&*left);
            let beside = left.list("/member".as_ref()).expect("memory only");
            assert!(beside.iter().all(|name| !name.ends_with("engine.old")), "{beside:?}");
            *(if is_new { &mut new } else { &mut old }) += 1;
        }
        assert!(old > 2 && new > 4, "{kind:?}: {old} old, {new} new");
    }
}

#[test]
fn an_error_stops_the_engine_and_loses_neither_state() {
    let logs = Logs::new();
    for kind in KINDS {
        let disk = disk(kind, &logs);
        let (quiet, _, engine) = prepared(kind, &disk);
        let before = quiet.operations();
        drop(engine.replace(INCOMING.as_ref()).expect("nothing was planned").switch());
        for operation in before + 1..=quiet.operations() {
            let (files, vfs, engine) = prepared(kind, &disk);
            files.fail_at(operation, Fault::Io);
            let failed = engine.replace(INCOMING.as_ref()).map(drop);
            assert!(failed.is_err(), "the error at {operation} is passed over");
            assert!(matches!(engine.step(), Err(Error::Poisoned)));
            assert!(matches!(engine.commit(engine.applied()), Err(Error::Poisoned)));
            drop(engine);
            logs.assert_either(&open(kind, &vfs).expect("the error came once"));
        }
    }
}

#[test]
fn a_replacement_that_nobody_switches_to_stops_the_engine() {
    let logs = Logs::new();
    let (_, _, engine) = prepared(Kind::Lsm, &disk(Kind::Lsm, &logs));
    drop(engine.replace(INCOMING.as_ref()).expect("nothing was planned"));
    assert!(matches!(engine.step(), Err(Error::Poisoned)));
}

#[test]
fn what_reads_the_old_files_by_name_ends() {
    let logs = Logs::new();
    for kind in KINDS {
        let (_, _, engine) = prepared(kind, &disk(kind, &logs));
        let mut scrub = engine.scrub();
        let mut checkpoint = engine.checkpoint("/backups/one".as_ref()).expect("a free name");
        assert!(scrub.step(1).expect("nothing was planned").damage.is_empty());
        assert!(checkpoint.step().expect("nothing was planned").is_none());
        replace(&engine).expect("nothing was planned");
        let scrubbed = scrub.step(1 << 20).expect("nothing was planned");
        assert!(scrubbed.is_last && scrubbed.damage.is_empty());
        assert!(matches!(checkpoint.step(), Err(Error::Replaced)));
        let mut scrub = engine.scrub();
        while !scrub.step(1 << 20).map(|found| found.is_last).expect("nothing was planned") {}
    }
}
