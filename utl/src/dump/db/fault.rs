//! Something that doesn't hold: which file, where in it, and what.

use super::output::Line;
use retcd_engine::Error;
use serde::Serialize;
use std::io::{self, Write};

/// A fault, as a line.
#[derive(Clone, Serialize)]
#[serde(tag = "type", rename = "fault")]
pub(in crate::dump) struct Fault {
    /// The file, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dump) file: Option<String>,
    /// Where in it, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dump) offset: Option<u64>,
    /// What doesn't hold.
    pub(in crate::dump) reason: String,
}

impl Fault {
    /// Something about a file as a whole.
    pub(in crate::dump) fn of_file(file: &str, reason: &str) -> Fault {
        Fault { file: Some(file.to_owned()), offset: None, reason: reason.to_owned() }
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Fault {
        let (file, offset, reason) = match error {
            Error::Corrupt { path, offset, reason } => {
                (Some(path), Some(*offset), (*reason).to_owned())
            }
            Error::Io { path, source } => (Some(path), None, source.to_string()),
            Error::Version { path, found } => {
                (Some(path), None, format!("format version {found} isn't supported"))
            }
            other => (None, None, other.to_string()),
        };
        Fault { file: file.map(|path| path.display().to_string()), offset, reason }
    }
}

impl Line for Fault {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Fault { file, offset, reason } = self;
        match (file, offset) {
            (Some(file), Some(offset)) => writeln!(out, "FAULT in {file} at {offset}: {reason}"),
            (Some(file), None) => writeln!(out, "FAULT in {file}: {reason}"),
            (None, _) => writeln!(out, "FAULT: {reason}"),
        }
    }
}
