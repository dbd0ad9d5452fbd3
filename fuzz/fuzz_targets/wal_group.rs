//! Any bytes in the place of a segment's header, of groups, and of records.
//!
//! The input is read as it is, and once more with magics, places and checksums made right, so that
//! the fuzzer gets past them, as nothing but a forger would. Nothing may panic, memory is bounded
//! by the file's length, and what is read is no more than what was there.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_fuzz::memory::peak_of;
use retcd_fuzz::wal::disk::Disk;
use retcd_fuzz::wal::{DIR, IDENTITY, parse};
use retcd_vfs::MemVfs;
use retcd_wal::{
    BLOCK_BYTES, FORMAT_VERSION, Flushed, Found, GROUP_HEADER_BYTES, GroupHeader, Log, Options,
    Records, SEGMENT_BYTES_MIN, SegmentHeader, SegmentName, SegmentReader,
};
use std::path::Path;
use std::sync::Arc;

const BLOCK: usize = BLOCK_BYTES as usize;
const FILE_BYTES: usize = 2 * SEGMENT_BYTES_MIN as usize;
/// Where a header's fields begin and end: what its checksum covers.
const HEADER_FIELDS: std::ops::Range<usize> = 16..256;
/// Opening holds the file, the next segment, groups and entries, and buffers besides.
const BYTES_HELD_MAX: usize = 12 * FILE_BYTES + (1 << 20);

fuzz_target!(|data: &[u8]| {
    let _ = SegmentHeader::decode(data);
    let _ = SegmentName::parse(Path::new(&*String::from_utf8_lossy(data)));
    if let Some(header) = GroupHeader::decode(data) {
        let _ = header.verify(data);
    }
    let records = Records::new(Bytes::copy_from_slice(data)).filter_map(Result::ok).count();
    assert!(records <= data.len() / 8);
    let mut file = vec![0; FILE_BYTES];
    let taken = data.len().min(FILE_BYTES);
    file[..taken].copy_from_slice(&data[..taken]);
    open(file.clone(), 0);
    if let [flushed, header, rest @ ..] = data {
        let (header, rest) = rest.split_at(usize::from(*header).min(rest.len()));
        open(made_right(header, rest), u64::from(*flushed));
    }
});

/// A segment whose header and groups hold the input and have right checksums.
fn made_right(header: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut file = vec![0; FILE_BYTES];
    file[..8].copy_from_slice(b"RETCDLOG");
    file[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let fields = &mut file[HEADER_FIELDS];
    let taken = header.len().min(fields.len());
    fields[..taken].copy_from_slice(&header[..taken]);
    for (at, number) in [(16, IDENTITY.cluster), (24, IDENTITY.member), (64, FILE_BYTES as u64)] {
        file[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32fast::hash(&file[HEADER_FIELDS]);
    file[12..16].copy_from_slice(&crc.to_le_bytes());
    let salt_and_number: [[u8; 8]; 2] = [32, 56].map(|at| *file[at..].first_chunk().expect("16"));
    let mut chain = crc;
    // Each group takes a length, its claims, and its records from the input.
    let mut rest = rest;
    for offset in (BLOCK..FILE_BYTES).step_by(BLOCK) {
        let Some((&bytes, behind)) = rest.split_first() else {
            break;
        };
        let payload = &behind[..usize::from(bytes).min(behind.len())];
        rest = &behind[payload.len()..];
        chain = group(&mut file[offset..], salt_and_number, offset, chain, payload);
    }
    file
}

/// Writes a group; the start of its payload also makes up its claims. Returns its checksum.
fn group(
    to: &mut [u8],
    [number, salt]: [[u8; 8]; 2],
    offset: usize,
    chain: u32,
    payload: &[u8],
) -> u32 {
    let (claims, records) = payload.split_at(16.min(payload.len()));
    to[..4].copy_from_slice(b"RLGP");
    to[8..16].copy_from_slice(&number);
    to[16..24].copy_from_slice(&salt);
    to[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
    to[32..40].copy_from_slice(&(offset as u64).to_le_bytes());
    to[40..44].copy_from_slice(&chain.to_le_bytes());
    to[44..48].copy_from_slice(&(records.len() as u32).to_le_bytes());
    to[48..48 + claims.len()].copy_from_slice(claims);
    let used = GROUP_HEADER_BYTES + records.len();
    to[GROUP_HEADER_BYTES..used].copy_from_slice(records);
    let crc = crc32fast::hash(&to[8..used]);
    to[4..8].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// Reads a segment group by group, and opens it as a log.
fn open(file: Vec<u8>, flushed: u64) {
    let name = parse::head(&file).map_or(parse::Name { number: 0, first_index: 1 }, |h| h.name);
    let vfs = Disk { files: [(name.file(), file)].into() }.mount();
    let ((), held) = peak_of(|| {
        walk(&vfs, &Path::new(DIR).join(name.file()));
        let options = Options { segment_bytes: SEGMENT_BYTES_MIN, salt: 9, ..Options::default() };
        let flushed = Flushed { index: flushed, term: flushed.min(1) };
        let _ = Log::open(Arc::new(vfs.clone()), Path::new(DIR), options, IDENTITY, flushed);
    });
    assert!(held <= BYTES_HELD_MAX, "{held} bytes held");
}

fn walk(vfs: &MemVfs, path: &Path) {
    let Ok(mut reader) = SegmentReader::open(vfs, path) else {
        return;
    };
    // An error is a group that says it is compressed and isn't.
    while let Ok(Found::Group(group)) = reader.next_group() {
        assert!(reader.offset() <= FILE_BYTES as u64);
        let _ = group.records().count();
    }
    let behind = reader.behind().expect("memory doesn't fail");
    assert!(behind.written_through <= FILE_BYTES as u64);
}
