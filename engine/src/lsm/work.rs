//! Which work is due, and who does it: one flush and a few merges, each advanced by one thread at a
//! time.
//!
//! A job is taken out of its slot while a thread works on it; another thread that comes meanwhile
//! finds the slot empty and takes the next job. A flush comes first, since memory and the log wait
//! for it, unless its slices owe merges something: see [`super::pace`]. Among merges the one that
//! writes to the lowest tier does: a long merge of the last tier is interrupted by the short ones
//! that keep runs few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::flush::{Flush, Slice};
use super::manifest::{RunId, Tier};
use super::merge::{Merge, MergeStep};
use super::pace::{Load, Pace, Turn};
use super::policy::{self, Knobs, Plan, RunShape, Scope};
use super::store::Store;
use super::tree::Run;
use super::tree::Tree;
use crate::picture::Picture;
use crate::{Keyspace, Result, Step};

/// Merges that may be under way at once.
const MERGES_MAX: usize = 4;

/// Keyspaces whose runs are merged level by level.
const LEVELED: [Keyspace; 3] = [Keyspace::Kv, Keyspace::Lease, Keyspace::Meta];

/// See the module's text.
#[derive(Default)]
pub(super) struct Work {
    slots: Mutex<Slots>,
    flushes: AtomicU64,
    merges: AtomicU64,
}

#[derive(Default)]
struct Slots {
    flush: FlushSlot,
    merges: Vec<MergeSlot>,
    /// By [`Keyspace`]: what somebody waits for.
    demands: [Option<Demand>; 4],
    out_of_space: bool,
    pace: Pace,
}

/// Merges beyond what is due by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Demand {
    kind: DemandKind,
    /// What is applied up to here has to be in tables first.
    index: u64,
}

/// What shall be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DemandKind {
    /// What gives back space that is worth the writing.
    Garbage,
    /// What gives back any space. Several runs become one, since each may supersede what is in
    /// others.
    Everything,
}

#[derive(Default)]
enum FlushSlot {
    #[default]
    Empty,
    Waiting(Flush),
    Taken,
}

struct MergeSlot {
    /// The run that it writes; tells slots apart.
    output: RunId,
    keyspace: Keyspace,
    inputs: Vec<RunId>,
    tier: Tier,
    /// Why it is done, if nothing was due.
    demand: Option<Demand>,
    job: MergeJob,
}

enum MergeJob {
    Planned(Plan),
    Waiting(Box<Merge>),
    Taken,
}

impl Work {
    pub(super) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    pub(super) fn merges(&self) -> u64 {
        self.merges.load(Ordering::Relaxed)
    }

    pub(super) fn out_of_space(&self) -> bool {
        self.slots.lock().out_of_space
    }

    /// Has merges done for what is applied up to `index`, beyond those that are due.
    pub(super) fn demand(&self, kind: DemandKind, index: u64) {
        let mut slots = self.slots.lock();
        for keyspace in LEVELED {
            slots.add_demand(keyspace, Demand { kind, index });
        }
    }

    /// Whether something that was demanded isn't done yet.
    pub(super) fn is_owed(&self) -> bool {
        let slots = self.slots.lock();
        let open = slots.demands.iter().any(Option::is_some);
        open || slots.merges.iter().any(|slot| slot.demand.is_some())
    }

    /// Whether a flush or a merge goes first.
    pub(super) fn turn(&self, load: &Load) -> Turn {
        self.slots.lock().pace.turn(load)
    }

    /// Notes what a slice of a flush owes merges: nothing if the last one found no room.
    pub(super) fn flushed(&self, load: &Load) {
        let mut slots = self.slots.lock();
        if !slots.out_of_space {
            slots.pace.flushed(load);
        }
    }

    /// Does a slice of the flush, if one is due and no other thread is at it.
    pub(super) fn step_flush(&self, store: &Store) -> Result<Option<Slice>> {
        let taken = std::mem::replace(&mut self.slots.lock().flush, FlushSlot::Taken);
        let mut flush = match taken {
            FlushSlot::Waiting(flush) => flush,
            FlushSlot::Taken => return Ok(None),
            FlushSlot::Empty => {
                let Some(frozen) = store.picture().frozen.first().cloned() else {
                    self.slots.lock().flush = FlushSlot::Empty;
                    return Ok(None);
                };
                Flush::new(store, frozen)
            }
        };
        let slice = flush.step(store)?;
        let mut slots = self.slots.lock();
        slots.flush = match slice {
            Slice::More => FlushSlot::Waiting(flush),
            Slice::Done => FlushSlot::Empty,
        };
        if slice == Slice::Done {
            self.flushes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Some(slice))
    }

