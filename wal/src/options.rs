//! How a log is run. Checked once, when it is opened.

use crate::error::{Error, Result};
use crate::limits::{
    BLOCK_BYTES, COMPRESS_FROM_BYTES_DEFAULT, DEPTH_MAX, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN,
};

/// Which way writes take to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IoMode {
    /// For a depth above 1 io_uring; else, and where that isn't to be had, direct at depth 1; else
    /// buffered.
    #[default]
    Auto,
    /// Direct, or an error.
    Direct,
    /// Page cache and `fdatasync`.
    Buffered,
    /// Direct through io_uring, or an error.
    Uring,
}

/// How a log is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Length of new segments: a multiple of 4 KiB between [`SEGMENT_BYTES_MIN`] and
    /// [`SEGMENT_BYTES_MAX`].
    pub segment_bytes: u64,
    /// Which way writes take.
    pub io: IoMode,
    /// How many groups may be under way at once, 1 to [`DEPTH_MAX`]. More than 1 needs io_uring.
    pub depth: usize,
    /// Nothing is synced (`--unsafe-no-fsync`): nothing survives a machine crash.
    pub unsynced: bool,
    /// Groups with at least so many bytes of records are compressed, if that saves something; 0 for
    /// none.
    pub compress_from_bytes: u64,
    /// A random number, another one at each start. It is mixed into new segments, so that neither
    /// old bytes nor bytes that a client made up can pass for a group.
    pub salt: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            io: IoMode::Auto,
            depth: 1,
            unsynced: false,
            compress_from_bytes: COMPRESS_FROM_BYTES_DEFAULT,
            salt: 0,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<()> {
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            return Err(Error::InvalidOptions("a segment's length is out of its limits"));
        }
        if !self.segment_bytes.is_multiple_of(BLOCK_BYTES) {
            return Err(Error::InvalidOptions("a segment's length isn't a multiple of 4 KiB"));
        }
        if !(1..=DEPTH_MAX).contains(&self.depth) {
            return Err(Error::InvalidOptions(
                "the number of groups under way is out of its limits",
            ));
        }
        if self.depth > 1 && matches!(self.io, IoMode::Direct | IoMode::Buffered) {
            return Err(Error::InvalidOptions("several groups under way need io_uring"));
        }
        Ok(())
    }

    /// The salt of one segment: spread over all bits, so that neighbours share none.
    pub(crate) fn segment_salt(&self, segment: u64) -> u64 {
        let mut z = self.salt ^ segment.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_segment_has_limits() {
        let with = |segment_bytes| Options { segment_bytes, ..Options::default() };
        assert!(Options::default().check().is_ok());
        assert!(with(SEGMENT_BYTES_MIN).check().is_ok());
        assert!(with(SEGMENT_BYTES_MIN - BLOCK_BYTES).check().is_err());
        assert!(with(SEGMENT_BYTES_MAX + BLOCK_BYTES).check().is_err());
        assert!(with(SEGMENT_BYTES_DEFAULT + 1).check().is_err());
    }

    #[test]
    fn several_groups_under_way_are_for_io_uring_and_have_a_limit() {
        let with = |io, depth| Options { io, depth, ..Options::default() }.check();
        for io in [IoMode::Auto, IoMode::Uring] {
            assert!(with(io, 1).is_ok() && with(io, DEPTH_MAX).is_ok());
            assert!(with(io, 0).is_err() && with(io, DEPTH_MAX + 1).is_err());
        }
        for io in [IoMode::Direct, IoMode::Buffered] {
            assert!(with(io, 1).is_ok() && with(io, 2).is_err());
        }
    }
}
