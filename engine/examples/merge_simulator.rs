//! Drives the merge policy with workloads of millions of records, without a byte of data.
//!
//! ```text
//! cargo run --release -p retcd-engine --example merge_simulator -- --sweep
//!     --keys N        distinct keys
//!     --flushes N     memtables that are filled
//! ```
//!
//! The functions that choose merges are the engine's own. A run is a sorted list of (key, versions)
//! cut into tables, a record has one unit of length, and a merge applies the retention rule with
//! the watermark of the moment. One flush is made for each memtable's fill of records.
//!
//! *As the engine* means that all merges that are due are done before the next flush. *Paced* means
//! one thread for which a flush is always due, so that merges get only what its slices owe them.
//! There a merge counts when all of it is done; the engine's counts table by table.
//!
//! What is printed, per workload:
//!
//! * *write*: records written to tables, flushes included, for each record that came in;
//! * *space*: records in tables for each living one, on average and at the peak, in the second
//!   half;
//! * *runs*: how many there are, on average and at most: what a read of an absent key asks;
//! * *level zero*, *debt*: the most of each, by which the door holds writers.

use std::collections::BTreeMap;

use retcd_engine::lsm::manifest::{RunId, Tier};
use retcd_engine::lsm::pace::{Load, Pace, Turn};
use retcd_engine::lsm::policy::{self, Knobs, Plan, RunShape, Scope, TableShape, leveled};
use retcd_engine::table::FileNumber;

/// Records of a memtable: 64 MiB at 330 bytes each would be 200,000; the ratios are what counts.
const FLUSH_RECORDS: u64 = 2_000;
/// Half a memtable, as in the engine.
const TABLE_RECORDS: usize = FLUSH_RECORDS as usize / 2;
/// What a step of a flush or a merge goes through: a memtable in 64 slices, as in the engine.
const SLICE_RECORDS: u64 = FLUSH_RECORDS / 64;
/// Merges that may be under way at once, as in the engine.
const MERGES_MAX: usize = 4;

/// What comes in.
#[derive(Clone, Copy, Debug)]
enum Workload {
    /// Each key once.
    NewKeys,
    /// Any key with the same chance; compactions keep this many revisions in percent of the keys.
    Uniform { kept_percent: u64 },
    /// Nine of ten writes go to a tenth of the keys, which lie together.
    Skewed { kept_percent: u64 },
    /// Keys are put, and removed when a quarter of all is there.
    Queue,
    /// As uniform, but compacted only four times in all.
    RareCompaction,
}

const WORKLOADS: [Workload; 7] = [
    Workload::NewKeys,
    Workload::Uniform { kept_percent: 1 },
    Workload::Uniform { kept_percent: 25 },
    Workload::Skewed { kept_percent: 1 },
    Workload::Skewed { kept_percent: 25 },
    Workload::Queue,
    Workload::RareCompaction,
];

/// One version: its main and whether it is a tombstone.
type Version = (u32, bool);
/// Keys ascending, versions descending.
type Records = Vec<(u32, Vec<Version>)>;

struct Table {
    number: u64,
    records: Records,
}

impl Table {
    fn len(&self) -> u64 {
        self.records.iter().map(|(_, versions)| versions.len() as u64).sum()
    }

    /// What the staircase would promise, without its rounding.
    fn dead(&self, watermark: u32) -> u64 {
        let dead = |versions: &Vec<Version>| {
            let settled = versions.iter().position(|&(main, _)| main <= watermark);
            settled.map_or(0, |at| versions.len() - at - usize::from(!versions[at].1))
        };
        self.records.iter().map(|(_, versions)| dead(versions) as u64).sum()
    }
}

struct Run {
    id: u64,
    tier: Tier,
    tables: Vec<Table>,
}

impl Run {
    fn len(&self) -> u64 {
        self.tables.iter().map(Table::len).sum()
    }

    fn dead(&self, watermark: u32) -> u64 {
        self.tables.iter().map(|table| table.dead(watermark)).sum()
    }

