//! Every limit of the log, checked against its neighbours when this is compiled.

use crate::group::GROUP_HEADER_BYTES;
use crate::record::{ENTRY_OVERHEAD_BYTES, HARD_STATE_BYTES, SNAPSHOT_BYTES};
use crate::segment::SEGMENT_HEADER_BYTES;
use retcd_vfs::LOG_ALIGNMENT;

/// Groups start at multiples of this, in bytes.
pub const BLOCK_BYTES: u64 = LOG_ALIGNMENT as u64;

/// Length of a segment file unless the options say otherwise, in bytes.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// Shortest segment: header, one group of one block, the block kept for the final group, a spare.
pub const SEGMENT_BYTES_MIN: u64 = 4 * BLOCK_BYTES;

/// Longest segment, in bytes: offsets and lengths stay far within 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Largest payload of one entry that a segment of default length is sure to hold, in bytes.
pub const REQUEST_BYTES_MAX: u64 = 48 << 20;

/// Groups with fewer bytes of records aren't compressed unless the options say otherwise: see
/// `compress` for the sum.
pub const COMPRESS_FROM_BYTES_DEFAULT: u64 = 64 << 10;

/// How much of the next segment one call of `prepare` fills and syncs, in bytes.
pub(crate) const PREPARE_BYTES: usize = 512 << 10;

/// How many files of old segments are kept for new ones, besides the next one. A flush frees all
/// segments below it at once: with small groups nine of them, when 150,000 entries are a flush.
/// Were they removed, the same number of files would have to be filled before the next flush.
pub(crate) const SPARES_MAX: usize = 8;

/// A larger group buffer is given back to the allocator after its group, in bytes.
pub(crate) const KEPT_BUFFER_BYTES_MAX: usize = 8 << 20;

/// Buffers kept for the next groups, all together, in bytes.
pub(crate) const KEPT_BUFFERS_BYTES_MAX: usize = 32 << 20;

/// How many groups may be under way at once, at most.
pub const DEPTH_MAX: usize = 64;

/// A buffer's least size, in bytes.
pub(crate) const BUFFER_BYTES_MIN: usize = 256 << 10;

/// How much of a segment is read at once, in bytes, unless a group is larger.
pub(crate) const WINDOW_BYTES: u64 = 1 << 20;

/// How much is read at once, in bytes, where little was asked for.
pub(crate) const WINDOW_BYTES_MIN: u64 = MARK_SPACING_BYTES;

/// About how far apart the marks of the index are, in bytes of log.
pub(crate) const MARK_SPACING_BYTES: u64 = 64 << 10;

/// Longest group, header included, that a segment of `segment_bytes` holds: all but the header's
/// block and the block that is kept for the final group of a clean stop.
pub const fn group_bytes_max(segment_bytes: u64) -> u64 {
    segment_bytes - 2 * BLOCK_BYTES
}

const _: () = {
    let largest = REQUEST_BYTES_MAX
        + (GROUP_HEADER_BYTES + ENTRY_OVERHEAD_BYTES + HARD_STATE_BYTES + SNAPSHOT_BYTES) as u64;
    assert!(largest <= group_bytes_max(SEGMENT_BYTES_DEFAULT));
    assert!(SEGMENT_BYTES_MIN <= SEGMENT_BYTES_DEFAULT);
    assert!(SEGMENT_BYTES_DEFAULT <= SEGMENT_BYTES_MAX);
    assert!(SEGMENT_BYTES_DEFAULT.is_multiple_of(BLOCK_BYTES));
    assert!(SEGMENT_BYTES_MAX <= u32::MAX as u64);
    assert!(SEGMENT_BYTES_MAX <= usize::MAX as u64);
    assert!(SEGMENT_HEADER_BYTES as u64 <= BLOCK_BYTES);
    // The mark of a snapshot, with its group's header, lies in the first sector: it is never torn.
    assert!(GROUP_HEADER_BYTES + SNAPSHOT_BYTES + HARD_STATE_BYTES <= 512);
    assert!(SEGMENT_HEADER_BYTES <= 512);
    assert!(PREPARE_BYTES as u64 <= SEGMENT_BYTES_MAX);
    assert!(PREPARE_BYTES.is_multiple_of(LOG_ALIGNMENT));
    assert!(BUFFER_BYTES_MIN <= KEPT_BUFFER_BYTES_MAX);
    // Small groups find a buffer at every depth.
    assert!(DEPTH_MAX * BUFFER_BYTES_MIN <= KEPT_BUFFERS_BYTES_MAX);
    assert!(KEPT_BUFFER_BYTES_MAX <= KEPT_BUFFERS_BYTES_MAX);
    assert!(WINDOW_BYTES_MIN <= WINDOW_BYTES);
    assert!(WINDOW_BYTES <= KEPT_BUFFER_BYTES_MAX as u64);
};
