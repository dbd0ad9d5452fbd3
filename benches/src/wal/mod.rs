//! The log alone, on a real disk: what a group costs beside the raw write, what many writers gain
//! from sharing groups, and how fast a log is read again.
//!
//! Every row alternates the raw floor and the log, because a disk's speed changes by the minute:
//! what counts is the ratio of the two within a row.

pub mod floor;
pub mod latency;
pub mod modes;
pub mod options;
pub mod recovery;
pub mod rows;
pub mod suite;
pub mod tended;
pub mod writers;
