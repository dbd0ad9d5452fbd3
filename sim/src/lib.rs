//! Whole clusters in one thread, from one seed, to find bugs faster than users can.
//!
//! Each member is what a server runs: consensus, log, replicated state, engine. Time, network,
//! disks and what happens when are simulated ([`Plan`] has what a seed decides), clients ask and
//! watch, and everything that they and the members say is judged. The same seed gives the same run.
//!
//! * `driver` runs a member's parts as a server's threads do; `node` is a member on its disk.
//! * `simulation` is the run: members, clients, faults, the end.
//! * `model` says what the answers should be; `judge` holds members and clients against it.
//! * [`Defect`] has bugs that can be put in, to prove that they are found.
//!
//! Not here: how snapshots travel, threads, and what services check before they propose.

mod cluster;
mod defect;
mod driver;
mod judge;
mod model;
mod network;
mod node;
mod plan;
mod request;
mod run;
mod schedule;
mod simulation;
mod trace;
mod watches;

pub use defect::Defect;
pub use driver::WorkDone;
pub use plan::Plan;
pub use run::{Failure, run};
pub use simulation::Report;
