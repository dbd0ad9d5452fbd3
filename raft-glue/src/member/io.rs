//! What goes into a member and what comes out.

use super::{Install, SnapshotOrder, SnapshotOutcome};
use bytes::Bytes;
use retcd_api::raftpb;
use retcd_wal::{HardState, LogEntry, LogReader, SnapshotMark};

/// How a member behaves; the same for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberConfig {
    /// This member's id; not 0.
    pub id: u64,
    /// Ticks without a leader after which a follower campaigns; the timeout varies up to twice as
    /// much. A heartbeat goes out every tick, so this is at least 2.
    pub election_ticks: usize,
    /// Whether a candidate asks first if it could win. On unless the operator says otherwise.
    pub pre_vote: bool,
    /// Determines the election timeouts, with id and term.
    pub seed: u64,
    /// Bytes of entries in memory above which proposals are refused.
    pub tail_bytes_max: usize,
    /// Bytes of applied entries kept in memory for followers that lag.
    pub tail_bytes_kept: usize,
    /// Bytes, as [`retcd_wal::group_bytes`] counts them, that no group exceeds. What doesn't fit
    /// alone isn't proposed.
    pub group_bytes_max: u64,
}

/// What the log and the engine kept of an earlier life.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The newest hard state in the log. Its commit index may be below `applied`.
    pub hard_state: HardState,
    /// The configuration at `applied`.
    pub conf_state: raftpb::ConfState,
    /// Up to where the engine has everything.
    pub applied: SnapshotMark,
    /// The log's last entry, or what is before the first one; not below `applied`.
    pub last: SnapshotMark,
    /// Indexes of the membership changes in the log above `applied`, ascending.
    pub conf_changes: Vec<u64>,
    /// Reads the log's entries, which are durable.
    pub log: LogReader,
}

/// Something that happened to a member. Rare and large ones are boxed: proposals go through queues.
#[derive(Clone, Debug)]
pub enum Input {
    /// One unit of time passed.
    Tick,
    /// A client's request, encoded as `InternalRaftRequest`. The token comes back if it is dropped.
    Propose {
        /// Anything the caller knows it by.
        token: u64,
        /// The entry's payload.
        data: Bytes,
    },
    /// A request that only the leader of one term may make, such as the end of a lease by its own
    /// clock. If this member isn't that any more the request is gone: it mustn't be forwarded to
    /// who leads by now. Nobody waits for it.
    ProposeAsLeader {
        /// In which this member led when it decided.
        term: u64,
        /// The entry's payload.
        data: Bytes,
    },
    /// A membership change, encoded as `raftpb.ConfChange`.
    ProposeConfChange {
        /// Anything the caller knows it by.
        token: u64,
        /// The entry's payload.
        data: Bytes,
    },
    /// Somebody wants to read linearizably.
    ReadIndex {
        /// Anything the caller knows it by, unique among members: it travels to the leader.
        context: u64,
    },
    /// A peer sent a message.
    Message(Box<raftpb::Message>),
    /// The group of this number, and all before it, are durable.
    Persisted {
        /// [`AppendGroup::number`].
        number: u64,
    },
    /// The oldest committed membership change that wasn't reported yet was executed.
    ConfChanged {
        /// The change, or `None` if it was refused.
        change: Option<Box<raftpb::ConfChange>>,
        /// The configuration after it.
        state: Box<raftpb::ConfState>,
    },
    /// Everything up to this index is applied.
    Applied {
        /// Index of the last applied entry.
        index: u64,
    },
    /// Somebody wants another leader.
    TransferLeader {
        /// Who it shall be.
        to: u64,
    },
    /// This member can't lead any more: its disk doesn't keep up. Somebody else shall.
    StepDown,
    /// A message to this peer couldn't be delivered.
    Unreachable {
        /// The peer's id.
        peer: u64,
    },
    /// A peer sent a snapshot: a `MsgSnap` with the position of a checkpoint that is here and
    /// verified. Answered with [`Output::install`] or [`Output::snapshot_unneeded`].
    Snapshot(Box<raftpb::Message>),
    /// The snapshot of [`Output::install`] is the engine's state, durably.
    Installed {
        /// Its index.
        index: u64,
    },
    /// A snapshot of [`Output::snapshots`] was sent, or won't be. Reported once for each.
    SnapshotReport {
        /// Who was to get it.
        to: u64,
        /// How it went.
        outcome: SnapshotOutcome,
    },
}

