//! What can go wrong in the engine: the file system failed, or bytes on disk aren't what was written.

use std::io;
use std::path::PathBuf;

/// Result of an engine call.
pub type Result<T> = std::result::Result<T, Error>;

/// An engine error. Every variant poisons the engine that returned it, except [`Error::Version`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused an operation.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes on disk aren't what was written.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
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
    /// An earlier error stopped the engine.
    Poisoned,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Corrupt {
                path,
                offset,
                reason,
            } => {
                write!(
                    f,
                    "{}: damaged at offset {offset}: {reason}",
                    path.display()
                )
            }
            Error::Version { path, found } => {
                write!(
                    f,
                    "{}: format version {found} isn't supported",
                    path.display()
                )
            }
            Error::Poisoned => f.write_str("the storage engine stopped after an earlier error"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
