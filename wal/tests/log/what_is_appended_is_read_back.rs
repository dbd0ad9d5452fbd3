//! A log is written, closed or just dropped, and opened again: entries, hard state and positions
//! are what they were, across rotations, truncations, and on real files in every way of writing.

use crate::support::*;
use retcd_vfs::{LogMode, MemVfs, RealVfs};
use retcd_wal::{
    Error, Flushed, Group, IoMode, Log, Options, SnapshotMark, Step, Verdict, group_bytes_max,
};
use std::path::Path;
use std::sync::Arc;

#[test]
fn an_empty_log() {
    let vfs = MemVfs::new();
    assert_eq!(Log::read_identity(&vfs, dir()).unwrap(), None);
    assert!(matches!(open(&vfs, Flushed::default()).err(), Some(retcd_wal::Error::NoLog { .. })));
    create(&vfs);
    assert_eq!(Log::read_identity(&vfs, dir()).unwrap(), Some(IDENTITY));
    let recovery = recover(&vfs);
    assert_eq!(recovery.verdict, Verdict::Unmarked);
    assert_eq!((recovery.entries.len(), recovery.state.last_index), (0, 0));
    assert!(matches!(
        create_with(&vfs, OPTIONS).err(),
        Some(retcd_wal::Error::AlreadyExists { .. })
    ));
}

#[test]
fn everything_that_a_group_can_hold() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    let entries = [entry(1, 1, 0), entry(2, 1, 5000), entry(3, 2, 10)];
    log.append(&Group { entries: &entries, hard_state: Some(hard(2, 1)), snapshot: None }).unwrap();
    log.append(&Group { hard_state: Some(hard(3, 2)), ..Group::default() }).unwrap();
    let state = log.state();
    log.close().unwrap();
    let recovery = recover(&vfs);
    assert_eq!(recovery.entries, entries);
    assert_eq!(recovery.state, state);
    assert_eq!(recovery.state.hard_state, hard(3, 2));
    assert_eq!(recovery.verdict, Verdict::Closed);
    assert_eq!(recovery.truncated_bytes, 0);
}

#[test]
fn a_log_of_many_segments_is_read_from_where_the_engine_has_flushed() {
    let vfs = log_of(40);
    assert!(names(&vfs).len() >= 6);
    for through in [0, 1, 6, 7, 23, 39, 40] {
        let (_, recovery) = open(&vfs, flushed(through, u64::from(through > 0))).unwrap();
        assert_eq!(indexes(&recovery), (through + 1..=40).collect::<Vec<_>>());
        assert_eq!(recovery.state.last_index, 40);
    }
}

#[test]
fn hard_state_and_mark_outlive_the_segments_that_they_were_written_to() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 3, 1);
    log.append(&mark(50, 2)).unwrap();
    log.append(&Group { hard_state: Some(hard(9, 50)), ..Group::default() }).unwrap();
    fill(&mut log, 51, 70, 3);
    let limits = retcd_wal::Purge { flushed: 69, replicated: 69, segments_max: 0 };
    while log.purge(limits).unwrap() == Step::Worked {}
    assert_eq!(log.stats().segments, 1);
    let (_, recovery) = open(&vfs, flushed(69, 3)).unwrap();
    assert_eq!(indexes(&recovery), [70]);
    assert_eq!(recovery.state.hard_state, hard(9, 50));
    assert_eq!(recovery.state.snapshot, SnapshotMark { index: 50, term: 2 });
}

#[test]
fn an_entry_at_or_below_the_last_index_truncates() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 20, 1);
    fill(&mut log, 8, 9, 2);
    assert_eq!(log.last_index(), 9);
    drop(log);
    let recovery = recover(&vfs);
    assert_eq!(indexes(&recovery), (1..=9).collect::<Vec<_>>());
    assert_eq!(recovery.entries[7], entry(8, 2, 100));
    assert_eq!((recovery.state.last_index, recovery.state.last_term), (9, 2));
    let (_, recovery) = open(&vfs, flushed(7, 1)).unwrap();
    assert_eq!(recovery.entries, [entry(8, 2, 100), entry(9, 2, 100)]);
}

