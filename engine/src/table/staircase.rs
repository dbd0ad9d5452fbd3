//! The staircase of reclaimable bytes: how much of a table a merge gives back, by watermark.
//!
//! A record that another of its key supersedes can go when the watermark reaches the one that
//! supersedes it, a tombstone when the watermark reaches the tombstone itself. Both are seen when a
//! table is written, so a few steps of (main, bytes up to there) tell for every later watermark
//! whether merging the table is worth its while.
//!
//! 1. Each reclaimable record adds a step. They gather unsorted, up to [`GATHERED_MAX`].
//! 2. When there are more, they are sorted and neighbours become one until each has its share of
//!    all bytes. The joined step has the *larger* main: bytes are promised late, never early.
//! 3. At the end [`RECLAIM_STEPS_MAX`] are left. A table's bytes are promised at most about two
//!    steps' shares later than they come free.
//!
//! What another run's record supersedes isn't seen here, and not promised.

use crate::Keyspace;

/// Most steps of a table's staircase.
pub const RECLAIM_STEPS_MAX: usize = 32;

/// Steps that gather before neighbours are joined.
const GATHERED_MAX: usize = 512;

/// Steps that are left after joining, before the end.
const JOINED_MAX: usize = 2 * RECLAIM_STEPS_MAX;

/// A step in the properties.
pub(super) const STEP_BYTES: usize = 16;

const _: () = assert!(JOINED_MAX * 4 <= GATHERED_MAX);

/// One step of a staircase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReclaimStep {
    /// The watermark from which on this holds.
    pub main: u64,
    /// Bytes of keys and values, before compression, that a merge gives back at that watermark:
    /// this step's and those of all steps before it.
    pub bytes: u64,
}

/// Bytes that a merge gives back at `watermark`.
pub(super) fn reclaimable(steps: &[ReclaimStep], watermark: u64) -> u64 {
    let reached = steps.partition_point(|step| step.main <= watermark);
    reached.checked_sub(1).and_then(|last| steps.get(last)).map_or(0, |step| step.bytes)
}

/// Builds the staircase of one table.
#[derive(Debug)]
pub(super) struct StaircaseBuilder {
    keyspace: Keyspace,
    /// Bytes of each step alone.
    gathered: Vec<ReclaimStep>,
}

impl StaircaseBuilder {
    pub(super) fn new(keyspace: Keyspace) -> StaircaseBuilder {
        StaircaseBuilder { keyspace, gathered: Vec::new() }
    }

    /// Accounts for a record with `bytes` of key and value. `newer` is the main of the next newer
    /// version of its key in this table.
    pub(super) fn add(&mut self, main: u64, tombstone: bool, newer: Option<u64>, bytes: u64) {
        let Some(from) = (if tombstone { Some(main) } else { newer }) else {
            return;
        };
        let from = match self.keyspace {
            Keyspace::Kv => from,
            Keyspace::Lease | Keyspace::Meta => 0,
            Keyspace::Rev => return, // Its tables go as a whole, by their largest main.
        };
        match self.gathered.last_mut() {
            Some(last) if last.main == from => last.bytes = last.bytes.saturating_add(bytes),
            _ => self.gathered.push(ReclaimStep { main: from, bytes }),
        }
        if self.gathered.len() > GATHERED_MAX {
            self.join(JOINED_MAX);
        }
    }

    /// Steps that there would be at the end, at most.
    pub(super) fn len(&self) -> usize {
        self.gathered.len().min(RECLAIM_STEPS_MAX)
    }

    /// The steps, mains and bytes ascending.
    pub(super) fn finish(mut self) -> Vec<ReclaimStep> {
        self.join(RECLAIM_STEPS_MAX);
        let mut sum = 0u64;
        for step in &mut self.gathered {
            sum = sum.saturating_add(step.bytes);
            step.bytes = sum;
        }
        self.gathered
    }

    /// Leaves at most `steps_max`: a step takes in its neighbours above until it has its share.
    fn join(&mut self, steps_max: usize) {
        self.gathered.sort_unstable_by_key(|step| step.main);
        let total = self.gathered.iter().fold(0u64, |sum, step| sum.saturating_add(step.bytes));
        let few = self.gathered.len() <= steps_max;
        let share = if few { 1 } else { total.div_ceil(steps_max as u64).max(1) };
        self.gathered.dedup_by(|step, before| {
            let joins = before.bytes < share || before.main == step.main;
            if joins {
                before.main = step.main;
                before.bytes = before.bytes.saturating_add(step.bytes);
            }
            joins
        });
        self.gathered.retain(|step| step.bytes > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Superseded records by the main that supersedes them.
    fn staircase(records: impl IntoIterator<Item = (u64, u64)>) -> Vec<ReclaimStep> {
        let mut builder = StaircaseBuilder::new(Keyspace::Kv);
        records.into_iter().for_each(|(newer, bytes)| builder.add(1, false, Some(newer), bytes));
        builder.finish()
    }

    #[test]
    fn few_steps_are_exact() {
        let steps = staircase([(9, 10), (4, 1), (9, 5), (6, 2)]);
        for (watermark, bytes) in [(3, 0), (4, 1), (5, 1), (6, 3), (8, 3), (9, 18), (99, 18)] {
            assert_eq!(reclaimable(&steps, watermark), bytes, "at {watermark}");
        }
        assert_eq!(staircase([]), []);
    }

    #[test]
    fn tombstones_go_at_their_own_version_and_living_records_never() {
        let mut builder = StaircaseBuilder::new(Keyspace::Kv);
        builder.add(7, true, None, 3);
        builder.add(5, true, Some(7), 4);
        builder.add(4, false, Some(5), 20);
        builder.add(8, false, None, 100);
        let steps = builder.finish();
        assert_eq!(reclaimable(&steps, 4), 0);
        assert_eq!(reclaimable(&steps, 5), 24);
        assert_eq!(reclaimable(&steps, u64::MAX), 27);
    }

    #[test]
    fn what_is_not_versioned_goes_at_once_and_rev_has_no_steps() {
        for (keyspace, bytes) in [(Keyspace::Lease, 9), (Keyspace::Meta, 9), (Keyspace::Rev, 0)] {
            let mut builder = StaircaseBuilder::new(keyspace);
            builder.add(70, true, None, 4);
            builder.add(60, false, Some(70), 5);
            assert_eq!(reclaimable(&builder.finish(), 0), bytes, "{keyspace:?}");
        }
    }

    #[test]
    fn many_steps_promise_late_and_never_early() {
        // A fixed permutation of 1 to 100,000.
        let mains = || (1..=100_000u64).map(|n| n * 7919 % 100_003);
        let steps = staircase(mains().map(|main| (main, 10)));
        assert!(steps.len() <= RECLAIM_STEPS_MAX, "{}", steps.len());
        assert!(steps.is_sorted_by(|a, b| a.main < b.main && a.bytes < b.bytes));
        let total = 10 * mains().count() as u64;
        for watermark in (0..100_003).step_by(997) {
            let free = 10 * mains().filter(|&main| main <= watermark).count() as u64;
            let promised = reclaimable(&steps, watermark);
            assert!(promised <= free, "{promised} of {free} at {watermark}");
            let late = free - promised;
            assert!(late <= total * 3 / RECLAIM_STEPS_MAX as u64, "{late} late at {watermark}");
        }
        assert_eq!(reclaimable(&steps, u64::MAX), total);
    }
}
