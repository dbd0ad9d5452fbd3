//! The disk is full at each call in turn, and has room again afterwards. A merge that meets it is
//! given up, leaves no file behind and is done again later; a flush or an edit that meets it stops
//! the engine, and nothing is lost either way.

use std::sync::Arc;

use retcd_engine::lsm::manifest::{self, Tier};
use retcd_engine::{Engine, Keyspace, Result, Step};
use retcd_vfs::{CrashVfs, Fault, Vfs};

use crate::history::{History, assert_state};
use crate::support::{FOLDER, KINDS, Kind, apply};

/// Applies everything and merges; answers whether a merge was given up.
fn drive(engine: &dyn Engine, history: &History) -> Result<bool> {
    let mut given_up = false;
    for batch in &history.log().batches {
        apply(engine, batch)?;
        for _ in 0..8 {
            let step = engine.step()?;
            assert_eq!(step == Step::OutOfSpace, engine.stats().out_of_space && !given_up);
            given_up |= step == Step::OutOfSpace;
        }
    }
    engine.request_merge()?;
    loop {
        match engine.step()? {
            Step::Worked => {}
            Step::OutOfSpace => given_up = true,
            Step::Idle => {
                assert!(!engine.stats().is_owed, "who waits would wait for ever");
                return Ok(given_up);
            }
        }
    }
}

fn assert_no_stray_files(kind: Kind, vfs: &dyn Vfs) {
    kind.verify(vfs);
    if kind != Kind::Lsm {
        return;
    }
    let (_, contents) = manifest::read(vfs, FOLDER.as_ref()).expect("it opened before");
    let named: usize = contents.runs.values().map(|run| run.tables.len()).sum();
    // The tables, CURRENT and its manifest.
    let listed = vfs.list(FOLDER.as_ref()).expect("it is there");
    assert_eq!(listed.len(), named + 2, "{listed:?}");
}

/// What was demanded is done although the disk was full in between: all is in the last tier, in
/// runs side by side where a merge was given up half way.
fn assert_merged(kind: Kind, vfs: &dyn Vfs) {
    if kind == Kind::Lsm {
        let (_, contents) = manifest::read(vfs, FOLDER.as_ref()).expect("it opened before");
        let mut of_kv = contents.runs.values().filter(|run| run.keyspace == Keyspace::Kv);
        assert!(of_kv.all(|run| run.tier == Tier::Last), "{:?}", contents.runs);
    }
}

#[test]
fn a_full_disk_gives_up_only_the_merge() {
    KINDS.into_iter().for_each(check);
}

fn check(kind: Kind) {
    // The tree calls the file system less often.
    let stride = if kind == Kind::Lsm { 5 } else { 1 };
    let history = History { seed: 31, batches: 24 };
    history.assert_rich();
    let log = history.log();
    let quiet = CrashVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(quiet.clone());
    let engine = kind.open(&vfs).expect("nothing was planned");
    let opened = quiet.operations();
    assert!(!drive(&*engine, &history).expect("nothing was planned"));

    let (mut given_up, mut stopped) = (0, 0);
    for operation in (opened + 1..=quiet.operations()).step_by(stride) {
        let files = CrashVfs::new();
        files.fail_at(operation, Fault::NoSpace);
        let vfs: Arc<dyn Vfs> = Arc::new(files);
        let engine = kind.open(&vfs).expect("nothing was planned so early");
        match drive(&*engine, &history) {
            Ok(seen) => {
                assert!(seen, "the full disk at {operation} went unnoticed");
                assert!(!engine.stats().out_of_space, "a merge came through since");
                assert_state(&*engine, &log, log.applied().index);
                assert_no_stray_files(kind, &*vfs);
                assert_merged(kind, &*vfs);
                given_up += 1;
            }
            Err(error) => {
                assert!(error.is_out_of_space(), "{error}");
                drop(engine);
                let engine = kind.open(&vfs).expect("there is room again");
                let flushed = engine.flushed().index;
                assert_state(&*engine, &log, flushed);
                assert_no_stray_files(kind, &*vfs);
                stopped += 1;
            }
        }
    }
    assert!(given_up > 9 && stopped > 9, "{kind:?}: {given_up} given up, {stopped} stopped");
}
