//! A member that is far behind receives a snapshot: the engine switches to it, then the log is told
//! with a mark. A crash may come before the mark, and the log may hold anything from before:
//! entries below the snapshot, entries above it that contradict it, and entries that agree with it.

use crate::support::*;
use retcd_vfs::CrashVfs;
use retcd_wal::{Error, Flushed, SnapshotMark};

#[test]
fn the_engine_is_ahead_of_the_log() {
    let vfs = log_of(5);
    let (mut log, recovery) = open(&vfs, flushed(1000, 7)).unwrap();
    assert!(recovery.restarted && recovery.entries.is_empty());
    assert_eq!((recovery.state.last_index, recovery.state.last_term), (1000, 7));
    assert_eq!(recovery.state.snapshot, SnapshotMark { index: 1000, term: 7 });
    // The restart is on the disk before open returns.
    let (_, again) = open(&vfs, flushed(1000, 7)).unwrap();
    assert!(!again.restarted);
    assert_eq!(again.state.last_index, 1000);
    fill(&mut log, 1001, 1003, 7);
    let (_, recovery) = open(&vfs, flushed(1001, 7)).unwrap();
    assert_eq!(indexes(&recovery), [1002, 1003]);
}

#[test]
fn entries_that_contradict_the_snapshot_are_dropped() {
    let vfs = log_of(20);
    let (mut log, recovery) = open(&vfs, flushed(10, 3)).unwrap();
    assert!(recovery.restarted && recovery.entries.is_empty());
    assert_eq!(log.last_index(), 10);
    fill(&mut log, 11, 12, 3);
    drop(log);
    let (_, recovery) = open(&vfs, flushed(10, 3)).unwrap();
    assert_eq!(recovery.entries, [entry(11, 3, 100), entry(12, 3, 100)]);
    assert!(!recovery.restarted);
}

#[test]
fn entries_that_agree_with_the_snapshot_stay() {
    let vfs = log_of(20);
    let (_, recovery) = open(&vfs, flushed(10, 1)).unwrap();
    assert!(!recovery.restarted);
    assert_eq!(indexes(&recovery), (11..=20).collect::<Vec<_>>());
}

#[test]
fn a_mark_drops_what_was_before_it() {
    let vfs = log_of(20);
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    log.append(&mark(10, 3)).unwrap();
    assert_eq!(log.last_index(), 10);
    fill(&mut log, 11, 30, 3);
    drop(log);
    for through in [10, 11, 15, 29, 30] {
        let term = 3;
        let (_, recovery) = open(&vfs, flushed(through, term)).unwrap();
        assert!(!recovery.restarted, "{through}");
        assert_eq!(indexes(&recovery), (through + 1..=30).collect::<Vec<_>>());
        assert!(recovery.entries.iter().all(|entry| entry.term == 3));
    }
}

#[test]
fn a_mark_and_the_entries_behind_it_may_share_a_group() {
    let vfs = log_of(3);
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    let entries = [entry(51, 4, 10), entry(52, 4, 10)];
    log.append(&retcd_wal::Group {
        entries: &entries,
        hard_state: Some(hard(4, 50)),
        snapshot: Some(SnapshotMark { index: 50, term: 4 }),
    })
    .unwrap();
    let (_, recovery) = open(&vfs, flushed(50, 4)).unwrap();
    assert_eq!(recovery.entries, entries);
}

#[test]
fn a_mark_that_the_engine_does_not_know_is_refused() {
    let vfs = log_of(3);
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    log.append(&mark(50, 4)).unwrap();
    let refused = open(&vfs, flushed(3, 1)).err();
    assert!(matches!(refused, Some(Error::Damaged { .. })), "{refused:?}");
}

#[test]
fn a_damaged_mark_is_refused_because_marks_are_never_torn() {
    let vfs = log_of(3);
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    log.append(&mark(50, 4)).unwrap();
    drop(log);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| bytes[4 * 4096 + 70] ^= 1);
    let refused = open(&vfs, flushed(50, 4)).err();
    assert!(matches!(refused, Some(Error::Damaged { .. })), "{refused:?}");
}

#[test]
fn a_mark_reaches_the_disk_before_what_is_in_its_group() {
    let vfs = CrashVfs::with_log_depth(3);
    let mut log = create(&vfs);
    fill(&mut log, 1, 3, 1);
    let group = retcd_wal::Group {
        entries: &[entry(51, 4, 10)],
        hard_state: Some(hard(4, 51)),
        snapshot: Some(SnapshotMark { index: 50, term: 4 }),
    };
    log.submit(&group).unwrap();
    assert_eq!(log.state().hard_state, hard(4, 51));
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..32 {
        let (_, recovery) = open(&vfs.crash(seed), flushed(50, 4)).unwrap();
        assert!(!recovery.restarted);
        assert_eq!(recovery.state.hard_state.term, 4);
        assert_eq!(recovery.state.hard_state.commit, recovery.state.last_index);
        seen.insert(recovery.state.last_index);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [50, 51]);
}
