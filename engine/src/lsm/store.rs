//! What all parts of the engine share: the folder, the manifest, and the current picture.
//!
//! Two locks, always in this order: the ledger (one edit at a time, held over the edit's sync) and
//! the picture (held for a pointer's length, so readers never wait for the disk).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use retcd_vfs::{AppendFile, Vfs};

use super::graveyard::{Grave, Graveyard};
use super::health::Health;
use super::manifest::{Change, Edit, Manifest, Numbers};
use super::memtable::Memtable;
use super::names;
use super::options::Options;
use super::tree::{OpenTables, TableHandle, Tree};
use super::view::Picture;
use crate::table::{BlockCache, FileNumber, Table, TableFile, TableMeta};
use crate::{Error, Result};

/// See the module's text.
pub(super) struct Store {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    options: Options,
    cache: Arc<BlockCache>,
    graveyard: Arc<Graveyard>,
    numbers: Arc<Numbers>,
    ledger: Mutex<Ledger>,
    picture: RwLock<Arc<Picture>>,
    pub(super) health: Arc<Health>,
    bytes_written: AtomicU64,
}

struct Ledger {
    manifest: Manifest,
    open: OpenTables,
}

impl Store {
    /// Opens the folder `dir`, or makes it.
    pub(super) fn open(vfs: Arc<dyn Vfs>, dir: PathBuf, options: Options) -> Result<Store> {
        make_folder(&*vfs, &dir)?;
        let manifest = Manifest::open(Arc::clone(&vfs), &dir, options.manifest_bytes)?;
        let cache_bytes = usize::try_from(options.block_cache_bytes).unwrap_or(usize::MAX);
        let graveyard: Arc<Graveyard> = Arc::default();
        let active = Arc::new(Memtable::new(Arc::clone(&graveyard)));
        let store = Store {
            vfs,
            dir,
            options,
            cache: Arc::new(BlockCache::new(cache_bytes)),
            graveyard,
            numbers: manifest.numbers(),
            ledger: Mutex::new(Ledger { manifest, open: OpenTables::new() }),
            picture: RwLock::new(Arc::new(Picture {
                active,
                frozen: Vec::new(),
                tree: Arc::default(),
            })),
            health: Arc::default(),
            bytes_written: AtomicU64::new(0),
        };
        store.open_tables()?;
        Ok(store)
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// What there is now.
    pub(super) fn picture(&self) -> Arc<Picture> {
        Arc::clone(&self.picture.read())
    }

    /// Changes the memtables of the picture.
    pub(super) fn repaint(&self, change: impl FnOnce(&mut Picture)) {
        let mut place = self.picture.write();
        let mut picture = Picture::clone(&place);
        change(&mut picture);
        let old = std::mem::replace(&mut *place, Arc::new(picture));
        drop(place);
        // Outside of the lock: this may be the last holder of memtables and tables.
        drop(old);
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
        let path = names::table(&self.dir, number);
        let file = self.vfs.create_append(&path).map_err(Error::io(&path))?;
        Ok((path, file))
    }

    /// Unlinks the file of a table that nobody reads.
    pub(super) fn remove_table(&self, number: FileNumber) -> Result<()> {
        let path = names::table(&self.dir, number);
        self.vfs.remove_file(&path).map_err(Error::io(&path))
    }

    /// An empty memtable.
    pub(super) fn new_memtable(&self) -> Arc<Memtable> {
        Arc::new(Memtable::new(Arc::clone(&self.graveyard)))
    }

    /// Removes one thing that nobody reads any more, if there is one.
    pub(super) fn bury_one(&self) -> Result<bool> {
        match self.graveyard.take_out() {
            None => return Ok(false),
            Some(Grave::Table(number)) => self.remove_table(number)?,
            Some(Grave::Memtable(mut remains)) => {
                if remains.decay() {
                    self.graveyard.take_in(Grave::Memtable(remains));
                }
            }
        }
        Ok(true)
    }

    /// Makes `changes` durable, `added` among them, and shows the new tree to readers, together
    /// with what `repaint` changes in the memtables. The tables' files are synced; their names
    /// aren't.
    pub(super) fn commit(
        &self,
        changes: Vec<Change>,
        added: &[TableMeta],
        repaint: impl FnOnce(&mut Picture),
    ) -> Result<()> {
        if !added.is_empty() {
            self.vfs.sync_dir(&self.dir).map_err(Error::io(&self.dir))?;
        }
        let mut handles = Vec::with_capacity(added.len());
        for table in added {
            handles.push((table.file.number, self.open_table(table.file)?));
        }
        let mut ledger = self.ledger.lock();
        let edit = Edit(changes);
        let manifest_bytes = ledger.manifest.commit(&edit)?;
        let table_bytes: u64 = added.iter().map(|table| table.file.file_bytes).sum();
        self.bytes_written.fetch_add(manifest_bytes + table_bytes, Ordering::Relaxed);

        ledger.open.extend(handles);
        let removed: Vec<_> = edit.0.iter().filter_map(|change| ledger.forget(change)).collect();
        let tree = Arc::new(Tree::new(ledger.manifest.contents(), &ledger.open));
        self.repaint(|picture| {
            picture.tree = tree;
            repaint(picture);
        });
        drop(ledger);
        drop(removed);
        Ok(())
    }

    /// Opens what the manifest names, and shows it.
    fn open_tables(&self) -> Result<()> {
        let mut ledger = self.ledger.lock();
        let runs = ledger.manifest.contents().runs.values();
        let files: Vec<TableFile> = runs.flat_map(|run| run.tables.iter().copied()).collect();
        for file in files {
            let handle = self.open_table(file)?;
            ledger.open.insert(file.number, handle);
        }
        let tree = Arc::new(Tree::new(ledger.manifest.contents(), &ledger.open));
        self.repaint(|picture| picture.tree = tree);
        Ok(())
    }

    fn open_table(&self, file: TableFile) -> Result<Arc<TableHandle>> {
        let path = names::table(&self.dir, file.number);
        let read = self.vfs.open_read(&path).map_err(Error::io(&path))?;
        let table = Table::open(read, path, file, Arc::clone(&self.cache))?;
        Ok(TableHandle::new(table, Arc::clone(&self.graveyard)))
    }
}

/// Makes `dir` and its missing parents, durably.
fn make_folder(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let mut made = Vec::new();
    for folder in dir.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        if vfs.exists(folder).map_err(Error::io(folder))? {
            break;
        }
        made.push(folder);
    }
    if made.is_empty() {
        return Ok(());
    }
    vfs.create_dir_all(dir).map_err(Error::io(dir))?;
    for folder in made {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        vfs.sync_dir(parent).map_err(Error::io(parent))?;
    }
    Ok(())
}

impl Ledger {
    /// Lets go of a table that `change` removes.
    fn forget(&mut self, change: &Change) -> Option<Arc<TableHandle>> {
        let Change::RemoveTable(number) = change else {
            return None;
        };
        let handle = self.open.remove(number)?;
        handle.doom();
        Some(handle)
    }
}
