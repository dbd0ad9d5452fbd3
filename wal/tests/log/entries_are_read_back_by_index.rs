//! Entries are read back by index from wherever they lie: among thousands in one segment, in
//! segments from before the start, before or after a snapshot. What isn't there any more is told
//! from what is damaged.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::*;
use retcd_vfs::{CrashVfs, Fault, MemVfs, Vfs};
use retcd_wal::{
    BLOCK_BYTES, Error, Flushed, Group, Log, LogReader, Options, Purge, SnapshotMark, Step,
};
use std::sync::Arc;

fn is_gone<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotInLog { .. }))
}

fn indexes_of(reader: &LogReader, from: u64, to: u64) -> Vec<u64> {
    read_back(reader, from, to).unwrap().iter().map(|entry| entry.index).collect()
}

fn purge_until(log: &mut Log, flushed: u64) {
    let limits = Purge { flushed, replicated: flushed, segments_max: 0 };
    while log.purge(limits).unwrap() == Step::Worked {}
}

#[test]
fn among_thousands_in_one_segment() {
    let vfs = MemVfs::new();
    let options = Options { segment_bytes: 4 << 20, ..OPTIONS };
    let mut log = create_with(&vfs, options).unwrap();
    let reader = log.reader();
    let entries: Vec<_> = (1..=6000).map(|i| entry(i, 1 + i / 1500, 300)).collect();
    for piece in entries.chunks(7) {
        log.append(&group(piece)).unwrap();
    }
    let is_right = |reader: &LogReader| {
        for index in (1..=6000).step_by(211) {
            let found = reader.entries(index, index + 2, u64::MAX).unwrap();
            assert_eq!(found, entries[index as usize - 1..(index as usize + 1).min(6000)]);
            assert_eq!(reader.term(index).unwrap(), 1 + index / 1500);
        }
        assert_eq!(read_back(reader, 1, u64::MAX).unwrap(), entries);
    };
    is_right(&reader);
    assert_eq!((reader.first_index(), reader.last_index()), (1, 6000));
    assert!(reader.entries(6001, u64::MAX, u64::MAX).unwrap().is_empty());
    assert!(is_gone(reader.term(6001)) && is_gone(reader.entries(0, 5, 10)));
    log.close().unwrap();
    is_right(&reader);
    let shared = Arc::new(vfs.clone());
    let (log, _) = Log::open(shared, dir(), options, IDENTITY, flushed(10, 1)).unwrap();
    is_right(&log.reader());
}

#[test]
fn bytes_are_bounded_but_for_the_first_entry() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    let entries: Vec<_> = (1..=9).map(|index| entry(index, 1, 76)).collect();
    log.append(&group(&entries[..5])).unwrap();
    log.append(&group(&entries[5..])).unwrap();
    let count = |from, bytes_max| log.reader().entries(from, 9, bytes_max).unwrap().len();
    assert_eq!((count(1, 0), count(1, 199), count(1, 200), count(1, 299)), (1, 1, 2, 2));
    assert_eq!((count(4, 300), count(1, u64::MAX), count(8, 1000)), (3, 8, 1));
}

#[test]
fn what_was_let_go_is_gone_and_the_rest_is_there() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 30, 1);
    let reader = log.reader();
    assert_eq!(indexes_of(&reader, 1, 31), (1..=30).collect::<Vec<_>>());
    purge_until(&mut log, 20);
    let first = reader.first_index();
    assert!((15..=21).contains(&first), "{first}");
    assert!(is_gone(reader.entries(first - 1, 30, 10)) && is_gone(reader.term(first - 2)));
    assert_eq!(reader.term(first - 1).unwrap(), 1);
    assert_eq!(indexes_of(&reader, first, 31), (first..=30).collect::<Vec<_>>());
}

#[test]
fn segments_from_before_the_start_are_read_when_they_are_asked_for() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 40, 1);
    fill(&mut log, 38, 50, 2);
    drop(log);
    let (log, recovery) = open(&vfs, flushed(45, 2)).unwrap();
    assert_eq!(indexes(&recovery), [46, 47, 48, 49, 50]);
    let reader = log.reader();
    let reads = vfs.operations();
    assert_eq!((reader.first_index(), vfs.operations()), (1, reads));
    assert_eq!(indexes_of(&reader, 20, 51), (20..=50).collect::<Vec<_>>());
    assert_eq!((reader.term(37).unwrap(), reader.term(38).unwrap()), (1, 2));
    assert_eq!(read_back(&reader, 36, 40).unwrap()[..2], [entry(36, 1, 100), entry(37, 1, 100)]);
    assert_eq!(indexes_of(&log.reader(), 1, 8), (1..=7).collect::<Vec<_>>());
    assert_eq!(reader.term(0).unwrap(), 0);
}

#[test]
fn whatever_is_wrong_with_a_segment_from_before_the_start_ends_what_there_is() {
    for wrong in 0..3 {
        let vfs = log_of(40);
        let all = names(&vfs);
        let at = &path_of(all[2]);
        match wrong {
            0 => vfs.remove_file(at).unwrap(),
            1 => wipe(&vfs, at, 0, 0xaa),
            _ => wipe(&vfs, at, 3, 0xaa),
        }
        let (log, _) = open(&vfs, flushed(39, 1)).unwrap();
        let reader = log.reader();
        assert!(is_gone(reader.entries(2, 41, 10)), "{wrong}");
        // A segment that isn't there isn't looked for.
        let told = log.take_unusable().map(|error| match error {
            Error::Damaged { path, .. } => path,
            other => panic!("{other:?}"),
        });
        assert_eq!(told, (wrong > 0).then(|| at.clone()), "{wrong}");
        assert!(log.take_unusable().is_none(), "once is enough");
        let first = all[3].first_index;
        assert_eq!(reader.first_index(), first, "{wrong}");
        assert_eq!(indexes_of(&reader, first, 41), (first..=40).collect::<Vec<_>>());
        assert_eq!(reader.term(first - 1).unwrap(), 1);
        assert!(is_gone(reader.term(first - 2)), "{wrong}");
    }
}

