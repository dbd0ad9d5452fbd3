//! A group that would be right is put behind the end of a log, then once more with each of its ties
//! to that place changed. Only the first is taken for a part of the log.

use crate::support::*;
use retcd_vfs::{CrashVfs, MemVfs, Vfs};
use retcd_wal::{BLOCK_BYTES, Error, Flushed, Found, Group, Result, SegmentReader, Verdict};

/// What an empty group says.
#[derive(Clone, Copy)]
struct Ties {
    segment: u64,
    salt: u64,
    offset: u64,
    chain: u32,
    records: u32,
    last_index: u64,
}

/// A log of three groups in its only segment, and what a fourth has to say.
fn log_and_ties() -> (MemVfs, Ties) {
    let vfs = log_of(3);
    let mut reader = SegmentReader::open(&vfs, &newest(&vfs)).expect("the log is whole");
    while let Found::Group(_) = reader.next_group().expect("memory doesn't fail") {}
    let ties = Ties {
        segment: 0,
        salt: reader.header().salt,
        offset: reader.offset(),
        chain: reader.chain(),
        records: 0,
        last_index: 3,
    };
    (vfs, ties)
}

/// Puts a final group with these ties behind the third one, and opens the log.
fn found_with(vfs: &MemVfs, ties: Ties) -> Result<Recovery> {
    let mut group = [0; 64];
    group[..4].copy_from_slice(b"RLGP");
    group[8..16].copy_from_slice(&ties.segment.to_le_bytes());
    group[16..24].copy_from_slice(&ties.salt.to_le_bytes());
    group[24..32].copy_from_slice(&ties.offset.to_le_bytes());
    group[40..44].copy_from_slice(&ties.chain.to_le_bytes());
    group[48..52].copy_from_slice(&ties.records.to_le_bytes());
    group[52] = 1;
    group[56..].copy_from_slice(&ties.last_index.to_le_bytes());
    let crc = crc32fast::hash(&group[8..]);
    group[4..8].copy_from_slice(&crc.to_le_bytes());
    let at = 4 * BLOCK_BYTES as usize;
    damage(vfs, &newest(vfs), |bytes| bytes[at..at + 64].copy_from_slice(&group));
    open(vfs, Flushed::default()).map(|(_, recovery)| recovery)
}

#[test]
fn a_right_one_is_taken() {
    let (vfs, ties) = log_and_ties();
    assert_eq!(found_with(&vfs, ties).unwrap().verdict, Verdict::Closed);
}

#[test]
fn one_of_another_segment_salt_or_offset_is_not() {
    let (_, right) = log_and_ties();
    for wrong in [
        Ties { segment: 1, ..right },
        Ties { salt: right.salt ^ 1, ..right },
        Ties { offset: right.offset + BLOCK_BYTES, ..right },
    ] {
        let (vfs, _) = log_and_ties();
        let verdict = found_with(&vfs, wrong).unwrap().verdict.clone();
        assert!(matches!(verdict, Verdict::TornTail { .. }), "{verdict:?}");
    }
}

#[test]
fn one_that_follows_another_group_is_not() {
    let (vfs, ties) = log_and_ties();
    let verdict = found_with(&vfs, Ties { chain: ties.chain ^ 1, ..ties }).unwrap().verdict.clone();
    assert!(matches!(verdict, Verdict::Hole { .. }), "{verdict:?}");
}

#[test]
fn one_that_contradicts_its_records_is_refused() {
    let (_, right) = log_and_ties();
    for wrong in [Ties { last_index: 9, ..right }, Ties { records: 1, ..right }] {
        let (vfs, _) = log_and_ties();
        let refused = found_with(&vfs, wrong).err();
        assert!(matches!(refused, Some(Error::Damaged { .. })), "{refused:?}");
    }
}

#[test]
fn a_segment_under_another_ones_name_is_refused() {
    let vfs = log_of(9);
    let path = newest(&vfs);
    let other = dir().join("0000000000000001-0000000000000006.wal");
    assert_ne!(path, other);
    vfs.rename(&path, &other).unwrap();
    let refused = open(&vfs, Flushed::default()).err();
    assert!(matches!(refused, Some(Error::Damaged { offset: 0, .. })), "{refused:?}");
}

#[test]
fn what_a_buffer_held_before_does_not_reach_the_disk() {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    log.append(&group(&[entry(1, 1, 8000)])).unwrap();
    log.append(&group(&[entry(2, 1, 10)])).unwrap();
    let bytes = read(&vfs, &newest(&vfs));
    let small = 3 * BLOCK_BYTES as usize;
    assert_eq!(&bytes[small..small + 4], b"RLGP");
    let used = 64 + 24 + 10;
    assert!(bytes[small + used..small + BLOCK_BYTES as usize].iter().all(|&b| b == 0));
}

#[test]
fn the_final_group_is_durable_and_written_once() {
    let vfs = CrashVfs::with_log_depth(3);
    let mut log = create(&vfs);
    log.submit(&group(&[entry(1, 1, 10)])).unwrap();
    log.submit(&Group { hard_state: Some(hard(1, 1)), ..Group::default() }).unwrap();
    log.close().unwrap();
    let before = read(&vfs, &newest(&vfs));
    for seed in 0..16 {
        let left = vfs.crash(seed);
        let (log, recovery) = open(&left, Flushed::default()).unwrap();
        assert_eq!(indexes(&recovery), [1]);
        assert_eq!(recovery.verdict, Verdict::Closed);
        log.close().unwrap();
        assert!(read(&left, &newest(&left)) == before);
    }
}
