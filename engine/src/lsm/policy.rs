//! Which merges are due: pure functions over sizes, which `examples/merge_simulator.rs` drives too.
//!
//! Lazy leveling, for `Kv`, `Lease` and `Meta`:
//!
//! 1. Flushes make runs of level 0. [`Knobs::tier_runs`] runs of one level are merged into one of
//!    the next.
//! 2. When all levels together reach [`Knobs::last_share`] of what lives in the last tier, they are
//!    merged with it. The share bounds both the space that superseded versions hold and the bytes
//!    written again.
//! 3. A table of the last tier of which [`Knobs::dead_share`] can go, as its staircase says, is
//!    rewritten alone: where garbage is, space comes back, and the rest of the tier isn't touched.
//!
//! Who waits for space to come back gets the same with other knobs: [`Knobs::THOROUGH`] after a
//! compaction, [`Knobs::EVERYTHING`] for a defragmentation.
//!
//! `Rev` is only concatenated: neighbours in key order that are small, so that files don't become
//! many. Runs that are wholly dead go as they are. What a policy proposes never contains a run that
//! is *busy* in another merge.

use super::manifest::{RunId, Tier};
use crate::table::FileNumber;

/// Small neighbours in `Rev` that make a concatenation, whatever their length.
const CONCATENATED_RUNS: usize = 8;

/// What can be tuned. Shares are in permille.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// Runs of one level that make a merge.
    pub tier_runs: usize,
    /// The levels are merged with the last tier when they reach this share of its living bytes.
    pub last_share: u64,
    /// A table is rewritten when this share of it can go, and anything at all.
    pub dead_share: u64,
    /// Which tables are rewritten.
    pub rewritten: Rewritten,
}

/// Which tables are rewritten for the sake of their garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// Those of the last tier. The others are merged soon anyway.
    LastTier,
    /// All.
    All,
}

impl Knobs {
    /// What is due by itself.
    pub const STEADY: Knobs =
        Knobs { tier_runs: 4, last_share: 500, dead_share: 350, rewritten: Rewritten::LastTier };

    /// What a compaction that is waited for gives back at once: a tenth of the space is left where
    /// finding it would cost much more writing than it is worth.
    pub const THOROUGH: Knobs =
        Knobs { last_share: 125, dead_share: 60, rewritten: Rewritten::All, ..Knobs::STEADY };

    /// All that can be given back.
    pub const EVERYTHING: Knobs = Knobs { dead_share: 0, ..Knobs::THOROUGH };
}

/// What a policy knows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunShape {
    /// The run.
    pub id: RunId,
    /// Where it stands.
    pub tier: Tier,
    /// Bytes of its files.
    pub bytes: u64,
    /// Of these, bytes that a merge alone would give back.
    pub dead_bytes: u64,
    /// The table of which the largest share can go, if anything can.
    pub dirtiest: Option<TableShape>,
    /// Whether a merge reads or writes it.
    pub busy: bool,
}

/// What a policy knows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// The table.
    pub number: FileNumber,
    /// Bytes of its file.
    pub bytes: u64,
    /// Of these, bytes that rewriting it gives back.
    pub dead_bytes: u64,
}

impl TableShape {
    /// The share of it that can go, in permille.
    pub fn dead_share(&self) -> u64 {
        permille(self.dead_bytes, self.bytes)
    }
}

/// A merge to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The runs that it takes.
    pub inputs: Vec<RunId>,
    /// How much of them.
    pub scope: Scope,
    /// Where the output stands.
    pub tier: Tier,
}

/// How much of its inputs a merge takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them; the output is a run of its own.
    Runs,
    /// This table of the one input; the output takes its place.
    Table(FileNumber),
}

