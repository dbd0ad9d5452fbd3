//! What the fuzz targets of the log share: a harness that writes a log's history, damages the files
//! it left, and judges what opening them gives.
//!
//! Linking this crate also installs an allocator that counts, so that "bounded memory" is checked
//! by the targets themselves: without a sanitizer libFuzzer doesn't see single allocations.

pub mod input;
pub mod memory;
pub mod wal;
