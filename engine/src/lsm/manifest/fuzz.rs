//! The manifest's decoders on arbitrary bytes, for fuzzing. They must return, and what is accepted
//! must be written as it was read.

use super::log::{
    HEADER_BYTES, RECORD_ALIGNMENT, RECORD_HEADER_BYTES, RECORD_MARK, checksum, decode_current,
    encode_current, encode_header, replay,
};
use super::{Contents, Edit};
use crate::table::FileNumber;

const NUMBER: FileNumber = FileNumber(1);

/// Where a header's checksum lies.
const HEADER_SUM: usize = HEADER_BYTES - 4;

/// The bytes of a `CURRENT`, as they are and with the checksum made right.
pub fn current(bytes: &[u8]) {
    let check = |bytes: &[u8]| {
        if let Ok(number) = decode_current(bytes) {
            assert_eq!(encode_current(number), bytes);
        }
    };
    check(bytes);
    if let Some((covered, rest)) = bytes.split_at_checked(HEADER_SUM) {
        let sum = crc32fast::hash(covered).to_le_bytes();
        let behind = rest.get(sum.len()..).unwrap_or_default();
        check(&[covered, &sum, behind].concat());
    }
}

/// The changes of one edit.
pub fn edit(bytes: &[u8]) {
    if let Ok(edit) = Edit::decode(bytes) {
        let mut again = Vec::new();
        edit.encode(&mut again);
        assert_eq!(again, bytes);
    }
}

/// A manifest, as it is and with checksums made right, so that what they cover is believed.
pub fn manifest(bytes: &[u8]) {
    check(bytes);
    check(&made_right(bytes, NUMBER));
}

fn check(bytes: &[u8]) {
    if let Ok(contents) = replay(bytes, NUMBER) {
        let mut again = Contents::default();
        assert_eq!(again.apply(&contents.to_edit()), Ok(()));
        assert_eq!(again, contents);
    }
}

/// The bytes with the header of manifest `number`, and with right marks and checksums of all edits
/// that end within them.
pub fn made_right(bytes: &[u8], number: FileNumber) -> Vec<u8> {
    let mut right = encode_header(number);
    let mut rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    while let Some((head, behind)) = rest.split_at_checked(RECORD_HEADER_BYTES) {
        let length = head.get(RECORD_MARK.len()..).and_then(<[u8]>::first_chunk);
        let length = length.expect("a record's header has room for it");
        let length_bytes = u32::from_le_bytes(*length) as usize;
        let padded = RECORD_HEADER_BYTES.saturating_add(length_bytes);
        let padded = padded.next_multiple_of(RECORD_ALIGNMENT) - RECORD_HEADER_BYTES;
        let Some((padded, next)) = behind.split_at_checked(padded) else {
            break;
        };
        let sum = checksum(number, right.len() as u64, &padded[..length_bytes]);
        for part in [&RECORD_MARK[..], length, &sum.to_le_bytes(), padded] {
            right.extend_from_slice(part);
        }
        rest = next;
    }
    right.extend_from_slice(rest);
    right
}