/// The next merge by lazy leveling. `runs` are newest first; levels below `small_bytes` in all are
/// left until their runs are many.
pub fn leveled(runs: &[RunShape], small_bytes: u64, knobs: &Knobs) -> Option<Plan> {
    let levels: Vec<&RunShape> = runs.iter().filter(|run| run.tier != Tier::Last).collect();
    let level_bytes: u64 = levels.iter().map(|run| run.bytes).sum();
    let many = levels.len() >= knobs.tier_runs || level_bytes >= small_bytes;
    if many && permille(level_bytes, living_bytes_of_last(runs)) >= knobs.last_share {
        if runs.iter().any(|run| run.tier == Tier::Last && run.busy) {
            // The long merge, and what came since it began is not to pile up beside it.
            return fullest_level(&levels, knobs.tier_runs);
        }
        // A merge among the levels is short. Waiting for it spares reading its inputs' remains.
        return (!runs.iter().any(|run| run.busy)).then(|| full(runs));
    }
    fullest_level(&levels, knobs.tier_runs).or_else(|| dirtiest_table(runs, knobs))
}

/// A merge of everything into the last tier.
pub fn full(runs: &[RunShape]) -> Plan {
    let inputs = runs.iter().map(|run| run.id).collect();
    Plan { inputs, scope: Scope::Runs, tier: Tier::Last }
}

/// How large the levels are beside the size at which they are merged with the last tier, in
/// permille: about 1000 when a merge is due, more when merges don't follow.
pub fn debt(level_bytes: u64, last_living_bytes: u64, small_bytes: u64, knobs: &Knobs) -> u64 {
    let due_at = last_living_bytes.saturating_mul(knobs.last_share) / 1000;
    permille(level_bytes, due_at.max(small_bytes.saturating_mul(knobs.tier_runs as u64)))
}

fn living_bytes_of_last(runs: &[RunShape]) -> u64 {
    let last = runs.iter().filter(|run| run.tier == Tier::Last);
    last.map(|run| run.bytes.saturating_sub(run.dead_bytes)).sum()
}

/// `part` of `whole` in permille; of nothing, everything is more than enough.
fn permille(part: u64, whole: u64) -> u64 {
    match whole {
        0 => u64::MAX,
        whole => u64::try_from(u128::from(part) * 1000 / u128::from(whole)).unwrap_or(u64::MAX),
    }
}

/// The oldest runs of the lowest level that has enough of them.
fn fullest_level(levels: &[&RunShape], tier_runs: usize) -> Option<Plan> {
    let mut by_level: Vec<Vec<RunId>> = Vec::new();
    for run in levels.iter().filter(|run| !run.busy) {
        if let Tier::Level(level) = run.tier {
            let level = usize::from(level);
            by_level.resize(by_level.len().max(level + 1), Vec::new());
            by_level[level].push(run.id);
        }
    }
    let level = by_level.iter().position(|runs| runs.len() >= tier_runs)?;
    let runs = &by_level[level];
    let inputs = runs[runs.len() - tier_runs..].to_vec();
    let next = u8::try_from(level + 1).expect("levels grow by a factor each, so they stay few");
    Some(Plan { inputs, scope: Scope::Runs, tier: Tier::Level(next) })
}

/// The table that gives back the largest share of itself, if that is worth it.
fn dirtiest_table(runs: &[RunShape], knobs: &Knobs) -> Option<Plan> {
    let may = |run: &&RunShape| {
        !run.busy && (run.tier == Tier::Last || knobs.rewritten == Rewritten::All)
    };
    let tables = runs.iter().filter(may).filter_map(|run| Some((run, run.dirtiest?)));
    let (run, table) = tables.max_by_key(|(_, table)| table.dead_share())?;
    let worth_it = table.dead_bytes > 0 && table.dead_share() >= knobs.dead_share;
    let (inputs, tier) = (vec![run.id], run.tier);
    worth_it.then_some(Plan { inputs, scope: Scope::Table(table.number), tier })
}