    fn shape(&self, watermark: u32) -> RunShape {
        let shapes: Vec<TableShape> = self
            .tables
            .iter()
            .map(|table| TableShape {
                number: FileNumber(table.number),
                bytes: table.len(),
                dead_bytes: table.dead(watermark),
            })
            .collect();
        RunShape {
            id: RunId(self.id),
            tier: self.tier,
            bytes: shapes.iter().map(|table| table.bytes).sum(),
            dead_bytes: shapes.iter().map(|table| table.dead_bytes).sum(),
            dirtiest: shapes.into_iter().max_by_key(TableShape::dead_share),
            busy: false,
        }
    }
}

/// Sums over the second half of a run.
#[derive(Default)]
struct Sums {
    samples: u64,
    space: f64,
    space_max: f64,
    runs: u64,
    runs_max: usize,
    level_zero_max: u64,
    debt_max: u64,
}

/// When merges that are due are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merges {
    BeforeTheNextFlush,
    Paced,
}

struct Simulator {
    knobs: Knobs,
    /// Newest first.
    runs: Vec<Run>,
    shapes: BTreeMap<u64, (u32, RunShape)>,
    /// Merges that are begun, and records that they have still to go through.
    under_way: Vec<(Plan, u64)>,
    pace: Pace,
    next: u64,
    watermark: u32,
    main: u32,
    /// Newest version of each key.
    state: Vec<Version>,
    written: u64,
    sums: Sums,
    random: u64,
}

