//! A valid folder of an engine, then edits of its manifest behind right checksums, then everything
//! that can be done with it.
//!
//! What the manifest says is believed as far as it doesn't contradict itself: tables may be gone,
//! in another run, tier or order, or doubled. Opening may refuse it, and any read or step may fail;
//! nothing may panic, and memory is bounded by the files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_engine::lsm::manifest::fuzz::made_right;
use retcd_engine::lsm::{Lsm, Options, manifest};
use retcd_engine::table::FileNumber;
use retcd_fuzz::engine::{FOLDER, disk, files, fill, use_it};
use retcd_fuzz::memory::peak_of;
use retcd_vfs::{MemVfs, Vfs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

struct Written {
    files: Vec<(PathBuf, Vec<u8>)>,
    manifest: (FileNumber, PathBuf, Vec<u8>),
    bytes: usize,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(write);

fn options() -> Options {
    Options {
        memtable_bytes: 1 << 10,
        block_cache_bytes: 1 << 12,
        table_bytes: 1 << 10,
        concatenated_bytes: 1 << 10,
        slice_bytes: 500,
        ..Options::default()
    }
}

fn write() -> Written {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let dir = Path::new(FOLDER);
    fill(&Lsm::open(vfs.clone(), dir, options()).expect("an empty folder"));
    let (number, _) = manifest::read(&*vfs, dir).expect("it was written");
    let named = format!("MANIFEST-{:016x}", number.0);
    let mut files = files(&*vfs);
    let bytes = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let at = files.iter().position(|(path, _)| path.ends_with(&named));
    let (path, content) = files.remove(at.expect("it is listed"));
    Written { files, manifest: (number, path, content), bytes }
}

fuzz_target!(|data: &[u8]| {
    let written = &*WRITTEN;
    let (number, path, manifest) = &written.manifest;
    let mut bytes = manifest.clone();
    for edit in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] = edit[2];
    }
    let bytes = made_right(&bytes, *number);
    let files = written.files.iter().map(|(path, bytes)| (path, bytes.as_slice()));
    let vfs: Arc<dyn Vfs> = Arc::new(disk(files.chain([(path, bytes.as_slice())])));
    let (_, held) = peak_of(|| use_it(&Lsm::open(vfs, Path::new(FOLDER), options())?));
    assert!(held <= 64 * written.bytes + (1 << 20), "{held} bytes held");
});
