//! What happened last, to be read when a run fails, and a fingerprint of all that happened.

use std::collections::VecDeque;
use std::time::Duration;

/// Lines that are kept.
const LINES_MAX: usize = 1_000;

/// The history of a run.
pub(crate) struct Trace {
    lines: VecDeque<String>,
    fingerprint: u64,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        // FNV-1a: its offset basis here, its prime below.
        Trace { lines: VecDeque::new(), fingerprint: 0xcbf2_9ce4_8422_2325 }
    }

    pub(crate) fn note(&mut self, now: Duration, what: &str) {
        let line = format!("{:>10.3} ms  {what}", now.as_secs_f64() * 1e3);
        for byte in line.bytes() {
            self.fingerprint = (self.fingerprint ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Differs, almost certainly, between runs that weren't the same.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
