//! Once a log is warm, a group costs no allocation, however many entries are in it: the buffer that
//! a completion gives back holds the next group. Rotation may allocate, groups may not.
#![expect(unsafe_code, reason = "counting allocations takes an allocator")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use retcd_vfs::MemVfs;
use retcd_wal::{Group, HardState, Identity, Log, LogEntry, Options, SnapshotMark};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches nothing but a cell
// of the calling thread that needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Appends groups of up to 63 entries, all of them twice; returns what the second time allocated,
/// and how many groups were compressed.
fn allocations(compress_from_bytes: u64) -> (u64, u64) {
    let identity = Identity { cluster: 1, member: 2 };
    let start = SnapshotMark::default();
    let options = Options { segment_bytes: 2 << 20, compress_from_bytes, ..Options::default() };
    let vfs = Arc::new(MemVfs::new());
    let mut log = Log::create(vfs, Path::new("/wal"), options, identity, start).unwrap();
    let mut index = 0;
    let mut groups: Vec<Vec<LogEntry>> = Vec::new();
    for size in (0..64).chain(0..64) {
        let entries = (0..size).map(|_| {
            index += 1;
            LogEntry { index, term: 1, kind: 0, data: vec![7; 300].into() }
        });
        groups.push(entries.collect());
    }
    let (warming, counted) = groups.split_at(64);
    let mut append = |entries: &[LogEntry]| {
        let hard_state = Some(HardState { term: 1, vote: 1, commit: 0 });
        log.append(&Group { entries, hard_state, snapshot: None }).unwrap();
    };
    warming.iter().for_each(|group| append(group));
    let before = ALLOCATIONS.get();
    counted.iter().for_each(|group| append(group));
    let allocated = ALLOCATIONS.get() - before;
    assert_eq!(log.stats().rotations, 0, "beginning a segment may allocate");
    (allocated, log.stats().compressed_groups)
}

#[test]
fn appending_allocates_nothing() {
    assert_eq!(allocations(0), (0, 0));
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(7)));
    assert_eq!(ALLOCATIONS.get() - before, 1, "allocations are counted");
}

#[test]
fn compressing_allocates_nothing() {
    let (allocated, compressed) = allocations(8 << 10);
    assert_eq!(allocated, 0);
    assert!(compressed > 60, "{compressed} groups were compressed");
}
