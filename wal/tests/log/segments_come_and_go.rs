//! Preparation, rotation, recycling and purging, and what they cost: one durable write per group
//! whatever the log does besides.

use crate::support::*;
use retcd_vfs::{CrashVfs, Fault, MemVfs, Vfs};
use retcd_wal::{Error, Flushed, Options, Purge, Step};

fn purge(flushed: u64, replicated: u64, segments_max: usize) -> Purge {
    Purge { flushed, replicated, segments_max }
}

#[test]
fn a_driver_that_prepares_in_time_never_waits() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    for index in 1..=60 {
        fill(&mut log, index, index, 1);
        while log.prepare().unwrap() == Step::Worked {}
    }
    let stats = log.stats();
    assert_eq!(stats.inline_preparations, 0);
    assert_eq!((stats.rotations, stats.segments), (9, 10));
    assert_eq!((stats.groups, stats.syncs), (60, 60));
    assert_eq!((stats.bytes, stats.payload_bytes), (60 * 4096, 6000));
}

#[test]
fn a_driver_that_does_not_is_served_and_it_shows() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 20, 1);
    assert_eq!(log.stats().inline_preparations, log.stats().rotations);
    assert_eq!(log.stats().rotations, 3);
}

#[test]
fn a_segment_is_prepared_elsewhere_while_groups_are_written() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    let mut index = 0;
    for _ in 0..5 {
        let mut preparation = loop {
            index += 1;
            fill(&mut log, index, index, 1);
            if let Some(preparation) = log.preparation().unwrap() {
                break preparation;
            }
        };
        assert!(log.preparation().unwrap().is_none(), "it is given out once");
        assert_eq!(log.prepare().unwrap(), Step::Idle, "nor is it made here meanwhile");
        while !log.begins_segment(&group(&[entry(index + 1, 1, 100)])) {
            index += 1;
            fill(&mut log, index, index, 1);
        }
        while preparation.step().unwrap() == Step::Worked {}
        log.prepared(preparation);
    }
    fill(&mut log, index + 1, index + 1, 1);
    let stats = log.stats();
    assert_eq!((stats.rotations, stats.inline_preparations), (5, 0));
    drop(log);
    assert_eq!(indexes(&recover(&vfs)), (1..=index + 1).collect::<Vec<_>>());
}

#[test]
fn one_group_is_one_durable_write() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 1, 1);
    let (operations, syncs) = (vfs.operations(), vfs.syncs());
    fill(&mut log, 2, 5, 1);
    assert_eq!(vfs.operations() - operations, 4);
    assert_eq!(vfs.syncs() - syncs, 4);
}

#[test]
fn nothing_goes_that_somebody_needs() {
    let vfs = log_of(30);
    let all = names(&vfs);
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    let mut left = |limits| {
        while log.purge(limits).unwrap() == Step::Worked {}
        names(&vfs)[0].segment
    };
    assert_eq!(left(purge(0, 0, 0)), 0);
    assert_eq!(left(purge(30, 0, 0)), 0, "a member lacks everything");
    assert_eq!(left(purge(0, 30, 1)), 0, "the engine lacks everything");
    let second = all[1].first_index;
    assert_eq!(left(purge(second - 2, 30, 1)), 0, "the first one's last entry is needed");
    assert_eq!(left(purge(second - 1, second - 2, 0)), 0);
    assert_eq!(left(purge(second - 1, second - 1, 0)), 1);
    assert_eq!(left(purge(30, 0, 3)), all[all.len() - 3].segment, "a limit on their number");
    assert_eq!(left(purge(30, 30, 0)), all[all.len() - 1].segment);
    assert_eq!(indexes(&open(&vfs, flushed(29, 1)).unwrap().1), [30]);
}

#[test]
fn a_segment_in_use_is_never_let_go() {
    let vfs = log_of(3);
    let (mut log, _) = open(&vfs, flushed(3, 1)).unwrap();
    assert_eq!(log.purge(purge(3, 3, 1)).unwrap(), Step::Idle);
}

