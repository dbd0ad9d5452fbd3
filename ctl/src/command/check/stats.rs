//! What came of many requests.

use std::collections::BTreeMap;
use std::time::Duration;

/// Requests that are answered, and how long each took.
#[derive(Default)]
pub(super) struct Stats {
    /// In seconds.
    times: Vec<f64>,
    /// How often each error was the answer.
    errors: BTreeMap<String, u64>,
}

impl Stats {
    /// One more answer.
    pub(super) fn add(&mut self, time: Duration, answer: Result<(), String>) {
        match answer {
            Ok(()) => self.times.push(time.as_secs_f64()),
            Err(error) => *self.errors.entry(error).or_default() += 1,
        }
    }

    /// Requests without an error.
    pub(super) fn count(&self) -> usize {
        self.times.len()
    }

    /// The longest time, in seconds.
    pub(super) fn slowest(&self) -> f64 {
        self.times.iter().copied().fold(0.0, f64::max)
    }

    /// The times' standard deviation, in seconds.
    pub(super) fn deviation(&self) -> f64 {
        let count = self.times.len().max(1) as f64;
        let mean = self.times.iter().sum::<f64>() / count;
        let squares = self.times.iter().map(|time| (time - mean).powi(2));
        (squares.sum::<f64>() / count).sqrt()
    }

    /// Says which errors there were, if any.
    pub(super) fn tell_errors(&self) -> Result<(), String> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let errors = self.errors.iter();
        let lines = errors.map(|(error, count)| format!("\nFAIL: ERROR({error}) -> {count}"));
        Err(format!("FAIL: too many errors{}", lines.collect::<String>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_succeeded_is_timed() {
        let mut stats = Stats::default();
        for seconds in [1, 2, 3] {
            stats.add(Duration::from_secs(seconds), Ok(()));
        }
        stats.add(Duration::from_secs(9), Err("b".to_owned()));
        stats.add(Duration::from_secs(9), Err("b".to_owned()));
        stats.add(Duration::from_secs(9), Err("a".to_owned()));
        assert_eq!((stats.count(), stats.slowest()), (3, 3.0));
        assert!((stats.deviation() - (2.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        let told = stats.tell_errors().expect_err("there are errors");
        assert_eq!(told, "FAIL: too many errors\nFAIL: ERROR(a) -> 1\nFAIL: ERROR(b) -> 2");
    }

    #[test]
    fn nothing_at_all_is_no_division_by_zero() {
        let stats = Stats::default();
        assert_eq!((stats.count(), stats.slowest(), stats.deviation()), (0, 0.0, 0.0));
        assert_eq!(stats.tell_errors(), Ok(()));
    }
}
