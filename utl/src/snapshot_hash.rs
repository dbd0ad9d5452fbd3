//! The hash behind a snapshot: SHA-256 of everything before it.
//!
//! A database has a multiple of 512 bytes, so a file with 32 bytes more has a hash.

use retcd_vfs::Vfs;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

/// Bytes of the hash.
pub(crate) const HASH_BYTES: usize = 32;
const SECTOR_BYTES: u64 = 512;

/// Bytes that are hashed at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What is at the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotHash {
    /// No hash.
    Missing,
    /// The hash of what is before it.
    Right,
    /// Another one.
    Wrong {
        /// What stands there.
        expected: [u8; HASH_BYTES],
        /// What it would have to be.
        got: [u8; HASH_BYTES],
    },
}

/// Whether a file of this length ends with a hash.
pub(crate) fn has_hash(file_bytes: u64) -> bool {
    file_bytes % SECTOR_BYTES == HASH_BYTES as u64
}

/// Checks the hash at the end of the file `path`, of which `read` is told as it is read.
pub(crate) fn check(
    vfs: &dyn Vfs,
    path: &Path,
    read: &mut dyn FnMut(u64),
) -> io::Result<SnapshotHash> {
    let file = vfs.open_read(path)?;
    let bytes = file.len()?;
    if !has_hash(bytes) {
        return Ok(SnapshotHash::Missing);
    }
    let (mut sha256, mut piece, mut offset) = (Sha256::new(), vec![0; PIECE_BYTES], 0);
    let end = bytes - HASH_BYTES as u64;
    while offset < end {
        let length = usize::try_from(end - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
        file.read_exact_at(offset, &mut piece[..length])?;
        sha256.update(&piece[..length]);
        offset += length as u64;
        read(length as u64);
    }
    let mut expected = [0; HASH_BYTES];
    file.read_exact_at(end, &mut expected)?;
    let got = <[u8; HASH_BYTES]>::from(sha256.finalize());
    Ok(match got == expected {
        true => SnapshotHash::Right,
        false => SnapshotHash::Wrong { expected, got },
    })
}
