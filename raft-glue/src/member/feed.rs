//! How fast followers that lag are fed.
//!
//! A follower that lacks much could be sent it as fast as it takes it. Then it, and the leader who
//! reads for it, keep processors and disks from the leader's clients, as far as they share them. So
//! what such a follower is given is bounded, by the cost of entries (`tail.rs`):
//!
//! 1. It gets [`FED_PER_INGESTED`] times what comes into the leader's log, when that comes in. So
//!    it goes in step with the leader's own work, and no clock is needed.
//! 2. If that is less than [`FED_PER_TICK_MIN`] it gets this, at ticks.
//! 3. If hardly anything has come in for [`QUIET_TICKS`], it gets what it takes.
//!
//! It always gains on the leader: let `i` come in per tick, then what it gains is
//! `max(FED_PER_TICK_MIN, FED_PER_INGESTED * i) - i`, which is least where both are the same: half
//! of [`FED_PER_TICK_MIN`]. And as the log's oldest entries go as fast as new ones come in, their
//! end doesn't overtake a follower who is before it.
//!
//! Each follower has a share of its own: how many there are says nothing about how many of them
//! are on the leader's machine.

use crate::limits::{
    FED_AT_ONCE, FED_BURST, FED_PER_INGESTED, FED_PER_TICK_MIN, MESSAGE_BYTES_MAX, QUIET_PER_TICK,
    QUIET_TICKS,
};
use std::collections::BTreeMap;

/// What followers may have.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Cost of what has come in since the last tick.
    ingested: u64,
    /// Ticks in a row in which hardly anything came in.
    quiet_ticks: u32,
    /// What each follower that lags may have; below zero if it had too much.
    credits: BTreeMap<u64, i64>,
}

impl Feed {
    /// Entries of this cost have come into the leader's log.
    pub(super) fn ingested(&mut self, cost: u64) {
        self.ingested = self.ingested.saturating_add(cost);
        if self.ingested > QUIET_PER_TICK {
            self.quiet_ticks = 0;
        }
        self.earn(cost.saturating_mul(FED_PER_INGESTED));
    }

    /// A tick has passed.
    pub(super) fn tick(&mut self) {
        let is_quiet = self.ingested <= QUIET_PER_TICK;
        self.quiet_ticks = if is_quiet { self.quiet_ticks.saturating_add(1) } else { 0 };
        let earned = self.ingested.saturating_mul(FED_PER_INGESTED);
        self.ingested = 0;
        // What a follower hasn't taken in time it won't be given all at once.
        for credit in self.credits.values_mut() {
            *credit = (*credit).min(FED_BURST);
        }
        self.earn(FED_PER_TICK_MIN.saturating_sub(earned));
    }

    fn earn(&mut self, cost: u64) {
        for credit in self.credits.values_mut() {
            *credit = credit.saturating_add_unsigned(cost);
        }
    }

    /// Bytes of entries that this follower may be sent now; `None` if it has to wait.
    pub(super) fn portion(&mut self, follower: u64) -> Option<u64> {
        let credit = *self.credits.entry(follower).or_insert(FED_BURST);
        if self.quiet_ticks >= QUIET_TICKS {
            return Some(MESSAGE_BYTES_MAX);
        }
        (credit > 0).then_some(FED_AT_ONCE)
    }

    /// The follower was sent entries of this cost.
    pub(super) fn fed(&mut self, follower: u64, cost: u64) {
        if self.quiet_ticks < QUIET_TICKS
            && let Some(credit) = self.credits.get_mut(&follower)
        {
            *credit = credit.saturating_sub_unsigned(cost);
        }
    }

    /// Only these followers lag.
    pub(super) fn keep(&mut self, lagging: &[u64]) {
        self.credits.retain(|follower, _| lagging.contains(follower));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::GAINED_PER_TICK_MIN;

    const STEPS: u64 = 20;
    const TICKS: u64 = 1_000;

    /// What a follower that takes all it may have is given in many ticks, in each of which so much
    /// comes in, in several pieces.
    fn fed(per_tick: u64) -> u64 {
        let mut feed = Feed::default();
        let mut total = 0;
        for _ in 0..TICKS {
            for _ in 0..STEPS {
                feed.ingested(per_tick / STEPS);
                while feed.portion(7).is_some_and(|bytes| bytes == FED_AT_ONCE) {
                    feed.fed(7, FED_AT_ONCE);
                    total += FED_AT_ONCE;
                }
            }
            feed.tick();
        }
        total
    }

    #[test]
    fn a_follower_gets_a_multiple_of_what_comes_in_and_never_less_than_the_least() {
        for per_tick in [2 * QUIET_PER_TICK, FED_PER_TICK_MIN / 3, FED_PER_TICK_MIN, 40 << 20] {
            let per_tick = per_tick.next_multiple_of(STEPS);
            let expected = TICKS * (per_tick * FED_PER_INGESTED).max(FED_PER_TICK_MIN);
            let fed = fed(per_tick);
            // It begins with a burst, and the first piece came before it.
            let slack =
                FED_BURST as u64 + 2 * FED_PER_TICK_MIN + per_tick * FED_PER_INGESTED / STEPS;
            assert!(fed.abs_diff(expected) <= slack, "{per_tick}: {fed} of {expected}");
            let gained = fed - TICKS * per_tick;
            assert!(gained + slack >= TICKS * GAINED_PER_TICK_MIN, "{per_tick}: {gained}");
        }
    }

    #[test]
    fn nothing_bounds_it_while_hardly_anything_comes_in() {
        let mut feed = Feed::default();
        assert_eq!(feed.portion(7), Some(FED_AT_ONCE), "who begins to lag has some");
        feed.fed(7, u64::MAX);
        for _ in 0..QUIET_TICKS {
            assert_eq!(feed.portion(7), None);
            feed.ingested(QUIET_PER_TICK);
            feed.tick();
        }
        assert_eq!(feed.portion(7), Some(MESSAGE_BYTES_MAX));
        feed.ingested(QUIET_PER_TICK + 1);
        assert_eq!(feed.portion(7), None, "at once");
    }

    #[test]
    fn what_a_follower_had_too_much_it_pays_back_and_saves_little() {
        let mut feed = Feed::default();
        assert!(feed.portion(7).is_some() && feed.portion(8).is_some());
        feed.fed(7, 3 * FED_BURST as u64);
        for _ in 0..2 * FED_BURST as u64 / FED_PER_TICK_MIN {
            feed.ingested(QUIET_PER_TICK + 1);
            feed.tick();
            assert_eq!(feed.portion(7), None);
        }
        feed.keep(&[8]);
        let earned = FED_PER_INGESTED * (QUIET_PER_TICK + 1);
        let saved = FED_BURST as u64 + FED_PER_TICK_MIN - earned;
        feed.fed(8, saved - 1);
        assert_eq!(feed.portion(8), Some(FED_AT_ONCE), "each has its own");
        feed.fed(8, 1);
        assert_eq!(feed.portion(8), None, "and no more than that");
        assert_eq!(feed.portion(7), Some(FED_AT_ONCE), "it lags anew");
    }
}
