//! An engine whose whole content is replaced by a received checkpoint, while others use it.
//!
//! Everybody who would hold an engine holds this instead, which passes calls on to the engine of
//! the moment. The replacement works on folders alone, so it suits every engine with files; the
//! folder is `NAME`:
//!
//! 1. Steps, checkpoints and scrubs are held off: they know files by name.
//! 2. The received folder becomes `NAME.next`, durably.
//! 3. `NAME` becomes `NAME.old`, durably. *This commits*: who finds no `NAME` at a start, but a
//!    `NAME.next`, goes on with step 4.
//! 4. `NAME.next` becomes `NAME`, durably, and is opened.
//! 5. The caller switches, when those who read beside the engine can see the new state with it.
//! 6. Later steps remove what is in `NAME.old`.
//!
//! Until step 5 readers go on with the old engine, and views of it stay readable until they are
//! dropped, because they hold their files open. It isn't stepped any more, so it removes nothing.
//!
//! A failure after step 1 is final, as any other of the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use retcd_vfs::Vfs;

use crate::health::Health;
use crate::{
    Applied, Checkpoint, Engine, Error, Keyspace, Record, Result, Scrub, Scrubbed, Stats, Step,
    View, folder,
};

/// Opens the engine in a folder.
pub type Opener = Box<dyn Fn(&Path) -> Result<Arc<dyn Engine>> + Send + Sync>;

/// See the module's text.
pub struct Replaceable {
    inner: Arc<Inner>,
}

struct Inner {
    vfs: Arc<dyn Vfs>,
    names: Names,
    open: Opener,
    /// Held for reading by whoever knows files by name, for writing while the names change. It
    /// comes before `current`. Counts replacements.
    files: RwLock<u64>,
    current: RwLock<Arc<dyn Engine>>,
    /// What engines of before did.
    done: Mutex<Stats>,
    /// Whether there is something left of the engine of before.
    leftover: Mutex<bool>,
    health: Health,
}

/// The folder, and where it comes from and goes to.
struct Names {
    dir: PathBuf,
    next: PathBuf,
    old: PathBuf,
}

impl Names {
    fn new(dir: &Path) -> Result<Names> {
        let beside = |end: &str| folder::beside(dir, end);
        Ok(Names { dir: dir.to_owned(), next: beside(".next")?, old: beside(".old")? })
    }

    /// Ends a replacement that a crash has interrupted, in the way that it had gone.
    fn settle(&self, vfs: &dyn Vfs) -> Result<()> {
        let exists = |path: &Path| vfs.exists(path).map_err(Error::io(path));
        if !exists(&self.dir)? && exists(&self.next)? {
            rename(vfs, &self.next, &self.dir)?;
        }
        for left in [&self.next, &self.old] {
            while exists(left)? {
                remove_some(vfs, left)?;
            }
        }
        Ok(())
    }
}

impl Replaceable {
    /// Opens the engine in folder `dir`, after ending a replacement that was interrupted. What
    /// lies beside it as `DIR.next` and `DIR.old` is removed.
    ///
    /// # Errors
    /// Those of `open`, and of the file system.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path, open: Opener) -> Result<Replaceable> {
        let names = Names::new(dir)?;
        names.settle(&*vfs)?;
        let current = RwLock::new(open(dir)?);
        let inner = Inner {
            vfs,
            names,
            open,
            files: RwLock::new(0),
            current,
            done: Mutex::default(),
            leftover: Mutex::new(false),
            health: Health::default(),
        };
        Ok(Replaceable { inner: Arc::new(inner) })
    }

    /// Opens another engine of the same kind in the folder `dir`, which isn't this one's: a
    /// checkpoint to be read, or an empty folder to be filled until it takes the place.
    ///
    /// # Errors
    /// Those of the opener.
    pub fn open_beside(&self, dir: &Path) -> Result<Arc<dyn Engine>> {
        assert_ne!(dir, self.inner.names.dir, "the engine is open");
        (self.inner.open)(dir)
    }

    /// Puts the folder `from` in the engine's place, and opens it. It has to be a checkpoint of an
    /// engine of the same kind, durable, and to lie beside the engine's folder; it is gone
    /// afterwards. Called by the one writing thread.
    ///
    /// # Errors
    /// An error is final: the engine stops.
    pub fn replace(&self, from: &Path) -> Result<Replacement<'_>> {
        let inner = &*self.inner;
        inner.health.check()?;
        let files = inner.files.write();
        let next = inner.health.note(inner.take_place(from))?;
        Ok(Replacement { inner, files, next: Some(next) })
    }
}

/// The engine of a received checkpoint, which nobody reads yet.
pub struct Replacement<'a> {
    inner: &'a Inner,
    files: RwLockWriteGuard<'a, u64>,
    next: Option<Arc<dyn Engine>>,
}

impl Replacement<'_> {
    /// The new engine, to be looked at.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        self.next.as_ref().expect("it is taken only by the switch")
    }

    /// Has everybody use it from now on. Takes no time, so it may be called under locks; the engine
    /// of before is returned because dropping it may take some.
    pub fn switch(mut self) -> Arc<dyn Engine> {
        let next = self.next.take().expect("it is taken only here");
        let old = std::mem::replace(&mut *self.inner.current.write(), next);
        let Stats { flushes, merges, bytes_written, .. } = old.stats();
        let mut done = self.inner.done.lock();
        done.flushes += flushes;
        done.merges += merges;
        done.bytes_written += bytes_written;
        drop(done);
        *self.inner.leftover.lock() = true;
        *self.files += 1;
        old
    }
}

