//! A checkpoint is begun, and the engine goes on: writes, flushes, merges, unlinks. The folder must
//! show exactly what was flushed when it was begun, whether its tables are links or copies, and
//! neither folder may notice what happens in the other one from then on.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use retcd_engine::lsm::checkpoint;
use retcd_engine::{Applied, Engine, Error, Lsm, Oracle, Result};
use retcd_vfs::{CrashVfs, Fault, RealVfs, Vfs};

use crate::history::{History, assert_state};
use crate::support::{FOLDER, Log, apply, open, open_in, settle};

const TO: &str = "/backups/one";

/// Steps of a checkpoint after each batch.
const STEPS: usize = 3;

/// Makes a checkpoint without anything in between.
fn make(engine: &dyn Engine, to: &Path) -> Result<Applied> {
    let mut checkpoint = engine.checkpoint(to)?;
    loop {
        if let Some(applied) = checkpoint.step()? {
            return Ok(applied);
        }
    }
}

/// Applies what `engine` doesn't hold of `log`, a step of the engine and some of a checkpoint after
/// each batch, until both are at their end. Begins with a flush of what is there.
fn interleaved(engine: &Lsm, log: &Log, done: &mut Option<Applied>) -> Result<()> {
    engine.request_flush()?;
    settle(engine)?;
    let from = engine.applied().index;
    let mut checkpoint = engine.checkpoint(TO.as_ref())?;
    for batch in log.batches.iter().filter(|batch| batch.applied.index > from) {
        apply(engine, batch)?;
        engine.step()?;
        for _ in 0..STEPS {
            if done.is_none() {
                *done = checkpoint.step()?;
            }
        }
    }
    assert!(done.is_some(), "the history ends before the checkpoint");
    drop(checkpoint);
    engine.request_merge()?;
    settle(engine)
}

/// An engine that holds half of the history.
fn half(vfs: &Arc<dyn Vfs>, log: &Log) -> Result<Lsm> {
    let engine = open(vfs)?;
    for batch in &log.batches[..log.batches.len() / 2] {
        apply(&engine, batch)?;
        engine.step()?;
    }
    Ok(engine)
}

/// Opens the checkpoint and compares it with the log.
fn assert_checkpoint(vfs: &Arc<dyn Vfs>, log: &Log, applied: Option<&Applied>) {
    let verified = checkpoint::verify(&**vfs, TO.as_ref()).expect("it has its final name");
    let engine = open_in(vfs, TO.as_ref()).expect("it has its final name");
    assert_eq!(engine.applied(), verified);
    assert!(applied.is_none_or(|applied| *applied == verified));
    assert_state(&engine, log, verified.index);
}

fn kinds() -> [CrashVfs; 2] {
    [CrashVfs::new(), CrashVfs::without_hard_links()]
}

#[test]
fn a_checkpoint_shows_what_was_flushed_when_it_was_begun() {
    let history = History { seed: 41, batches: 240 };
    let log = history.log();
    for files in kinds() {
        let vfs: Arc<dyn Vfs> = Arc::new(files);
        let engine = half(&vfs, &log).expect("nothing was planned");
        let mut done = None;
        interleaved(&engine, &log, &mut done).expect("nothing was planned");
        let applied = done.expect("it went on to the end");
        assert_eq!(applied.index, log.batches.len() as u64 / 2);
        assert_checkpoint(&vfs, &log, Some(&applied));
        assert_state(&engine, &log, log.applied().index);

        // The copy catches up, and takes nothing away from the engine that it comes from.
        let copy = open_in(&vfs, TO.as_ref()).expect("it was opened before");
        log.replay(&copy).expect("memory only");
        copy.request_merge().expect("memory only");
        settle(&copy).expect("memory only");
        assert_state(&copy, &log, log.applied().index);
        drop(engine);
        let engine = open(&vfs).expect("nothing was planned");
        assert_state(&engine, &log, engine.flushed().index);
    }
}

