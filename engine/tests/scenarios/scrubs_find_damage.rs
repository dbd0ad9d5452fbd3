//! A scrub goes over the tables in small steps, while the engine writes and merges: it finds
//! nothing wrong with files that come and go, and finds each damaged one without stopping the
//! engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use retcd_engine::{Engine, Error, Lsm, Oracle, Scrub, Scrubbed};
use retcd_vfs::{CrashVfs, Fault, MemVfs, Vfs};

use crate::history::{History, assert_state};
use crate::support::{FOLDER, Kind, Log, apply, open, settle};

const BUDGET: u64 = 300;
const PAGE_BYTES: u64 = 4096;

/// Goes on to the end of the pass.
fn finish(scrub: &mut dyn Scrub) -> Scrubbed {
    let mut all = Scrubbed::default();
    while !all.is_last {
        let step = scrub.step(BUDGET).expect("the engine is well");
        // A block of the tiny tables is far below 1 KiB, but an index may be as long.
        assert!(step.bytes < BUDGET + PAGE_BYTES, "{} bytes in a step", step.bytes);
        all.bytes += step.bytes;
        all.damage.extend(step.damage);
        all.is_last = step.is_last;
    }
    all
}

fn filled(vfs: &Arc<dyn Vfs>) -> (Lsm, Log) {
    let log = History { seed: 51, batches: 400 }.log();
    let engine = open(vfs).expect("an empty folder");
    for batch in &log.batches {
        apply(&engine, batch).expect("memory only");
        engine.step().expect("memory only");
    }
    engine.request_flush().expect("memory only");
    settle(&engine).expect("memory only");
    (engine, log)
}

fn tables(vfs: &dyn Vfs) -> Vec<PathBuf> {
    let listed = vfs.list(FOLDER.as_ref()).expect("it is there");
    let tables = listed.iter().filter(|name| name.extension().is_some_and(|end| end == "sst"));
    tables.map(|name| Path::new(FOLDER).join(name)).collect()
}

/// The manifest that there is.
fn manifest(vfs: &dyn Vfs) -> PathBuf {
    let listed = vfs.list(FOLDER.as_ref()).expect("it is there");
    let is_manifest = |name: &&PathBuf| name.to_string_lossy().contains("MANIFEST");
    Path::new(FOLDER).join(listed.iter().find(is_manifest).expect("there is one"))
}

fn len(vfs: &dyn Vfs, path: &Path) -> u64 {
    vfs.open_read(path).and_then(|file| file.len()).expect("it is there")
}

/// Turns a bit of a file.
fn turn(vfs: &dyn Vfs, path: &Path, offset: u64) {
    let file = vfs.open_pages(path).expect("it is there");
    let mut byte = [0];
    file.read_exact_at(offset, &mut byte).expect("memory only");
    file.write_at(offset, &[byte[0] ^ 1]).expect("memory only");
}

/// Turns a bit in the middle of a file.
fn damage(vfs: &dyn Vfs, path: &Path) {
    turn(vfs, path, len(vfs, path) / 2);
}

/// The one thing that a pass finds must be in `path`.
fn assert_found(engine: &Lsm, path: &Path) {
    let found = finish(&mut *engine.scrub()).damage;
    let [Error::Corrupt { path: named, .. }] = &*found else {
        panic!("{found:?} in {}", path.display());
    };
    assert_eq!(named, path);
}

#[test]
fn every_table_is_read_and_damage_has_a_file_and_a_place() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let (engine, _) = filled(&vfs);
    let whole = finish(&mut *engine.scrub());
    assert!(whole.damage.is_empty(), "{:?}", whole.damage);
    assert!(whole.bytes > engine.stats().file_bytes, "{} bytes", whole.bytes);

    let paths = tables(&*vfs);
    assert!(paths.len() > 5, "{paths:?}");
    for path in &paths {
        damage(&*vfs, path);
    }
    let found = finish(&mut *engine.scrub()).damage;
    for (error, path) in found.iter().zip(&paths) {
        let Error::Corrupt { path: named, offset, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(named, path);
        assert!(*offset > 0, "{error}: the block is known");
    }
    assert_eq!(found.len(), paths.len());
    // Nobody has read what is damaged: the engine goes on.
    engine.request_flush().expect("it isn't poisoned");
    assert_eq!(finish(&mut *engine.scrub()).damage.len(), paths.len(), "it is still so");
}

#[test]
fn what_names_the_tables_is_read_too() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let (engine, _) = filled(&vfs);
    let (current, manifest) = (Path::new(FOLDER).join("CURRENT"), manifest(&*vfs));
    let at = |path: &PathBuf, step| (0..len(&*vfs, path)).step_by(step);
    assert!(at(&manifest, 8).count() > 30, "the manifest has a few edits");
    // Zeros that fill up an edit mean nothing; they never are where one begins.
    for (path, offset) in at(&current, 1)
        .map(|offset| (&current, offset))
        .chain(at(&manifest, 8).map(|offset| (&manifest, offset)))
    {
        turn(&*vfs, path, offset);
        assert_found(&engine, path);
        turn(&*vfs, path, offset);
    }
    assert!(finish(&mut *engine.scrub()).damage.is_empty(), "all is as it was");
    let end = len(&*vfs, &manifest) - 8;
    vfs.open_pages(&manifest).and_then(|file| file.cut(end)).expect("memory only");
    assert_found(&engine, &manifest);
    vfs.remove_file(&current).expect("it is there");
    let found = finish(&mut *engine.scrub()).damage;
    assert!(found.iter().any(|error| matches!(error, Error::Io { path, .. } if *path == current)));
}