#[test]
fn a_log_goes_on_where_it_was_left() {
    let vfs = MemVfs::new();
    create(&vfs).close().unwrap();
    for round in 0..12 {
        let (mut log, recovery) = open(&vfs, Flushed::default()).unwrap();
        assert_eq!(recovery.state.last_index, round * 2);
        fill(&mut log, round * 2 + 1, round * 2 + 2, 1);
        match round % 3 {
            0 => drop(log),
            _ => log.close().unwrap(),
        }
    }
    assert_eq!(indexes(&recover(&vfs)), (1..=24).collect::<Vec<_>>());
}

#[test]
fn closing_again_and_again_takes_no_room() {
    let vfs = log_of(6);
    for _ in 0..5 {
        let (log, _) = open(&vfs, Flushed::default()).unwrap();
        log.close().unwrap();
    }
    assert_eq!(recover(&vfs).verdict, Verdict::Closed);
    assert!(names(&vfs).len() <= 2);
}

#[test]
fn the_largest_group_fits_and_a_larger_one_is_refused() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    let limit = group_bytes_max(OPTIONS.segment_bytes) as usize;
    let fits = entry(1, 1, limit - 64 - 24);
    fill(&mut log, 1, 1, 1);
    log.append(&group(std::slice::from_ref(&fits))).unwrap();
    let refused = log.append(&group(&[entry(2, 1, limit - 64 - 23)]));
    let Err(retcd_wal::Error::GroupTooLarge { bytes, limit: told }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((bytes, told), (limit as u64 + 1, limit as u64));
    fill(&mut log, 2, 2, 1);
    log.close().unwrap();
    assert_eq!(recover(&vfs).entries, [fits, entry(2, 1, 100)]);
}

#[test]
fn real_files_in_every_way_of_writing() {
    let on = |io, depth, unsynced| Options { io, depth, unsynced, ..OPTIONS };
    let ways = [
        (on(IoMode::Auto, 1, false), None),
        (on(IoMode::Auto, 8, false), None),
        (on(IoMode::Direct, 1, false), Some(LogMode::Direct)),
        (on(IoMode::Buffered, 1, false), Some(LogMode::Buffered)),
        (on(IoMode::Uring, 1, false), Some(LogMode::Uring { depth: 1 })),
        (on(IoMode::Uring, 8, false), Some(LogMode::Uring { depth: 8 })),
        (on(IoMode::Auto, 8, true), Some(LogMode::Unsynced)),
    ];
    // A disk, and memory, where direct I/O may be refused.
    let folders = [Path::new(env!("CARGO_TARGET_TMPDIR")), Path::new("/dev/shm")];
    let folders = folders.into_iter().filter(|folder| folder.is_dir());
    for (folder, (options, mode)) in folders.flat_map(|folder| ways.map(|way| (folder, way))) {
        let temporary = tempfile::tempdir_in(folder).unwrap();
        let dir = temporary.path().join("wal");
        let vfs = Arc::new(RealVfs);
        let start = SnapshotMark::default();
        let mut log = match Log::create(vfs.clone(), &dir, options, IDENTITY, start) {
            Err(refused @ Error::Refused { .. }) => {
                println!("passed over: {refused}");
                continue;
            }
            created => created.unwrap(),
        };
        let refused = log.refusals().iter().map(|refused| refused.reason.to_string());
        println!("{}: {}, {:?}", folder.display(), log.mode(), refused.collect::<Vec<_>>());
        assert_eq!(log.mode(), mode.unwrap_or(log.mode()));
        fill(&mut log, 1, 20, 1);
        while log.prepare().unwrap() == Step::Worked {}
        drop(log);
        let at = flushed(5, 1);
        let (log, recovery) =
            Log::open(vfs, &dir, options, IDENTITY, at).and_then(with_entries).unwrap();
        assert_eq!(indexes(&recovery), (6..=20).collect::<Vec<_>>());
        log.close().unwrap();
    }
}