#[test]
fn a_crash_at_any_operation_leaves_a_whole_checkpoint_or_none() {
    let history = History { seed: 43, batches: 28 };
    let log = history.log();
    for of_kind in [CrashVfs::new, CrashVfs::without_hard_links] {
        let quiet = of_kind();
        let vfs: Arc<dyn Vfs> = Arc::new(quiet.clone());
        let engine = half(&vfs, &log).expect("nothing was planned");
        let before = quiet.operations();
        interleaved(&engine, &log, &mut None).expect("nothing was planned");
        let (mut whole, mut none) = (0, 0);
        for stop in before + 1..=quiet.operations() {
            let stopped = of_kind();
            let vfs: Arc<dyn Vfs> = Arc::new(stopped.clone());
            let engine = half(&vfs, &log).expect("nothing was planned so early");
            stopped.stop_at(stop);
            let mut done = None;
            interleaved(&engine, &log, &mut done).expect_err("the machine has stopped");
            let left: Arc<dyn Vfs> = Arc::new(stopped.crash(stop));
            let engine = open(&left).unwrap_or_else(|error| panic!("stop {stop}: {error}"));
            assert_state(&engine, &log, engine.flushed().index);
            if left.exists(TO.as_ref()).expect("nothing was planned") {
                assert_checkpoint(&left, &log, done.as_ref());
                whole += 1;
            } else {
                assert!(done.is_none(), "stop {stop}: a finished checkpoint is lost");
                let again = make(&engine, TO.as_ref()).expect("leftovers don't disturb");
                assert_checkpoint(&left, &log, Some(&again));
                none += 1;
            }
        }
        assert!(whole > 20 && none > 40, "{whole} whole, {none} none");
    }
}

#[test]
fn an_error_ends_the_checkpoint_and_not_the_engine() {
    let history = History { seed: 44, batches: 24 };
    let log = history.log();
    for of_kind in [CrashVfs::new, CrashVfs::without_hard_links] {
        let prepared = || {
            let files = of_kind();
            let vfs: Arc<dyn Vfs> = Arc::new(files.clone());
            let engine = half(&vfs, &log).expect("nothing was planned so early");
            engine.request_flush().expect("nothing was planned so early");
            settle(&engine).expect("nothing was planned so early");
            (files, vfs, engine)
        };
        let (quiet, _, engine) = prepared();
        let before = quiet.operations();
        make(&engine, TO.as_ref()).expect("nothing was planned");
        for operation in before + 1..=quiet.operations() {
            let faults = [Fault::Io, Fault::NoSpace, Fault::ShortWrite];
            let fault = faults[operation as usize % faults.len()];
            let (files, vfs, engine) = prepared();
            files.fail_at(operation, fault);
            let error = make(&engine, TO.as_ref()).expect_err("an error isn't passed over");
            assert!(matches!(error, Error::Io { .. }), "{fault:?} at {operation}: {error}");
            if !vfs.exists(TO.as_ref()).expect("it was planned once") {
                make(&engine, TO.as_ref()).expect("leftovers don't disturb");
            }
            assert_checkpoint(&vfs, &log, Some(&engine.flushed()));
            log.replay(&engine).expect("the engine goes on");
            settle(&engine).expect("the engine goes on");
            assert_state(&engine, &log, log.applied().index);
        }
    }
}

