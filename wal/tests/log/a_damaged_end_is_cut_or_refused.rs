//! The table of the design, row by row: what is found at the end of the log decides whether it is
//! cut there, simply ends there, or is refused.

use crate::support::*;
use retcd_vfs::{CrashVfs, MemVfs, Vfs};
use retcd_wal::{BLOCK_BYTES, CutReason, Error, Flushed, Log, Purge, SegmentReader, Step, Verdict};
use std::sync::Arc;

/// Where the group of a segment's n-th block lies, in bytes.
fn at(block: u64) -> usize {
    (block * BLOCK_BYTES) as usize
}

fn refusal(vfs: &MemVfs, at: Flushed) -> (String, u64, String) {
    match open(vfs, at).err() {
        Some(error @ Error::Damaged { offset, .. }) => {
            let Error::Damaged { path, .. } = &error else { unreachable!("it was one a line ago") };
            (path.display().to_string(), offset, error.to_string())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_torn_last_group_is_cut() {
    let vfs = log_of(4);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| bytes[at(4) + 100] ^= 1);
    let (mut log, recovery) = open(&vfs, Flushed::default()).unwrap();
    assert_eq!(indexes(&recovery), [1, 2, 3]);
    let offset = 4 * BLOCK_BYTES;
    assert_eq!(recovery.verdict, Verdict::TornTail { path, offset });
    assert_eq!(recovery.truncated_bytes, BLOCK_BYTES);
    // The log goes on in a new segment, whose header names the cut.
    fill(&mut log, 4, 5, 2);
    let reader = SegmentReader::open(&vfs, &newest(&vfs)).unwrap();
    assert_eq!(reader.header().cut.unwrap().reason, CutReason::TornTail);
    assert_eq!(reader.header().previous_end, offset);
    let again = recover(&vfs);
    assert_eq!(indexes(&again), [1, 2, 3, 4, 5]);
    assert_eq!(again.verdict, Verdict::Unmarked);
}

#[test]
fn a_group_behind_a_cut_cannot_come_back() {
    let vfs = log_of(4);
    let path = newest(&vfs);
    let whole = read(&vfs, &path);
    damage(&vfs, &path, |bytes| bytes[at(4) + 100] ^= 1);
    let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
    fill(&mut log, 4, 4, 2);
    drop(log);
    // The old group 4 turns out to be whole after all.
    damage(&vfs, &path, |bytes| bytes.copy_from_slice(&whole));
    let recovery = recover(&vfs);
    assert_eq!(recovery.entries[3], entry(4, 2, 100));
}

#[test]
fn a_hole_before_groups_that_were_never_acknowledged_is_cut() {
    let vfs = CrashVfs::with_log_depth(4);
    let mut log = create(&vfs);
    fill(&mut log, 1, 2, 1);
    for index in 3..=6 {
        log.submit(&group(&[entry(index, 1, 100)])).unwrap();
    }
    vfs.settle();
    let left = vfs.crash(0);
    let path = newest(&left);
    wipe(&left, &path, 4, 0);
    let (_, recovery) = open(&left, Flushed::default()).unwrap();
    assert_eq!(indexes(&recovery), [1, 2, 3]);
    let offset = 4 * BLOCK_BYTES;
    assert_eq!(recovery.verdict, Verdict::Hole { path, offset });
    assert_eq!(recovery.truncated_bytes, 3 * BLOCK_BYTES);
    assert_eq!(indexes(&recover(&left)), [1, 2, 3]);
}

#[test]
fn a_hole_below_what_was_acknowledged_is_refused() {
    for wiped in [0, 0xff] {
        let vfs = log_of(5);
        let path = newest(&vfs);
        wipe(&vfs, &path, 3, wiped);
        let (file, offset, text) = refusal(&vfs, Flushed::default());
        assert_eq!((file.as_str(), offset), (path.to_str().unwrap(), 3 * BLOCK_BYTES));
        assert!(text.contains("had been made durable"), "{text}");
        assert!(text.contains("etcdctl member remove"), "{text}");
        assert!(text.contains("offset 12288"), "{text}");
    }
}

#[test]
fn an_old_version_of_a_group_below_what_was_acknowledged_is_refused() {
    // The same segment, salt and place, so it is whole and follows the header.
    let old = log_of(1);
    let old = read(&old, &newest(&old));
    let vfs = MemVfs::new();
    fill(&mut create(&vfs), 1, 2, 2);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| bytes[at(1)..at(2)].copy_from_slice(&old[at(1)..at(2)]));
    let (file, offset, text) = refusal(&vfs, Flushed::default());
    assert_eq!((file.as_str(), offset), (path.to_str().unwrap(), 2 * BLOCK_BYTES));
    assert!(text.contains("another one than the one before it"), "{text}");
}

#[test]
fn damage_in_a_segment_that_others_follow_is_refused() {
    for block in 1..=6 {
        let vfs = log_of(14);
        let path = path_of(names(&vfs)[1]);
        wipe(&vfs, &path, block, 0);
        let (file, offset, text) = refusal(&vfs, Flushed::default());
        assert_eq!((file.as_str(), offset), (path.to_str().unwrap(), block * BLOCK_BYTES));
        assert!(text.contains("the next segment was begun"), "{text}");
    }
}

#[test]
fn a_bad_last_group_below_the_flushed_index_is_refused() {
    let vfs = log_of(4);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| bytes[at(4) + 100] ^= 1);
    let (file, offset, text) = refusal(&vfs, flushed(4, 1));
    assert_eq!((file.as_str(), offset), (path.to_str().unwrap(), 4 * BLOCK_BYTES));
    assert!(text.contains("below the index that the engine has flushed"), "{text}");
    assert_eq!(indexes(&open(&vfs, flushed(3, 1)).unwrap().1), [0u64; 0]);
}

