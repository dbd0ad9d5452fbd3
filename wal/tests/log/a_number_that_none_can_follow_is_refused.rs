//! Segments and entries are counted up. A file that holds the last number there is can only be a
//! forged one; it is refused like a damaged one, where counting on would overflow.

use crate::support::*;
use retcd_vfs::MemVfs;
use retcd_wal::{Error, Flushed, Log, SegmentName, SnapshotMark};
use std::sync::Arc;

#[test]
fn of_a_segment() {
    let vfs = log_of(3);
    let path = newest(&vfs);
    damage(&vfs, &path, |bytes| {
        bytes[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        let crc = crc32fast::hash(&bytes[16..256]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    });
    let name = SegmentName { segment: u64::MAX, first_index: 1 };
    retcd_vfs::Vfs::rename(&vfs, &path, &path_of(name)).unwrap();
    let refused = open(&vfs, Flushed::default()).err();
    assert!(matches!(refused, Some(Error::Damaged { offset: 0, .. })), "{refused:?}");
}

#[test]
fn of_an_entry() {
    let vfs = MemVfs::new();
    make_parents(&vfs);
    let at = flushed(u64::MAX - 1, 1);
    let start = SnapshotMark { index: at.index, term: at.term };
    let mut log = Log::create(Arc::new(vfs.clone()), dir(), OPTIONS, IDENTITY, start).unwrap();
    log.append(&group(&[entry(u64::MAX, 1, 100)])).unwrap();
    drop(log);
    let refused = open(&vfs, at).err();
    assert!(matches!(refused, Some(Error::Damaged { offset: 4096, .. })), "{refused:?}");
}