#[test]
fn a_full_disk_during_preparation_is_told_and_survived() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 4, 1);
    for _ in 0..3 {
        vfs.fail_at(vfs.operations() + 2, Fault::NoSpace);
        assert_eq!(log.prepare().unwrap(), Step::Worked);
        let full = log.prepare();
        assert!(matches!(full, Err(Error::PreparationDiskFull { .. })), "{full:?}");
        assert_eq!(vfs.list(dir()).unwrap().len(), 1, "no file is left behind");
    }
    while log.prepare().unwrap() == Step::Worked {}
    fill(&mut log, 5, 9, 1);
    assert_eq!(log.stats().inline_preparations, 0);
    assert_eq!(indexes(&recover(&vfs)), (1..=9).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_while_a_group_waits_is_final() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 6, 1);
    vfs.fail_at(vfs.operations() + 2, Fault::NoSpace);
    let entries = [entry(7, 1, 100)];
    let full = log.append(&group(&entries));
    assert!(matches!(full, Err(Error::Io { .. })), "{full:?}");
    assert!(matches!(log.append(&group(&entries)), Err(Error::Poisoned)));
    assert!(matches!(log.prepare(), Err(Error::Poisoned)));
    assert!(matches!(log.complete(), Err(Error::Poisoned)));
    assert!(matches!(log.purge(purge(6, 6, 0)), Err(Error::Poisoned)));
    assert!(matches!(log.close(), Err(Error::Poisoned)));
}

#[test]
fn a_prepared_file_is_taken_over_by_the_next_start() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 5, 1);
    while log.prepare().unwrap() == Step::Worked {}
    drop(log);
    vfs.create_append(&dir().join("half.tmp")).unwrap();
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    assert_eq!(vfs.list(dir()).unwrap().len(), 2);
    fill(&mut log, 6, 8, 1);
    assert_eq!((log.stats().rotations, log.stats().inline_preparations), (1, 0));
}

#[test]
fn a_change_of_the_segments_length_takes_effect_at_the_next_rotation() {
    let vfs = log_of(3);
    let options = Options { segment_bytes: OPTIONS.segment_bytes * 2, ..OPTIONS };
    let at = Flushed::default();
    let (mut log, _) =
        retcd_wal::Log::open(std::sync::Arc::new(vfs.clone()), dir(), options, IDENTITY, at)
            .unwrap();
    // Larger than the segment that is in use.
    log.append(&group(&[entry(4, 1, 40_000)])).unwrap();
    fill(&mut log, 5, 9, 1);
    let limits = purge(9, 9, 0);
    while log.purge(limits).unwrap() == Step::Worked {}
    assert_eq!(log.stats().segments, 1);
    assert_eq!(log.stats().recycled, 1, "the first file is too short, the second isn't");
    fill(&mut log, 10, 20, 1);
    assert_eq!(indexes(&open(&vfs, flushed(9, 1)).unwrap().1), (10..=20).collect::<Vec<_>>());
}

#[test]
fn a_file_system_of_depth_keeps_several_groups_under_way() {
    let vfs = CrashVfs::with_log_depth(3);
    let mut log = create(&vfs);
    let submit =
        |log: &mut retcd_wal::Log, index| log.submit(&group(&[entry(index, 1, 100)])).unwrap().0;
    assert_eq!((submit(&mut log, 1), submit(&mut log, 2), submit(&mut log, 3)), (0, 1, 2));
    assert_eq!(log.under_way(), 3);
    assert_eq!(log.complete().unwrap().unwrap().0, 0);
    submit(&mut log, 4);
    // A mark waits until it is alone, and a rotation does too; no ticket is lost.
    for _ in 0..2 {
        log.complete().unwrap();
    }
    submit(&mut log, 5);
    submit(&mut log, 6);
    assert_eq!(log.complete().unwrap().unwrap().0, 3);
    submit(&mut log, 7);
    assert_eq!(log.stats().rotations, 1);
    let tickets: Vec<_> =
        std::iter::from_fn(|| log.complete().unwrap()).map(|ticket| ticket.0).collect();
    assert_eq!(tickets, [4, 5, 6]);
}

/// A process that was killed may have left writes with the kernel; they must find nothing of its
/// successor's.
#[test]
fn after_a_kill_with_several_groups_under_way_the_log_goes_on_elsewhere() {
    let vfs = CrashVfs::with_log_depth(3);
    make_parents(&vfs);
    let options = Options { depth: 3, ..OPTIONS };
    let start = retcd_wal::SnapshotMark::default();
    let mut log = retcd_wal::Log::create(vfs.shared(), dir(), options, IDENTITY, start).unwrap();
    fill(&mut log, 1, 2, 1);
    drop(log);
    let open = || {
        retcd_wal::Log::open(vfs.shared(), dir(), options, IDENTITY, Flushed::default()).unwrap().0
    };
    let mut log = open();
    assert_eq!(names(&vfs).len(), 2);
    fill(&mut log, 3, 3, 1);
    log.close().unwrap();
    drop(open());
    assert_eq!(names(&vfs).len(), 2, "nothing was under way");
    assert_eq!(indexes(&recover(&vfs)), [1, 2, 3]);
}

