//! What the fuzz targets share: for the log a harness that writes its history, damages the files it
//! left, and judges what opening them gives; for the engines a history and ways to use them.
//!
//! Linking this crate also installs an allocator that counts, so that "bounded memory" is checked
//! by the targets themselves: without a sanitizer libFuzzer doesn't see single allocations.

pub mod engine;
pub mod input;
pub mod memory;
pub mod mvcc;
pub mod wal;
