//! Election timeouts that a seed determines.
//!
//! raft draws them from a generator of its thread, so that no run could be repeated. The member
//! overwrites what raft drew after every step.

/// Ticks without a leader after which `member` campaigns in `term`: from `election_ticks` to twice
/// that, exclusive. Evenly spread, and different members rarely agree.
pub(crate) fn timeout_ticks(seed: u64, member: u64, term: u64, election_ticks: usize) -> usize {
    let mixed = mix(seed ^ mix(member ^ mix(term)));
    // The remainder is below `election_ticks`, so it fits in a usize again.
    election_ticks + (mixed % election_ticks as u64) as usize
}

/// The finalizer of SplitMix64: every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_in_range_and_covers_it() {
        let mut seen = [0u32; 10];
        for term in 0..1_000 {
            seen[timeout_ticks(7, 0xddd6_7b31, term, 10) - 10] += 1;
        }
        assert!(seen.iter().all(|&n| n > 60), "{seen:?}");
    }

    #[test]
    fn depends_on_each_part() {
        let series = |seed, member| -> Vec<usize> {
            (0..32).map(|term| timeout_ticks(seed, member, term, 10)).collect()
        };
        assert_eq!(series(1, 1), series(1, 1));
        assert_ne!(series(1, 1), series(2, 1));
        assert_ne!(series(1, 1), series(1, 2));
    }
}