    /// Does a slice of the most urgent merge that no other thread is at.
    pub(super) fn step_merge(&self, store: &Store) -> Result<Step> {
        let Some((output, keyspace, job)) = self.take_merge(store) else {
            self.slots.lock().pace.cannot_merge();
            return Ok(Step::Idle);
        };
        let merge = match job {
            MergeJob::Planned(plan) => Box::new(Merge::new(store, keyspace, plan, output)?),
            MergeJob::Waiting(merge) => merge,
            MergeJob::Taken => unreachable!("a taken job isn't taken again"),
        };
        let step = merge.step(store)?;
        let mut slots = self.slots.lock();
        let place = slots.merges.iter().position(|slot| slot.output == output);
        let place = place.expect("a slot stays while its job is taken");
        match step {
            MergeStep::More(merge) => {
                slots.merges[place].job = MergeJob::Waiting(merge);
                slots.pace.merged();
                Ok(Step::Worked)
            }
            MergeStep::Done => {
                slots.merges.swap_remove(place);
                slots.out_of_space = false;
                slots.pace.merged();
                self.merges.fetch_add(1, Ordering::Relaxed);
                Ok(Step::Worked)
            }
            MergeStep::OutOfSpace => {
                let given_up = slots.merges.swap_remove(place);
                slots.out_of_space = true;
                slots.pace.cannot_merge();
                if let Some(demand) = given_up.demand {
                    slots.add_demand(keyspace, demand);
                }
                Ok(Step::OutOfSpace)
            }
        }
    }

    fn take_merge(&self, store: &Store) -> Option<(RunId, Keyspace, MergeJob)> {
        let mut slots = self.slots.lock();
        slots.plan(store);
        let waiting = slots.merges.iter_mut().filter(|slot| !matches!(slot.job, MergeJob::Taken));
        let slot = waiting.min_by_key(|slot| (slot.tier, slot.output))?;
        let job = std::mem::replace(&mut slot.job, MergeJob::Taken);
        Some((slot.output, slot.keyspace, job))
    }
}

impl Slots {
    /// Adds the merges that are due. The picture is taken under the slots' lock: a merge commits
    /// before it leaves its slot, so no run that is gone is planned for.
    fn plan(&mut self, store: &Store) {
        let picture = store.picture();
        for keyspace in [Keyspace::Rev].into_iter().chain(LEVELED) {
            while self.merges.len() < MERGES_MAX {
                let demand = self.demands[keyspace as usize];
                let Some(plan) = self.plan_one(store, &picture, keyspace) else {
                    break;
                };
                self.merges.push(MergeSlot {
                    output: RunId(store.take_number()),
                    keyspace,
                    inputs: plan.inputs.clone(),
                    tier: plan.tier,
                    demand,
                    job: MergeJob::Planned(plan),
                });
            }
        }
    }

    fn plan_one(
        &mut self,
        store: &Store,
        picture: &Picture<Tree>,
        keyspace: Keyspace,
    ) -> Option<Plan> {
        let mut runs: Vec<&Arc<Run>> = picture.disk.runs(keyspace).iter().collect();
        if keyspace == Keyspace::Rev {
            runs.sort_by_key(|run| run.smallest_key());
        }
        let shapes: Vec<RunShape> =
            runs.iter().map(|run| run.shape(self.is_busy(run.id))).collect();
        if keyspace == Keyspace::Rev {
            return policy::concatenated(&shapes, store.options().concatenated_bytes);
        }
        let small_bytes = store.options().table_bytes;
        let fresh = shapes.iter().filter(|run| run.tier == Tier::Level(0)).count();
        match self.demands[keyspace as usize] {
            None if (1..store.options().unmerged_runs).contains(&fresh) => None,
            None => policy::leveled(&shapes, small_bytes, &Knobs::STEADY),
            // What a merge that is under way leaves of its inputs isn't worth planning for.
            Some(_) if shapes.iter().any(|run| run.busy) => None,
            Some(demand) if picture.disk.applied.index < demand.index => None,
            Some(demand) => self.plan_demanded(keyspace, &shapes, demand.kind, small_bytes),
        }
    }

    /// The next merge of what was demanded. The demand is met with a merge of all runs, and when
    /// no table is left that is worth rewriting.
    fn plan_demanded(
        &mut self,
        keyspace: Keyspace,
        shapes: &[RunShape],
        kind: DemandKind,
        small_bytes: u64,
    ) -> Option<Plan> {
        let plan = match kind {
            DemandKind::Garbage => policy::leveled(shapes, small_bytes, &Knobs::THOROUGH),
            DemandKind::Everything if shapes.iter().all(|run| run.tier == Tier::Last) => {
                policy::leveled(shapes, small_bytes, &Knobs::EVERYTHING)
            }
            DemandKind::Everything => Some(policy::full(shapes)),
        };
        let merges_all = plan.as_ref().is_some_and(|plan| plan.tier == Tier::Last);
        let goes_on = plan.as_ref().is_some_and(|plan| plan.scope != Scope::Runs || !merges_all);
        if !goes_on {
            self.demands[keyspace as usize] = None;
        }
        plan
    }

    /// The larger demand covers the smaller one, and the later one the earlier.
    fn add_demand(&mut self, keyspace: Keyspace, demand: Demand) {
        let place = &mut self.demands[keyspace as usize];
        let before = place.unwrap_or(demand);
        let kind = before.kind.max(demand.kind);
        *place = Some(Demand { kind, index: before.index.max(demand.index) });
    }

    fn is_busy(&self, run: RunId) -> bool {
        self.merges.iter().any(|slot| slot.output == run || slot.inputs.contains(&run))
    }
}
