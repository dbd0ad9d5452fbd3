//! A log of each version of the format, kept as files. It is read today as it was then, and the
//! same calls still write the bytes of the newest version. When the format changes, a directory for
//! the new version joins these and these stay.
//!
//! What zstd makes of the same records may differ from release to release, so the directory with a
//! compressed group is only read.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::*;
use retcd_vfs::{MemVfs, RealVfs, Vfs};
use retcd_wal::{BLOCK_BYTES, Group, Log, LogEntry, Options, SnapshotMark, Verdict};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NEWEST: &str = "v2";
const COMPRESSED: &str = "v2-compressed";

const GOLDEN: Options = Options { segment_bytes: 4 * BLOCK_BYTES, ..OPTIONS };

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Writes what the golden directories hold: each kind of record, a truncation, a rotation, a mark,
/// and a clean stop.
fn write_again() -> MemVfs {
    let first = [entry(1, 1, 0), entry(2, 1, 300), entry(3, 1, 20)];
    let second = [entry(3, 2, 5)];
    let third = [entry(11, 3, 64)];
    write(
        GOLDEN,
        &[
            Group { entries: &first, hard_state: Some(hard(1, 0)), snapshot: None },
            Group { entries: &second, hard_state: Some(hard(2, 2)), snapshot: None },
            Group {
                entries: &third,
                hard_state: Some(hard(3, 11)),
                snapshot: Some(SnapshotMark { index: 10, term: 3 }),
            },
        ],
    )
}

fn compressible() -> [LogEntry; 3] {
    [entry(1, 1, 10), entry(2, 1, 7000), entry(3, 1, 100)]
}

fn write_compressed() -> MemVfs {
    let options = Options { compress_from_bytes: BLOCK_BYTES, ..GOLDEN };
    write(options, &[group(&compressible()), group(&[entry(4, 2, 7)])])
}

fn write(options: Options, groups: &[Group<'_>]) -> MemVfs {
    let vfs = MemVfs::new();
    make_parents(&vfs);
    let start = SnapshotMark::default();
    let shared = Arc::new(vfs.clone());
    let mut log = Log::create(shared, dir(), options, IDENTITY, start).unwrap();
    for group in groups {
        log.append(group).unwrap();
    }
    log.close().unwrap();
    vfs
}

/// Puts a directory into the tree if that is asked for.
fn keep(name: &str, vfs: &MemVfs) {
    if std::env::var_os("RETCD_WRITE_GOLDEN").is_some_and(|asked| asked == name) {
        std::fs::create_dir_all(golden(name)).unwrap();
        for file in vfs.list(dir()).unwrap() {
            std::fs::write(golden(name).join(&file), read(vfs, &dir().join(&file))).unwrap();
        }
    }
}

fn load(name: &str) -> MemVfs {
    let vfs = MemVfs::new();
    make_parents(&vfs);
    vfs.create_dir_all(dir()).unwrap();
    for file in RealVfs.list(&golden(name)).unwrap() {
        let mut copy = vfs.create_append(&dir().join(&file)).unwrap();
        copy.append(&read(&RealVfs, &golden(name).join(&file))).unwrap();
    }
    vfs
}

#[test]
fn every_version_is_read_as_it_was_written() {
    for version in ["v1", NEWEST] {
        let (log, recovery) = open(&load(version), flushed(10, 3)).unwrap();
        assert_eq!(recovery.verdict, Verdict::Closed, "{version}");
        assert_eq!(recovery.entries, [entry(11, 3, 64)], "{version}");
        assert_eq!(recovery.state.hard_state, hard(3, 11), "{version}");
        assert_eq!(recovery.state.snapshot, SnapshotMark { index: 10, term: 3 }, "{version}");
        drop(log);
    }
}

/// The version's field isn't under the header's checksum, so a segment of today can be dated back.
#[test]
fn a_segment_of_the_first_version_gets_no_compressed_groups() {
    let vfs = MemVfs::new();
    drop(create(&vfs));
    damage(&vfs, &newest(&vfs), |bytes| bytes[8] = 1);
    let options = Options { compress_from_bytes: BLOCK_BYTES, ..OPTIONS };
    let shared = Arc::new(vfs.clone());
    let (mut log, _) = Log::open(shared, dir(), options, IDENTITY, flushed(0, 0)).unwrap();
    let entries: Vec<_> = (1..=4).map(|index| entry(index, 1, 7900)).collect();
    for (entry, compressed_groups) in entries.iter().zip([0, 0, 0, 1]) {
        log.append(&group(std::slice::from_ref(entry))).unwrap();
        assert_eq!(log.stats().compressed_groups, compressed_groups);
    }
    drop(log);
    assert_eq!(recover(&vfs).entries, entries);
}

#[test]
fn a_compressed_group_is_read_as_it_was_written() {
    keep(COMPRESSED, &write_compressed());
    let (_, recovery) = open(&load(COMPRESSED), flushed(0, 0)).unwrap();
    assert_eq!(recovery.entries[..3], compressible());
    assert_eq!(recovery.entries[3..], [entry(4, 2, 7)]);
    let segment = &names(&load(COMPRESSED))[0];
    let bytes = read(&RealVfs, &golden(COMPRESSED).join(segment.to_string()));
    assert_eq!(bytes[4096 + 52], 2, "the group's flags");
    assert_eq!(&bytes[2 * 4096..][..4], b"RLGP", "it takes one block");
}

#[test]
fn the_same_calls_write_the_same_bytes() {
    let vfs = write_again();
    keep(NEWEST, &vfs);
    assert_eq!(vfs.list(dir()).unwrap(), RealVfs.list(&golden(NEWEST)).unwrap());
    for name in vfs.list(dir()).unwrap() {
        let now = read(&vfs, &dir().join(&name));
        let then = read(&RealVfs, &golden(NEWEST).join(&name));
        let differs = now.iter().zip(&then).position(|(now, then)| now != then);
        assert_eq!((differs, now.len()), (None, then.len()), "{}", name.display());
    }
}
