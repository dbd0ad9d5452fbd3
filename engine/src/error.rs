//! What can go wrong in the engine: the file system failed, or bytes on disk aren't what was
//! written.

use std::io;
use std::path::{Path, PathBuf};

/// Result of an engine call.
pub type Result<T> = std::result::Result<T, Error>;

/// An engine error. Every variant poisons the engine that returned it, unless it comes from a
/// [`crate::Checkpoint`] or a [`crate::Scrub`]; [`Error::Version`], [`Error::OtherEngine`] and
/// [`Error::InvalidOption`] come only from opening one.
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
    /// The folder belongs to another engine.
    OtherEngine {
        /// The folder.
        path: PathBuf,
        /// The engine whose files are in it: `lsm` or `btree`.
        found: &'static str,
    },
    /// An option is outside of its limits.
    InvalidOption {
        /// Its name.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// The least that works.
        min: u64,
        /// The most that works.
        max: u64,
    },
    /// What was under way belongs to an engine that was replaced: see [`crate::Replaceable`].
    Replaced,
    /// An earlier error stopped the engine.
    Poisoned,
}

impl Error {
    /// Names the file of an error that the file system returned.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        |source| Error::Io { path: path.to_owned(), source }
    }

    /// Whether the file system had no room. It may have some later.
    pub fn is_out_of_space(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Error::Io { source, .. } if full.contains(&source.kind()))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Corrupt { path, offset, reason } => {
                write!(f, "{}: damaged at offset {offset}: {reason}", path.display())
            }
            Error::Version { path, found } => {
                write!(f, "{}: format version {found} isn't supported", path.display())
            }
            Error::OtherEngine { path, found } => {
                let path = path.display();
                write!(f, "{path}: holds the data of the storage engine {found}, not of this one")
            }
            Error::InvalidOption { name, value, min, max } => {
                write!(f, "{name} is {value}, but has to be from {min} to {max}")
            }
            Error::Replaced => {
                f.write_str("the storage engine was replaced by a snapshot meanwhile")
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
