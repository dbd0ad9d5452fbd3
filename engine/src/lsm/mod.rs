//! The log-structured engine: memtables, sorted tables, and merges in the background.
//!
//! ```text
//! write ─▶ active memtable ─▶ frozen ─flush─▶ runs of level 0 ─merge─▶ … ─merge─▶ last tier
//!                     commit rotates          the manifest names them, with what they cover
//! ```
//!
//! * All keyspaces share a memtable and are flushed as one unit, so nothing idle can hold the log
//!   back. One manifest edit makes the tables count together with [`Applied`].
//! * A record is immutable and its version unique, so no sequence numbers are needed, a replayed
//!   write is harmless, and a merge may take any set of runs.
//! * The files are the exact logical state at their applied index: retention uses only the
//!   watermark that is durable with them.
//! * Readers hold a picture of memtables and tables, and never wait for the disk's writers.
//!
//! Whoever writes calls [`Engine::step`] from other threads often enough: here nothing blocks when
//! memtables pile up. [`Stats::frozen_memtables`] at its limit of two tells to hold back.

pub mod checkpoint;
mod flush;
pub mod inspect;
pub mod manifest;
mod merge;
mod names;
mod options;
pub mod pace;
pub mod policy;
mod run_cursor;
mod run_writer;
mod scrub;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod work;

use std::path::Path;
use std::sync::Arc;

use retcd_vfs::Vfs;

pub use options::Options;

use crate::{Applied, Checkpoint, Engine, Keyspace, Record, Result, Scrub, Stats, Step, View};
use checkpoint::LsmCheckpoint;
use flush::Slice;
use pace::{Load, Turn};
use policy::Knobs;
use scrub::LsmScrub;
use store::Store;
use tree::Totals;
use work::{DemandKind, Work};

/// The log-structured engine. See the module's text.
pub struct Lsm {
    store: Arc<Store>,
    work: Work,
}

impl Lsm {
    /// Opens the engine in folder `dir`, or makes an empty one there.
    ///
    /// # Errors
    /// Besides those of the file system: [`crate::Error::Corrupt`] if the manifest or a table's
    /// foot or properties are damaged (what else is damaged stops the reads that need it),
    /// [`crate::Error::Version`] if a later version wrote it, [`crate::Error::OtherEngine`], and
    /// [`crate::Error::InvalidOption`].
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path, options: Options) -> Result<Lsm> {
        options.check()?;
        let store = Store::open(vfs, dir.to_owned(), options)?;
        Ok(Lsm { store: Arc::new(store), work: Work::default() })
    }

    fn demand(&self, kind: DemandKind) -> Result<()> {
        // Before the flush is asked for: what is committed after that isn't in it, and the demand
        // would wait for one that nobody asked for.
        let index = self.applied().index;
        self.request_flush()?;
        self.work.demand(kind, index);
        Ok(())
    }

    fn load(&self) -> Load {
        let picture = self.store.picture();
        let totals = picture.disk.totals;
        Load {
            memtable_permille: self.store.front.unflushed(&picture).permille,
            level_zero_runs: totals.level_zero_runs,
            debt_permille: self.debt_permille(&totals),
            is_demanded: self.work.is_owed(),
        }
    }

    fn debt_permille(&self, totals: &Totals) -> u64 {
        let small_bytes = self.store.options().table_bytes;
        let Totals { level_bytes, last_living_bytes, .. } = *totals;
        policy::debt(level_bytes, last_living_bytes, small_bytes, &Knobs::STEADY)
    }

    fn step_inner(&self) -> Result<Step> {
        // With each step: if a flush is always due, memtables that were flushed would pile up.
        let buried = self.store.bury_one()?;
        let load = self.load();
        if self.work.turn(&load) == Turn::Merge {
            let step = self.work.step_merge(&self.store)?;
            if step != Step::Idle {
                return Ok(step);
            }
        }
        let flushed = self.work.step_flush(&self.store)?;
        if flushed.is_some() {
            self.work.flushed(&load);
        }
        if flushed == Some(Slice::Done) {
            // A rotation may have waited for the place that is free now.
            self.store.front.rotate_if_due();
        }
        if buried || flushed.is_some() {
            return Ok(Step::Worked);
        }
        self.work.step_merge(&self.store)
    }
}

impl Engine for Lsm {
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()> {
        self.store.front.health.check()?;
        self.store.front.write(keyspace, records);
        Ok(())
    }

    fn commit(&self, applied: Applied) -> Result<()> {
        self.store.front.health.check()?;
        self.store.front.commit(applied);
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        self.store.front.view()
    }

    fn applied(&self) -> Applied {
        self.store.front.applied()
    }

    fn flushed(&self) -> Applied {
        self.store.picture().disk.applied.clone()
    }

    fn request_flush(&self) -> Result<()> {
        self.store.front.health.check()?;
        self.store.front.request_flush();
        Ok(())
    }

    fn request_merge(&self) -> Result<()> {
        self.demand(DemandKind::Everything)
    }

    fn request_compaction(&self) -> Result<()> {
        self.demand(DemandKind::Garbage)
    }

    fn step(&self) -> Result<Step> {
        self.store.front.health.check()?;
        self.store.front.health.note(self.step_inner())
    }

    fn checkpoint(&self, to: &Path) -> Result<Box<dyn Checkpoint>> {
        self.store.front.health.check()?;
        Ok(Box::new(LsmCheckpoint::new(&self.store, to)?))
    }

    fn scrub(&self) -> Box<dyn Scrub> {
        Box::new(LsmScrub::new(Arc::clone(&self.store)))
    }

    fn stats(&self) -> Stats {
        let picture = self.store.picture();
        let unflushed = self.store.front.unflushed(&picture);
        let dead_bytes = picture.disk.dead_bytes(self.store.front.watermark());
        let totals = picture.disk.totals;
        let Totals { file_bytes, runs, level_zero_runs, .. } = totals;
        Stats {
            file_bytes,
            live_bytes: file_bytes.saturating_sub(dead_bytes),
            memtable_bytes: unflushed.bytes,
            memtable_permille: unflushed.permille,
            frozen_memtables: picture.frozen.len() as u64,
            runs,
            level_zero_runs,
            debt_permille: self.debt_permille(&totals),
            is_owed: self.work.is_owed(),
            flushes: self.work.flushes(),
            merges: self.work.merges(),
            bytes_written: self.store.bytes_written(),
            out_of_space: self.work.out_of_space(),
        }
    }
}