#[test]
fn names_that_are_taken_and_engines_without_files_are_refused() {
    let history = History { seed: 45, batches: 40 };
    let log = history.log();
    let vfs: Arc<dyn Vfs> = Arc::new(CrashVfs::new());
    let engine = half(&vfs, &log).expect("nothing was planned");
    let kind_of = |result: Result<Applied>| match result {
        Err(Error::Io { source, .. }) => source.kind(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind_of(make(&engine, FOLDER.as_ref())), ErrorKind::AlreadyExists);
    assert_eq!(kind_of(make(&engine, "/".as_ref())), ErrorKind::InvalidInput);
    assert_eq!(kind_of(make(&Oracle::new(), TO.as_ref())), ErrorKind::Unsupported);
    // A folder that happens to have the temporary name, with something of somebody else in it.
    vfs.create_dir_all("/backups/one.tmp".as_ref()).expect("memory only");
    drop(vfs.create_append("/backups/one.tmp/letter".as_ref()).expect("memory only"));
    assert_eq!(kind_of(make(&engine, TO.as_ref())), ErrorKind::DirectoryNotEmpty);
    assert!(vfs.exists("/backups/one.tmp/letter".as_ref()).expect("memory only"));
}

/// Replaces a file by `bytes`; what else has its content keeps it.
fn replace(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) {
    vfs.remove_file(path).expect("it is there");
    vfs.create_append(path).expect("its name is free").append(bytes).expect("memory only");
}

#[test]
fn verifying_notices_any_damage() {
    let history = History { seed: 46, batches: 60 };
    let vfs: Arc<dyn Vfs> = Arc::new(CrashVfs::new());
    let engine = half(&vfs, &history.log()).expect("nothing was planned");
    make(&engine, TO.as_ref()).expect("nothing was planned");
    let files = vfs.list(TO.as_ref()).expect("it is there");
    assert!(files.len() > 5, "{files:?}");
    for path in files.iter().map(|name| Path::new(TO).join(name)) {
        let file = vfs.open_read(&path).expect("it is there");
        let mut bytes = vec![0; file.len().expect("memory only") as usize];
        file.read_exact_at(0, &mut bytes).expect("memory only");
        // The last bytes of a manifest may be padding, which means nothing.
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 4;
        for damaged in [&flipped, &bytes[..bytes.len() - 9], &[]] {
            replace(&*vfs, &path, damaged);
            let noticed = checkpoint::verify(&*vfs, TO.as_ref()).expect_err("it is damaged");
            assert!(noticed.to_string().contains(TO), "{noticed}");
        }
        vfs.remove_file(&path).expect("it is there");
        assert!(checkpoint::verify(&*vfs, TO.as_ref()).is_err(), "{path:?} is missing");
        vfs.create_append(&path).expect("its name is free").append(&bytes).expect("memory only");
        checkpoint::verify(&*vfs, TO.as_ref()).expect("it is whole again");
    }
}

#[test]
fn a_damaged_table_is_not_copied() {
    let history = History { seed: 47, batches: 60 };
    let vfs: Arc<dyn Vfs> = Arc::new(CrashVfs::without_hard_links());
    let engine = half(&vfs, &history.log()).expect("nothing was planned");
    let listed = vfs.list(FOLDER.as_ref()).expect("it is there");
    let table = listed.iter().find(|name| name.extension().is_some_and(|end| end == "sst"));
    let path = Path::new(FOLDER).join(table.expect("something was flushed"));
    let len = vfs.open_read(&path).and_then(|file| file.len()).expect("it is there");
    replace(&*vfs, &path, &vec![7; len as usize]);
    let error = make(&engine, TO.as_ref()).expect_err("it is damaged");
    assert!(matches!(&error, Error::Corrupt { path: named, .. } if *named == path), "{error}");
    assert!(!vfs.exists(TO.as_ref()).expect("memory only"));
}

#[test]
fn threads_write_and_merge_while_checkpoints_are_made() {
    let history = History { seed: 48, batches: 600 };
    let log = history.log();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let engine = open_in(&vfs, &folder.path().join("db")).expect("an empty folder");
    let written = AtomicBool::new(false);
    let mut indexes = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for batch in &log.batches {
                apply(&engine, batch).expect("no error was planned");
                while engine.stats().frozen_memtables > 1 {
                    engine.step().expect("no error was planned");
                }
            }
            written.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !written.load(Ordering::Acquire) {
                engine.step().expect("no error was planned");
            }
        });
        for round in 0.. {
            let to = folder.path().join(format!("checkpoint-{round}"));
            let applied = make(&engine, &to).expect("no error was planned");
            assert_eq!(checkpoint::verify(&*vfs, &to).expect("it is whole"), applied);
            let copy = open_in(&vfs, &to).expect("it is whole");
            assert_state(&copy, &log, applied.index);
            indexes.push(applied.index);
            if written.load(Ordering::Acquire) {
                break;
            }
        }
    });
    indexes.dedup();
    assert!(indexes.len() > 1 && indexes.is_sorted(), "{indexes:?}");
    settle(&engine).expect("no error was planned");
    assert_state(&engine, &log, log.applied().index);
}
