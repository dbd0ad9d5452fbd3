//! The manifest: which files make up the engine, and what they cover.
//!
//! `CURRENT` names one `MANIFEST-n`. That file starts with an edit that holds everything, and each
//! later edit is appended and synced. An edit counts from the moment when its sync returns; the
//! tables that it adds are durable before, and the files that it removes are unlinked after.
//!
//! A manifest is appended to only by the process that made it: an open, and an edit that finds the
//! file long, writes a new manifest and then moves `CURRENT` to it by renaming a synced file. So a
//! torn end is never written over.
//!
//! An open has to do so before anybody acts on what it has read. The process before may have died
//! between writing its last edit and syncing it: a crash of the machine would still undo that edit,
//! and by then the log would be cut, and tables be gone, that only the edits before it need.
//!
//! Opening replays the edits. A record that doesn't check is a torn edit, and ignored, only if it
//! is not the first one and nothing valid follows it; otherwise the manifest is damaged and
//! refused.

mod contents;
mod edit;
pub mod fuzz;
mod history;
mod log;
mod scrub;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use retcd_vfs::{AppendFile, Vfs};

pub use contents::{Contents, RunEntry};
pub use edit::{Change, Edit};
pub(crate) use history::current;
pub use history::{Ending, History, Logged};
pub(crate) use scrub::ManifestScrub;

use super::names;
use crate::table::FileNumber;
use crate::{Error, Result};

/// Number of a sorted run. Never used twice; shares its counter with file numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Where a run stands: merges move records towards the last tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Flushes write to level 0; runs of one level are merged into one of the next.
    Level(u8),
    /// The largest, sorted by key.
    Last,
}

/// What the manifest in folder `dir` says, and its number. Changes nothing.
///
/// # Errors
/// [`Error::Io`] if `CURRENT` isn't there; [`Error::Corrupt`] and [`Error::Version`] as
/// [`crate::Lsm::open`].
pub fn read(vfs: &dyn Vfs, dir: &Path) -> Result<(FileNumber, Contents)> {
    let number = current(vfs, dir)?;
    let path = names::manifest(dir, number);
    let contents = decode(&path, &read_whole(vfs, &path)?, number)?;
    Ok((number, contents))
}

/// Writes the first manifest of folder `dir`, which says `contents`, and `CURRENT`. Both are
/// synced, their names aren't. The manifest takes the next unused number.
pub(crate) fn write_first(vfs: &dyn Vfs, dir: &Path, mut contents: Contents) -> Result<()> {
    let number = FileNumber(contents.next);
    contents.next += 1;
    create_synced(vfs, &names::manifest(dir, number), &encode_whole(number, &contents))?;
    create_synced(vfs, &names::current(dir), &log::encode_current(number))?;
    Ok(())
}

/// The bytes of manifest `number` with one edit that holds everything.
fn encode_whole(number: FileNumber, contents: &Contents) -> Vec<u8> {
    let mut bytes = log::encode_header(number);
    bytes.extend(log::encode_record(number, bytes.len() as u64, &contents.to_edit()));
    bytes
}

fn create_synced(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> Result<Box<dyn AppendFile>> {
    let mut file = vfs.create_append(path).map_err(Error::io(path))?;
    file.append(bytes).map_err(Error::io(path))?;
    file.sync().map_err(Error::io(path))?;
    Ok(file)
}

/// What the bytes of manifest `number` say; `path` is for messages. Takes any bytes.
///
/// # Errors
/// [`Error::Corrupt`] and [`Error::Version`].
pub fn decode(path: &Path, bytes: &[u8], number: FileNumber) -> Result<Contents> {
    log::replay(bytes, number).map_err(|damage| damage.at(path))
}

fn read_whole(vfs: &dyn Vfs, path: &Path) -> Result<Vec<u8>> {
    let file = vfs.open_read(path).map_err(Error::io(path))?;
    let len = file.len().map_err(Error::io(path))?;
    let len = usize::try_from(len).ok().filter(|&len| len <= log::FILE_BYTES_MAX);
    let len = len.ok_or(log::Damage::TOO_LONG.at(path))?;
    let mut bytes = vec![0; len];
    file.read_exact_at(0, &mut bytes).map_err(Error::io(path))?;
    Ok(bytes)
}

/// Gives out numbers for files and runs. The manifest's next edit says which are taken.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    next: AtomicU64,
}

impl Numbers {
    pub(crate) fn take(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }
}

/// The open manifest.
pub(crate) struct Manifest {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    contents: Contents,
    /// The manifest that `CURRENT` names; `None` before the first one.
    number: Option<FileNumber>,
    log: Option<Log>,
    numbers: Arc<Numbers>,
    /// An appended manifest above this length, in bytes, is written anew.
    bytes_max: u64,
}

/// The file that this process appends to.
struct Log {
    file: Box<dyn AppendFile>,
    number: FileNumber,
    len: u64,
    base_len: u64,
}

