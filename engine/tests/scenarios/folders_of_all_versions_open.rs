//! A folder that was written once, by the first program of each format version, is read for ever.
//!
//! `RETCD_WRITE_GOLDEN=1` writes the folder of the current version, for the day when there is a new
//! one. A folder that is there is never written again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retcd_engine::Keyspace;
use retcd_engine::lsm::manifest::{self, Contents, Tier};
use retcd_vfs::{MemVfs, Vfs};

use crate::history::assert_state;
use crate::support::{FOLDER, Kind, Log, Random, apply, settle};

/// What all versions were written from: 90 batches, of which the last ones aren't flushed.
const BATCHES: u64 = 90;
const FLUSHED: u64 = 85;

fn golden(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/folder-v{version}"))
}

/// Must stay as it is: the folders hold what it made.
fn log() -> Log {
    let mut random = Random(0x601d);
    let mut log = Log::default();
    for _ in 0..BATCHES {
        log.append(&random.change());
    }
    log
}

fn copy(from: &Path, to: &dyn Vfs) {
    to.create_dir_all(FOLDER.as_ref()).expect("memory only");
    for entry in fs::read_dir(from).expect("the folder is part of the sources") {
        let entry = entry.expect("it can be listed");
        let path = Path::new(FOLDER).join(entry.file_name());
        let mut file = to.create_append(&path).expect("memory only");
        let bytes = fs::read(entry.path()).expect("it can be read");
        file.append(&bytes).expect("memory only");
    }
}

fn contents(vfs: &dyn Vfs) -> Contents {
    manifest::read(vfs, FOLDER.as_ref()).expect("it is whole").1
}

/// Flushes, a merge of everything in the middle, and half a merge at the end.
fn write_golden(to: &Path) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let engine = Kind::Lsm.open(&vfs).expect("an empty folder");
    for batch in log().batches {
        let index = batch.applied.index;
        apply(&*engine, &batch).expect("memory only");
        if index == 40 {
            engine.request_merge().expect("memory only");
        }
        if index == FLUSHED {
            engine.request_flush().expect("memory only");
        }
        if index <= FLUSHED {
            settle(&*engine).expect("memory only");
        }
    }
    engine.request_merge().expect("memory only");
    while contents(&*vfs).runs.values().all(|run| run.start.is_empty()) {
        engine.step().expect("memory only");
    }
    fs::create_dir_all(to).expect("a folder of the sources");
    for name in vfs.list(FOLDER.as_ref()).expect("memory only") {
        let file = vfs.open_read(&Path::new(FOLDER).join(&name)).expect("memory only");
        let mut bytes = vec![0; file.len().expect("memory only") as usize];
        file.read_exact_at(0, &mut bytes).expect("memory only");
        fs::write(to.join(name), bytes).expect("a folder of the sources");
    }
}

#[test]
fn a_folder_of_version_1_opens() {
    opens(&golden(1));
}

#[test]
fn a_folder_of_version_2_opens() {
    opens(&golden(2));
}

#[test]
fn a_folder_of_version_3_opens() {
    let folder = golden(3);
    if std::env::var_os("RETCD_WRITE_GOLDEN").is_some() && !folder.exists() {
        write_golden(&folder);
    }
    opens(&folder);
}

fn opens(folder: &Path) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    copy(folder, &*vfs);
    let contents = contents(&*vfs);
    for keyspace in [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta] {
        assert!(contents.runs.values().any(|run| run.keyspace == keyspace), "{keyspace:?}");
    }
    assert!(contents.runs.values().any(|run| run.tier == Tier::Last));
    assert!(contents.runs.values().any(|run| !run.start.is_empty()), "a trimmed run");

    let engine = Kind::Lsm.open(&vfs).expect("it is whole");
    assert_state(&*engine, &log(), engine.flushed().index);
    log().replay(&*engine).expect("no error was planned");
    engine.request_merge().expect("no error was planned");
    settle(&*engine).expect("no error was planned");
    assert_state(&*engine, &log(), BATCHES);
}
