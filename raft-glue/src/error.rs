//! What can stop a member.

/// Result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a member can't start or can't go on. None of these is an answer to a client.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// What the log and the engine say about raft's state doesn't fit together.
    Inconsistent {
        /// What doesn't hold.
        reason: &'static str,
        /// The raft index where it shows.
        index: u64,
    },
    /// The leader counts on entries that this member once acknowledged and no longer has.
    LogLost {
        /// Commit index that the leader told.
        commit: u64,
        /// Last index in this member's log.
        last: u64,
    },
    /// A committed entry that this version doesn't know how to apply.
    UnknownEntry {
        /// Its raft index.
        index: u64,
        /// What is unknown about it.
        reason: &'static str,
    },
    /// The raft library refused its configuration or state.
    Raft(raft::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Inconsistent { reason, index } => {
                write!(f, "the raft state is inconsistent at index {index}: {reason}")
            }
            Error::LogLost { commit, last } => write!(
                f,
                "the leader's commit index {commit} is above the last entry {last}: this member \
                 lost acknowledged entries; remove it from the cluster and add it again"
            ),
            Error::UnknownEntry { index, reason } => {
                write!(f, "can't apply the entry at index {index}: {reason}")
            }
            Error::Raft(source) => write!(f, "raft: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Raft(source) => Some(source),
            _ => None,
        }
    }
}

impl From<raft::Error> for Error {
    fn from(source: raft::Error) -> Error {
        Error::Raft(source)
    }
}
