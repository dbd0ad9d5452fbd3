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

mod flush;
mod graveyard;
mod health;
pub mod manifest;
mod memtable;
mod merge;
mod merging;
mod names;
mod options;
mod policy;
mod retention;
mod run_cursor;
mod run_writer;
mod scan;
mod store;
mod tree;
mod view;
mod work;

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use retcd_vfs::Vfs;

pub use options::Options;

use crate::{Applied, Engine, Keyspace, Record, Result, Stats, Step, View};
use flush::Slice;
use memtable::Memtable;
use store::Store;
use view::{Frozen, LsmView, Picture};
use work::Work;

/// Frozen memtables that may wait for a flush. Above that the active one grows.
const FROZEN_MAX: usize = 2;

/// The log-structured engine. See the module's text.
pub struct Lsm {
    store: Store,
    writer: Mutex<Writer>,
    work: Work,
}

/// What the writing thread keeps. Others come here only to rotate.
struct Writer {
    active: Arc<Memtable>,
    applied: Applied,
    /// Whether something was written after the last commit: then the memtable must not rotate.
    uncommitted: bool,
    flush_requested: bool,
}

impl Lsm {
    /// Opens the engine in folder `dir`, or makes an empty one there.
    ///
    /// # Errors
    /// Besides those of the file system: [`crate::Error::Corrupt`] if the manifest or a table's
    /// frame is damaged, [`crate::Error::Version`] if a later version wrote it, and
    /// [`crate::Error::InvalidOption`].
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path, options: Options) -> Result<Lsm> {
        options.check()?;
        let store = Store::open(vfs, dir.to_owned(), options)?;
        let picture = store.picture();
        let writer = Writer {
            active: Arc::clone(&picture.active),
            applied: picture.tree.applied.clone(),
            uncommitted: false,
            flush_requested: false,
        };
        Ok(Lsm { store, writer: Mutex::new(writer), work: Work::default() })
    }

    /// Freezes the active memtable if a flush of it is due and nothing in it is uncommitted.
    fn rotate_if_due(&self, writer: &mut Writer) {
        let picture = self.store.picture();
        if writer.uncommitted || picture.frozen.len() >= FROZEN_MAX {
            return;
        }
        let due = self.is_flush_due(writer, &picture);
        writer.flush_requested = false;
        if !due {
            return;
        }
        writer.active = self.store.new_memtable();
        let active = Arc::clone(&writer.active);
        let applied = writer.applied.clone();
        self.store.repaint(|picture| {
            let memtable = std::mem::replace(&mut picture.active, active);
            picture.frozen.push(Frozen { memtable, applied });
        });
    }

    fn is_flush_due(&self, writer: &Writer, picture: &Picture) -> bool {
        let covered = match picture.frozen.last() {
            Some(frozen) => &frozen.applied,
            None => &picture.tree.applied,
        };
        let options = self.store.options();
        // While one memtable is being flushed, half as much again may gather: rotating at once
        // would only make tables of crumbs.
        let divisor = if picture.frozen.is_empty() { 1 } else { 2 };
        let entries = writer.applied.index.saturating_sub(covered.index);
        (writer.flush_requested && *covered != writer.applied)
            || writer.active.bytes() >= options.memtable_bytes / divisor
            || entries >= (options.replay_entries_max / divisor).max(1)
    }

    fn step_inner(&self) -> Result<Step> {
        match self.work.step_flush(&self.store)? {
            Some(Slice::Done) => {
                // A rotation may have waited for the place that is free now.
                self.rotate_if_due(&mut self.writer.lock());
                return Ok(Step::Worked);
            }
            Some(Slice::More) => return Ok(Step::Worked),
            None => {}
        }
        if self.store.bury_one()? {
            return Ok(Step::Worked);
        }
        self.work.step_merge(&self.store)
    }
}

impl Engine for Lsm {
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()> {
        self.store.health.check()?;
        let mut writer = self.writer.lock();
        writer.uncommitted = true;
        writer.active.write(keyspace, records);
        Ok(())
    }

    fn commit(&self, applied: Applied) -> Result<()> {
        self.store.health.check()?;
        let mut writer = self.writer.lock();
        let before = &writer.applied;
        assert!(before.index <= applied.index, "the applied index goes back");
        assert!(before.watermark <= applied.watermark, "the watermark goes back");
        writer.applied = applied;
        writer.uncommitted = false;
        self.rotate_if_due(&mut writer);
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(LsmView::new(self.store.picture(), Arc::clone(&self.store.health)))
    }

    fn applied(&self) -> Applied {
        self.writer.lock().applied.clone()
    }

    fn flushed(&self) -> Applied {
        self.store.picture().tree.applied.clone()
    }

    fn request_flush(&self) -> Result<()> {
        self.store.health.check()?;
        let mut writer = self.writer.lock();
        writer.flush_requested = true;
        self.rotate_if_due(&mut writer);
        Ok(())
    }

    fn request_merge(&self) -> Result<()> {
        self.request_flush()?;
        self.work.request_full_merge();
        Ok(())
    }

    fn step(&self) -> Result<Step> {
        self.store.health.check()?;
        self.store.health.note(self.step_inner())
    }

    fn stats(&self) -> Stats {
        let picture = self.store.picture();
        let watermark = picture.tree.applied.watermark;
        let file_bytes = picture.tree.all_runs().map(|run| run.file_bytes).sum();
        let dead_bytes: u64 = picture.tree.all_runs().map(|run| run.dead_bytes(watermark)).sum();
        Stats {
            file_bytes,
            live_bytes: file_bytes.saturating_sub(dead_bytes),
            memtable_bytes: picture.memtables().map(|memtable| memtable.bytes()).sum(),
            frozen_memtables: picture.frozen.len() as u64,
            runs: picture.tree.all_runs().count() as u64,
            flushes: self.work.flushes(),
            merges: self.work.merges(),
            bytes_written: self.store.bytes_written(),
            out_of_space: self.work.out_of_space(),
        }
    }
}
