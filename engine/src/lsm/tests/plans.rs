//! Whatever the runs are: each plan makes progress, so merging ends, and no plan takes a run from
//! another merge.
//!
//! The model of a table has bytes, what its staircase promises, and how much of the promise was
//! there already when it was written; see [`super::super::tree::TableHandle`]. The harshest writer
//! keeps all that was promised, as if everything were tombstones over something older elsewhere.
//! Then nothing gets smaller, and a plan for the same garbage could come again for ever.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::lsm::manifest::{RunId, Tier};
use crate::lsm::policy::{Knobs, Plan, RunShape, Scope, TableShape, leveled};
use crate::table::FileNumber;

const SMALL_BYTES: u64 = 64;
const KNOBS: [Knobs; 3] = [Knobs::STEADY, Knobs::THOROUGH, Knobs::EVERYTHING];

#[derive(Clone, Copy, Debug)]
enum Writer {
    /// Leaves out all that was promised.
    Frees,
    /// Can leave out nothing of it.
    Keeps,
}

#[derive(Clone, Debug)]
struct Table {
    number: u64,
    bytes: u64,
    promised: u64,
    kept: u64,
}

impl Table {
    fn shape(&self) -> TableShape {
        let dead_bytes = self.promised - self.kept;
        TableShape { number: FileNumber(self.number), bytes: self.bytes, dead_bytes }
    }

    fn write_again(&mut self, writer: Writer) {
        match writer {
            Writer::Frees => {
                self.bytes -= self.promised - self.kept;
                self.promised = self.kept;
            }
            Writer::Keeps => self.kept = self.promised,
        }
    }
}

#[derive(Clone, Debug)]
struct Run {
    id: u64,
    tier: Tier,
    tables: Vec<Table>,
    busy: bool,
}

impl Run {
    fn shape(&self) -> RunShape {
        let shapes = || self.tables.iter().map(Table::shape);
        RunShape {
            id: RunId(self.id),
            tier: self.tier,
            bytes: shapes().map(|table| table.bytes).sum(),
            dead_bytes: self.tables.iter().map(|table| table.promised).sum(),
            dirtiest: shapes()
                .filter(|table| table.dead_bytes > 0)
                .max_by_key(TableShape::dead_share),
            busy: self.busy,
        }
    }
}

fn table() -> impl Strategy<Value = Table> {
    let parts = (1..200_u64, 0..=1000_u64, 0..=1000_u64);
    parts.prop_map(|(bytes, promised, kept)| {
        let promised = bytes * promised / 1000;
        Table { number: 0, bytes, promised, kept: promised * kept / 1000 }
    })
}

fn tier() -> impl Strategy<Value = Tier> {
    prop_oneof![3 => (0..4_u8).prop_map(Tier::Level), 2 => Just(Tier::Last)]
}

/// Runs of any shape, numbered.
fn tree() -> impl Strategy<Value = Vec<Run>> {
    let run = (tier(), vec(table(), 1..5), any::<bool>());
    vec(run, 0..14).prop_map(|runs| {
        let mut numbers = 1..;
        let mut number = || numbers.next().expect("they are many");
        let runs = runs.into_iter().map(|(tier, mut tables, busy)| {
            tables.iter_mut().for_each(|table| table.number = number());
            Run { id: number(), tier, tables, busy }
        });
        runs.collect()
    })
}

fn plan(runs: &[Run], knobs: &Knobs) -> Option<Plan> {
    let shapes: Vec<RunShape> = runs.iter().map(Run::shape).collect();
    leveled(&shapes, SMALL_BYTES, knobs)
}

/// What each plan makes less: runs, those above the last tier once more, and tables that promise
/// more than when they were written.
fn measure(runs: &[Run]) -> usize {
    let levels = runs.iter().filter(|run| run.tier != Tier::Last).count();
    let tables = runs.iter().flat_map(|run| &run.tables);
    runs.len() + levels + tables.filter(|table| table.shape().dead_bytes > 0).count()
}

fn carry_out(runs: &mut Vec<Run>, plan: &Plan, writer: Writer) {
    let taken = |run: &Run| plan.inputs.contains(&RunId(run.id));
    match plan.scope {
        Scope::Table(number) => {
            let tables = runs.iter_mut().filter(|run| taken(run)).flat_map(|run| &mut run.tables);
            let table = tables.into_iter().find(|table| table.number == number.0);
            table.expect("a plan names a table of its input").write_again(writer);
        }
        Scope::Runs => {
            let (inputs, others): (Vec<Run>, Vec<Run>) = runs.drain(..).partition(taken);
            assert_eq!(inputs.len(), plan.inputs.len(), "a plan takes what is there, once");
            *runs = others;
            let id = inputs.iter().map(|run| run.id).max().expect("a plan takes something");
            let mut tables: Vec<Table> = inputs.into_iter().flat_map(|run| run.tables).collect();
            tables.iter_mut().for_each(|table| table.write_again(writer));
            runs.insert(0, Run { id, tier: plan.tier, tables, busy: false });
        }
    }
    runs.iter_mut().for_each(|run| run.tables.retain(|table| table.bytes > 0));
    runs.retain(|run| !run.tables.is_empty());
}

proptest! {
    #[test]
    fn each_plan_makes_progress_until_none_is_left(
        tree in tree(),
        writer in prop_oneof![Just(Writer::Frees), Just(Writer::Keeps)],
    ) {
        for knobs in KNOBS {
            let mut runs = tree.clone();
            runs.iter_mut().for_each(|run| run.busy = false);
            while let Some(plan) = plan(&runs, &knobs) {
                let before = measure(&runs);
                carry_out(&mut runs, &plan, writer);
                prop_assert!(measure(&runs) < before, "{plan:?} with {knobs:?}: {runs:?}");
            }
        }
    }

    #[test]
    fn no_plan_takes_a_run_from_another_merge(tree in tree()) {
        for knobs in KNOBS {
            for input in plan(&tree, &knobs).iter().flat_map(|plan| &plan.inputs) {
                let run = tree.iter().find(|run| RunId(run.id) == *input);
                prop_assert!(run.is_some_and(|run| !run.busy), "{input:?} with {knobs:?}");
            }
        }
    }
}
