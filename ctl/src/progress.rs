//! How far long work is: one line on standard error, written over and over, and gone when the work
//! is done. Where standard error isn't a terminal there is none.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line changes at most.
const INTERVAL: Duration = Duration::from_millis(100);

/// Goes back to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// A line about work that is under way.
pub(crate) struct Progress {
    is_shown: bool,
    changed: Option<Instant>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_shown: std::io::stderr().is_terminal(), changed: None }
    }

    /// Shows a text, unless the last one is too new.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let is_due = self.changed.is_none_or(|changed| changed.elapsed() >= INTERVAL);
        if self.is_shown && is_due {
            self.changed = Some(Instant::now());
            put(&format!("{CLEAR}{}", text()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.changed.is_some() {
            put(CLEAR);
        }
    }
}

/// A terminal that is gone needs no progress.
fn put(text: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}
