//! Storage engines in this process, without a server: loading, reading, overwriting, starting.
//!
//! A [`subject::Subject`] is a store behind the few calls that all stores have. The [`suite`] runs
//! each section for each candidate in turn, every run in a process of its own, so that memory, CPU
//! time and bytes written are that candidate's alone; tables put the candidates side by side.
//! `benches/rivals` calls the same suite with more candidates.

pub mod child;
pub mod measure;
pub mod options;
pub mod ours;
pub mod results;
mod sections;
pub mod subject;
pub mod suite;
