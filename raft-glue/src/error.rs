//! What can stop a member, or keep it from starting.

use std::io;
use std::path::{Path, PathBuf};

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
    /// The file system refused an operation.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// etcd itself wrote this. Nothing was changed.
    Etcd {
        /// A file that shows it.
        path: PathBuf,
    },
    /// Somebody else runs a member here.
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// A restore didn't come to its end here.
    Unfinished {
        /// What it left.
        path: PathBuf,
    },
    /// The state wants everybody to say who they are, and this version can't ask.
    AuthEnabled,
    /// The engine has data that came through a log, but the log is gone.
    LogMissing {
        /// The log's folder.
        dir: PathBuf,
        /// What the engine has applied.
        applied: u64,
    },
    /// The options for a new member contradict each other.
    InvalidOptions(&'static str),
    /// A member that is to go on alone can't be one of the membership that it knows.
    CannotStandAlone(retcd_mvcc::membership::Refusal),
    /// The log failed or is damaged.
    Log(retcd_wal::Error),
    /// The engine failed or is damaged.
    Engine(retcd_engine::Error),
    /// The replicated state failed or is damaged.
    State(retcd_mvcc::Error),
    /// An earlier error stopped the member.
    Stopped,
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    }
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
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Etcd { path } => write!(
                f,
                "{}: etcd itself wrote this data directory, and it is left as it was. Take a \
                 snapshot of that etcd (etcdctl snapshot save), make a data directory of it \
                 (etcdutl snapshot restore), and start with that",
                path.display()
            ),
            Error::Locked { path } => {
                write!(f, "{}: another process uses this data directory", path.display())
            }
            Error::Unfinished { path } => write!(
                f,
                "{}: a restore is under way here, or was interrupted: end it by running it again, \
                 or remove the folder to begin without its data",
                path.display()
            ),
            Error::AuthEnabled => f.write_str(
                "authentication is enabled in this state, and this version has none: it would let \
                 everybody in, so it doesn't start. Disable it where the state comes from \
                 (etcdctl auth disable) and take that snapshot",
            ),
            Error::LogMissing { dir, applied } => write!(
                f,
                "{}: there is no log, but the engine has applied entries up to {applied}: bring \
                 the log back or replace the member",
                dir.display()
            ),
            Error::InvalidOptions(reason) => f.write_str(reason),
            Error::CannotStandAlone(refusal) => {
                write!(f, "this member can't go on alone with the data that it has: {refusal}")
            }
            Error::Log(source) => source.fmt(f),
            Error::Engine(source) => source.fmt(f),
            Error::State(source) => source.fmt(f),
            Error::Stopped => f.write_str("the member stopped after an earlier error"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Raft(source) => Some(source),
            Error::Io { source, .. } => Some(source),
            Error::CannotStandAlone(source) => Some(source),
            Error::Log(source) => Some(source),
            Error::Engine(source) => Some(source),
            Error::State(source) => Some(source),
            _ => None,
        }
    }
}

impl From<raft::Error> for Error {
    fn from(source: raft::Error) -> Error {
        Error::Raft(source)
    }
}

impl From<retcd_wal::Error> for Error {
    fn from(source: retcd_wal::Error) -> Error {
        Error::Log(source)
    }
}

impl From<retcd_engine::Error> for Error {
    fn from(source: retcd_engine::Error) -> Error {
        Error::Engine(source)
    }
}

impl From<retcd_mvcc::Error> for Error {
    fn from(source: retcd_mvcc::Error) -> Error {
        Error::State(source)
    }
}
