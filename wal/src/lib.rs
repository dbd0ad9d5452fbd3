//! The write-ahead log: the only one in the house.
//!
//! The log keeps entries (index, term, kind, bytes), the hard state and snapshot marks. It knows
//! nothing of raft beyond these numbers. Writing goes in *groups*: one group is one durable write,
//! holding everything that gathered while the previous one was on its way to the disk.
//!
//! Groups lie in *segments*, files of fixed length that are filled with zeros (or recycled) before
//! they are used, so that a durable write never has to journal a change of the file itself. What
//! the bytes look like is in `docs/format.md`; how the end of the log is found after a crash, and
//! when a damaged log is refused, is in [`recovery`](Recovery).
//!
//! No thread is owned here. [`Log::submit`] starts a group, [`Log::complete`] waits for the oldest
//! one, [`Log::waiter`] is what a thread sleeps on that doesn't hold the log, [`Log::prepare`]
//! makes the next segment ready, [`Log::purge`] recycles segments that nobody needs. After an I/O
//! error the log is poisoned: nothing is retried, every call fails.

mod active;
mod error;
mod group;
mod layout;
mod limits;
mod log;
mod opener;
mod options;
mod prepare;
mod reader;
mod record;
mod recovery;
mod segment;
mod stats;
mod types;

pub use error::{Error, Result};
pub use group::{GROUP_HEADER_BYTES, GroupHeader};
pub use limits::{
    BLOCK_BYTES, DEPTH_MAX, REPLAY_BYTES_DEFAULT, REQUEST_BYTES_MAX, SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, group_bytes_max,
};
pub use log::{Log, Ticket, group_bytes};
pub use opener::Refusal;
pub use options::{IoMode, Options};
pub use prepare::{Preparation, Purge};
pub use reader::{Behind, Ending, Found, ReadGroup, SegmentReader, segments};
pub use record::{Record, Records};
pub use recovery::{Recovery, Verdict};
pub use segment::{Cut, CutReason, FORMAT_VERSION, HeaderFault, SegmentHeader, SegmentName};
pub use stats::Stats;
pub use types::{Flushed, Group, HardState, Identity, LogEntry, LogState, SnapshotMark, Step};
