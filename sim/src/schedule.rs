//! Virtual time: what happens when.

use std::collections::BTreeMap;
use std::time::Duration;

/// Events to come, in the order of their times; of equal times, in the order of their scheduling.
pub(crate) struct Schedule<E> {
    now: Duration,
    scheduled: u64,
    events: BTreeMap<(Duration, u64), E>,
}

impl<E> Schedule<E> {
    pub(crate) fn new() -> Schedule<E> {
        Schedule { now: Duration::ZERO, scheduled: 0, events: BTreeMap::new() }
    }

    /// Time since the beginning of the run.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Schedules an event; one in the past happens now.
    pub(crate) fn at(&mut self, time: Duration, event: E) {
        self.scheduled += 1;
        self.events.insert((time.max(self.now), self.scheduled), event);
    }

    /// Goes on to the next event.
    pub(crate) fn next(&mut self) -> Option<E> {
        let ((time, _), event) = self.events.pop_first()?;
        self.now = time;
        Some(event)
    }
}
