//! The records of one file of etcd's log.
//!
//! ```text
//! frame    length i64 | record | padding to 8 bytes
//! length   the low 56 bits are the record's bytes; if it is negative, the top byte's low three
//!          bits are the padding's
//! record   protobuf: 1 kind, 2 checksum, 3 data
//! kinds    1 who wrote it   2 an entry   3 the hard state   4 a checksum   5 a snapshot's place
//! ```
//!
//! The checksum of a record is the CRC-32C of all data so far, that of earlier files included: each
//! file begins with a record of kind 4 that says what it goes on with. A length of zero ends the
//! file, which is longer, filled with zeros. In the last file a record that can't be read counts as
//! never written, if one of its 512-byte sectors is blank or it goes on behind the file's end;
//! everything else that doesn't hold is damage. These are etcd's rules (`wal/decoder.go`).
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use bytes::Bytes;
use prost::Message;
use retcd_api::raftpb;
use retcd_vfs::ReadFile;
use std::io;
use std::sync::Arc;

/// Bytes of a frame before its record.
const FRAME_BYTES: u64 = 8;
/// What a disk writes at once.
const SECTOR_BYTES: u64 = 512;
/// Longest record that is read: far above what etcd writes, whose requests are of some MiB.
const RECORD_BYTES_MAX: u64 = 256 << 20;
/// Bytes that are read from the file at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// A record, decoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// Who writes the log.
    Identity { member: u64, cluster: u64 },
    /// An entry of raft's.
    Entry { index: u64, term: u64 },
    /// What raft must not forget.
    HardState { term: u64, vote: u64, commit: u64 },
    /// The checksum that the file goes on with.
    Sum,
    /// Up to where a snapshot goes.
    Snapshot { index: u64, term: u64 },
}

/// What lies where a record may begin.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// A record.
    Record(Record),
    /// No further one.
    End(Ending),
}

/// Why there is no further record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Zeros, or the file's end.
    Whole,
    /// A record that never reached the disk as a whole.
    Torn,
    /// Something that etcd doesn't start with.
    Damaged(&'static str),
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(uint32, tag = "2")]
    sum: u32,
    #[prost(bytes = "bytes", tag = "3")]
    data: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(uint64, tag = "1")]
    member: u64,
    #[prost(uint64, tag = "2")]
    cluster: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Mark {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(uint64, tag = "2")]
    term: u64,
}

/// See the module's text. Memory: a window of the file, or the record that is longer.
pub(super) struct Records {
    file: Arc<dyn ReadFile>,
    file_bytes: u64,
    offset: u64,
    /// Checksum of all data so far.
    sum: u32,
    /// Whether no file follows, so that its end may be torn.
    is_last: bool,
    window: Vec<u8>,
    window_start: u64,
}

impl Records {
    /// Begins with a file; `sum` is the checksum that the one before ended with, or 0.
    pub(super) fn new(file: Arc<dyn ReadFile>, sum: u32, is_last: bool) -> io::Result<Records> {
        let file_bytes = file.len()?;
        let (window, window_start) = (Vec::new(), 0);
        Ok(Records { file, file_bytes, offset: 0, sum, is_last, window, window_start })
    }

    /// Where the next record begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The checksum so far.
    pub(super) fn sum(&self) -> u32 {
        self.sum
    }