/// Between the old engine's files, which are gone, and the new one's nothing can go on.
impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        if self.next.is_some() {
            let _ = self.inner.health.note::<()>(Err(Error::Poisoned));
        }
    }
}

impl Inner {
    fn current(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.current.read())
    }

    /// The engine of the moment, for one that knows files by name.
    fn with_files(&self) -> Result<(RwLockReadGuard<'_, u64>, Arc<dyn Engine>)> {
        let files = self.files.read();
        self.health.check()?;
        Ok((files, self.current()))
    }

    fn take_place(&self, from: &Path) -> Result<Arc<dyn Engine>> {
        let (vfs, Names { dir, next, old }) = (&*self.vfs, &self.names);
        *self.leftover.lock() = false;
        while exists(vfs, old)? {
            remove_some(vfs, old)?;
        }
        rename(vfs, from, next)?;
        rename(vfs, dir, old)?;
        rename(vfs, next, dir)?;
        (self.open)(dir)
    }

    /// Removes something of the engine of before, if another thread isn't at it. `false` if it did
    /// nothing.
    fn clear_leftover(&self) -> Result<bool> {
        let Some(mut leftover) = self.leftover.try_lock().filter(|leftover| **leftover) else {
            return Ok(false);
        };
        *leftover = exists(&*self.vfs, &self.names.old)?;
        if *leftover {
            remove_some(&*self.vfs, &self.names.old)?;
        }
        Ok(*leftover)
    }
}

fn exists(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    vfs.exists(path).map_err(Error::io(path))
}

/// Renames a folder, durably.
fn rename(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<()> {
    vfs.rename(from, to).map_err(Error::io(from))?;
    let parent = folder::parent_of(to);
    vfs.sync_dir(parent).map_err(Error::io(parent))
}

/// Removes a file of a folder, or the folder if it is empty.
fn remove_some(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let left = vfs.list(dir).map_err(Error::io(dir))?;
    match left.first() {
        None => vfs.remove_dir(dir).map_err(Error::io(dir)),
        Some(name) => {
            let path = dir.join(name);
            vfs.remove_file(&path).map_err(Error::io(&path))
        }
    }
}

impl Engine for Replaceable {
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()> {
        self.inner.health.check()?;
        self.inner.current().write(keyspace, records)
    }

    fn commit(&self, applied: Applied) -> Result<()> {
        self.inner.health.check()?;
        self.inner.current().commit(applied)
    }

    fn view(&self) -> Box<dyn View> {
        self.inner.current().view()
    }

    fn applied(&self) -> Applied {
        self.inner.current().applied()
    }

    fn flushed(&self) -> Applied {
        self.inner.current().flushed()
    }

    fn request_flush(&self) -> Result<()> {
        self.inner.current().request_flush()
    }

    fn request_merge(&self) -> Result<()> {
        self.inner.current().request_merge()
    }

    fn request_compaction(&self) -> Result<()> {
        self.inner.current().request_compaction()
    }

    fn step(&self) -> Result<Step> {
        let (_files, engine) = self.inner.with_files()?;
        let cleared = self.inner.health.note(self.inner.clear_leftover())?;
        match engine.step()? {
            Step::Idle if cleared => Ok(Step::Worked),
            step => Ok(step),
        }
    }

    fn checkpoint(&self, to: &Path) -> Result<Box<dyn Checkpoint>> {
        let (files, engine) = self.inner.with_files()?;
        let work = engine.checkpoint(to)?;
        Ok(Box::new(OfOne { inner: Arc::clone(&self.inner), of: *files, work }))
    }

    fn scrub(&self) -> Box<dyn Scrub> {
        let files = self.inner.files.read();
        let work = self.inner.current().scrub();
        Box::new(OfOne { inner: Arc::clone(&self.inner), of: *files, work })
    }

    fn stats(&self) -> Stats {
        let mut stats = self.inner.current().stats();
        let done = self.inner.done.lock();
        stats.flushes += done.flushes;
        stats.merges += done.merges;
        stats.bytes_written += done.bytes_written;
        stats
    }
}

/// Work on the files of one engine, which ends early if it is replaced.
struct OfOne<W> {
    inner: Arc<Inner>,
    /// Which engine, as the replacements before it are counted.
    of: u64,
    work: W,
}

impl Checkpoint for OfOne<Box<dyn Checkpoint>> {
    fn step(&mut self) -> Result<Option<Applied>> {
        let (files, _) = self.inner.with_files()?;
        match *files == self.of {
            true => self.work.step(),
            false => Err(Error::Replaced),
        }
    }
}

impl Scrub for OfOne<Box<dyn Scrub>> {
    fn step(&mut self, bytes: u64) -> Result<Scrubbed> {
        let (files, _) = self.inner.with_files()?;
        match *files == self.of {
            true => self.work.step(bytes),
            false => Ok(Scrubbed { is_last: true, ..Scrubbed::default() }),
        }
    }
}
