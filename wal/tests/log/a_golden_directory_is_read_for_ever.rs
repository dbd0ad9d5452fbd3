//! A log that version 1 wrote, kept as files. It is read today as it was then, and the same calls
//! still write the same bytes. When the format changes, a directory for the new version joins this
//! one and this one stays.

use crate::support::*;
use retcd_vfs::{MemVfs, RealVfs, Vfs};
use retcd_wal::{BLOCK_BYTES, Group, Log, Options, SnapshotMark, Verdict};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const GOLDEN: Options = Options { segment_bytes: 4 * BLOCK_BYTES, ..OPTIONS };

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// Writes what the golden directory holds: each kind of record, a truncation, a rotation, a mark,
/// and a clean stop.
fn write_again() -> MemVfs {
    let vfs = MemVfs::new();
    make_parents(&vfs);
    let start = SnapshotMark::default();
    let shared = Arc::new(vfs.clone());
    let mut log = Log::create(shared, dir(), GOLDEN, IDENTITY, start).expect("memory is enough");
    let first = [entry(1, 1, 0), entry(2, 1, 300), entry(3, 1, 20)];
    let second = [entry(3, 2, 5)];
    let third = [entry(11, 3, 64)];
    for group in [
        Group { entries: &first, hard_state: Some(hard(1, 0)), snapshot: None },
        Group { entries: &second, hard_state: Some(hard(2, 2)), snapshot: None },
        Group {
            entries: &third,
            hard_state: Some(hard(3, 11)),
            snapshot: Some(SnapshotMark { index: 10, term: 3 }),
        },
    ] {
        log.append(&group).expect("memory doesn't fail");
    }
    log.close().expect("memory doesn't fail");
    vfs
}

#[test]
fn it_is_read_as_it_was_written() {
    let vfs = MemVfs::new();
    make_parents(&vfs);
    vfs.create_dir_all(dir()).unwrap();
    for name in RealVfs.list(&golden()).unwrap() {
        let mut file = vfs.create_append(&dir().join(&name)).unwrap();
        file.append(&read(&RealVfs, &golden().join(&name))).unwrap();
    }
    let (log, recovery) = open(&vfs, flushed(10, 3)).unwrap();
    assert_eq!(recovery.verdict, Verdict::Closed);
    assert_eq!(recovery.entries, [entry(11, 3, 64)]);
    assert_eq!(recovery.state.hard_state, hard(3, 11));
    assert_eq!(recovery.state.snapshot, SnapshotMark { index: 10, term: 3 });
    drop(log);
}

#[test]
fn the_same_calls_write_the_same_bytes() {
    let vfs = write_again();
    if std::env::var_os("RETCD_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden()).unwrap();
        for name in vfs.list(dir()).unwrap() {
            std::fs::write(golden().join(&name), read(&vfs, &dir().join(&name))).unwrap();
        }
    }
    assert_eq!(vfs.list(dir()).unwrap(), RealVfs.list(&golden()).unwrap());
    for name in vfs.list(dir()).unwrap() {
        let (now, then) = (read(&vfs, &dir().join(&name)), read(&RealVfs, &golden().join(&name)));
        let differs = now.iter().zip(&then).position(|(now, then)| now != then);
        assert_eq!((differs, now.len()), (None, then.len()), "{}", name.display());
    }
}