#[test]
fn an_error_of_the_file_system_on_a_segment_from_before_the_start_is_told() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 40, 1);
    drop(log);
    let (log, _) = open(&vfs, flushed(39, 1)).unwrap();
    let reader = log.reader();
    vfs.fail_at(vfs.operations() + 1, Fault::Io);
    assert!(is_gone(reader.entries(2, 41, 10)));
    assert!(matches!(log.take_unusable(), Some(Error::Io { .. })));
    assert_eq!(indexes_of(&reader, reader.first_index(), 41).last(), Some(&40));
}

#[test]
fn nothing_from_before_a_snapshot_is_read() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 12, 1);
    let reader = log.reader();
    assert_eq!(indexes_of(&reader, 1, 13).len(), 12);
    log.append(&mark(10, 2)).unwrap();
    assert_eq!((reader.first_index(), reader.last_index()), (11, 10));
    assert!(is_gone(reader.entries(10, 11, 10)) && is_gone(reader.term(9)));
    assert!(reader.entries(11, 13, 10).unwrap().is_empty());
    assert_eq!(reader.term(10).unwrap(), 2);
    fill(&mut log, 11, 40, 3);
    drop(log);
    let (log, _) = open(&vfs, flushed(39, 3)).unwrap();
    assert_eq!(log.reader().first_index(), 11);
    assert_eq!(log.reader().term(10).unwrap(), 2);
    assert_eq!(indexes_of(&log.reader(), 11, 41), (11..=40).collect::<Vec<_>>());
    assert!(is_gone(log.reader().entries(10, 41, 10)));
}

#[test]
fn damage_is_told_with_its_place_and_poisons_the_reader() {
    let vfs = log_of(20);
    let (log, _) = open(&vfs, Flushed::default()).unwrap();
    let all = names(&vfs);
    wipe(&vfs, &path_of(all[1]), 3, 0xaa);
    let reader = log.reader();
    let third = all[1].first_index + 2;
    assert_eq!(indexes_of(&reader, 1, third), (1..third).collect::<Vec<_>>());
    match reader.entries(third, 20, 10) {
        Err(Error::Damaged { path, offset, .. }) => {
            assert_eq!((path, offset), (path_of(all[1]), 3 * BLOCK_BYTES));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(reader.entries(1, 2, 10), Err(Error::Poisoned)));
    let first = all[2].first_index;
    assert_eq!(indexes_of(&reader.clone(), first, 21), (first..=20).collect::<Vec<_>>());
}

#[test]
fn an_error_of_the_file_system_poisons_the_reader() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 3, 1);
    let reader = log.reader();
    for operations in 1..=2 {
        let reader = reader.clone();
        vfs.fail_at(vfs.operations() + operations, Fault::Io);
        assert!(matches!(reader.entries(1, 4, 10), Err(Error::Io { .. })), "{operations}");
        assert!(matches!(reader.entries(1, 4, 10), Err(Error::Poisoned)));
    }
    assert_eq!(indexes_of(&reader, 1, 4), [1, 2, 3]);
}

#[test]
fn reading_in_sequence_is_one_pass() {
    let vfs = CrashVfs::new();
    let mut log = create_with(&vfs, Options { segment_bytes: 1 << 20, ..OPTIONS }).unwrap();
    fill(&mut log, 1, 400, 1);
    let reader = log.reader();
    let before = vfs.operations();
    for index in 1..=400 {
        assert_eq!(reader.entries(index, index + 1, 0).unwrap().len(), 1);
    }
    // 400 blocks of 4 KiB in two segments, 16 at a time, and two files to open.
    let operations = vfs.operations() - before;
    assert!(operations <= 400 / 16 + 2 + 4, "{operations}");
}

#[test]
fn groups_under_way_arent_seen() {
    let vfs = CrashVfs::with_log_depth(3);
    make_parents(&vfs);
    let start = SnapshotMark { index: 4, term: 1 };
    let mut log = Log::create(Arc::new(vfs), dir(), OPTIONS, IDENTITY, start).unwrap();
    let reader = log.reader();
    let one = |index, term| [entry(index, term, 10)];
    log.submit(&group(&one(5, 1))).unwrap();
    log.submit(&group(&one(6, 1))).unwrap();
    assert_eq!((reader.first_index(), reader.last_index()), (5, 4));
    log.complete().unwrap();
    assert_eq!(indexes_of(&reader, 5, 9), [5]);
    log.submit(&group(&one(5, 2))).unwrap();
    log.complete().unwrap();
    assert_eq!(indexes_of(&reader, 5, 9), [5, 6]);
    assert_eq!(reader.term(5).unwrap(), 1);
    log.complete().unwrap();
    assert_eq!(indexes_of(&reader, 5, 9), [5]);
    assert_eq!((reader.term(5).unwrap(), reader.term(4).unwrap()), (2, 1));
    log.append(&Group { hard_state: Some(hard(2, 4)), ..Group::default() }).unwrap();
    assert_eq!(reader.last_index(), 5);
}