impl Simulator {
    fn new(knobs: Knobs, keys: u64) -> Simulator {
        Simulator {
            knobs,
            runs: Vec::new(),
            shapes: BTreeMap::new(),
            under_way: Vec::new(),
            pace: Pace::default(),
            next: 0,
            watermark: 0,
            main: 0,
            state: vec![(0, true); keys as usize],
            written: 0,
            sums: Sums::default(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The next key and whether it is removed.
    fn write(&mut self, workload: Workload) -> (u32, bool) {
        let keys = self.state.len() as u64;
        let main = u64::from(self.main);
        match workload {
            Workload::NewKeys => ((main * 7919 % keys) as u32, false),
            Workload::Uniform { .. } | Workload::RareCompaction => (self.below(keys) as u32, false),
            Workload::Skewed { .. } if self.below(10) < 9 => (self.below(keys / 10) as u32, false),
            Workload::Skewed { .. } => (self.below(keys) as u32, false),
            Workload::Queue => {
                let behind = keys / 4 * (main % 2);
                (((main / 2 + keys - behind) * 7919 % keys) as u32, main % 2 == 1)
            }
        }
    }

    fn compact(&mut self, workload: Workload, flush: u64, flushes: u64) {
        let keys = self.state.len() as u64;
        let kept = match workload {
            Workload::Uniform { kept_percent } | Workload::Skewed { kept_percent } => {
                keys * kept_percent / 100
            }
            Workload::RareCompaction if !flush.is_multiple_of(flushes.div_ceil(4)) => return,
            Workload::RareCompaction | Workload::NewKeys | Workload::Queue => 0,
        };
        self.watermark = self.watermark.max(self.main.saturating_sub(kept as u32));
    }

    fn run(&mut self, workload: Workload, flushes: u64, merges: Merges) {
        for flush in 1..=flushes {
            let mut memtable: BTreeMap<u32, Vec<Version>> = BTreeMap::new();
            for _ in 0..FLUSH_RECORDS {
                let (key, tombstone) = self.write(workload);
                self.main += 1;
                self.state[key as usize] = (self.main, tombstone);
                memtable.entry(key).or_default().insert(0, (self.main, tombstone));
            }
            self.compact(workload, flush, flushes);
            let records = retained(memtable.into_iter(), self.watermark, |_| false);
            if merges == Merges::Paced {
                self.merge_beside_a_flush(flush * 2 > flushes);
            }
            self.add(0, Tier::Level(0), records);
            self.sample(flush * 2 > flushes);
            while merges == Merges::BeforeTheNextFlush
                && let Some(plan) = self.plan()
            {
                self.merge(&plan);
                self.sample(flush * 2 > flushes);
            }
        }
    }

    /// What merges get done while a memtable is flushed.
    fn merge_beside_a_flush(&mut self, counts: bool) {
        let load = self.load();
        for _ in 0..FLUSH_RECORDS / SLICE_RECORDS {
            self.pace.flushed(&load);
            while self.pace.turn(&load) == Turn::Merge {
                match self.merge_slice() {
                    true => self.pace.merged(),
                    false => self.pace.cannot_merge(),
                }
            }
        }
        self.sample(counts);
    }

    /// Writers heed the door, so memtables aren't full.
    fn load(&self) -> Load {
        let levels = self.runs.iter().filter(|run| run.tier != Tier::Last);
        let level_zero = self.runs.iter().filter(|run| run.tier == Tier::Level(0));
        let last = self.runs.iter().filter(|run| run.tier == Tier::Last);
        let living = last.map(|run| run.len() - run.dead(self.watermark)).sum();
        let (levels, small) = (levels.map(Run::len).sum(), TABLE_RECORDS as u64);
        Load {
            level_zero_runs: level_zero.count() as u64,
            debt_permille: policy::debt(levels, living, small, &self.knobs),
            ..Load::default()
        }
    }

    /// A slice of the merge that writes to the lowest tier; `false` if none is due.
    fn merge_slice(&mut self) -> bool {
        while self.under_way.len() < MERGES_MAX
            && let Some(plan) = self.plan()
        {
            let inputs = self.runs.iter().filter(|run| plan.inputs.contains(&RunId(run.id)));
            let records = match plan.scope {
                Scope::Runs => inputs.map(Run::len).sum(),
                Scope::Table(number) => {
                    let tables = inputs.flat_map(|run| &run.tables);
                    tables.filter(|table| table.number == number.0).map(Table::len).sum()
                }
            };
            self.under_way.push((plan, records));
        }
        let order = |at: &usize| self.under_way[*at].0.tier;
        let Some(at) = (0..self.under_way.len()).min_by_key(order) else {
            return false;
        };
        let left = &mut self.under_way[at].1;
        *left = left.saturating_sub(SLICE_RECORDS);
        if *left == 0 {
            let (plan, _) = self.under_way.remove(at);
            self.merge(&plan);
        }
        true
    }

    fn is_busy(&self, id: RunId) -> bool {
        self.under_way.iter().any(|(plan, _)| plan.inputs.contains(&id))
    }

    fn plan(&mut self) -> Option<Plan> {
        let watermark = self.watermark;
        for run in &self.runs {
            let known = self.shapes.get(&run.id).is_some_and(|(at, _)| *at == watermark);
            if !known {
                self.shapes.insert(run.id, (watermark, run.shape(watermark)));
            }
        }
        let shape =
            |run: &Run| RunShape { busy: self.is_busy(RunId(run.id)), ..self.shapes[&run.id].1 };
        let shapes: Vec<RunShape> = self.runs.iter().map(shape).collect();
        leveled(&shapes, TABLE_RECORDS as u64, &self.knobs)
    }

    fn add(&mut self, place: usize, tier: Tier, records: Records) {
        let mut tables: Vec<Table> = Vec::new();
        let mut filled = TABLE_RECORDS;
        for record in records {
            if filled >= TABLE_RECORDS {
                tables.push(Table { number: self.number(), records: Vec::new() });
                filled = 0;
            }
            filled += record.1.len();
            self.written += record.1.len() as u64;
            tables.last_mut().expect("just pushed").records.push(record);
        }
        if !tables.is_empty() {
            let id = self.number();
            self.runs.insert(place, Run { id, tier, tables });
        }
    }

    fn merge(&mut self, plan: &Plan) {
        let taken = |run: &Run| plan.inputs.contains(&RunId(run.id));
        if let Scope::Table(number) = plan.scope {
            let at = self.runs.iter().position(taken).expect("a plan takes what is there");
            self.shapes.remove(&self.runs[at].id);
            let tables = &mut self.runs[at].tables;
            let table = tables.iter().position(|table| table.number == number.0);
            let table = table.expect("a plan takes what is there");
            let records = std::mem::take(&mut tables[table].records);
            let records = retained(records.into_iter(), self.watermark, |_| true);
            tables[table].records = records;
            self.written += tables[table].len();
            tables.retain(|table| !table.records.is_empty());
            return;
        }
        let place = self.runs.iter().position(taken).expect("a plan takes what is there");
        let (inputs, others) = std::mem::take(&mut self.runs).into_iter().partition(taken);
        self.runs = others;
        let inputs: Vec<Run> = inputs;
        let mut merged: BTreeMap<u32, Vec<Version>> = BTreeMap::new();
        for (key, versions) in inputs.into_iter().flat_map(|run| run.tables).flat_map(|t| t.records)
        {
            merged.entry(key).or_default().extend(versions);
        }
        merged.values_mut().for_each(|versions| versions.sort_unstable_by(|a, b| b.cmp(a)));
        let last = plan.tier == Tier::Last;
        let records = retained(merged.into_iter(), self.watermark, |_| last);
        self.add(place, plan.tier, records);
    }

    fn sample(&mut self, counts: bool) {
        if !counts {
            return;
        }
        let records: u64 = self.runs.iter().map(Run::len).sum();
        let load = self.load();
        // What a reader may still ask for is alive: newest versions and those above the watermark.
        let newest = self.state.iter().filter(|&&(main, gone)| main > 0 && !gone).count() as u64;
        let recent = u64::from(self.main - self.watermark);
        let space = records as f64 / (newest.max(FLUSH_RECORDS) + recent / 2) as f64;
        let sums = &mut self.sums;
        sums.samples += 1;
        sums.space += space;
        sums.space_max = sums.space_max.max(space);
        sums.runs += self.runs.len() as u64;
        sums.runs_max = sums.runs_max.max(self.runs.len());
        sums.level_zero_max = sums.level_zero_max.max(load.level_zero_runs);
        sums.debt_max = sums.debt_max.max(load.debt_permille);
    }
}

/// The rule of compaction by revision. A tombstone stays unless nothing older can be elsewhere.
fn retained(
    records: impl Iterator<Item = (u32, Vec<Version>)>,
    watermark: u32,
    nothing_older: impl Fn(u32) -> bool,
) -> Records {
    let keep = |(key, mut versions): (u32, Vec<Version>)| {
        if let Some(at) = versions.iter().position(|&(main, _)| main <= watermark) {
            let drops = versions[at].1 && nothing_older(key);
            versions.truncate(at + usize::from(!drops));
        }
        (!versions.is_empty()).then_some((key, versions))
    };
    records.filter_map(keep).collect()
}

fn report(
    name: &str,
    knobs: Knobs,
    merges: Merges,
    workload: Workload,
    (keys, flushes): (u64, u64),
) {
    let mut simulator = Simulator::new(knobs, keys);
    simulator.run(workload, flushes, merges);
    let Simulator { sums, written, main, .. } = &simulator;
    let write = *written as f64 / f64::from(*main);
    let samples = sums.samples.max(1) as f64;
    println!(
        "{name:26} write {write:5.2}  space {:5.2} mean {:5.2} peak  runs {:5.1} mean {:3} most  \
         level zero {:3} debt {:.2}",
        sums.space / samples,
        sums.space_max,
        sums.runs as f64 / samples,
        sums.runs_max,
        sums.level_zero_max,
        sums.debt_max as f64 / 1000.0,
    );
}

fn number_after(args: &[String], name: &str, default: u64) -> u64 {
    let at = args.iter().position(|arg| arg == name);
    let value = at.and_then(|at| args.get(at + 1)?.parse().ok());
    value.unwrap_or(default)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let keys = number_after(&args, "--keys", 200_000);
    let flushes = number_after(&args, "--flushes", 600);
    println!("{keys} keys, {flushes} flushes of {FLUSH_RECORDS}, tables of {TABLE_RECORDS}");
    for workload in WORKLOADS {
        // New keys are as many as there are writes.
        let keys = match workload {
            Workload::NewKeys => flushes * FLUSH_RECORDS,
            _ => keys,
        };
        println!("{workload:?}");
        let size = (keys, flushes);
        let at_once = Merges::BeforeTheNextFlush;
        report("  as the engine", Knobs::STEADY, at_once, workload, size);
        report("  paced", Knobs::STEADY, Merges::Paced, workload, size);
        if !args.iter().any(|arg| arg == "--sweep") {
            continue;
        }
        for tier_runs in [2, 4, 8] {
            for last_share in [250, 350, 500, 700, 1000] {
                let knobs = Knobs { tier_runs, last_share, ..Knobs::STEADY };
                let name = format!("  tiers {tier_runs} last {last_share}");
                report(&name, knobs, at_once, workload, size);
            }
        }
        for dead_share in [150, 250, 350, 500, 1001] {
            let knobs = Knobs { dead_share, ..Knobs::STEADY };
            report(&format!("  dead {dead_share}"), knobs, at_once, workload, size);
        }
    }
}
