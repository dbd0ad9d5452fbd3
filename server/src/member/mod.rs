//! The running member: its threads, and what services hold of it.
//!
//! Three threads pass a write on: the raft thread decides, the log thread makes durable, the apply
//! thread executes. One to four more flush and merge, another looks for damage. Each owns what it
//! works on; queues connect them. When one of them fails, or a read finds damage, the member stops
//! serving: see [`Failure`].

mod admission;
mod apply;
mod background;
mod entry;
mod failure;
mod gathering;
mod handle;
mod log;
mod log_stall;
mod mailbox;
mod membership;
mod niceness;
mod outgoing;
mod pending;
mod raft_loop;
mod read_gate;
mod scrub;
mod segments;
mod snapshots;
mod stage;
mod start;
mod status;

pub(crate) use admission::pressure;
pub(crate) use apply::Batching;
pub(crate) use entry::Carries;
pub(crate) use failure::Failure;
pub(crate) use gathering::Grouping;
pub(crate) use handle::{Limits, Member};
pub(crate) use mailbox::{Mailbox, mailbox};
pub(crate) use outgoing::OutgoingFolder;
pub(crate) use pending::Inboxes;
pub(crate) use scrub::ScrubPace;
pub(crate) use start::{MemberOptions, RunningMember, start};
