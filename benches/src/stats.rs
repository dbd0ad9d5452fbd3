//! Medians and percentiles.

use std::time::Duration;

/// The value below which the given share (0.5: the median) of the sorted values lies.
///
/// # Panics
/// On an empty slice: a run without a single answer has failed before.
pub fn percentile(sorted_micros: &[u32], share: f64) -> Duration {
    let index = (sorted_micros.len() - 1) as f64 * share;
    Duration::from_micros(u64::from(sorted_micros[index.round() as usize]))
}

/// The median of a few measurements.
///
/// # Panics
/// On an empty slice.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn percentiles_are_members_of_the_values() {
        let values: Vec<u32> = (1..=101).collect();
        assert_eq!(percentile(&values, 0.5), Duration::from_micros(51));
        assert_eq!(percentile(&values, 0.99), Duration::from_micros(100));
        assert_eq!(percentile(&[7], 0.99), Duration::from_micros(7));
    }
}