impl Manifest {
    /// Replays the manifest that `CURRENT` names, or makes the first one in an empty folder.
    pub(crate) fn open(vfs: Arc<dyn Vfs>, dir: &Path, bytes_max: u64) -> Result<Manifest> {
        let listed = names::list(&*vfs, dir)?;
        let current = names::current(dir);
        let mut manifest = Manifest {
            vfs,
            dir: dir.to_owned(),
            contents: Contents::default(),
            number: None,
            log: None,
            numbers: Arc::default(),
            bytes_max,
        };
        if listed.has_current {
            let (number, contents) = read(&*manifest.vfs, dir)?;
            (manifest.number, manifest.contents) = (Some(number), contents);
        } else if !listed.tables.is_empty() {
            return Err(Error::Corrupt {
                path: current,
                offset: 0,
                reason: "it is missing, but there are tables",
            });
        }
        let replayed = manifest.number;
        let unused = listed.number_max.map_or(1, |number| number.0 + 1);
        let next = unused.max(manifest.contents.next);
        manifest.numbers.next.store(next, Ordering::Relaxed);
        let is_anew = manifest.write_anew()?;
        // Where the new manifest doesn't say which numbers are taken, the newest file does.
        let beyond = |number: &FileNumber| number.0 >= manifest.contents.next;
        let kept = listed.number_max.filter(|number| !is_anew && beyond(number));
        manifest.remove_orphans(&listed, replayed, kept)?;
        Ok(manifest)
    }

    /// Makes what was replayed durable: so far it may only be in the system's memory. It is written
    /// anew, because the system forgets what it once failed to sync: syncing the old file would
    /// tell nothing. That also takes the numbers of lost files, which must not come again: blocks
    /// are told apart by them.
    ///
    /// A full disk must not keep a member from starting that could then free some of it. There the
    /// old file is synced and has to do, and `false` comes back.
    fn write_anew(&mut self) -> Result<bool> {
        let (before, replayed) = (self.number, self.contents.clone());
        match (self.commit(&Edit::default()), self.number) {
            (Err(error), Some(number)) if error.is_out_of_space() => {
                if self.number == before {
                    self.contents = replayed;
                }
                for path in [names::manifest(&self.dir, number), names::current(&self.dir)] {
                    self.vfs.sync_file(&path).map_err(Error::io(&path))?;
                }
                self.vfs.sync_dir(&self.dir).map_err(Error::io(&self.dir))?;
                Ok(false)
            }
            (written, _) => written.map(|_| true),
        }
    }

    /// What it says.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Where numbers for files and runs come from.
    pub(crate) fn numbers(&self) -> Arc<Numbers> {
        Arc::clone(&self.numbers)
    }

    /// Makes `edit` durable and returns how many bytes that took.
    ///
    /// # Panics
    /// If the edit contradicts the contents: what we say about our own files is consistent.
    pub(crate) fn commit(&mut self, edit: &Edit) -> Result<u64> {
        self.contents.next = self.numbers.next();
        let applied = self.contents.apply(edit);
        assert!(applied.is_ok(), "an edit of our own: {applied:?}");
        let Some(log) = self.log.as_mut().filter(|log| log.has_room(self.bytes_max)) else {
            return self.rewrite();
        };
        let mut edit = edit.clone();
        edit.0.insert(0, Change::Next(self.contents.next));
        let record = log::encode_record(log.number, log.len, &edit);
        let path = names::manifest(&self.dir, log.number);
        log.file.append(&record).map_err(Error::io(&path))?;
        log.file.sync().map_err(Error::io(&path))?;
        log.len += record.len() as u64;
        Ok(record.len() as u64)
    }

    /// Starts a new manifest and moves `CURRENT` to it.
    fn rewrite(&mut self) -> Result<u64> {
        let number = FileNumber(self.numbers.take());
        self.contents.next = self.numbers.next();
        let path = names::manifest(&self.dir, number);
        let bytes = encode_whole(number, &self.contents);
        let file = create_synced(&*self.vfs, &path, &bytes)?;
        self.vfs.sync_dir(&self.dir).map_err(Error::io(&self.dir))?;

        let temporary = names::current_temporary(&self.dir);
        if self.vfs.exists(&temporary).map_err(Error::io(&temporary))? {
            self.vfs.remove_file(&temporary).map_err(Error::io(&temporary))?;
        }
        let pointer = log::encode_current(number);
        create_synced(&*self.vfs, &temporary, &pointer)?;
        let current = names::current(&self.dir);
        self.vfs.rename(&temporary, &current).map_err(Error::io(&current))?;
        let old = self.number.replace(number);
        self.vfs.sync_dir(&self.dir).map_err(Error::io(&self.dir))?;

        if let Some(old) = old {
            let old = names::manifest(&self.dir, old);
            self.vfs.remove_file(&old).map_err(Error::io(&old))?;
        }
        let len = bytes.len() as u64;
        self.log = Some(Log { file, number, len, base_len: len });
        Ok(len + pointer.len() as u64)
    }

    /// Removes files that an interrupted flush, merge or rewrite has left. The manifest that was
    /// replayed is none, and gone already if it was written anew. `kept` stays.
    fn remove_orphans(
        &self,
        listed: &names::Listed,
        replayed: Option<FileNumber>,
        kept: Option<FileNumber>,
    ) -> Result<()> {
        let named = self.contents.table_numbers();
        let is_kept = |number: FileNumber| Some(number) == kept || Some(number) == self.number;
        let tables = listed.tables.iter().filter(|number| !named.contains(number));
        let tables = tables.filter(|&&number| !is_kept(number));
        let tables = tables.map(|&number| names::table(&self.dir, number));
        let manifests = listed.manifests.iter().filter(|&&number| Some(number) != replayed);
        let manifests = manifests.filter(|&&number| !is_kept(number));
        let manifests = manifests.map(|&number| names::manifest(&self.dir, number));
        for path in tables.chain(manifests) {
            self.vfs.remove_file(&path).map_err(Error::io(&path))?;
        }
        Ok(())
    }
}

impl Log {
    /// Whether one more edit may be appended. The base alone may be above the limit.
    fn has_room(&self, bytes_max: u64) -> bool {
        self.len < bytes_max.max(self.base_len.saturating_mul(2))
    }
}
