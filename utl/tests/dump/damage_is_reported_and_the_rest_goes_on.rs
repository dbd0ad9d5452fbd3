//! Whatever is wrong in one place, everything else is shown, and the verdict is recovery's.

use crate::support::*;
use retcd_vfs::{CrashVfs, MemVfs, Vfs};
use retcd_wal::Group;

/// Twenty entries, one group each, six in a segment.
fn log_of_20() -> MemVfs {
    let vfs = MemVfs::new();
    fill(&mut create(&vfs), 1, 20, 1);
    vfs
}

#[test]
fn a_damaged_header() {
    let vfs = log_of_20();
    damage(&vfs, &paths(&vfs)[1], |bytes| bytes[40] ^= 1);
    let ran = dump(&vfs, &["--kind", "put"]);
    assert_golden("damaged-header.txt", &ran.out);
    assert_eq!(ran.code, 1);
    // A start that needs none of it doesn't mind.
    assert_eq!(dump(&vfs, &["--flushed", "13:1"]).code, 0);
}

#[test]
fn a_format_of_the_future() {
    let vfs = log_of_20();
    damage(&vfs, &paths(&vfs)[2], |bytes| bytes[8] = 9);
    let ran = dump(&vfs, &[]);
    assert_eq!(ran.lines_with("log format version 9 isn't supported").len(), 2);
    assert_eq!((ran.code, ran.lines_with("segment 00").len()), (1, 3));
}

#[test]
fn a_damaged_group_that_was_acknowledged() {
    let vfs = log_of_20();
    let newest = paths(&vfs).pop().expect("there are segments");
    damage(&vfs, &newest, |bytes| bytes[at(1) + 70] ^= 1);
    let ran = dump(&vfs, &["--from-index", "18"]);
    assert_golden("damaged-group.txt", &ran.out);
    assert_eq!(ran.code, 1);
}

#[test]
fn groups_that_the_next_segment_follows_are_missing() {
    let vfs = log_of_20();
    let second = &paths(&vfs)[1];
    damage(&vfs, second, |bytes| bytes[at(3)..at(4)].fill(0));
    let ran = dump(&vfs, &["--groups-only", "--segment", "1"]);
    assert_golden("missing-groups.txt", &ran.out);
    assert_eq!(ran.code, 1);
    let ending = &dump(&vfs, &["-w", "json", "--segment", "1"]).json("ending")[0];
    assert_eq!((&ending["next_follows"], &ending["next_fits"]), (&28672.into(), &false.into()));
}

#[test]
fn a_segment_that_follows_another_log() {
    let vfs = log_of_20();
    let all = paths(&vfs);
    let other = MemVfs::new();
    fill(&mut create(&other), 1, 20, 2);
    let theirs = read(&other, &paths(&other)[2]);
    damage(&vfs, &all[2], |bytes| bytes.copy_from_slice(&theirs));
    let ran = dump(&vfs, &["--groups-only"]);
    // Its header fits neither what is before nor what is behind.
    assert_eq!(ran.lines_with("the next segment follows another group that ended here").len(), 2);
    assert_eq!(ran.code, 1);
}

#[test]
fn a_header_under_another_name() {
    let vfs = log_of_20();
    let first = read(&vfs, &paths(&vfs)[0]);
    damage(&vfs, &paths(&vfs)[3], |bytes| bytes.copy_from_slice(&first));
    let ran = dump(&vfs, &["--groups-only"]);
    assert_eq!(ran.lines_with("at 0: the header isn't this file's").len(), 1, "{}", ran.out);
    assert_eq!(ran.code, 1);
}

#[test]
fn a_torn_tail() {
    let vfs = MemVfs::new();
    fill(&mut create(&vfs), 1, 4, 1);
    damage(&vfs, &paths(&vfs)[0], |bytes| bytes[at(4) + 100] ^= 1);
    let ran = dump(&vfs, &["--groups-only"]);
    assert_golden("torn-tail.txt", &ran.out);
    assert_eq!(ran.code, 0, "a member starts with it");
    let verdict = &dump(&vfs, &["-w", "json"]).json("verdict")[0];
    assert_eq!((&verdict["verdict"], &verdict["offset"]), (&"torn-tail".into(), &16384.into()));
}

#[test]
fn a_hole() {
    let vfs = CrashVfs::with_log_depth(4);
    let mut log = create(&vfs);
    fill(&mut log, 1, 2, 1);
    for index in 3..=6 {
        let entries = [put(index, 1, "k", "v")];
        log.submit(&Group { entries: &entries, ..Group::default() }).expect("in memory");
    }
    vfs.settle();
    let left = vfs.crash(0);
    damage(&left, &paths(&left)[0], |bytes| bytes[at(4)..at(5)].fill(0));
    let ran = dump(&left, &["--groups-only"]);
    assert_golden("hole.txt", &ran.out);
    assert_eq!(ran.code, 0, "a member starts with it");
}

#[test]
fn a_group_that_came_back_behind_a_cut() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 4, 1);
    drop(log);
    let path = &paths(&vfs)[0];
    let whole = read(&vfs, path);
    damage(&vfs, path, |bytes| bytes[at(4) + 100] ^= 1);
    let flushed = retcd_wal::Flushed::default();
    let opened = retcd_wal::Log::open(shared(&vfs), dir(), options(), IDENTITY, flushed);
    let (mut log, _) = opened.expect("a torn tail is cut");
    fill(&mut log, 4, 4, 2);
    damage(&vfs, path, |bytes| bytes.copy_from_slice(&whole));
    let ran = dump(&vfs, &[]);
    assert_golden("given-up.txt", &ran.out);
    assert_eq!(ran.code, 0);
}

#[test]
fn an_engine_that_cant_be_read() {
    let vfs = log_of_20();
    vfs.create_dir_all("data/member/snap/db".as_ref()).expect("in memory");
    write(&vfs, "data/member/snap/db/CURRENT".as_ref(), b"nonsense");
    let ran = dump(&vfs, &["--summary"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.lines_with("FAULT in the engine's manifest").len(), 1, "{}", ran.out);
    assert_eq!(ran.lines_with("verdict: whole").len(), 1);
}
