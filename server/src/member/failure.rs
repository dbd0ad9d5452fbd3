//! What ends a member: the file system failed, data is damaged, or raft can't go on.

/// Why the member stopped. Nothing is retried: it serves again after a restart, if at all.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The log.
    Log(retcd_wal::Error),
    /// The replicated state or the engine below it.
    State(retcd_mvcc::Error),
    /// The engine, outside of applying.
    Engine(retcd_engine::Error),
    /// A watch that read the past; what it found, as text.
    Watch(String),
    /// Consensus.
    Raft(retcd_raft_glue::Error),
    /// A thread couldn't sleep on writes under way.
    Sleep(std::io::Error),
    /// A thread panicked: a bug of ours.
    Panicked(&'static str),
    /// It was removed from the cluster.
    Removed,
    /// Another thread stopped first; its failure is the one to look at.
    Stopped,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Log(error) => error.fmt(f),
            Failure::State(error) => error.fmt(f),
            Failure::Engine(error) => error.fmt(f),
            Failure::Watch(text) => f.write_str(text),
            Failure::Raft(error) => error.fmt(f),
            Failure::Sleep(error) => write!(f, "waiting for log writes: {error}"),
            Failure::Panicked(thread) => write!(f, "thread {thread} panicked"),
            Failure::Removed => {
                f.write_str("the member has been permanently removed from the cluster")
            }
            Failure::Stopped => f.write_str("another part of the member stopped"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Log(error) => Some(error),
            Failure::State(error) => Some(error),
            Failure::Engine(error) => Some(error),
            Failure::Raft(error) => Some(error),
            Failure::Sleep(error) => Some(error),
            Failure::Watch(_) | Failure::Panicked(_) | Failure::Removed | Failure::Stopped => None,
        }
    }
}

impl From<retcd_wal::Error> for Failure {
    fn from(error: retcd_wal::Error) -> Failure {
        Failure::Log(error)
    }
}

impl From<retcd_mvcc::Error> for Failure {
    fn from(error: retcd_mvcc::Error) -> Failure {
        Failure::State(error)
    }
}

impl From<retcd_engine::Error> for Failure {
    fn from(error: retcd_engine::Error) -> Failure {
        Failure::Engine(error)
    }
}

impl From<retcd_raft_glue::Error> for Failure {
    fn from(error: retcd_raft_glue::Error) -> Failure {
        Failure::Raft(error)
    }
}
