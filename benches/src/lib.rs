//! The load program: what a server does per second, how long one waits, and what it costs.
//!
//! It starts given server programs on real files, drives them one after the other with the same
//! cheap client, and prints medians of several short runs beside the raw floor of the file system,
//! measured in the same run. The log and the engines have benches of their own, without a server:
//! [`wal`] and [`engine`]. Figures of one run on one machine can be compared with each other and
//! with nothing else.

pub mod behind;
pub mod checkpoint;
pub mod client;
pub mod corpus;
pub mod engine;
pub mod fill;
pub mod floor;
pub mod large;
pub mod load;
pub mod options;
pub mod plot;
pub mod report;
pub mod stats;
pub mod suite;
pub mod wal;
pub mod workload;

/// What goes wrong: nearly always a server that can't be reached, told in its own words.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