/// Opens an engine that a full disk keeps from writing a manifest of its own.
fn open_on_a_full_disk(files: &CrashVfs) -> (Arc<dyn Vfs>, Lsm) {
    let old = manifest(files);
    (1..)
        .find_map(|operation| {
            let full = files.crash(0);
            full.fail_at(operation, Fault::NoSpace);
            let vfs: Arc<dyn Vfs> = Arc::new(full);
            let engine = open(&vfs).ok()?;
            // The first call of which it survives the failure makes the new file.
            assert_eq!(manifest(&*vfs), old);
            Some((vfs, engine))
        })
        .expect("a full disk doesn't keep it from opening")
}

#[test]
fn only_a_torn_end_from_before_the_start_is_no_damage() {
    let files = CrashVfs::new();
    drop(filled(&(Arc::new(files.clone()) as Arc<dyn Vfs>)));
    let torn = manifest(&files);
    let end = len(&files, &torn);
    let file = files.open_pages(&torn).expect("it is there");
    file.write_at(end, b"EDIT, cut short").expect("memory only");
    files.settle();
    let (vfs, engine) = open_on_a_full_disk(&files);
    assert_eq!(len(&*vfs, &torn), end + 15, "it isn't written over");
    assert!(finish(&mut *engine.scrub()).damage.is_empty());
    // Now the last edit looks torn too, but the engine knows what it said.
    turn(&*vfs, &torn, end - 8);
    assert_found(&engine, &torn);

    let vfs: Arc<dyn Vfs> = Arc::new(files);
    let engine = open(&vfs).expect("a torn end is left by a crash");
    let anew = manifest(&*vfs);
    assert_ne!(anew, torn);
    assert!(finish(&mut *engine.scrub()).damage.is_empty());
    turn(&*vfs, &anew, len(&*vfs, &anew) - 8);
    assert_found(&engine, &anew);
}

#[test]
fn a_pass_ends_while_tables_come_and_go() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let log = History { seed: 52, batches: 900 }.log();
    let engine = open(&vfs).expect("an empty folder");
    let mut scrub = engine.scrub();
    let (mut passes, mut bytes) = (0, 0);
    for batch in &log.batches {
        apply(&engine, batch).expect("memory only");
        for _ in 0..4 {
            engine.step().expect("memory only");
        }
        let step = scrub.step(BUDGET).expect("the engine is well");
        assert!(step.damage.is_empty(), "{:?}", step.damage);
        bytes += step.bytes;
        if step.is_last {
            passes += 1;
            scrub = engine.scrub();
        }
    }
    assert!(passes > 3 && bytes > 100_000, "{passes} passes, {bytes} bytes");
    engine.request_merge().expect("memory only");
    settle(&engine).expect("memory only");
    assert!(finish(&mut *scrub).damage.is_empty());
    drop(scrub);
    assert_state(&engine, &log, log.applied().index);
}

#[test]
fn an_engine_without_files_has_nothing_to_scrub() {
    let done = Oracle::new().scrub().step(BUDGET).expect("memory only");
    assert!(done.is_last && done.bytes == 0 && done.damage.is_empty());
}

#[test]
fn each_page_of_the_tree_is_read_and_damage_has_a_place() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let log = History { seed: 53, batches: 200 }.log();
    let engine = Kind::Btree.open(&vfs).expect("an empty folder");
    for batch in &log.batches {
        apply(&*engine, batch).expect("memory only");
    }
    engine.request_flush().expect("memory only");
    settle(&*engine).expect("memory only");
    let whole = finish(&mut *engine.scrub());
    assert!(whole.damage.is_empty(), "{:?}", whole.damage);

    let path = Path::new(FOLDER).join("tree.db");
    let pages = vfs.open_pages(&path).expect("it is there");
    let file_pages = pages.len().expect("memory only") / PAGE_BYTES;
    let mut used = 0;
    for page in 2..file_pages {
        let at = page * PAGE_BYTES + 1000;
        let mut byte = [0];
        pages.read_exact_at(at, &mut byte).expect("memory only");
        pages.write_at(at, &[byte[0] ^ 1]).expect("memory only");
        let found = finish(&mut *engine.scrub()).damage;
        pages.write_at(at, &byte).expect("memory only");
        let Some(first) = found.first() else {
            continue;
        };
        let Error::Corrupt { path: named, offset, .. } = first else {
            panic!("{first}");
        };
        assert_eq!((named, *offset, found.len()), (&path, page * PAGE_BYTES, 1));
        used += 1;
    }
    assert_eq!(used * PAGE_BYTES, whole.bytes, "of {file_pages} pages");
    assert!(used > 10, "{used} pages");
}
