//! The B+tree: our keyspaces as buckets of one file in bbolt's format, changed copy on write.
//!
//! ```text
//! write ─▶ active memtable ─▶ frozen ─commit─▶ new pages, sync, meta page, sync
//!                     commit rotates     sweep ─▶ the same, for what compaction left behind
//! ```
//!
//! * A batch of entries is one transaction: its records, and in a bucket of our own what they cover
//!   ([`Applied`]). There is no log in here: after a crash the last transaction counts, and the
//!   member applies again what came after it.
//! * A transaction writes no page that a tree has which somebody reads, nor one that the newest
//!   durable tree has. So views are pictures, and a crash leaves the old tree or the new one.
//! * A start reads a few pages, whatever the file's length.
//! * bbolt's own tools read the file. They must not write it: our pages carry a checksum.
//!
//! Whoever writes calls [`Engine::step`] from other threads often enough: here nothing blocks when
//! memtables pile up. [`Stats::frozen_memtables`] at its limit of two tells to hold back.

mod checkpoint;
mod file;
mod flush;
pub mod inspect;
mod ledger;
mod node;
mod options;
mod pager;
mod pages;
mod place;
mod record;
mod scrub;
mod space;
mod sweep;
mod system;
mod tree;
mod update;
mod walk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use retcd_vfs::Vfs;

pub use options::Options;

use crate::bolt::PAGE_BYTES;
use crate::picture::{Due, Front};
use crate::{Applied, Checkpoint, Engine, Keyspace, Record, Result, Scrub, Stats, Step, View};
use checkpoint::TreeCheckpoint;
use flush::{Flush, FlushStep};
use ledger::Ledger;
use pager::Pager;
use scrub::TreeScrub;
use sweep::{Sweep, SweepStep};
use tree::Tree;

/// The B+tree engine. See the module's text.
pub struct Btree {
    vfs: Arc<dyn Vfs>,
    front: Front<Tree>,
    pager: Arc<Pager>,
    options: Options,
    work: Mutex<Work>,
    full_sweep_requested: AtomicBool,
    /// How often space was asked for, and which of these are dealt with.
    asked: AtomicU64,
    answered: AtomicU64,
    used_pages: AtomicU64,
    flushes: AtomicU64,
    sweeps: AtomicU64,
    out_of_space: AtomicBool,
}

/// What one thread at a time does.
struct Work {
    ledger: Ledger,
    flush: Option<Box<Flush>>,
    sweep: Option<Box<Sweep>>,
    /// Whether the last step ended a commit: then the sweep has a turn, however many are due.
    sweep_has_turn: bool,
}

impl Btree {
    /// Opens the engine in folder `dir`, or makes an empty one there.
    ///
    /// # Errors
    /// Besides those of the file system: [`crate::Error::Corrupt`] if what is read at the start is
    /// damaged, [`crate::Error::Version`] if a later version wrote it,
    /// [`crate::Error::OtherEngine`], and [`crate::Error::InvalidOption`].
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path, options: Options) -> Result<Btree> {
        options.check()?;
        let cache_bytes = usize::try_from(options.block_cache_bytes).unwrap_or(usize::MAX);
        let ledger = file::open(&*vfs, dir, cache_bytes)?;
        let due = Due {
            bytes: options.memtable_bytes,
            entries: options.replay_entries_max,
            operations: options.batch_operations,
        };
        Ok(Btree {
            vfs,
            front: Front::new(due, Arc::clone(&ledger.tree), Arc::default()),
            pager: Arc::clone(&ledger.pager),
            options,
            used_pages: AtomicU64::new(ledger.used_pages()),
            work: Mutex::new(Work { ledger, flush: None, sweep: None, sweep_has_turn: false }),
            full_sweep_requested: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            sweeps: AtomicU64::new(0),
            out_of_space: AtomicBool::new(false),
        })
    }

    fn step_inner(&self) -> Result<Step> {
        // Before a commit, because under load one is always due: what was committed before it
        // would stay in memory as long as the load lasts.
        if self.front.decay_one().is_some() {
            return Ok(Step::Worked);
        }
        let work = &mut *self.work.lock();
        let sweeps_first = std::mem::take(&mut work.sweep_has_turn) && work.flush.is_none();
        if sweeps_first {
            let step = self.step_sweep(work)?;
            if step != Step::Idle {
                return Ok(step);
            }
        }
        match self.step_flush(work)? {
            true => Ok(Step::Worked),
            false => self.step_sweep(work),
        }
    }

    /// Does a slice of a commit; `false` if none is due.
    fn step_flush(&self, work: &mut Work) -> Result<bool> {
        let flush = match work.flush.take() {
            Some(flush) => flush,
            None => match self.front.picture().frozen.first().cloned() {
                Some(frozen) => Box::new(Flush::begin(&mut work.ledger, frozen)?),
                None => return Ok(false),
            },
        };
        match flush.step(&mut work.ledger, self.options.slice_bytes)? {
            FlushStep::More(flush) => work.flush = Some(flush),
            FlushStep::Done => {
                self.show(&mut work.ledger, Shown::WithoutOldestMemtable)?;
                self.flushes.fetch_add(1, Ordering::Relaxed);
                work.sweep_has_turn = true;
                // A rotation may have waited for the place that is free now.
                self.front.rotate_if_due();
            }
        }
        Ok(true)
    }

    /// Does a slice of the sweep, if one is due and no commit is under way.
    fn step_sweep(&self, work: &mut Work) -> Result<Step> {
        if self.front.picture().frozen.is_empty()
            && self.full_sweep_requested.swap(false, Ordering::AcqRel)
        {
            work.sweep = Some(Box::new(Sweep::full(&work.ledger)));
        }
        let due = || Sweep::due(&work.ledger).map(Box::new);
        let Some(sweep) = work.sweep.take().or_else(due) else {
            return Ok(Step::Idle);
        };
        let before = work.ledger.tree.meta.transaction;
        let step = sweep.step(&mut work.ledger, self.options.slice_bytes)?;
        if work.ledger.tree.meta.transaction != before {
            self.show(&mut work.ledger, Shown::WithAllMemtables)?;
            self.out_of_space.store(false, Ordering::Relaxed);
        }
        match step {
            SweepStep::More(sweep) => work.sweep = Some(sweep),
            SweepStep::Done => {
                self.sweeps.fetch_add(1, Ordering::Relaxed);
            }
            SweepStep::OutOfSpace(sweep) => {
                work.sweep = Some(sweep);
                self.out_of_space.store(true, Ordering::Relaxed);
                return Ok(Step::OutOfSpace);
            }
        }
        Ok(Step::Worked)
    }

    /// Shows the newest tree to readers, then gives space back that only older ones had.
    fn show(&self, ledger: &mut Ledger, shown: Shown) -> Result<()> {
        let tree = Arc::clone(&ledger.tree);
        self.front.repaint(|picture| {
            picture.disk = tree;
            if shown == Shown::WithoutOldestMemtable {
                picture.frozen.remove(0);
            }
        });
        self.used_pages.store(ledger.used_pages(), Ordering::Relaxed);
        ledger.cut()
    }
}

