//! Automatic compaction: which revision to compact to, and when. A pure function of the samples.
//!
//! *Periodic*: the revision is sampled ten times per interval (the retention, at most an hour).
//! Once a full retention has passed, and then once per interval, everything older than the
//! retention goes. *Revision*: every five minutes, all but the newest so many revisions go. Both
//! are etcd's rules.

use std::collections::VecDeque;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const REVISION_PERIOD: Duration = Duration::from_secs(300);
const SAMPLES_PER_INTERVAL: u32 = 10;

/// What history to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// So much time.
    Time(Duration),
    /// So many revisions.
    Revisions(i64),
}

/// Decides compactions.
#[derive(Debug)]
pub(crate) struct Compactor {
    retention: Retention,
    samples: VecDeque<i64>,
    last_time: Duration,
    last_revision: i64,
    has_compacted: bool,
}

impl Compactor {
    /// Starts at `now`, on a clock of the caller's.
    pub(crate) fn new(retention: Retention, now: Duration) -> Compactor {
        Compactor {
            retention,
            samples: VecDeque::new(),
            last_time: now,
            last_revision: 0,
            has_compacted: false,
        }
    }

    /// How often [`Compactor::sample`] wants to be called.
    pub(crate) fn period(&self) -> Duration {
        match self.retention {
            Retention::Time(retention) => {
                (retention.min(HOUR) / SAMPLES_PER_INTERVAL).max(Duration::from_millis(1))
            }
            Retention::Revisions(_) => REVISION_PERIOD,
        }
    }

    /// Takes the current revision; returns the one to compact to, if it is time. The caller says
    /// [`Compactor::compacted`] when that has been done.
    pub(crate) fn sample(&mut self, now: Duration, current: i64) -> Option<i64> {
        let revision = match self.retention {
            Retention::Revisions(kept) => current - kept,
            Retention::Time(retention) => {
                let kept = retention.as_nanos() / self.period().as_nanos();
                self.samples.push_back(current);
                if self.samples.len() as u128 > kept + 1 {
                    self.samples.pop_front();
                }
                let due = if self.has_compacted { retention.min(HOUR) } else { retention };
                if now.saturating_sub(self.last_time) < due {
                    return None;
                }
                *self.samples.front()?
            }
        };
        (revision > 0 && revision != self.last_revision).then_some(revision)
    }

    /// The compaction to `revision` was done, or found done.
    pub(crate) fn compacted(&mut self, now: Duration, revision: i64) {
        self.last_time = now;
        self.last_revision = revision;
        self.has_compacted = true;
    }

    /// Forgets what was sampled: another member compacts now, or this one does again.
    pub(crate) fn restart(&mut self, now: Duration) {
        *self = Compactor::new(self.retention, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_full_retention_and_compacts_once_per_interval() {
        let retention = 5 * HOUR;
        let mut compactor = Compactor::new(Retention::Time(retention), Duration::ZERO);
        let period = compactor.period();
        assert_eq!(period, HOUR / 10);
        let mut compactions = Vec::new();
        for step in 1..=80 {
            // One revision per period: the revision's number is its age.
            let now = period * step;
            if let Some(revision) = compactor.sample(now, i64::from(step)) {
                compactor.compacted(now, revision);
                compactions.push((step, revision));
            }
        }
        assert_eq!(compactions, [(50, 1), (60, 10), (70, 20), (80, 30)]);
    }

    #[test]
    fn keeps_so_many_revisions() {
        let mut compactor = Compactor::new(Retention::Revisions(100), Duration::ZERO);
        assert_eq!(compactor.sample(REVISION_PERIOD, 100), None);
        assert_eq!(compactor.sample(REVISION_PERIOD * 2, 150), Some(50));
        compactor.compacted(REVISION_PERIOD * 2, 50);
        assert_eq!(compactor.sample(REVISION_PERIOD * 3, 150), None);
        assert_eq!(compactor.sample(REVISION_PERIOD * 4, 151), Some(51));
    }

    #[test]
    fn a_failed_compaction_is_due_again() {
        let mut compactor = Compactor::new(Retention::Time(HOUR), Duration::ZERO);
        assert_eq!(compactor.sample(HOUR, 7), Some(7));
        assert_eq!(compactor.sample(HOUR + compactor.period(), 9), Some(7));
    }
}
