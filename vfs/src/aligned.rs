//! A byte buffer whose start is aligned for direct I/O.
#![expect(unsafe_code, reason = "an allocation with a chosen alignment has no safe interface")]

use crate::LOG_ALIGNMENT;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Zeroed bytes of fixed capacity, start and capacity aligned to [`LOG_ALIGNMENT`].
///
/// `len` is what a write covers and is a multiple of the alignment too.
pub struct AlignedBuf {
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
}

impl AlignedBuf {
    /// A zeroed buffer of at least `bytes` (and at least one block), its length its capacity.
    pub fn new(bytes: usize) -> AlignedBuf {
        let capacity = bytes.max(1).next_multiple_of(LOG_ALIGNMENT);
        let layout = Self::layout(capacity);
        // SAFETY: the layout's size is at least one block, so it isn't zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuf { start, capacity, len: capacity }
    }

    /// Capacity in bytes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets how many bytes the buffer shows: `bytes` rounded up to a block.
    ///
    /// # Panics
    ///
    /// If that is more than the capacity.
    pub fn set_len(&mut self, bytes: usize) {
        let len = bytes.next_multiple_of(LOG_ALIGNMENT);
        assert!(len <= self.capacity, "length {len} above capacity {}", self.capacity);
        self.len = len;
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, LOG_ALIGNMENT).expect("a buffer is far below isize::MAX")
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this very layout and is freed only here.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.capacity)) }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len <= capacity` bytes from `start` are allocated and were initialized to zero.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

// SAFETY: the buffer owns its bytes; nothing else points at them.
unsafe impl Send for AlignedBuf {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_aligned_and_zeroed() {
        let buf = AlignedBuf::new(5000);
        assert_eq!(buf.as_ptr() as usize % LOG_ALIGNMENT, 0);
        assert_eq!(buf.len(), 8192);
        assert!(buf.iter().all(|&b| b == 0));
    }
}