#[test]
fn something_that_is_no_group_in_a_fresh_segment_is_a_torn_tail() {
    let vfs = log_of(3);
    wipe(&vfs, &newest(&vfs), 4, 0xee);
    let recovery = recover(&vfs);
    assert!(
        matches!(recovery.verdict, Verdict::TornTail { offset, .. } if offset == 4 * BLOCK_BYTES)
    );
    assert_eq!(indexes(&recovery), [1, 2, 3]);
}

#[test]
fn a_group_whose_first_sector_is_missing_is_a_torn_tail() {
    // What is left of it must not stay in the way of the groups that are written next.
    let vfs = log_of(3);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| bytes[at(5) + 512] = 1);
    let recovery = recover(&vfs);
    let offset = 4 * BLOCK_BYTES;
    assert_eq!(recovery.verdict, Verdict::TornTail { path, offset });
    assert_eq!(recovery.truncated_bytes, 2 * BLOCK_BYTES);
}

/// A log whose newest segment uses the file of its first one again.
fn recycled() -> MemVfs {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 7, 1);
    let limits = Purge { flushed: 6, replicated: 6, segments_max: 0 };
    assert_eq!(log.purge(limits).expect("memory doesn't fail"), Step::Worked);
    assert_eq!(log.stats().recycled, 1);
    fill(&mut log, 8, 13, 1);
    assert_eq!(log.stats().inline_preparations, 1);
    vfs
}

#[test]
fn old_groups_of_a_recycled_segment_are_the_end_of_the_log() {
    let vfs = recycled();
    let path = newest(&vfs);
    assert!(SegmentReader::open(&vfs, &path).unwrap().header().recycled);
    // Old groups lie behind the only new one.
    assert_eq!(&read(&vfs, &path)[at(2)..at(2) + 4], b"RLGP");
    let (_, recovery) = open(&vfs, flushed(6, 1)).unwrap();
    assert_eq!(recovery.verdict, Verdict::Unmarked);
    assert_eq!(indexes(&recovery), (7..=13).collect::<Vec<_>>());
}

#[test]
fn old_bytes_where_an_acknowledged_group_was_are_refused() {
    let vfs = recycled();
    let path = newest(&vfs);
    let before = read(&vfs, &path);
    let (mut log, _) = open(&vfs, flushed(6, 1)).unwrap();
    fill(&mut log, 14, 16, 1);
    drop(log);
    // A write that the disk had confirmed and lost.
    damage(&vfs, &path, |bytes| bytes[at(3)..at(4)].copy_from_slice(&before[at(3)..at(4)]));
    let (_, offset, _) = refusal(&vfs, flushed(6, 1));
    assert_eq!(offset, 3 * BLOCK_BYTES);
}

#[test]
fn a_newest_segment_that_was_never_finished_is_discarded() {
    let vfs = log_of(3);
    let path = dir().join("0000000000000001-0000000000000004.wal");
    let mut file = vfs.create_append(&path).unwrap();
    file.append(&[0; 100]).unwrap();
    let seen = Log::inspect(&vfs, dir(), Flushed::default()).unwrap();
    assert!(vfs.exists(&path).unwrap(), "looking changes nothing");
    let (mut log, recovery) = open(&vfs, Flushed::default()).unwrap();
    assert_eq!(*recovery, seen);
    assert_eq!(recovery.discarded, Some(path.clone()));
    assert!(!vfs.exists(&path).unwrap());
    fill(&mut log, 4, 14, 1);
    assert_eq!(indexes(&recover(&vfs)), (1..=14).collect::<Vec<_>>());
}

#[test]
fn a_newest_segment_with_a_bad_header_and_groups_is_refused() {
    let vfs = log_of(8);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| bytes[40] ^= 1);
    let (file, offset, _) = refusal(&vfs, Flushed::default());
    assert_eq!((file.as_str(), offset), (path.to_str().unwrap(), 0));
    assert!(Log::read_identity(&vfs, dir()).is_err());
}

#[test]
fn segments_below_the_purge_floor_may_be_in_any_state() {
    let vfs = log_of(20);
    let all = names(&vfs);
    vfs.remove_file(&path_of(all[1])).unwrap();
    wipe(&vfs, &path_of(all[0]), 0, 0xaa);
    let through = all[2].first_index;
    let (mut log, recovery) = open(&vfs, flushed(through, 1)).unwrap();
    assert_eq!(indexes(&recovery), (through + 1..=20).collect::<Vec<_>>());
    let limits = Purge { flushed: through, replicated: through, segments_max: 0 };
    while log.purge(limits).unwrap() == Step::Worked {}
    assert_eq!(names(&vfs)[0], all[2]);
}

