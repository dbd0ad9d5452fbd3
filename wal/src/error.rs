//! What can go wrong in the log, told apart by what the caller can do about it.

use crate::types::Identity;
use retcd_vfs::LogMode;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Result of a log call.
pub type Result<T> = std::result::Result<T, Error>;

/// A log error. Except where a variant says otherwise, the log that returned it is poisoned.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused an operation.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The way of writing that was asked for isn't to be had here. Another one may be.
    Refused {
        /// The file that was to be written.
        path: PathBuf,
        /// The way.
        mode: LogMode,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is full, noticed while the next segment was being prepared: nothing is lost, the
    /// log isn't poisoned, and `prepare` can be called again when there is space.
    PreparationDiskFull {
        /// The file in preparation.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that had been acknowledged aren't what was written. The member must be replaced.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What doesn't hold.
        reason: &'static str,
    },
    /// A part of the log isn't there. The member must be replaced.
    Missing {
        /// The log's folder.
        dir: PathBuf,
        /// The first segment that is missing or too new.
        segment: u64,
        /// What doesn't hold.
        reason: &'static str,
    },
    /// The file was written by a version that this one doesn't read.
    Version {
        /// The file.
        path: PathBuf,
        /// The version found in it.
        found: u32,
    },
    /// The log belongs to another cluster or member.
    Foreign {
        /// The file.
        path: PathBuf,
        /// Who opens it.
        expected: Identity,
        /// Who wrote it.
        found: Identity,
    },
    /// There is no log in the folder.
    NoLog {
        /// The folder.
        dir: PathBuf,
    },
    /// There is a log in the folder where one was to be created.
    AlreadyExists {
        /// The folder.
        dir: PathBuf,
    },
    /// The options contradict each other. Nothing was done.
    InvalidOptions(&'static str),
    /// The group doesn't fit into a segment. Nothing was written; the log isn't poisoned.
    GroupTooLarge {
        /// The group's bytes, header included.
        bytes: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The log has no entry at this index: it is above the end, or the segment with it was let go.
    /// Nothing is poisoned.
    NotInLog {
        /// Raft index.
        index: u64,
    },
    /// The compressor refused to work.
    Compression(io::Error),
    /// An earlier error stopped the log.
    Poisoned,
}

impl Error {
    /// The path is copied only if there is an error: the append path allocates nothing.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        |source| Error::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, offset: u64, reason: &'static str) -> Error {
        Error::Damaged { path: path.to_owned(), offset, reason }
    }

    pub(crate) fn missing(dir: &Path, segment: u64, reason: &'static str) -> Error {
        Error::Missing { dir: dir.to_owned(), segment, reason }
    }
}

/// What the operator can do when acknowledged entries are gone.
const REPLACE: &str = "this member can't be sure of what it promised, so it doesn't start. \
    Replace it: remove it with `etcdctl member remove`, move its data directory away, and add it \
    again with `etcdctl member add`. A cluster of one member is restored from a snapshot";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Refused { path, mode, source } => {
                write!(f, "{}: the log can't be written by {mode} here: {source}", path.display())
            }
            Error::PreparationDiskFull { path, source } => {
                write!(f, "{}: preparing a segment: {source}", path.display())
            }
            Error::Damaged { path, offset, reason } => {
                write!(f, "{}: damaged at offset {offset}: {reason}; {REPLACE}", path.display())
            }
            Error::Missing { dir, segment, reason } => {
                write!(f, "{}: at segment {segment:016x}: {reason}; {REPLACE}", dir.display())
            }
            Error::Version { path, found } => {
                write!(f, "{}: log format version {found} isn't supported", path.display())
            }
            Error::Foreign { path, expected, found } => write!(
                f,
                "{}: belongs to member {:x} of cluster {:x}, not to member {:x} of cluster {:x}",
                path.display(),
                found.member,
                found.cluster,
                expected.member,
                expected.cluster
            ),
            Error::NoLog { dir } => write!(f, "{}: there is no log here", dir.display()),
            Error::AlreadyExists { dir } => {
                write!(f, "{}: there is a log here already", dir.display())
            }
            Error::InvalidOptions(reason) => f.write_str(reason),
            Error::GroupTooLarge { bytes, limit } => write!(
                f,
                "a group of {bytes} bytes doesn't fit into a log segment, which holds {limit}"
            ),
            Error::NotInLog { index } => write!(f, "there is no entry {index} in the log"),
            Error::Compression(source) => write!(f, "compressing a group: {source}"),
            Error::Poisoned => f.write_str("the log stopped after an earlier error"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. }
            | Error::Refused { source, .. }
            | Error::PreparationDiskFull { source, .. }
            | Error::Compression(source) => Some(source),
            _ => None,
        }
    }
}