#[test]
fn a_log_that_lets_go_in_time_is_never_filled_with_zeros_again() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    let mut files_made = 0;
    for index in 1..=200 {
        fill(&mut log, index, index, 1);
        let names = vfs.list(dir()).unwrap().len();
        while log.prepare().unwrap() == Step::Worked {}
        files_made += vfs.list(dir()).unwrap().len() - names;
        // The engine has flushed all but the newest ten.
        let flushed = index.saturating_sub(10);
        while log.purge(purge(flushed, flushed, 0)).unwrap() == Step::Worked {}
    }
    let stats = log.stats();
    assert!(stats.rotations >= 30 && stats.recycled >= stats.rotations - 4, "{stats:?}");
    assert!(files_made <= 4, "{files_made} files were made");
    assert!(vfs.list(dir()).unwrap().len() <= 5, "active, two held back, next, one to spare");
    assert_eq!(stats.inline_preparations, 0);
}

/// What a flush frees at once serves until the next one, over restarts too.
#[test]
fn files_of_many_segments_freed_at_once_are_used_again() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    let (mut files, mut files_made) = (1, 0);
    for index in 1..=400 {
        fill(&mut log, index, index, 1);
        while log.prepare().unwrap() == Step::Worked {}
        let now = vfs.list(dir()).unwrap().len();
        files_made += now.saturating_sub(files);
        if index % 48 == 0 {
            while log.purge(purge(index, index, 0)).unwrap() == Step::Worked {}
        }
        if index % 100 == 0 {
            drop(log);
            log = open(&vfs, flushed(index / 48 * 48, 1)).unwrap().0;
        }
        files = vfs.list(dir()).unwrap().len();
    }
    assert!(files_made <= 10, "{files_made} files were made");
    assert!(files <= 10, "active, next, and eight to spare");
    assert_eq!(log.stats().segments + log.stats().prepared, files as u64);
    assert_eq!(indexes(&open(&vfs, flushed(384, 1)).unwrap().1), (385..=400).collect::<Vec<_>>());
}

/// A start finds files under names that the next segments will have when they are let go.
#[test]
fn a_kept_file_is_never_replaced_by_another() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 5, 1);
    drop(log);
    for name in ["0000000000000001.tmp", "0000000000000002.tmp", "0000000000000003.tmp"] {
        let mut file = vfs.create_append(&dir().join(name)).unwrap();
        file.append(&vec![7; OPTIONS.segment_bytes as usize]).unwrap();
    }
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    for index in 6..=60 {
        fill(&mut log, index, index, 1);
        while log.purge(purge(index, index, 0)).unwrap() == Step::Worked {}
    }
    let stats = log.stats();
    assert_eq!((stats.rotations, stats.inline_preparations), (9, 0));
    assert_eq!(vfs.list(dir()).unwrap().len(), 4, "as many files as there were");
    assert_eq!(indexes(&open(&vfs, flushed(59, 1)).unwrap().1), [60]);
}

#[test]
fn a_preparation_that_fails_elsewhere_poisons_the_log_when_it_is_back() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 4, 1);
    let mut preparation = log.preparation().unwrap().unwrap();
    vfs.fail_at(vfs.operations() + 1, Fault::Io);
    assert!(matches!(preparation.step(), Err(Error::Io { .. })));
    assert!(matches!(preparation.step(), Err(Error::Poisoned)), "nothing is tried again");
    fill(&mut log, 5, 5, 1);
    log.prepared(preparation);
    assert!(matches!(log.complete(), Err(Error::Poisoned)));
}

#[test]
fn a_full_disk_elsewhere_can_be_tried_again() {
    let vfs = CrashVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 4, 1);
    for _ in 0..2 {
        let mut preparation = log.preparation().unwrap().unwrap();
        vfs.fail_at(vfs.operations() + 1, Fault::NoSpace);
        let full = preparation.step();
        assert!(matches!(full, Err(Error::PreparationDiskFull { .. })), "{full:?}");
        log.prepared(preparation);
    }
    while log.prepare().unwrap() == Step::Worked {}
    fill(&mut log, 5, 9, 1);
    assert_eq!(log.stats().inline_preparations, 0);
}

#[test]
fn a_mark_before_entries_may_begin_a_segment_although_they_would_fit_with_it() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 5, 1);
    let one_block = [entry(11, 2, 3900)];
    let snapshot = Some(retcd_wal::SnapshotMark { index: 10, term: 2 });
    let group = retcd_wal::Group { entries: &one_block, hard_state: None, snapshot };
    assert!(log.begins_segment(&group));
    log.append(&group).unwrap();
    assert_eq!(log.stats().rotations, 1);
}
