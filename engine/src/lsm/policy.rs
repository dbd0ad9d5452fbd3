//! Which runs are merged next: pure functions over sizes, so that a simulator can drive them.
//!
//! Lazy leveling, for `Kv`, `Lease` and `Meta`:
//!
//! 1. Flushes make runs of level 0. [`TIER_RUNS`] runs of one level are merged into one of the
//!    next.
//! 2. When all levels together reach half of the last tier, they are merged with it. Half bounds
//!    both the space that superseded versions hold and the bytes written again: three for each new
//!    one.
//! 3. When a quarter of the last tier is known to be dead, it is merged too.
//!
//! `Rev` is only concatenated: neighbours in key order that are small, so that files don't become
//! many. Runs that are wholly dead go as they are. What a policy proposes never contains a run that
//! is *busy* in another merge.

use super::manifest::{RunId, Tier};

/// Runs of one level that make a merge.
pub(super) const TIER_RUNS: usize = 4;

/// Small neighbours in `Rev` that make a concatenation, whatever their length.
const CONCATENATED_RUNS: usize = 8;

/// What a policy knows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunShape {
    pub(super) id: RunId,
    pub(super) tier: Tier,
    pub(super) bytes: u64,
    /// Of these, bytes that a merge alone would certainly give back.
    pub(super) dead_bytes: u64,
    /// Whether a merge reads or writes it.
    pub(super) busy: bool,
}

/// A merge to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) inputs: Vec<RunId>,
    /// Where the output stands.
    pub(super) tier: Tier,
}

/// The next merge by lazy leveling. `runs` are newest first; levels below `small_bytes` in all are
/// left until their runs are many.
pub(super) fn leveled(runs: &[RunShape], small_bytes: u64) -> Option<Plan> {
    let is_last = |run: &&RunShape| run.tier == Tier::Last;
    let (last, levels): (Vec<&RunShape>, Vec<&RunShape>) = runs.iter().partition(is_last);
    let bytes = |runs: &[&RunShape]| runs.iter().map(|run| run.bytes).sum::<u64>();
    let (last_bytes, level_bytes) = (bytes(&last), bytes(&levels));
    let dead_bytes: u64 = last.iter().map(|run| run.dead_bytes).sum();

    let many = levels.len() >= TIER_RUNS || level_bytes >= small_bytes;
    let large = many && level_bytes.saturating_mul(2) >= last_bytes;
    let dead = dead_bytes >= small_bytes && dead_bytes.saturating_mul(4) >= last_bytes;
    if (large || dead) && !last.iter().any(|run| run.busy) {
        // A merge among the levels is short. Waiting for it spares reading its inputs' remains.
        return (!levels.iter().any(|run| run.busy)).then(|| full(runs));
    }
    fullest_level(&levels)
}

/// A merge of everything into the last tier.
pub(super) fn full(runs: &[RunShape]) -> Plan {
    Plan { inputs: runs.iter().map(|run| run.id).collect(), tier: Tier::Last }
}

/// The oldest runs of the lowest level that has enough of them.
fn fullest_level(levels: &[&RunShape]) -> Option<Plan> {
    let mut by_level: Vec<Vec<RunId>> = Vec::new();
    for run in levels.iter().filter(|run| !run.busy) {
        if let Tier::Level(level) = run.tier {
            let level = usize::from(level);
            by_level.resize(by_level.len().max(level + 1), Vec::new());
            by_level[level].push(run.id);
        }
    }
    let level = by_level.iter().position(|runs| runs.len() >= TIER_RUNS)?;
    let runs = &by_level[level];
    let inputs = runs[runs.len() - TIER_RUNS..].to_vec();
    let next = u8::try_from(level + 1).expect("levels grow by a factor each, so they stay few");
    Some(Plan { inputs, tier: Tier::Level(next) })
}

