//! Whose turn it is when a flush and a merge are both due: a pure count, which
//! `examples/merge_simulator.rs` drives too.
//!
//! Ingest makes work for merges, so their share is counted by what is flushed, not by time: each
//! slice of a flush owes so many slices of merges, and these are done before the next slice of a
//! flush. A slice goes through [`super::Options::slice_bytes`] either way, so slices stand for
//! bytes.
//!
//! 1. While merges follow nothing is owed: they do what is due in the time that flushes leave.
//! 2. The further they are behind, the more is owed, up to [`OWED_MAX`]: more than ingest ever
//!    makes due, so runs can't pile up however long it goes on at full speed.
//! 3. While memtables hold [`MEMTABLES_FULL`], flushes go first whatever is owed. The door holds
//!    writers back from two thirds of that on, so with writers that heed it this is rare.

/// What isn't flushed, in permille of a memtable, when flushes go first: a third memtable is full.
const MEMTABLES_FULL: u64 = 3000;

/// Slices of merges that a slice of a flush owes at most, in permille. The simulator's workloads
/// make 4.3 due at most.
pub const OWED_MAX: u64 = 6000;

/// What somebody who waits for a merge gets for each slice of a flush, in permille.
const OWED_DEMANDED: u64 = 1000;

/// From where to where what is owed grows.
struct Span {
    nothing: u64,
    most: u64,
}

/// Runs of level 0. Four make a merge; the door holds writers from twelve on.
const LEVEL_ZERO_RUNS: Span = Span { nothing: 2, most: 8 };

/// [`super::policy::debt`]. At 1000 a merge is due; the door holds writers from 2500 on.
const DEBT: Span = Span { nothing: 750, most: 1500 };

impl Span {
    fn owed(&self, value: u64) -> u64 {
        let above = value.saturating_sub(self.nothing).min(self.most - self.nothing);
        above * OWED_MAX / (self.most - self.nothing)
    }
}

/// How far flushes and merges are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// What isn't flushed, in permille of a memtable.
    pub memtable_permille: u64,
    /// Runs of level 0.
    pub level_zero_runs: u64,
    /// See [`super::policy::debt`].
    pub debt_permille: u64,
    /// Whether somebody waits for merges.
    pub is_demanded: bool,
}

/// Slices of merges that a slice of a flush owes, in permille.
pub fn owed(load: &Load) -> u64 {
    if load.memtable_permille >= MEMTABLES_FULL {
        return 0;
    }
    let demanded = if load.is_demanded { OWED_DEMANDED } else { 0 };
    let runs = LEVEL_ZERO_RUNS.owed(load.level_zero_runs);
    runs.max(DEBT.owed(load.debt_permille)).max(demanded)
}

/// Which work goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A flush, if one is due.
    Flush,
    /// A merge, if one is due.
    Merge,
}

/// What merges have to get before the next slice of a flush.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// In permille of a slice.
    owed: u64,
}

impl Pace {
    /// Whose turn it is.
    pub fn turn(&self, load: &Load) -> Turn {
        match self.owed >= 1000 && load.memtable_permille < MEMTABLES_FULL {
            true => Turn::Merge,
            false => Turn::Flush,
        }
    }

    /// A slice of a flush was done.
    pub fn flushed(&mut self, load: &Load) {
        self.owed += owed(load);
    }

    /// A slice of a merge was done, whosever turn it was.
    pub fn merged(&mut self) {
        self.owed = self.owed.saturating_sub(1000);
    }

    /// No merge is due that another thread isn't at, or the disk has no room for one.
    pub fn cannot_merge(&mut self) {
        self.owed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slices of merges between those of 1000 flushes, if a merge is always due.
    fn merges(load: &Load) -> u64 {
        let mut pace = Pace::default();
        let mut merges = 0;
        for _ in 0..1000 {
            pace.flushed(load);
            while pace.turn(load) == Turn::Merge {
                pace.merged();
                merges += 1;
            }
        }
        merges
    }

    #[test]
    fn merges_that_follow_leave_flushes_alone() {
        let usual = Load { level_zero_runs: 2, debt_permille: 750, ..Load::default() };
        assert_eq!(merges(&usual), 0);
    }

    #[test]
    fn the_share_grows_with_what_is_behind_up_to_its_limit() {
        let by_runs = |level_zero_runs| merges(&Load { level_zero_runs, ..Load::default() });
        let by_debt = |debt_permille| merges(&Load { debt_permille, ..Load::default() });
        assert_eq!([3, 5, 8, 100].map(by_runs), [1000, 3000, 6000, 6000]);
        assert_eq!([875, 1125, 1500, u64::MAX].map(by_debt), [1000, 3000, 6000, 6000]);
        let both = Load { level_zero_runs: 4, debt_permille: 1500, ..Load::default() };
        assert_eq!(merges(&both), 6000, "the larger counts");
    }

    #[test]
    fn who_waits_gets_a_slice_for_each_flushed_one() {
        assert_eq!(merges(&Load { is_demanded: true, ..Load::default() }), 1000);
    }

    #[test]
    fn full_memtables_go_first_whatever_is_owed() {
        let behind = Load { level_zero_runs: 40, is_demanded: true, ..Load::default() };
        let full = Load { memtable_permille: MEMTABLES_FULL, ..behind };
        assert_eq!(merges(&full), 0);
        let mut pace = Pace::default();
        pace.flushed(&behind);
        assert_eq!((pace.turn(&behind), pace.turn(&full)), (Turn::Merge, Turn::Flush));
    }

    #[test]
    fn what_cannot_be_done_is_not_saved_up() {
        let behind = Load { level_zero_runs: 12, ..Load::default() };
        let mut pace = Pace::default();
        pace.flushed(&behind);
        pace.cannot_merge();
        assert_eq!(pace.turn(&behind), Turn::Flush);
    }
}
