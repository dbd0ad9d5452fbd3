//! Segments that are full, purged, used again and prepared; a snapshot mark; a cut; other files.

use crate::support::*;
use retcd_vfs::{MemVfs, Vfs};
use retcd_wal::{Flushed, Group, Log, LogEntry, Options, Purge, SnapshotMark};

/// A log that went through all of it and was killed.
fn lived() -> MemVfs {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 14, 1);
    // The first segment's file is the third's, and there is a torn group at its end.
    let limits = Purge { flushed: 7, replicated: 7, segments_max: 0 };
    while log.purge(limits).expect("in memory") == retcd_wal::Step::Worked {}
    fill(&mut log, 15, 19, 1);
    drop(log);
    let newest = paths(&vfs).pop().expect("there are segments");
    damage(&vfs, &newest, |bytes| bytes[at(1) + 70] ^= 1);
    let flushed = Flushed { index: 14, term: 1 };
    let opened = Log::open(shared(&vfs), dir(), options(), IDENTITY, flushed);
    let (mut log, recovery) = opened.expect("a torn tail is cut");
    let last = recovery.state.last_index;
    fill(&mut log, last + 1, last + 2, 2);
    let mark = Some(SnapshotMark { index: 40, term: 3 });
    let entries = [put(41, 3, "behind", "the snapshot")];
    log.append(&Group { entries: &entries, hard_state: hard(3, 41), snapshot: mark })
        .expect("in memory");
    write(&vfs, &dir().join("0000000000000009.tmp"), &[0; 5000]);
    let held = read(&vfs, &paths(&vfs)[0]);
    write(&vfs, &dir().join("0000000000000001.tmp"), &held);
    write(&vfs, &dir().join("1-2.wal"), b"");
    write(&vfs, &dir().join("notes"), b"hello");
    write(&vfs, &dir().join("lock"), b"");
    vfs
}

#[test]
fn as_text() {
    let ran = dump(&lived(), &["--flushed", "40:3"]);
    assert_golden("life.txt", &ran.out);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn as_json() {
    assert_golden("life.jsonl", &dump(&lived(), &["--flushed", "40:3", "-w", "json"]).out);
}

#[test]
fn without_the_engine_the_least_is_assumed() {
    let verdict = &dump(&lived(), &["-w", "json"]).json("verdict")[0];
    assert_eq!(verdict["flushed_source"], "assumed");
    assert_eq!((&verdict["flushed"]["index"], &verdict["starts"]), (&40.into(), &true.into()));
    // The first segment is gone.
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 8, 1);
    vfs.remove_file(&paths(&vfs)[0]).expect("it is there");
    let verdict = &dump(&vfs, &["-w", "json"]).json("verdict")[0];
    assert_eq!((&verdict["flushed"]["index"], &verdict["starts"]), (&6.into(), &true.into()));
    let refused = dump(&vfs, &["--flushed", "0:0"]);
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("begins behind what the engine has flushed"), "{}", refused.out);
}

#[test]
fn what_a_snapshot_replaces_is_superseded() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 3, 1);
    let mark = Some(SnapshotMark { index: 2, term: 2 });
    log.append(&Group { entries: &[] as &[LogEntry], hard_state: None, snapshot: mark })
        .expect("in memory");
    let records = dump(&vfs, &["-w", "json", "--kind", "put"]).json("record");
    let status: Vec<_> = records.iter().map(|record| record["status"].as_str()).collect();
    assert_eq!(status, [Some("live"), Some("live"), Some("superseded")]);
}

#[test]
fn compressed_groups_are_shown_with_what_is_in_them() {
    let vfs = MemVfs::new();
    let mut log = create_with(&vfs, Options { compress_from_bytes: 1, ..options() });
    let entries: Vec<_> = (1..=9).map(|index| put(index, 1, "k", vec![b'v'; 1000])).collect();
    log.append(&Group { entries: &entries, ..Group::default() }).expect("in memory");
    let ran = dump(&vfs, &["-w", "json"]);
    let group = &ran.json("group")[0];
    assert_eq!((&group["compressed"], &group["padded_bytes"]), (&true.into(), &4096.into()));
    assert!(group["record_bytes"].as_u64() > Some(9000), "{group}");
    assert_eq!(ran.json("record").len(), 9);
    let text = dump(&vfs, &["--kind", "put"]);
    assert_eq!(text.lines_with("compressed from 9").len(), 1, "{}", text.out);
    assert_eq!(text.lines_with("put ").len(), 9);
    let totals = dump(&vfs, &["--summary"]);
    assert_eq!(totals.lines_with("of all groups, ").len(), 1);
}
