//! What lies in an engine's folder, and what its manifest says.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use retcd_vfs::Vfs;

use crate::lsm::manifest::{self, Contents, Ending, History};
use crate::lsm::names;
use crate::table::{BlockCache, FileNumber, Table, TableFile};
use crate::{Error, Result};

/// How often a manifest is looked for that a running member replaces meanwhile.
const ATTEMPTS: usize = 3;

/// A file that the manifest doesn't name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its name.
    pub name: PathBuf,
    /// Its length in bytes, if it can be told.
    pub bytes: Option<u64>,
    /// Whether it is called as files of the engine are: such a file is removed at start.
    pub is_ours: bool,
}

/// See the module's text.
pub struct Folder<'v> {
    vfs: &'v dyn Vfs,
    dir: PathBuf,
    /// The manifest, and what it amounts to.
    pub history: History,
    /// Other files, by name.
    pub others: Vec<Other>,
    /// What doesn't hold, besides how the manifest ends.
    pub faults: Vec<Error>,
}

impl<'v> Folder<'v> {
    /// Whether `dir` is a folder with something of an engine's in it.
    ///
    /// # Errors
    /// [`Error::Io`] if it is no folder or can't be listed.
    pub fn is_here(vfs: &dyn Vfs, dir: &Path) -> Result<bool> {
        let listed = names::list(vfs, dir)?;
        Ok(listed.has_current || listed.number_max.is_some())
    }

    /// Looks into the folder `dir`. Where `CURRENT` is missing or damaged, as in a copy that was
    /// taken meanwhile, the newest manifest that can be read stands in.
    ///
    /// # Errors
    /// As [`manifest::read`], if there is no manifest that can be read.
    pub fn read(vfs: &'v dyn Vfs, dir: &Path) -> Result<Folder<'v>> {
        let (history, faults) = read_history(vfs, dir)?;
        let mut folder = Folder { vfs, dir: dir.to_owned(), history, others: Vec::new(), faults };
        folder.others = folder.list_others()?;
        Ok(folder)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the manifest amounts to.
    pub fn contents(&self) -> &Contents {
        &self.history.contents
    }

    /// Whether an engine would be refused because of `CURRENT` or the manifest.
    pub fn is_damaged(&self) -> bool {
        !self.faults.is_empty() || matches!(self.history.ending, Ending::Damaged(_))
    }

    /// Opens a table that the manifest names, and reads all of its parts but key and value blocks.
    ///
    /// # Errors
    /// [`Error::Io`], and those of [`Table::open`] and [`Table::load`].
    pub fn open(&self, file: TableFile, cache: &Arc<BlockCache>) -> Result<Table> {
        let table = self.open_as_a_start_does(file, cache)?;
        table.load()?;
        Ok(table)
    }

    /// Opens a table that the manifest names, and reads of it what an engine that starts reads.
    ///
    /// # Errors
    /// [`Error::Io`], and those of [`Table::open`].
    pub fn open_as_a_start_does(&self, file: TableFile, cache: &Arc<BlockCache>) -> Result<Table> {
        let path = self.path_of(file.number);
        let read = self.vfs.open_read(&path).map_err(Error::io(&path))?;
        Table::open(read, path, file, Arc::clone(cache))
    }

    /// The path of a table.
    pub fn path_of(&self, number: FileNumber) -> PathBuf {
        names::table(&self.dir, number)
    }

    fn list_others(&self) -> Result<Vec<Other>> {
        let named = self.contents().table_numbers();
        let manifest = names::manifest(&self.dir, self.history.number);
        let mut others = Vec::new();
        for name in self.vfs.list(&self.dir).map_err(Error::io(&self.dir))? {
            let path = self.dir.join(&name);
            let used = path == manifest
                || path == names::current(&self.dir)
                || named.iter().any(|&number| names::table(&self.dir, number) == path);
            if used {
                continue;
            }
            let is_ours = names::is_ours(&name);
            // What isn't ours needn't be a file that can be opened at once.
            let file = is_ours.then(|| self.vfs.open_read(&path).ok()).flatten();
            others.push(Other { name, bytes: file.and_then(|file| file.len().ok()), is_ours });
        }
        Ok(others)
    }
}

/// The manifest that counts, and why it is another one than `CURRENT` says.
fn read_history(vfs: &dyn Vfs, dir: &Path) -> Result<(History, Vec<Error>)> {
    let mut attempt = 1;
    let refused = loop {
        let read = manifest::current(vfs, dir).and_then(|number| History::read(vfs, dir, number));
        match read {
            Ok(history) => return Ok((history, Vec::new())),
            // A running member moves on to another manifest and removes this one.
            Err(Error::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => break error,
        }
    };
    for &number in names::list(vfs, dir)?.manifests.iter().rev() {
        if let Ok(history) = History::read(vfs, dir, number)
            && !history.edits.is_empty()
        {
            return Ok((history, vec![refused]));
        }
    }
    Err(refused)
}
