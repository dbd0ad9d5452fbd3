//! How far long work is, for people who wait for it: one line on a terminal, from the third second
//! on, which goes away at the end. Nothing is written into a pipe.

use crate::notation::Size;
use std::io::Write;
use std::time::{Duration, Instant};

/// Work that is over sooner says nothing.
const SILENT: Duration = Duration::from_secs(2);
/// Time between two changes of the line.
const PAUSE: Duration = Duration::from_millis(200);

/// The line.
pub(crate) struct Progress<'a> {
    /// `None` where nobody watches.
    err: Option<&'a mut dyn Write>,
    began: Instant,
    shown: Option<Duration>,
    what: &'static str,
    /// What there is to do; 0 if nobody knows.
    total_bytes: u64,
    done_bytes: u64,
}

impl<'a> Progress<'a> {
    /// Begins work called `what`.
    pub(crate) fn new(
        what: &'static str,
        total_bytes: u64,
        err: Option<&'a mut dyn Write>,
    ) -> Progress<'a> {
        Progress { err, began: Instant::now(), shown: None, what, total_bytes, done_bytes: 0 }
    }

    /// So many more bytes are done.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.done_bytes = self.done_bytes.saturating_add(bytes);
        if self.err.is_some() {
            self.show(self.began.elapsed());
        }
    }

    /// Shows the line, if it is time for it.
    fn show(&mut self, elapsed: Duration) {
        let is_due = match self.shown {
            None => elapsed >= SILENT,
            Some(before) => elapsed.saturating_sub(before) >= PAUSE,
        };
        let Some(err) = self.err.as_mut().filter(|_| is_due) else {
            return;
        };
        self.shown = Some(elapsed);
        let done = Size(self.done_bytes);
        let rate = self.done_bytes as f64 / elapsed.as_secs_f64().max(0.001);
        let rate = Size(rate as u64);
        // A terminal that can't be written to is none of the work's business.
        let _ = match self.done_bytes.saturating_mul(100).checked_div(self.total_bytes) {
            Some(percent) => {
                let (what, percent) = (self.what, percent.min(100));
                write!(err, "\r{what}: {percent} %, {done}, {rate}/s\x1b[K")
            }
            None => write!(err, "\r{}: {done}, {rate}/s\x1b[K", self.what),
        };
        let _ = err.flush();
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let (Some(err), Some(_)) = (self.err.as_mut(), self.shown) {
            let _ = write!(err, "\r\x1b[K");
            let _ = err.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_work_is_shown_and_nothing_is_left_of_it() {
        let mut err = Vec::new();
        let mut progress = Progress::new("restoring", 1000, Some(&mut err));
        progress.done_bytes = 430;
        progress.show(Duration::from_millis(1999));
        progress.show(Duration::from_secs(2));
        progress.show(Duration::from_millis(2100));
        progress.done_bytes = 2000;
        progress.show(Duration::from_secs(4));
        drop(progress);
        let text = String::from_utf8(err).expect("it is text");
        assert_eq!(
            text,
            "\rrestoring: 43 %, 430 B, 215 B/s\x1b[K\rrestoring: 100 %, 2.0 KiB, 500 B/s\x1b[K\
             \r\x1b[K"
        );
    }

    #[test]
    fn nothing_is_shown_where_nobody_watches() {
        let mut progress = Progress::new("restoring", 0, None);
        progress.add(5);
        progress.show(Duration::from_secs(9));
        assert_eq!(progress.shown, None);
    }
}
