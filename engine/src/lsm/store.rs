//! What all parts of the engine share: the folder, the manifest, and the front with the current
//! picture.
//!
//! The ledger's lock (one edit at a time, held over the edit's sync) comes before the front's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use retcd_vfs::{AppendFile, Vfs};

use super::manifest::{Change, Edit, Manifest, ManifestScrub, Numbers};
use super::names;
use super::options::Options;
use super::tree::{OpenTables, TableHandle, Tree};
use crate::picture::{Due, Front, Grave, Graveyard, Picture};
use crate::table::{BlockCache, FileNumber, Table, TableFile, TableMeta};
use crate::{Error, Result, folder};

/// See the module's text.
pub(super) struct Store {
    files: Files,
    options: Options,
    numbers: Arc<Numbers>,
    ledger: Mutex<Ledger>,
    pub(super) front: Front<Tree>,
    bytes_written: AtomicU64,
}

/// The folder, and what it takes to open a table in it.
struct Files {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    cache: Arc<BlockCache>,
    graveyard: Arc<Graveyard>,
}

struct Ledger {
    manifest: Manifest,
    open: OpenTables,
}

impl Store {
    /// Opens the folder `dir`, or makes it.
    pub(super) fn open(vfs: Arc<dyn Vfs>, dir: PathBuf, options: Options) -> Result<Store> {
        folder::make(&*vfs, &dir)?;
        folder::refuse_other(&*vfs, &dir, folder::Owner::Lsm)?;
        let manifest = Manifest::open(Arc::clone(&vfs), &dir, options.manifest_bytes)?;
        let cache_bytes = usize::try_from(options.block_cache_bytes).unwrap_or(usize::MAX);
        let cache = Arc::new(BlockCache::new(cache_bytes));
        let files = Files { vfs, dir, cache, graveyard: Arc::default() };
        let open = files.open_all(&manifest)?;
        let tree = Arc::new(Tree::new(manifest.contents(), &open));
        let due = Due {
            bytes: options.memtable_bytes,
            entries: options.replay_entries_max,
            operations: u64::MAX,
        };
        Ok(Store {
            front: Front::new(due, tree, Arc::clone(&files.graveyard)),
            files,
            options,
            numbers: manifest.numbers(),
            ledger: Mutex::new(Ledger { manifest, open }),
            bytes_written: AtomicU64::new(0),
        })
    }

    pub(super) fn vfs(&self) -> &Arc<dyn Vfs> {
        &self.files.vfs
    }

    pub(super) fn dir(&self) -> &Path {
        &self.files.dir
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// What there is now.
    pub(super) fn picture(&self) -> Arc<Picture<Tree>> {
        self.front.picture()
    }

    /// A number for a new file or run.
    pub(super) fn take_number(&self) -> u64 {
        self.numbers.take()
    }

    /// Creates the file of a table.
    pub(super) fn create_table(
        &self,
        number: FileNumber,
    ) -> Result<(PathBuf, Box<dyn AppendFile>)> {
        let path = names::table(&self.files.dir, number);
        let file = self.files.vfs.create_append(&path).map_err(Error::io(&path))?;
        Ok((path, file))
    }

    /// Unlinks the file of a table that nobody reads.
    pub(super) fn remove_table(&self, number: FileNumber) -> Result<()> {
        let path = names::table(&self.files.dir, number);
        self.files.vfs.remove_file(&path).map_err(Error::io(&path))
    }

    /// Begins a scrub of the manifest and of `CURRENT`.
    pub(super) fn scrub_manifest(&self) -> Result<Option<ManifestScrub>> {
        self.ledger.lock().manifest.scrub()
    }

    /// Removes one thing that nobody reads any more, if there is one.
    pub(super) fn bury_one(&self) -> Result<bool> {
        match self.front.decay_one() {
            None => return Ok(false),
            Some(Some(Grave::Table(number))) => self.remove_table(number)?,
            Some(Some(Grave::Memtable(_)) | None) => {}
        }
        Ok(true)
    }

    /// Makes `changes` durable, `added` among them, and shows the new tree to readers, together
    /// with what `repaint` changes in the memtables. The tables' files are synced, their names
    /// aren't; what was left out of them followed the watermark `written_at` or a later one.
    pub(super) fn commit(
        &self,
        changes: Vec<Change>,
        added: &[TableMeta],
        written_at: u64,
        repaint: impl FnOnce(&mut Picture<Tree>),
    ) -> Result<()> {
        if !added.is_empty() {
            self.files.vfs.sync_dir(&self.files.dir).map_err(Error::io(&self.files.dir))?;
        }
        let mut handles = Vec::with_capacity(added.len());
        for table in added {
            let handle = self.files.open_table(table.file, written_at)?;
            // It will be read, and here nobody waits for it.
            handle.table().load()?;
            handles.push((table.file.number, handle));
        }
        let mut ledger = self.ledger.lock();
        let edit = Edit(changes);
        let manifest_bytes = ledger.manifest.commit(&edit)?;
        let table_bytes: u64 = added.iter().map(|table| table.file.file_bytes).sum();
        self.bytes_written.fetch_add(manifest_bytes + table_bytes, Ordering::Relaxed);

        ledger.open.extend(handles);
        let removed: Vec<_> = edit.0.iter().filter_map(|change| ledger.forget(change)).collect();
        let tree = Arc::new(Tree::new(ledger.manifest.contents(), &ledger.open));
        self.front.repaint(|picture| {
            picture.disk = tree;
            repaint(picture);
        });
        drop(ledger);
        drop(removed);
        Ok(())
    }
}

impl Files {
    /// Opens what the manifest names. Reads of each table what the tree is made of, and no more.
    fn open_all(&self, manifest: &Manifest) -> Result<OpenTables> {
        let runs = manifest.contents().runs.values();
        let files = runs.flat_map(|run| run.tables.iter().copied());
        files.map(|file| Ok((file.number, self.open_table(file, 0)?))).collect()
    }

    fn open_table(&self, file: TableFile, written_at: u64) -> Result<Arc<TableHandle>> {
        let path = names::table(&self.dir, file.number);
        let read = self.vfs.open_read(&path).map_err(Error::io(&path))?;
        let table = Table::open(read, path, file, Arc::clone(&self.cache))?;
        Ok(TableHandle::new(table, Arc::clone(&self.graveyard), written_at))
    }
}

impl Ledger {
    /// Lets go of a table that `change` removes.
    fn forget(&mut self, change: &Change) -> Option<Arc<TableHandle>> {
        let (Change::RemoveTable(number) | Change::ReplaceTable { old: number, .. }) = change
        else {
            return None;
        };
        let handle = self.open.remove(number)?;
        handle.doom();
        Some(handle)
    }
}
