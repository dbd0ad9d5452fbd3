//! Which work is due, and who does it: one flush and a few merges, each advanced by one thread at a
//! time.
//!
//! A job is taken out of its slot while a thread works on it; another thread that comes meanwhile
//! finds the slot empty and takes the next job. Flushes come first, since memory and the log wait
//! for them, then the merge that writes to the lowest tier: a long merge of the last tier is
//! interrupted by the short ones that keep runs few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::flush::{Flush, Slice};
use super::manifest::{RunId, Tier};
use super::merge::{Merge, MergeStep};
use super::policy::{self, Plan, RunShape};
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
    /// Keyspaces whose runs shall all become one.
    full_merges: Vec<Keyspace>,
    out_of_space: bool,
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
    /// Whether it was asked for: then it is owed even if no policy would propose it.
    requested: bool,
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

    /// Has everything merged into its last form.
    pub(super) fn request_full_merge(&self) {
        self.slots.lock().full_merges = LEVELED.into();
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
                Ok(Step::Worked)
            }
            MergeStep::Done => {
                slots.merges.swap_remove(place);
                slots.out_of_space = false;
                self.merges.fetch_add(1, Ordering::Relaxed);
                Ok(Step::Worked)
            }
            MergeStep::OutOfSpace => {
                let given_up = slots.merges.swap_remove(place);
                slots.out_of_space = true;
                slots.full_merges.extend(given_up.requested.then_some(keyspace));
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
                let requested = self.full_merges.contains(&keyspace);
                let Some(plan) = self.plan_one(store, &picture, keyspace) else {
                    break;
                };
                self.merges.push(MergeSlot {
                    output: RunId(store.take_number()),
                    keyspace,
                    inputs: plan.inputs.clone(),
                    tier: plan.tier,
                    requested,
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
        let watermark = picture.disk.applied.watermark;
        let mut runs: Vec<&Arc<Run>> = picture.disk.runs(keyspace).iter().collect();
        let shape = |run: &&Arc<Run>| RunShape {
            id: run.id,
            tier: run.tier,
            bytes: run.file_bytes,
            dead_bytes: run.dead_bytes(watermark),
            busy: self.is_busy(run.id),
        };
        if keyspace == Keyspace::Rev {
            runs.sort_by_key(|run| run.smallest_key());
            let shapes: Vec<RunShape> = runs.iter().map(shape).collect();
            return policy::concatenated(&shapes, store.options().concatenated_bytes);
        }
        let shapes: Vec<RunShape> = runs.iter().map(shape).collect();
        if !self.full_merges.contains(&keyspace) {
            return policy::leveled(&shapes, store.options().table_bytes);
        }
        let flushed = picture.frozen.is_empty() && matches!(self.flush, FlushSlot::Empty);
        if !flushed || shapes.iter().any(|run| run.busy) {
            return None;
        }
        self.full_merges.retain(|&requested| requested != keyspace);
        let merged = match runs[..] {
            [] => true,
            [run] => run.tier == Tier::Last && !run.has_removable(),
            _ => false,
        };
        (!merged).then(|| policy::full(&shapes))
    }

    fn is_busy(&self, run: RunId) -> bool {
        self.merges.iter().any(|slot| slot.output == run || slot.inputs.contains(&run))
    }
}