fn missing(vfs: &MemVfs, at: Flushed) -> (u64, String) {
    match open(vfs, at).err() {
        Some(error @ Error::Missing { segment, .. }) => (segment, error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_gap_in_the_sequence_is_refused() {
    let vfs = log_of(20);
    let all = names(&vfs);
    vfs.remove_file(&path_of(all[1])).unwrap();
    let (segment, text) = missing(&vfs, Flushed::default());
    assert_eq!(segment, 2);
    assert!(text.contains("missing") && text.contains("/data/member/wal"), "{text}");
}

#[test]
fn a_log_that_begins_behind_what_is_flushed_is_refused() {
    let vfs = log_of(20);
    let all = names(&vfs);
    vfs.remove_file(&path_of(all[0])).unwrap();
    let first = all[1].first_index;
    assert_eq!(missing(&vfs, flushed(first - 2, 1)).0, 1);
    let (_, recovery) = open(&vfs, flushed(first - 1, 1)).unwrap();
    assert_eq!(recovery.entries[0].index, first);
}

#[test]
fn a_disk_error_while_reading_is_refused() {
    let vfs = CrashVfs::new();
    fill(&mut create(&vfs), 1, 9, 1);
    vfs.settle();
    let whole = vfs.crash(0);
    recover(&whole);
    for k in 1..=whole.operations() {
        let vfs = vfs.crash(0);
        vfs.fail_at(k, retcd_vfs::Fault::Io);
        assert!(matches!(open(&vfs, Flushed::default()), Err(Error::Io { .. })), "call {k}");
    }
}

#[test]
fn another_members_log_is_refused() {
    let vfs = log_of(3);
    let stranger = retcd_wal::Identity { member: 1, ..IDENTITY };
    let at = Flushed::default();
    let refused = Log::open(Arc::new(vfs.clone()), dir(), OPTIONS, stranger, at).err();
    let Some(Error::Foreign { found, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(found, IDENTITY);
}

#[test]
fn a_format_of_the_future_is_refused_as_such() {
    let vfs = log_of(3);
    let future = retcd_wal::FORMAT_VERSION + 1;
    damage(&vfs, &newest(&vfs), |bytes| bytes[8] = future as u8);
    let refused = open(&vfs, Flushed::default()).err();
    let is_told = matches!(refused, Some(Error::Version { found, .. }) if found == future);
    assert!(is_told, "{refused:?}");
}

#[test]
fn a_segment_that_was_cut_short_is_refused() {
    let vfs = log_of(3);
    let path = newest(&vfs);
    let bytes = read(&vfs, &path);
    vfs.remove_file(&path).unwrap();
    let mut file = vfs.create_append(&path).unwrap();
    file.append(&bytes[..at(3)]).unwrap();
    let (_, offset, text) = refusal(&vfs, Flushed::default());
    assert_eq!(offset, 0);
    assert!(text.contains("length"), "{text}");
}

/// A group that claims to lie at `block` and that all before it is durable.
fn forged(segment: u64, salt: u64, block: u64) -> Vec<u8> {
    let mut group = vec![0; 64];
    group[..4].copy_from_slice(b"RLGP");
    group[8..16].copy_from_slice(&segment.to_le_bytes());
    group[16..24].copy_from_slice(&salt.to_le_bytes());
    group[24..32].copy_from_slice(&(block * BLOCK_BYTES).to_le_bytes());
    group[32..40].copy_from_slice(&(block * BLOCK_BYTES).to_le_bytes());
    let crc = crc32fast::hash(&group[8..]);
    group[4..8].copy_from_slice(&crc.to_le_bytes());
    group
}

#[test]
fn a_client_cannot_forge_a_group() {
    // A value is laid so that what it holds falls on a block boundary of the group that carries it,
    // and that group is torn. Only who knows the segment's salt could get the log refused.
    for guessed in [false, true] {
        let vfs = log_of(2);
        let path = newest(&vfs);
        let salt = SegmentReader::open(&vfs, &path).unwrap().header().salt;
        let (mut log, _) = open(&vfs, Flushed::default()).unwrap();
        let mut value = vec![1; at(1) - 64 - 24];
        value.extend(forged(0, if guessed { salt } else { 0 }, 4));
        let mut carrier = entry(3, 1, 0);
        carrier.data = value.into();
        log.append(&group(&[carrier])).unwrap();
        drop(log);
        damage(&vfs, &path, |bytes| bytes[at(3) + 30] ^= 1);
        match guessed {
            true => assert_eq!(refusal(&vfs, Flushed::default()).1, 3 * BLOCK_BYTES),
            false => {
                let recovery = recover(&vfs);
                assert_eq!(indexes(&recovery), [1, 2]);
                assert!(matches!(recovery.verdict, Verdict::TornTail { .. }));
            }
        }
    }
}
