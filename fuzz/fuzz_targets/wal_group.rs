//! Any bytes in the place of a segment's header, of a group, and of records.
//!
//! The input is put behind a right segment header, once as it is and once with the checksum and the
//! place made right, so that the fuzzer gets past them. Nothing may panic, and what is read must be
//! no more than what was there.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_vfs::{AlignedBuf, LogMode, MemVfs, Vfs};
use retcd_wal::{
    BLOCK_BYTES, Found, GROUP_HEADER_BYTES, GroupHeader, Identity, Log, Options, Records,
    SEGMENT_BYTES_MIN, SegmentHeader, SegmentName, SegmentReader, SnapshotMark,
};
use std::path::Path;
use std::sync::Arc;

const DIR: &str = "/wal";

fuzz_target!(|data: &[u8]| {
    let _ = SegmentHeader::decode(data);
    let _ = SegmentName::parse(Path::new(&*String::from_utf8_lossy(data)));
    if let Some(header) = GroupHeader::decode(data) {
        let _ = header.verify(data);
    }
    let records = Records::new(Bytes::copy_from_slice(data)).filter_map(Result::ok).count();
    assert!(records <= data.len() / 8);
    walk(data);
    walk(&made_right(data));
});

/// The input as a group whose checksum holds, where its first byte allows it.
fn made_right(data: &[u8]) -> Vec<u8> {
    let mut group = vec![0; GROUP_HEADER_BYTES];
    group.extend(data.iter().take(BLOCK_BYTES as usize));
    let salt = segment().1;
    let payload = (group.len() - GROUP_HEADER_BYTES) as u32;
    group[..4].copy_from_slice(b"RLGP");
    group[16..24].copy_from_slice(&salt.to_le_bytes());
    group[24..32].copy_from_slice(&BLOCK_BYTES.to_le_bytes());
    group[40..44].copy_from_slice(&segment().0.to_le_bytes());
    group[44..48].copy_from_slice(&payload.to_le_bytes());
    let crc = crc32fast::hash(&group[8..]);
    group[4..8].copy_from_slice(&crc.to_le_bytes());
    group
}

fn options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES_MIN, ..Options::default() }
}

fn create(vfs: &MemVfs) -> std::path::PathBuf {
    let identity = Identity { cluster: 1, member: 2 };
    let start = SnapshotMark::default();
    Log::create(Arc::new(vfs.clone()), Path::new(DIR), options(), identity, start)
        .expect("memory doesn't fail");
    Path::new(DIR).join(SegmentName { segment: 0, first_index: 1 }.to_string())
}

/// The checksum and the salt of the header of every log that `create` makes.
fn segment() -> (u32, u64) {
    let vfs = MemVfs::new();
    let path = create(&vfs);
    let reader = SegmentReader::open(&vfs, &path).expect("it was just made");
    (reader.chain(), reader.header().salt)
}

/// Puts `bytes` behind a segment's header and reads what is there.
fn walk(bytes: &[u8]) {
    let vfs = MemVfs::new();
    let path = create(&vfs);
    let mut buf = AlignedBuf::new((SEGMENT_BYTES_MIN - BLOCK_BYTES) as usize);
    let taken = bytes.len().min(buf.len());
    buf[..taken].copy_from_slice(&bytes[..taken]);
    let mut file = vfs.open_log(&path, LogMode::Buffered).expect("it was just made");
    file.submit(BLOCK_BYTES, buf).expect("memory doesn't fail");
    let mut reader = SegmentReader::open(&vfs, &path).expect("the header is right");
    while let Found::Group(group) = reader.next_group().expect("memory doesn't fail") {
        assert!(reader.offset() <= SEGMENT_BYTES_MIN);
        let _ = group.records().count();
    }
    let behind = reader.behind().expect("memory doesn't fail");
    assert!(behind.written_through <= SEGMENT_BYTES_MIN);
}
