//! The member as a step function: raft, the log and the replicated state put together.
//!
//! * [`Member`] is consensus alone: an [`Input`] goes in, an [`Output`] comes out, nothing is read
//!   or written. Whoever drives it appends the groups to the log, applies committed entries, sends
//!   the messages, and reports each of these back as further inputs.
//!
//! * [`bootstrap`] founds a member or opens one, and returns its parts: consensus, log, replicated
//!   state, engine. [`Inline`] runs them without threads.
//!
//! * [`wire`] is how messages travel between peers.
//!
//! Nothing in here owns a thread, reads a clock or draws a random number.

mod apply;
mod bootstrap;
mod conf_change;
mod convert;
mod data_dir;
mod election;
mod error;
mod founding;
mod inline;
mod install;
mod limits;
mod member;
mod restoring;
mod standalone;
mod survey;
mod tail;
#[cfg(test)]
mod testing;
pub mod wire;

pub use apply::{ConfChanged, apply_conf_change};
pub use bootstrap::{BootstrapOptions, Opened, Parts, bootstrap};
pub use conf_change::{checked_conf_change, conf_state_after, decode_conf_change};
pub use data_dir::{DataDir, MEMBER_NAME, PART_NAME};
pub use error::{Error, Result};
pub use founding::{Founders, FoundingMember};
pub use inline::{Inline, Told};
pub use install::{install, snapshot_message};
pub use limits::{
    COMMITTED_BYTES_PER_OUTPUT, CONF_CHANGE_BYTES_MAX, GROUP_BYTES_SPLIT,
    INFLIGHT_MESSAGES_FROM_DISK_MAX, INFLIGHT_MESSAGES_MAX, MESSAGE_BYTES_MAX, READS_UNDER_WAY_MAX,
    TAIL_BYTES_KEPT, TAIL_BYTES_MAX, UNAPPLIED_ENTRIES_MAX,
};
pub use member::{
    AppendGroup, DropReason, Dropped, Input, Install, Member, MemberConfig, Output, Read, Restored,
    Role, RoleChange, SnapshotOrder, SnapshotOutcome, Status,
};
pub use restoring::begin_log_behind;
pub use standalone::StoodAlone;
pub use survey::inspect_log;

/// [`retcd_wal::LogEntry::kind`] of a normal entry: an encoded `InternalRaftRequest`, or nothing.
pub const KIND_NORMAL: u8 = 0;
/// [`retcd_wal::LogEntry::kind`] of a membership change: an encoded `raftpb.ConfChange`.
pub const KIND_CONF_CHANGE: u8 = 1;
/// [`retcd_wal::LogEntry::kind`] of a joint membership change; never proposed, refused on sight.
pub const KIND_CONF_CHANGE_V2: u8 = 2;
