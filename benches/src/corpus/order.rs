//! The order in which numbers are loaded, without a list of them.
//!
//! The random order is a permutation: a Feistel network over the smallest even number of bits that
//! holds all numbers; a result outside is put through it again until it is inside.

use retcd_testkit::random::Random;

const ROUNDS: u64 = 4;

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ascending numbers.
    Sequential,
    /// Each number once, at random.
    Random,
}

impl Order {
    /// The `place`th number of the first `count`.
    pub fn number(self, place: u64, count: u64) -> u64 {
        if self == Order::Sequential {
            return place;
        }
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        let half = bits.div_ceil(2).max(1);
        let mut number = permute(place, half);
        while number >= count {
            number = permute(number, half);
        }
        number
    }
}

fn permute(number: u64, half: u32) -> u64 {
    let mask = (1 << half) - 1;
    let (mut left, mut right) = (number >> half, number & mask);
    for round in 0..ROUNDS {
        let mixed = Random::new(right ^ (round << 32)).number() & mask;
        (left, right) = (right, left ^ mixed);
    }
    (left << half) | right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_order_has_each_number_once() {
        for count in [1, 2, 3, 1000, 4097] {
            let order = (0..count).map(|place| Order::Random.number(place, count));
            let mut numbers: Vec<u64> = order.collect();
            assert!(count < 1000 || !numbers.is_sorted());
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..count), "{count}");
        }
    }
}
