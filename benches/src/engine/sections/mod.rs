//! What is measured, each in a process of its own.

mod batches;
pub(super) mod count;
pub(super) mod get;
pub(super) mod load;
pub(super) mod memory;
pub(super) mod overwrite;
pub(super) mod range;
pub(super) mod start;
