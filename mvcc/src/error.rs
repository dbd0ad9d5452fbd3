//! The ways in which a call can fail: refused, storage failed, storage holds something that this
//! layer never wrote, or something that only this call uses failed.
//!
//! [`Error::Refused`] is an answer to a client. [`Error::Scratch`], [`Error::Output`],
//! [`Error::Source`] and [`Error::Foreign`] concern one call, and the member goes on; after any
//! other it stops.

use bytes::Bytes;
use retcd_engine::Keyspace;

/// Result of a call into the replicated state.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The request is refused and nothing changed; the client gets this code and text.
    Refused(retcd_api::Error),
    /// The engine failed and is poisoned.
    Engine(retcd_engine::Error),
    /// A record or the state blob doesn't decode: it was damaged before the engine took its
    /// checksums, or a newer version wrote it.
    Undecodable {
        /// Where the record lies; `None` for the state blob.
        keyspace: Option<Keyspace>,
        /// What doesn't hold.
        reason: &'static str,
    },
    /// A committed entry isn't a request: it is of a newer version, or it was damaged before the
    /// log took its checksum.
    Entry {
        /// Its raft index.
        index: u64,
    },
    /// Scratch files failed: the call did, and the member goes on.
    Scratch(retcd_engine::Error),
    /// What a caller wanted to be written to failed: the call did, and the member goes on.
    Output(std::io::Error),
    /// A database of etcd's can't be read, or its pages are damaged.
    Source(retcd_engine::Error),
    /// A database of etcd's holds something that etcd doesn't write.
    Foreign {
        /// In this bucket.
        bucket: String,
        /// Under this key; empty if it concerns the whole bucket.
        key: Bytes,
        /// What doesn't hold.
        reason: &'static str,
    },
}

impl Error {
    /// A record in `keyspace` that isn't what this layer writes.
    pub(crate) fn undecodable(keyspace: Keyspace, reason: &'static str) -> Error {
        Error::Undecodable { keyspace: Some(keyspace), reason }
    }
}

impl From<retcd_api::Error> for Error {
    fn from(error: retcd_api::Error) -> Error {
        Error::Refused(error)
    }
}

impl From<retcd_engine::Error> for Error {
    fn from(error: retcd_engine::Error) -> Error {
        Error::Engine(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Refused(error) => error.fmt(f),
            Error::Engine(error) => error.fmt(f),
            Error::Undecodable { keyspace: Some(keyspace), reason } => {
                write!(f, "a record in keyspace {keyspace:?} is damaged: {reason}")
            }
            Error::Scratch(error) => write!(f, "sorting: {error}"),
            Error::Output(error) => write!(f, "writing: {error}"),
            Error::Source(error) => write!(f, "etcd's database: {error}"),
            Error::Foreign { bucket, key, reason } => {
                let key = key.escape_ascii();
                write!(f, "etcd's database: bucket {bucket}, key \"{key}\": {reason}")
            }
            Error::Entry { index } => write!(f, "the committed entry {index} isn't a request"),
            Error::Undecodable { keyspace: None, reason } => {
                write!(f, "the replicated state's summary is damaged: {reason}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Refused(error) => Some(error),
            Error::Engine(error) => Some(error),
            Error::Scratch(error) => Some(error),
            Error::Output(error) => Some(error),
            Error::Source(error) => Some(error),
            Error::Undecodable { .. } | Error::Entry { .. } | Error::Foreign { .. } => None,
        }
    }
}