/// The next concatenation, or runs that are dead and go without one. `runs` are in key order.
pub(super) fn concatenated(runs: &[RunShape], small_bytes: u64) -> Option<Plan> {
    let dead = runs.iter().filter(|run| !run.busy && run.dead_bytes == run.bytes);
    let dead: Vec<RunId> = dead.map(|run| run.id).collect();
    if !dead.is_empty() {
        return Some(Plan { inputs: dead, tier: Tier::Level(0) });
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
            let inputs = stretch[..count].iter().map(|run| run.id).collect();
            return Some(Plan { inputs, tier: Tier::Level(0) });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u64 = 32;

    fn run(id: u64, tier: Tier, bytes: u64) -> RunShape {
        RunShape { id: RunId(id), tier, bytes, dead_bytes: 0, busy: false }
    }

    fn ids(plan: Option<Plan>) -> Vec<u64> {
        plan.map_or_else(Vec::new, |plan| plan.inputs.iter().map(|id| id.0).collect())
    }

    /// Runs newest first, as flushes of `flush_bytes` and merges leave them. All keys are new.
    struct Simulator {
        runs: Vec<RunShape>,
        next: u64,
        written: u64,
        runs_max: usize,
    }

    impl Simulator {
        fn run_for(flushes: u64, flush_bytes: u64) -> Simulator {
            let mut simulator = Simulator { runs: Vec::new(), next: 0, written: 0, runs_max: 0 };
            for _ in 0..flushes {
                simulator.add(0, Tier::Level(0), flush_bytes);
                while let Some(plan) = leveled(&simulator.runs, SMALL) {
                    simulator.merge(&plan);
                }
                simulator.runs_max = simulator.runs_max.max(simulator.runs.len());
            }
            simulator
        }

        fn add(&mut self, place: usize, tier: Tier, bytes: u64) {
            self.runs.insert(place, run(self.next, tier, bytes));
            self.next += 1;
            self.written += bytes;
        }

        fn merge(&mut self, plan: &Plan) {
            let first = self.runs.iter().position(|run| plan.inputs.contains(&run.id));
            let first = first.expect("a plan takes runs that are there");
            let taken = |run: &RunShape| plan.inputs.contains(&run.id);
            let bytes = self.runs.iter().filter(|run| taken(run)).map(|run| run.bytes).sum();
            self.runs.retain(|run| !taken(run));
            self.add(first, plan.tier, bytes);
        }
    }

    #[test]
    fn writes_each_byte_a_bounded_number_of_times_and_keeps_runs_few() {
        for flushes in [100, 400, 1000] {
            let simulator = Simulator::run_for(flushes, 40);
            let factor = simulator.written as f64 / (flushes * 40) as f64;
            assert!((3.0..=7.0).contains(&factor), "{flushes} flushes: {factor}");
            assert!(simulator.runs_max <= 16, "{flushes} flushes: {}", simulator.runs_max);
        }
    }

    #[test]
    fn levels_wait_below_half_of_the_last_tier() {
        let mut runs =
            vec![run(9, Tier::Level(0), 40), run(8, Tier::Level(0), 40), run(1, Tier::Last, 170)];
        assert_eq!(leveled(&runs, SMALL), None);
        runs.insert(0, run(10, Tier::Level(0), 5));
        let plan = leveled(&runs, SMALL).expect("half is reached");
        assert_eq!(plan.tier, Tier::Last);
        assert_eq!(plan.inputs.len(), 4);
    }

    #[test]
    fn a_level_with_enough_runs_moves_up_oldest_first() {
        let mut runs: Vec<_> = (0..5).rev().map(|id| run(id, Tier::Level(1), 40)).collect();
        runs.push(run(20, Tier::Last, 4000));
        let plan = leveled(&runs, SMALL);
        assert_eq!(plan.as_ref().map(|plan| plan.tier), Some(Tier::Level(2)));
        assert_eq!(ids(plan), [3, 2, 1, 0]);
    }

    #[test]
    fn busy_runs_are_left_alone_and_waited_for() {
        let mut runs: Vec<_> = (0..4).map(|id| run(id, Tier::Level(0), 40)).collect();
        runs[2].busy = true;
        assert_eq!(leveled(&runs, SMALL), None, "half is reached, and one is busy");
        runs.push(RunShape { busy: true, ..run(9, Tier::Last, 100) });
        assert_eq!(leveled(&runs, SMALL), None, "three are free");
        runs[2].busy = false;
        assert_eq!(ids(leveled(&runs, SMALL)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_last_tier_that_is_largely_dead_is_merged_alone() {
        let last = RunShape { dead_bytes: 50, ..run(1, Tier::Last, 200) };
        assert_eq!(ids(leveled(&[last], SMALL)), [1]);
        assert_eq!(leveled(&[RunShape { dead_bytes: 49, ..last }], SMALL), None);
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
    fn dead_runs_go_first_and_by_themselves() {
        let mut runs: Vec<_> = (0..8).map(|id| run(id, Tier::Level(0), 1)).collect();
        runs[0].dead_bytes = 1;
        runs[3].dead_bytes = 1;
        assert_eq!(ids(concatenated(&runs, SMALL)), [0, 3]);
    }
}
