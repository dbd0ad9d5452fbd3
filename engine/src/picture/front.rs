//! The writing end: the active memtable, when it is frozen, and the picture that readers take.
//!
//! Two locks, always in this order: the writer's and the picture's. The second is held for a
//! pointer's length, so readers never wait for the disk. Sizes are asked for with each write, and
//! don't ask for the writer's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::graveyard::{Grave, Graveyard};
use super::memtable::Memtable;
use super::view::{Frozen, Picture};
use super::{Disk, PictureView};
use crate::health::Health;
use crate::{Applied, Keyspace, Record, View};

/// Frozen memtables that may wait for a flush. Above that the active one grows.
const FROZEN_MAX: usize = 2;

/// When the active memtable is frozen, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// It holds this much, in bytes.
    pub(crate) bytes: u64,
    /// This many entries would have to be applied again after a crash.
    pub(crate) entries: u64,
    /// This many records were written to it; those of `Rev`, which come with others, don't count.
    pub(crate) operations: u64,
}

/// See the module's text.
pub(crate) struct Front<D> {
    due: Due,
    writer: Mutex<Writer>,
    picture: RwLock<Arc<Picture<D>>>,
    /// Of the last commit.
    index: AtomicU64,
    watermark: AtomicU64,
    graveyard: Arc<Graveyard>,
    pub(crate) health: Arc<Health>,
}

/// What isn't flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unflushed {
    /// Bytes in memtables.
    pub(crate) bytes: u64,
    /// Bytes or entries, in permille of what makes a flush due, whichever is more.
    pub(crate) permille: u64,
}

/// What the writing thread keeps. Others come here only to rotate.
struct Writer {
    active: Arc<Memtable>,
    applied: Applied,
    /// Records written to the active memtable.
    operations: u64,
    /// Whether something was written after the last commit: then the memtable must not rotate.
    uncommitted: bool,
    flush_requested: bool,
}

impl<D: Disk> Front<D> {
    /// Empty memtables over `disk`.
    pub(crate) fn new(due: Due, disk: Arc<D>, graveyard: Arc<Graveyard>) -> Front<D> {
        let active = Arc::new(Memtable::new(Arc::clone(&graveyard)));
        let writer = Writer {
            active: Arc::clone(&active),
            applied: disk.applied().clone(),
            operations: 0,
            uncommitted: false,
            flush_requested: false,
        };
        let Applied { index, watermark, .. } = *disk.applied();
        let picture = Picture { active, frozen: Vec::new(), disk };
        Front {
            due,
            writer: Mutex::new(writer),
            picture: RwLock::new(Arc::new(picture)),
            index: AtomicU64::new(index),
            watermark: AtomicU64::new(watermark),
            graveyard,
            health: Arc::default(),
        }
    }

    /// What there is now.
    pub(crate) fn picture(&self) -> Arc<Picture<D>> {
        Arc::clone(&self.picture.read())
    }

    /// Changes the picture.
    pub(crate) fn repaint(&self, change: impl FnOnce(&mut Picture<D>)) {
        let mut place = self.picture.write();
        let mut picture = Picture::clone(&place);
        change(&mut picture);
        let old = std::mem::replace(&mut *place, Arc::new(picture));
        drop(place);
        // Outside of the lock: this may be the last holder of memtables and tables.
        drop(old);
    }

    /// A view of what there is now.
    pub(crate) fn view(&self) -> Box<dyn View> {
        Box::new(PictureView::new(self.picture(), Arc::clone(&self.health)))
    }

    /// Inserts records.
    pub(crate) fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) {
        let mut writer = self.writer.lock();
        writer.uncommitted = true;
        if keyspace != Keyspace::Rev {
            writer.operations += records.len() as u64;
        }
        writer.active.write(keyspace, records);
    }

    /// Notes what is in.
    ///
    /// # Panics
    /// If the index or the watermark goes back.
    pub(crate) fn commit(&self, applied: Applied) {
        let mut writer = self.writer.lock();
        let before = &writer.applied;
        assert!(before.index <= applied.index, "the applied index goes back");
        assert!(before.watermark <= applied.watermark, "the watermark goes back");
        self.index.store(applied.index, Ordering::Relaxed);
        self.watermark.store(applied.watermark, Ordering::Relaxed);
        writer.applied = applied;
        writer.uncommitted = false;
        self.rotate(&mut writer);
    }

    /// What the last commit said.
    pub(crate) fn applied(&self) -> Applied {
        self.writer.lock().applied.clone()
    }

    /// The watermark of the last commit.
    pub(crate) fn watermark(&self) -> u64 {
        self.watermark.load(Ordering::Relaxed)
    }

    /// What `picture`, which is the newest one, and the last commit have that the disk hasn't.
    pub(crate) fn unflushed(&self, picture: &Picture<D>) -> Unflushed {
        let bytes = picture.memtables().map(|memtable| memtable.bytes()).sum::<u64>();
        let index = self.index.load(Ordering::Relaxed);
        let entries = index.saturating_sub(picture.disk.applied().index);
        let permille = |value: u64, due: u64| value.saturating_mul(1000) / due;
        let of_bytes = permille(bytes, self.due.bytes);
        Unflushed { bytes, permille: of_bytes.max(permille(entries, self.due.entries)) }
    }

    /// Asks that what is committed be frozen.
    pub(crate) fn request_flush(&self) {
        let mut writer = self.writer.lock();
        writer.flush_requested = true;
        self.rotate(&mut writer);
    }

    /// Freezes the active memtable if that is due and nothing in it is uncommitted.
    pub(crate) fn rotate_if_due(&self) {
        self.rotate(&mut self.writer.lock());
    }

    fn rotate(&self, writer: &mut Writer) {
        let picture = self.picture();
        if writer.uncommitted || picture.frozen.len() >= FROZEN_MAX {
            return;
        }
        let due = self.is_due(writer, &picture);
        writer.flush_requested = false;
        if !due {
            return;
        }
        writer.active = Arc::new(Memtable::new(Arc::clone(&self.graveyard)));
        writer.operations = 0;
        let active = Arc::clone(&writer.active);
        let applied = writer.applied.clone();
        self.repaint(|picture| {
            let memtable = std::mem::replace(&mut picture.active, active);
            picture.frozen.push(Frozen { memtable, applied });
        });
    }

    fn is_due(&self, writer: &Writer, picture: &Picture<D>) -> bool {
        let covered = match picture.frozen.last() {
            Some(frozen) => &frozen.applied,
            None => picture.disk.applied(),
        };
        // While one memtable is being flushed, half as much again may gather: rotating at once
        // would only make tables of crumbs.
        let divisor = if picture.frozen.is_empty() { 1 } else { 2 };
        let reached = |value: u64, limit: u64| value >= (limit / divisor).max(1);
        let entries = writer.applied.index.saturating_sub(covered.index);
        (writer.flush_requested && *covered != writer.applied)
            || reached(writer.active.bytes(), self.due.bytes)
            || reached(entries, self.due.entries)
            || reached(writer.operations, self.due.operations)
    }

    /// Takes one thing that nobody reads any more, if there is any; memtables decay a bit first,
    /// and come out only as `Some(None)` if there may be more to do.
    pub(crate) fn decay_one(&self) -> Option<Option<Grave>> {
        match self.graveyard.take_out()? {
            Grave::Memtable(mut remains) => {
                if remains.decay() {
                    self.graveyard.take_in(Grave::Memtable(remains));
                }
                Some(None)
            }
            table => Some(Some(table)),
        }
    }
}
