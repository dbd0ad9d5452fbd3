//! How fast a log is checked at start and read back: `read_speed FOLDER` writes 256 MiB of log
//! there, of small groups and then of large ones, and reads them from the page cache. The figures
//! in `docs/performance.md` are from it.
#![expect(clippy::unwrap_used, reason = "a measurement may panic")]

use retcd_vfs::RealVfs;
use retcd_wal::{Flushed, Group, Identity, IoMode, Log, LogEntry, Options, SnapshotMark};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const LOG_BYTES: u64 = 256 << 20;
const ENTRY_BYTES: usize = 256;
const IDENTITY: Identity = Identity { cluster: 1, member: 1 };
const OPTIONS: Options = Options {
    segment_bytes: 64 << 20,
    io: IoMode::Buffered,
    depth: 1,
    unsynced: true,
    compress_from_bytes: 0,
    salt: 1,
};

fn main() {
    let folder = std::env::args().nth(1).expect("a folder is named");
    for (name, entries_per_group, bytes) in [("4 KiB", 1, 4 << 10), ("1 MiB", 3744, 1 << 20)] {
        let dir = Path::new(&folder).join("read_speed");
        write(&dir, entries_per_group, LOG_BYTES / bytes);
        for _ in 0..3 {
            measure(&dir, name);
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

fn write(dir: &Path, entries_per_group: u64, groups: u64) {
    let start = SnapshotMark::default();
    let mut log = Log::create(Arc::new(RealVfs), dir, OPTIONS, IDENTITY, start).unwrap();
    for group in 0..groups {
        let first = group * entries_per_group + 1;
        let entry = |index| LogEntry { index, term: 1, kind: 0, data: vec![7; ENTRY_BYTES].into() };
        let entries: Vec<_> = (first..first + entries_per_group).map(entry).collect();
        log.append(&Group { entries: &entries, ..Group::default() }).unwrap();
    }
    log.close().unwrap();
}

fn measure(dir: &Path, name: &str) {
    let speed = |started: Instant| LOG_BYTES as f64 / 1e6 / started.elapsed().as_secs_f64();
    let started = Instant::now();
    let recovery = Log::inspect(&RealVfs, dir, Flushed::default()).unwrap();
    let checked = speed(started);
    let vfs = Arc::new(RealVfs);
    let reader = Log::open(vfs, dir, OPTIONS, IDENTITY, Flushed::default()).unwrap().0.reader();
    let (started, mut next) = (Instant::now(), 1);
    while let Some(last) = reader.entries(next, u64::MAX, 4 << 20).unwrap().last() {
        next = last.index + 1;
    }
    assert_eq!(next, recovery.unflushed.end);
    println!("groups of {name}: {checked:.0} MB/s checked, {:.0} MB/s read back", speed(started));
}