/// What readers see beside a new tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    WithAllMemtables,
    /// It is in the tree now.
    WithoutOldestMemtable,
}

impl Engine for Btree {
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()> {
        self.front.health.check()?;
        self.front.write(keyspace, records);
        Ok(())
    }

    fn commit(&self, applied: Applied) -> Result<()> {
        self.front.health.check()?;
        self.front.commit(applied);
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        self.front.view()
    }

    fn applied(&self) -> Applied {
        self.front.applied()
    }

    fn flushed(&self) -> Applied {
        self.front.picture().disk.applied.clone()
    }

    fn request_flush(&self) -> Result<()> {
        self.front.health.check()?;
        self.front.request_flush();
        Ok(())
    }

    fn request_merge(&self) -> Result<()> {
        self.request_flush()?;
        self.full_sweep_requested.store(true, Ordering::Release);
        self.asked.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// The commit makes the watermark durable, and a sweep is due from then on.
    fn request_compaction(&self) -> Result<()> {
        self.request_flush()?;
        self.asked.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn step(&self) -> Result<Step> {
        self.front.health.check()?;
        let asked = self.asked.load(Ordering::Acquire);
        let step = self.front.health.note(self.step_inner())?;
        if step == Step::Idle {
            self.answered.fetch_max(asked, Ordering::AcqRel);
        }
        Ok(step)
    }

    fn checkpoint(&self, to: &Path) -> Result<Box<dyn Checkpoint>> {
        self.front.health.check()?;
        let (vfs, health) = (Arc::clone(&self.vfs), Arc::clone(&self.front.health));
        let tree = Arc::clone(&self.front.picture().disk);
        Ok(Box::new(TreeCheckpoint::new(vfs, health, tree, to)?))
    }

    fn scrub(&self) -> Box<dyn Scrub> {
        let tree = Arc::clone(&self.front.picture().disk);
        Box::new(TreeScrub::new(tree, Arc::clone(&self.front.health)))
    }

    fn stats(&self) -> Stats {
        let picture = self.front.picture();
        let unflushed = self.front.unflushed(&picture);
        Stats {
            file_bytes: self.pager.file_bytes(),
            live_bytes: self.used_pages.load(Ordering::Relaxed) * u64::from(PAGE_BYTES),
            memtable_bytes: unflushed.bytes,
            memtable_permille: unflushed.permille,
            frozen_memtables: picture.frozen.len() as u64,
            runs: 1,
            level_zero_runs: 0,
            debt_permille: 0,
            is_owed: self.answered.load(Ordering::Acquire) < self.asked.load(Ordering::Acquire),
            flushes: self.flushes.load(Ordering::Relaxed),
            merges: self.sweeps.load(Ordering::Relaxed),
            bytes_written: self.pager.bytes_written(),
            out_of_space: self.out_of_space.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use retcd_vfs::MemVfs;

    use super::*;
    use crate::testing::write_while_flushes_are_due;

    #[test]
    fn committed_memtables_go_although_a_commit_is_always_due() {
        let options = Options { memtable_bytes: 1 << 10, ..Options::default() };
        let engine = Btree::open(Arc::new(MemVfs::new()), Path::new("/db"), options);
        let engine = engine.expect("an empty folder");
        write_while_flushes_are_due(&engine);
        let left = std::iter::from_fn(|| engine.front.decay_one()).count();
        assert!(left < 4, "{left} memtables wait to be taken apart");
    }
}
