//! The checksum at the end of a snapshot: SHA-256 of all that stands before it.

use sha2::{Digest, Sha256};

/// Its length, in bytes.
const LENGTH: usize = 32;

/// What stands before it is a whole number of these, in bytes: a database is made of pages.
const UNIT: u64 = 512;

/// Follows a snapshot as it comes, piece by piece.
#[derive(Default)]
pub(super) struct Checksum {
    hasher: Sha256,
    /// The last bytes, which may be the checksum.
    tail: Vec<u8>,
    length: u64,
}

impl Checksum {
    /// The next piece.
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        self.tail.extend_from_slice(piece);
        let before = self.tail.len().saturating_sub(LENGTH);
        self.hasher.update(&self.tail[..before]);
        self.tail.drain(..before);
    }

    /// How many bytes have come.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What is wrong with the snapshot, now that it is there.
    pub(super) fn verify(self) -> Result<(), String> {
        let length = self.length;
        if length % UNIT != LENGTH as u64 {
            return Err(format!("sha256 checksum not found [bytes: {length}]"));
        }
        if self.hasher.finalize()[..] != self.tail[..] {
            return Err(format!("sha256 checksum doesn't fit the {length} bytes that came"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Vec<u8> {
        let mut bytes = vec![7; 1024];
        bytes.extend_from_slice(&Sha256::digest(&bytes));
        bytes
    }

    fn verify(bytes: &[u8], piece_length: usize) -> Result<(), String> {
        let mut checksum = Checksum::default();
        bytes.chunks(piece_length).for_each(|piece| checksum.add(piece));
        checksum.verify()
    }

    #[test]
    fn pieces_may_be_cut_anywhere() {
        for length in [1, 31, 32, 33, 1000, 2000] {
            assert_eq!(verify(&snapshot(), length), Ok(()), "pieces of {length}");
        }
    }

    #[test]
    fn what_was_changed_or_cut_off_is_noticed() {
        let mut changed = snapshot();
        changed[100] = 8;
        assert!(verify(&changed, 100).is_err());
        assert_eq!(
            verify(&snapshot()[..1024], 100),
            Err("sha256 checksum not found [bytes: 1024]".to_owned())
        );
        assert!(verify(&[], 1).is_err());
    }
}
