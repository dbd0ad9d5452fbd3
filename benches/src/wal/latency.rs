//! Latencies of many writes.

use std::time::Duration;

/// Latencies in nanoseconds; four seconds and more count as four seconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: &Latencies) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency in microseconds below which the given share (0.5: the median) lies; 0 if there
    /// are none.
    pub fn micros(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        let index = ((self.0.len() - 1) as f64 * share).round() as usize;
        let (_, nanos, _) = self.0.select_nth_unstable(index);
        f64::from(*nanos) / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_members() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.micros(0.5), 0.0);
        (1..=101).rev().for_each(|micros| latencies.add(Duration::from_micros(micros)));
        assert_eq!(latencies.micros(0.5), 51.0);
        assert_eq!(latencies.micros(0.99), 100.0);
        assert_eq!(latencies.count(), 101);
    }
}
