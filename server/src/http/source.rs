//! What the pages tell, as somebody gives it to them.

use std::pin::Pin;

use serde_json::{Value, json};

/// Something that takes time.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What keeps a cluster from working as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The quota is used up.
    NoSpace,
    /// Members disagree about the data.
    Corrupt,
    /// One that this version doesn't know.
    Unknown,
}

impl Alarm {
    /// Its name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Alarm::NoSpace => "NOSPACE",
            Alarm::Corrupt => "CORRUPT",
            Alarm::Unknown => "UNKNOWN",
        }
    }
}

/// Raft's numbers for `/debug/vars`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RaftStatus {
    /// The member's id.
    pub(crate) id: u64,
    /// Current term.
    pub(crate) term: u64,
    /// The leader's id, 0 for none.
    pub(crate) lead: u64,
    /// Commit index.
    pub(crate) commit: u64,
    /// Applied index.
    pub(crate) applied: u64,
}

impl RaftStatus {
    pub(super) fn to_json(self) -> Value {
        let state = match self.lead {
            0 => "StateCandidate",
            lead if lead == self.id => "StateLeader",
            _ => "StateFollower",
        };
        let hex = |id: u64| format!("{id:x}");
        json!({
            "id": hex(self.id),
            "term": self.term,
            "commit": self.commit,
            "lead": hex(self.lead),
            "raftState": state,
            "applied": self.applied,
        })
    }
}

/// Somebody who knows how the member is. The errors are texts for people.
pub(crate) trait Source: Send + Sync {
    /// Active alarms of all members.
    fn alarms(&self) -> Vec<Alarm>;
    /// Whether a leader is known.
    fn has_leader(&self) -> bool;
    /// Whether this member only learns.
    fn is_learner(&self) -> bool;
    /// `3.5.0`, once it is decided.
    fn cluster_version(&self) -> Option<String>;
    /// Reads a key from the local state.
    fn serializable_read(&self) -> Later<'_, Result<(), String>>;
    /// Reads a key after asking for the leader's consent.
    fn linearizable_read(&self) -> Later<'_, Result<(), String>>;
    /// Raft's numbers.
    fn raft_status(&self) -> RaftStatus;
    /// The metrics as text.
    fn metrics(&self) -> Later<'_, Vec<u8>>;
}
