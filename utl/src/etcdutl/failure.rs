//! What ends the program early, and with which exit code: etcd's codes.

use std::io;
use std::path::{Path, PathBuf};

/// An operation failed.
const FAILED: u8 = 1;
/// A value that isn't supported.
const BAD_FEATURE: u8 = 4;
/// Arguments are wrong, or missing.
const BAD_ARGUMENTS: u8 = 128;

/// See the module's text.
#[derive(Debug)]
pub(super) enum Failure {
    /// A flag that has to be given isn't.
    MissingFlag(&'static str),
    /// Arguments that don't fit.
    BadArguments(String),
    /// A format of the output that there isn't, or not here.
    BadFormat(String),
    /// A command that has nothing to do here, and what to do instead.
    NotHere(&'static str),
    /// What is wrong, in words.
    Refused(String),
    /// A file or folder.
    Io(PathBuf, io::Error),
    /// The output.
    Output(io::Error),
    /// A database or an engine.
    Engine(retcd_engine::Error),
    /// A state.
    State(retcd_mvcc::Error),
    /// A data directory.
    Member(retcd_raft_glue::Error),
}

impl Failure {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Failure {
        let path = path.to_owned();
        move |source| Failure::Io(path, source)
    }

    /// The program's exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::BadArguments(_) => BAD_ARGUMENTS,
            Failure::BadFormat(_) => BAD_FEATURE,
            _ => FAILED,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::MissingFlag(name) => write!(f, "required flag(s) \"{name}\" not set"),
            Failure::BadArguments(text) | Failure::BadFormat(text) | Failure::Refused(text) => {
                f.write_str(text)
            }
            Failure::NotHere(text) => f.write_str(text),
            Failure::Io(path, source) if source.kind() == io::ErrorKind::NotFound => {
                write!(f, "stat {}: no such file or directory", path.display())
            }
            Failure::Io(path, source) => write!(f, "{}: {source}", path.display()),
            Failure::Output(source) => write!(f, "output: {source}"),
            Failure::Engine(source) => source.fmt(f),
            Failure::State(source) => source.fmt(f),
            Failure::Member(source) => source.fmt(f),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Failure {
        Failure::Output(source)
    }
}

impl From<retcd_engine::Error> for Failure {
    fn from(source: retcd_engine::Error) -> Failure {
        Failure::Engine(source)
    }
}

impl From<retcd_mvcc::Error> for Failure {
    fn from(source: retcd_mvcc::Error) -> Failure {
        Failure::State(source)
    }
}

impl From<retcd_raft_glue::Error> for Failure {
    fn from(source: retcd_raft_glue::Error) -> Failure {
        Failure::Member(source)
    }
}