    /// The next record, or why there is none.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        let left = self.file_bytes.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Found::End(Ending::Whole));
        }
        if left < FRAME_BYTES {
            return Ok(Found::End(self.torn_or("a record's length is cut off")));
        }
        let mut length = [0; FRAME_BYTES as usize];
        length.copy_from_slice(self.bytes(self.offset, FRAME_BYTES)?);
        let length = u64::from_le_bytes(length);
        let is_padded = length >> 63 == 1;
        let padding = if is_padded { (length >> 56) & 7 } else { 0 };
        let record_bytes = length & ((1 << 56) - 1);
        if length == 0 {
            return Ok(Found::End(Ending::Whole));
        }
        let whole = record_bytes.saturating_add(padding);
        if whole > left.saturating_sub(FRAME_BYTES) {
            return Ok(Found::End(self.torn_or("a record goes on behind the file's end")));
        }
        if whole > RECORD_BYTES_MAX {
            return Ok(Found::End(Ending::Damaged("a record is longer than any written")));
        }
        let start = self.offset.saturating_add(FRAME_BYTES);
        let bytes = Bytes::copy_from_slice(self.bytes(start, whole)?);
        let content = bytes.slice(..usize::try_from(record_bytes).unwrap_or(0).min(bytes.len()));
        match self.take(content) {
            Ok(record) => {
                self.offset = start.saturating_add(whole);
                Ok(Found::Record(record))
            }
            Err(_) if self.is_last && has_blank_sector(start, &bytes) => {
                Ok(Found::End(Ending::Torn))
            }
            Err(reason) => Ok(Found::End(Ending::Damaged(reason))),
        }
    }

    /// Whether something was written behind the last record, and up to where.
    pub(super) fn written_behind(&mut self) -> io::Result<Option<u64>> {
        let (mut offset, mut written) = (self.offset, None);
        while offset < self.file_bytes {
            let length = self.file_bytes.saturating_sub(offset).min(WINDOW_BYTES);
            let piece = self.bytes(offset, length)?;
            if let Some(at) = piece.iter().rposition(|byte| *byte != 0) {
                written = Some(offset.saturating_add(at as u64).saturating_add(1));
            }
            offset = offset.saturating_add(length);
        }
        Ok(written)
    }

    /// What is cut off was never written if it is at the log's end.
    fn torn_or(&self, reason: &'static str) -> Ending {
        if self.is_last { Ending::Torn } else { Ending::Damaged(reason) }
    }

    /// Checks and decodes a record; follows the checksum only if it is right.
    fn take(&mut self, content: Bytes) -> Result<Record, &'static str> {
        let Envelope { kind, sum, data } =
            Envelope::decode(content).map_err(|_| "a record doesn't decode")?;
        if kind == 4 {
            if self.sum != 0 && self.sum != sum {
                return Err("the file doesn't go on with what the one before ended with");
            }
            self.sum = sum;
            return Ok(Record::Sum);
        }
        let expected = crc32c::crc32c_append(self.sum, &data);
        if expected != sum {
            return Err("a record's checksum is wrong");
        }
        let record = decode(kind, data)?;
        self.sum = expected;
        Ok(record)
    }

    /// Bytes of the file, which are there.
    fn bytes(&mut self, offset: u64, length: u64) -> io::Result<&[u8]> {
        let end = offset.saturating_add(length);
        let window_end = self.window_start.saturating_add(self.window.len() as u64);
        if offset < self.window_start || end > window_end {
            let behind = self.file_bytes.saturating_sub(offset);
            let fill = length.max(WINDOW_BYTES).min(behind);
            self.window = vec![0; usize::try_from(fill).unwrap_or(0)];
            self.window_start = offset;
            self.file.read_exact_at(offset, &mut self.window)?;
        }
        let from = usize::try_from(offset.saturating_sub(self.window_start)).unwrap_or(usize::MAX);
        let bytes = self.window.get(from..).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        bytes.get(..length).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn decode(kind: i64, data: Bytes) -> Result<Record, &'static str> {
    const WRONG: &str = "a record's data doesn't decode";
    Ok(match kind {
        1 => {
            let Metadata { member, cluster } = Metadata::decode(data).map_err(|_| WRONG)?;
            Record::Identity { member, cluster }
        }
        2 => {
            let entry = raftpb::Entry::decode(data).map_err(|_| WRONG)?;
            Record::Entry { index: entry.index, term: entry.term }
        }
        3 => {
            let state = raftpb::HardState::decode(data).map_err(|_| WRONG)?;
            Record::HardState { term: state.term, vote: state.vote, commit: state.commit }
        }
        5 => {
            let Mark { index, term } = Mark::decode(data).map_err(|_| WRONG)?;
            Record::Snapshot { index, term }
        }
        _ => return Err("a record's kind is unknown"),
    })
}

/// Whether a part of `bytes`, which begin at `offset` in the file, is a whole or cut sector of
/// zeros.
fn has_blank_sector(offset: u64, bytes: &[u8]) -> bool {
    let into = offset.checked_rem(SECTOR_BYTES).unwrap_or(0);
    let first = usize::try_from(SECTOR_BYTES.saturating_sub(into)).unwrap_or(0);
    let (first, rest) = bytes.split_at_checked(first).unwrap_or((bytes, &[]));
    let is_blank = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    is_blank(first) || rest.chunks(SECTOR_BYTES as usize).any(is_blank)
}
