//! The log lines of a running server, collected by a thread, waited for by condition.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The log of one process: every line that it has written to standard error so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Collects what `stream` yields until it ends, which it does when the process is gone.
    pub fn collect(stream: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let shared = Arc::clone(&log.shared);
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).into_owned();
                shared.lock().lines.push(line);
                shared.changed.notify_all();
            }
            shared.lock().ended = true;
            shared.changed.notify_all();
        });
        log
    }

    /// Waits until a line has `message` as its `msg` and returns the line. `Err` holds the whole
    /// log: the process ended, or the deadline passed, without it.
    pub fn wait_for(&self, message: &str, patience: Duration) -> Result<Value, String> {
        self.wait_until(|line| entry_with_message(line, message), patience)
    }

    /// As [`Log::wait_for`], for a line that is this text and no JSON.
    #[cfg(test)]
    pub(crate) fn wait_for_line(&self, text: &str, patience: Duration) -> Result<(), String> {
        self.wait_until(|line| (line == text).then_some(()), patience)
    }

    fn wait_until<T>(
        &self,
        found_in: impl Fn(&str) -> Option<T>,
        patience: Duration,
    ) -> Result<T, String> {
        let deadline = Instant::now() + patience;
        let mut seen = 0;
        let mut state = self.shared.lock();
        loop {
            for line in &state.lines[seen..] {
                if let Some(found) = found_in(line) {
                    return Ok(found);
                }
            }
            seen = state.lines.len();
            let remaining = deadline.saturating_duration_since(Instant::now());
            if state.ended || remaining.is_zero() {
                return Err(state.lines.join("\n"));
            }
            state = match self.shared.changed.wait_timeout(state, remaining) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// The last `count` lines so far, or all if there are fewer.
    pub fn last_lines(&self, count: usize) -> String {
        let lines = &self.shared.lock().lines;
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// Everything written so far.
    pub fn text(&self) -> String {
        self.shared.lock().lines.join("\n")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the lines as they are: still worth showing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry_with_message(line: &str, message: &str) -> Option<Value> {
    let entry: Value = serde_json::from_str(line).ok()?;
    (entry.get("msg")?.as_str()? == message).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_message() {
        let log = Log::collect(&b"noise\n{\"level\":\"info\",\"msg\":\"ready\",\"n\":1}\n"[..]);
        let entry = log.wait_for("ready", Duration::from_secs(5)).expect("the line is there");
        assert_eq!(entry["n"], 1);
    }

    #[test]
    fn the_last_lines_are_no_more_than_there_are() {
        let log = Log::collect(&b"1\n2\n3\n"[..]);
        log.wait_for("never", Duration::from_secs(600)).expect_err("it ends before");
        assert_eq!(
            [log.last_lines(0), log.last_lines(2), log.last_lines(9)],
            ["", "2\n3", "1\n2\n3"]
        );
    }

    #[test]
    fn the_end_of_the_process_ends_the_wait() {
        let log = Log::collect(&b"boom\n"[..]);
        let error = log.wait_for("ready", Duration::from_secs(600));
        assert_eq!(error, Err("boom".to_owned()));
    }
}
