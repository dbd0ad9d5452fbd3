//! A restore whose machine stops at any operation leaves a directory in which no member starts, and
//! which the next restore fills; or the complete member. One that fails removes what it wrote.

use crate::support::*;
use retcd_raft_glue::Error;
use retcd_vfs::{CrashVfs, Fault, Vfs};
use std::path::Path;

const RESTORE: [&str; 4] = ["snapshot", "restore", "snap.db", "--data-dir=data"];

fn disk() -> CrashVfs {
    let disk = CrashVfs::new();
    write(&disk, "snap.db", &snapshot(&store()));
    disk.settle();
    disk
}

fn operations() -> u64 {
    let disk = disk();
    let before = disk.operations();
    assert_eq!(etcdutl(&disk, &RESTORE).code, 0);
    disk.operations() - before
}

#[test]
fn wherever_it_stops() {
    let (count, mut complete) = (operations(), 0);
    // Only the last calls give the member its name, and a crash may undo that: several are tried.
    let last = (0..8).map(|seed| (count, seed));
    for (operation, seed) in (1..=count).map(|operation| (operation, operation)).chain(last) {
        let disk = disk();
        disk.stop_at(disk.operations() + operation);
        etcdutl(&disk, &RESTORE);
        let disk = disk.crash(seed);
        if disk.exists(Path::new("data/member")).expect("memory") {
            complete += 1;
        } else {
            if disk.exists(Path::new("data/member.part")).expect("memory") {
                let refused = try_open(&disk, None).err();
                assert!(matches!(refused, Some(Error::Unfinished { .. })), "{refused:?}");
            }
            let ran = etcdutl(&disk, &RESTORE);
            assert_eq!(ran.code, 0, "operation {operation}: {}", ran.err);
        }
        assert_eq!(open(&disk, None).store.revision(), 53, "operation {operation}");
    }
    assert!(complete > 0 && complete < count, "{complete} of {count}");
}

#[test]
fn whatever_fails() {
    for operation in 1..=operations() {
        let disk = disk();
        disk.fail_at(disk.operations() + operation, Fault::NoSpace);
        let ran = etcdutl(&disk, &RESTORE);
        let exists = |path: &str| disk.exists(Path::new(path)).expect("memory");
        if ran.code == 0 {
            assert!(exists("data/member"), "operation {operation}");
            continue;
        }
        assert!(ran.err.contains("Error: "), "operation {operation}: {}", ran.err);
        if !exists("data/member") {
            let ran = etcdutl(&disk, &RESTORE);
            assert_eq!(ran.code, 0, "operation {operation}: {}", ran.err);
        }
        assert_eq!(open(&disk, None).store.revision(), 53, "operation {operation}");
    }
}
