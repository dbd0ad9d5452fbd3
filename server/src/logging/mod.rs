//! The log of messages: JSON lines in the shape of etcd's zap.
//!
//! `{"level":"info","ts":"2026-01-02T03:04:05.000006Z","caller":"net/serve.rs:98","msg":"…",…}`:
//! one line a message, each written whole by one call. Code says `tracing::info!(…)`; fields keep
//! their order and names (`"local-member-id" = %id`). What a value becomes:
//!
//! - numbers, booleans and `&str` become themselves; text that comes from outside is given as
//!   `&str`, so that it stays a text whatever it says;
//! - `?list` of texts or numbers becomes a JSON array, anything else given with `?` or `%` a text.
//!
//! Before there is a configuration, and for lines that etcd words itself, there is [`Record`].
//! Nothing on the way of a request logs.

mod config;
mod line;
mod subscriber;

pub use config::{LogConfig, LogOutput};
pub use line::{Level, Record};
pub use subscriber::{Error, install};

/// Target of events that end the program: their level is written as `fatal`.
pub const FATAL: &str = "fatal";

/// An I/O error as Go words it: the system's text in lower case, without its number.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Logs an event of level `fatal`, written like `tracing::error!`. It doesn't end the program.
#[macro_export]
macro_rules! log_fatal {
    ($($arguments:tt)+) => {
        ::tracing::error!(target: $crate::logging::FATAL, $($arguments)+)
    };
}
