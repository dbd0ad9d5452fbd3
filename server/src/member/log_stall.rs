//! For how long the log's disk has made nothing durable although it was given something. The raft
//! thread says when things happen; there is no clock in here.

use std::time::{Duration, Instant};

/// See the module's text.
#[derive(Default)]
pub(super) struct LogStall {
    /// Number of the newest group that was handed over.
    last_number: u64,
    /// Since when the disk has owed something.
    since: Option<Instant>,
}

impl LogStall {
    /// The log was given a group.
    pub(super) fn handed_over(&mut self, number: u64, now: Instant) {
        self.last_number = number;
        self.since.get_or_insert(now);
    }

    /// Groups up to this one are durable.
    pub(super) fn persisted(&mut self, number: u64, now: Instant) {
        self.since = (number < self.last_number).then_some(now);
    }

    /// How long the disk has made nothing durable; `None` if it owes nothing.
    pub(super) fn lasts(&self, now: Instant) -> Option<Duration> {
        self.since.map(|since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests;