/// The next concatenation, or runs that are dead and go without one. `runs` are in key order.
pub fn concatenated(runs: &[RunShape], small_bytes: u64) -> Option<Plan> {
    let plan = |inputs| Plan { inputs, scope: Scope::Runs, tier: Tier::Level(0) };
    let dead = runs.iter().filter(|run| !run.busy && run.dead_bytes == run.bytes);
    let dead: Vec<RunId> = dead.map(|run| run.id).collect();
    if !dead.is_empty() {
        return Some(plan(dead));
    }
    let small = |run: &RunShape| run.bytes < small_bytes && !run.busy;
    for stretch in runs.chunk_by(|a, b| small(a) && small(b)) {
        let mut bytes = 0;
        let enough = stretch.iter().position(|run| {
            bytes += run.bytes;
            bytes >= small_bytes
        });
        let count = enough.map_or(stretch.len(), |last| last + 1);
        if count > 1 && (enough.is_some() || count >= CONCATENATED_RUNS) {
            return Some(plan(stretch[..count].iter().map(|run| run.id).collect()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u64 = 32;

    fn run(id: u64, tier: Tier, bytes: u64) -> RunShape {
        RunShape { id: RunId(id), tier, bytes, dead_bytes: 0, dirtiest: None, busy: false }
    }

    /// A run of equal tables, of which one has all the garbage.
    fn dirty(id: u64, tier: Tier, bytes: u64, table_bytes: u64, dead_bytes: u64) -> RunShape {
        let table = TableShape { number: FileNumber(100 + id), bytes: table_bytes, dead_bytes };
        RunShape { dead_bytes, dirtiest: Some(table), ..run(id, tier, bytes) }
    }

    fn steady(runs: &[RunShape]) -> Option<Plan> {
        leveled(runs, SMALL, &Knobs::STEADY)
    }

    fn ids(plan: Option<Plan>) -> Vec<u64> {
        plan.map_or_else(Vec::new, |plan| plan.inputs.iter().map(|id| id.0).collect())
    }

    #[test]
    fn levels_wait_below_half_of_the_last_tier() {
        let mut runs =
            vec![run(9, Tier::Level(0), 40), run(8, Tier::Level(0), 40), run(1, Tier::Last, 170)];
        assert_eq!(steady(&runs), None);
        runs.insert(0, run(10, Tier::Level(0), 5));
        let plan = steady(&runs).expect("half is reached");
        assert_eq!(plan.tier, Tier::Last);
        assert_eq!(plan.inputs.len(), 4);
    }

    #[test]
    fn a_level_with_enough_runs_moves_up_oldest_first() {
        let mut runs: Vec<_> = (0..5).rev().map(|id| run(id, Tier::Level(1), 40)).collect();
        runs.push(run(20, Tier::Last, 4000));
        let plan = steady(&runs);
        assert_eq!(plan.as_ref().map(|plan| plan.tier), Some(Tier::Level(2)));
        assert_eq!(ids(plan), [3, 2, 1, 0]);
    }

    #[test]
    fn busy_runs_are_left_alone_and_waited_for() {
        let mut runs: Vec<_> = (0..4).map(|id| run(id, Tier::Level(0), 40)).collect();
        runs[2].busy = true;
        assert_eq!(steady(&runs), None, "half is reached, and one is busy");
        runs.push(RunShape { busy: true, ..run(9, Tier::Last, 100) });
        assert_eq!(steady(&runs), None, "three are free");
        runs[2].busy = false;
        runs[4].bytes = 1000;
        assert_eq!(ids(steady(&runs)), [0, 1, 2, 3], "the last tier may be busy");
    }

    #[test]
    fn new_runs_are_merged_beside_the_long_merge() {
        let mut runs: Vec<_> = (0..4).map(|id| run(id, Tier::Level(0), 40)).collect();
        runs.push(RunShape { busy: true, ..run(8, Tier::Level(1), 400) });
        runs.push(RunShape { busy: true, ..run(9, Tier::Last, 800) });
        assert_eq!(ids(steady(&runs)), [0, 1, 2, 3], "although half is reached");
    }

    #[test]
    fn a_table_with_much_garbage_is_rewritten_alone() {
        let plan = steady(&[dirty(1, Tier::Last, 4000, 100, 35)]).expect("a third is dead");
        assert_eq!((plan.scope, plan.tier), (Scope::Table(FileNumber(101)), Tier::Last));
        assert_eq!(steady(&[dirty(1, Tier::Last, 4000, 100, 34)]), None);
        let level = [dirty(2, Tier::Level(0), 100, 100, 90), run(1, Tier::Last, 4000)];
        assert_eq!(steady(&level), None, "it is merged soon anyway");
        assert_eq!(ids(leveled(&level, SMALL, &Knobs::THOROUGH)), [2]);
    }

    #[test]
    fn the_dirtiest_goes_first_and_one_that_is_busy_not_at_all() {
        let mut runs = [dirty(1, Tier::Last, 400, 100, 40), dirty(2, Tier::Last, 400, 100, 50)];
        assert_eq!(ids(steady(&runs)), [2]);
        runs[1].busy = true;
        assert_eq!(ids(steady(&runs)), [1]);
    }

    #[test]
    fn garbage_in_the_last_tier_brings_the_levels_down_earlier() {
        let level = run(2, Tier::Level(0), 100);
        assert_eq!(ids(steady(&[level, dirty(1, Tier::Last, 290, 100, 20)])), [0; 0]);
        assert_eq!(ids(steady(&[level, dirty(1, Tier::Last, 290, 290, 100)])), [2, 1]);
    }

    #[test]
    fn everything_means_any_garbage_and_nothing_without() {
        let last = dirty(1, Tier::Last, 4000, 1000, 1);
        assert_eq!(leveled(&[last], SMALL, &Knobs::THOROUGH), None);
        assert_eq!(ids(leveled(&[last], SMALL, &Knobs::EVERYTHING)), [1]);
        let clean = run(1, Tier::Last, 4000);
        assert_eq!(leveled(&[clean], SMALL, &Knobs::EVERYTHING), None);
    }

    #[test]
    fn debt_is_the_levels_beyond_the_size_that_makes_a_merge() {
        let debt = |levels, last| debt(levels, last, SMALL, &Knobs::STEADY);
        assert_eq!(debt(500, 1000), 1000);
        assert_eq!(debt(250, 1000), 500);
        assert_eq!(debt(128, 0), 1000, "four small tables are nothing to worry about");
    }

    #[test]
    fn small_neighbours_are_concatenated_when_they_make_a_whole() {
        let rev = |id, bytes| run(id, Tier::Level(0), bytes);
        let runs = [rev(1, 40), rev(2, 10), rev(3, 10), rev(4, 15), rev(5, 3)];
        assert_eq!(ids(concatenated(&runs, SMALL)), [2, 3, 4]);
        assert_eq!(concatenated(&runs[..3], SMALL), None);
        let many: Vec<_> = (0..8).map(|id| rev(id, 1)).collect();
        assert_eq!(ids(concatenated(&many, SMALL)).len(), 8);
        assert_eq!(concatenated(&many[..7], SMALL), None);
    }

    #[test]
    fn large_runs_of_rev_are_never_written_again() {
        let rev = |id| run(id, Tier::Level(0), SMALL);
        let runs: Vec<_> = (0..50).map(rev).collect();
        assert_eq!(concatenated(&runs, SMALL), None);
    }

    #[test]
    fn dead_runs_go_first_and_by_themselves() {
        let mut runs: Vec<_> = (0..8).map(|id| run(id, Tier::Level(0), 1)).collect();
        runs[0].dead_bytes = 1;
        runs[3].dead_bytes = 1;
        assert_eq!(ids(concatenated(&runs, SMALL)), [0, 3]);
    }
}