/// What a member wants done. May be done in any order, except that groups and committed entries
/// each keep theirs.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// To be appended to the log and made durable: none or one, unless that would be too large.
    pub groups: Vec<AppendGroup>,
    /// To be applied. They are durable here.
    pub committed: Vec<LogEntry>,
    /// To be sent now; nothing here depends on `groups`.
    pub messages: Vec<raftpb::Message>,
    /// Reads that may be served once their index is applied.
    pub reads: Vec<Read>,
    /// Contexts of reads that won't be answered: no leader, or it changed. To be asked again.
    pub reads_dropped: Vec<u64>,
    /// Proposals that didn't enter the log.
    pub dropped: Vec<Dropped>,
    /// A new leader, role or term.
    pub role: Option<RoleChange>,
    /// Whether this member is no longer in the configuration.
    pub removed: bool,
    /// Snapshots to be sent to members that the log has nothing for any more.
    pub snapshots: Vec<SnapshotOrder>,
    /// The snapshot that was offered is to become the state: after everything in `committed` of
    /// this output and those before.
    pub install: Option<Install>,
    /// A snapshot that was offered isn't needed.
    pub snapshot_unneeded: bool,
}

impl Output {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.committed.is_empty()
            && self.messages.is_empty()
            && self.reads.is_empty()
            && self.reads_dropped.is_empty()
            && self.dropped.is_empty()
            && self.role.is_none()
            && !self.removed
            && self.snapshots.is_empty()
            && self.install.is_none()
            && !self.snapshot_unneeded
    }
}

/// One durable write. It has entries, a hard state, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendGroup {
    /// What to report when this is durable. Never descends; the parts of a split group but the last
    /// carry the number of the group before.
    pub number: u64,
    /// Entries, ascending without a gap. The first may replace what the log has from there on.
    pub entries: Vec<LogEntry>,
    /// The hard state, if it differs from the last one that went out.
    pub hard_state: Option<HardState>,
    /// Where the log restarts; comes before the entries. Such a group goes by itself.
    pub snapshot: Option<SnapshotMark>,
}

/// A read that raft has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// [`Input::ReadIndex::context`].
    pub context: u64,
    /// What must be applied before it is served.
    pub index: u64,
}

/// A proposal that didn't enter the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The proposal's token.
    pub token: u64,
    /// Why.
    pub reason: DropReason,
}

/// Why a proposal didn't enter the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// There is no leader.
    NoLeader,
    /// Too much waits to be applied.
    TooManyRequests,
    /// It doesn't fit into a group of the log.
    TooLarge,
    /// The leader is handing over.
    LeaderTransfer,
    /// This member isn't in the configuration any more.
    Removed,
    /// An earlier membership change isn't applied yet.
    ConfChangePending,
    /// The bytes aren't a membership change that could be applied.
    InvalidConfChange,
}

/// A member's part in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows a leader or waits for one.
    Follower,
    /// Asks whether it could win an election.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// A new leader, role or term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// Who leads, 0 for nobody.
    pub leader: u64,
    /// This member's role.
    pub role: Role,
    /// The term.
    pub term: u64,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Current term.
    pub term: u64,
    /// Who leads, 0 for nobody.
    pub leader: u64,
    /// This member's role.
    pub role: Role,
    /// Commit index.
    pub committed: u64,
    /// Index up to which [`Input::Applied`] came.
    pub applied: u64,
    /// Index up to which the own log is durable.
    pub persisted: u64,
    /// Last index in the own log, durable or not.
    pub last: u64,
    /// Index up to which every member, learners too, is known to have the log durably. Only a
    /// leader knows; 0 on everybody else.
    pub replicated: u64,
    /// Bytes of entries in memory.
    pub tail_bytes: usize,
}
