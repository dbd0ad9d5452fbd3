//! Opening a log and reading it back piece by piece takes memory for windows, pieces and the sparse
//! index, not for entries: 120,000 of them leave less than 32 KiB behind.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(unsafe_code, reason = "counting allocated bytes takes an allocator")]

use retcd_vfs::MemVfs;
use retcd_wal::{Flushed, Group, Identity, Log, LogEntry, Options, SnapshotMark};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches nothing but cells
// of the calling thread that need no allocation themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size());
        PEAK.set(PEAK.get().max(HELD.get()));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        // SAFETY: `ptr` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const OPTIONS: Options = Options {
    segment_bytes: 4 << 20,
    io: retcd_wal::IoMode::Auto,
    depth: 1,
    unsynced: false,
    compress_from_bytes: 0,
    salt: 1,
};
const IDENTITY: Identity = Identity { cluster: 1, member: 2 };

fn log_of(groups: u64) -> Arc<MemVfs> {
    let vfs = Arc::new(MemVfs::new());
    let start = SnapshotMark::default();
    let mut log = Log::create(vfs.clone(), Path::new("/wal"), OPTIONS, IDENTITY, start).unwrap();
    for group in 0..groups {
        let entries: Vec<_> = (1..=200)
            .map(|nth| LogEntry {
                index: group * 200 + nth,
                term: 1 + group / 50,
                kind: 0,
                data: vec![7; 150].into(),
            })
            .collect();
        log.append(&Group { entries: &entries, ..Group::default() }).unwrap();
    }
    vfs
}

/// Bytes that a call held beyond what was held before, at most and in the end.
fn held<T>(call: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = call();
    (result, PEAK.get() - before, HELD.get().saturating_sub(before))
}

#[test]
fn opening_keeps_nothing_per_entry() {
    for groups in [60, 600] {
        let vfs = log_of(groups);
        let open =
            || Log::open(vfs, Path::new("/wal"), OPTIONS, IDENTITY, Flushed::default()).unwrap();
        let ((log, recovery), peak, kept) = held(open);
        assert_eq!(recovery.unflushed, 1..groups * 200 + 1);
        // The header of the next segment is read with a window of its own.
        assert!(peak < 5 << 19, "{peak} for {groups} groups");
        // A mark of 40 bytes for every second group of 36 KiB, in a buffer that may be half full.
        assert!(kept < (8 << 10) + groups as usize * 40, "{kept} for {groups} groups");
        let reader = log.reader();
        let (count, peak, kept) = held(|| {
            let mut next = 1;
            while let Some(last) = reader.entries(next, u64::MAX, 64 << 10).unwrap().last() {
                next = last.index + 1;
            }
            next - 1
        });
        assert_eq!(count, groups * 200);
        assert!(peak < 1 << 20 && kept < 256 << 10, "{peak} {kept} for {groups} groups");
    }
}
