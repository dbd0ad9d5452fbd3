//! Why a command ended without success: what it says on standard error, and its exit code.

use std::fmt;
use std::io::{self, Write};

/// Exit codes, which scripts tell apart.
pub(crate) mod code {
    /// The request was refused, and whatever has no code of its own.
    pub(crate) const ERROR: u8 = 1;
    /// Setting up the connection failed, authentication included.
    pub(crate) const BAD_CONNECTION: u8 = 2;
    /// Input of `txn` or `watch -i` can't be understood.
    pub(crate) const INVALID_INPUT: u8 = 3;
    /// A flag's value isn't one of those that it may have.
    pub(crate) const BAD_FEATURE: u8 = 4;
    /// What was under way ended early.
    pub(crate) const INTERRUPTED: u8 = 5;
    /// Arguments are missing, too many, or don't fit each other.
    pub(crate) const BAD_ARGUMENTS: u8 = 128;
}

/// The end of a command that has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    /// All that is said on standard error; nothing when empty.
    text: String,
    /// What is printed on standard output besides: how the command is used.
    usage: String,
}

/// What a command, or a step of it, ends with.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// `Error: MESSAGE` and an exit code.
    pub(crate) fn new(code: u8, message: impl fmt::Display) -> Self {
        Self::plain(code, format!("Error: {message}\n"))
    }

    /// A refused request, or what has no code of its own.
    pub(crate) fn error(message: impl fmt::Display) -> Self {
        Self::new(code::ERROR, message)
    }

    /// Arguments that can't be.
    pub(crate) fn bad_arguments(message: impl fmt::Display) -> Self {
        Self::new(code::BAD_ARGUMENTS, message)
    }

    /// A value that a flag can't have.
    pub(crate) fn bad_feature(message: impl fmt::Display) -> Self {
        Self::new(code::BAD_FEATURE, message)
    }

    /// A text that doesn't begin with `Error: `.
    pub(crate) fn plain(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), usage: String::new() }
    }

    /// The same with a text about the command's usage.
    pub(crate) fn with_usage(self, usage: String) -> Self {
        Self { usage, ..self }
    }

    /// An exit code alone: everything has been said.
    pub(crate) fn silent(code: u8) -> Self {
        Self::plain(code, "")
    }

    /// Says it, and returns the exit code.
    pub(crate) fn report(&self) -> u8 {
        // Where nobody listens, the exit code says it alone.
        let _ = io::stdout().write_all(self.usage.as_bytes());
        let _ = io::stderr().write_all(self.text.as_bytes());
        self.code
    }

    /// What went wrong, for a text that goes on with it.
    pub(crate) fn into_message(self) -> String {
        self.text.trim_start_matches("Error: ").trim_end().to_owned()
    }

    /// What is printed.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The exit code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

/// Output that nobody reads any more ends the program quietly, as the signal would.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(code::ERROR);
        }
        Self::error(error)
    }
}
