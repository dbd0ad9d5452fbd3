//! A checkpoint: the trees of one moment, as a folder of its own.
//!
//! 1. The tree of the moment is kept, so none of its pages is written again, its freelist neither.
//! 2. What an interrupted checkpoint of the same name has left is removed.
//! 3. In a folder with a temporary name a file gets both meta pages, then all other pages as they
//!    are, a piece at a time. What changes meanwhile are pages that the tree doesn't have.
//! 4. The file and the folder are synced, the folder is renamed to its name, and its parent synced.
//!
//! The file can't be linked, as the tables of the other engine are, because it is written in place.
//! An error is the checkpoint's, not the engine's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use retcd_vfs::{AppendFile, Vfs};

use super::file::{NAME, head};
use super::tree::Tree;
use crate::bolt::PAGE_BYTES;
use crate::health::Health;
use crate::{Applied, Checkpoint, Error, Result, folder};

/// Pages that are copied at once.
const PIECE_PAGES: u64 = 256;

/// See the module's text.
pub(super) struct TreeCheckpoint {
    vfs: Arc<dyn Vfs>,
    health: Arc<Health>,
    tree: Arc<Tree>,
    to: PathBuf,
    temporary: PathBuf,
    stage: Stage,
}

enum Stage {
    /// Leftovers of this name have to go.
    Clear,
    /// Pages from this one on are missing.
    Copy(Box<dyn AppendFile>, u64),
    /// It is whole, or has failed.
    Ended,
}

impl TreeCheckpoint {
    /// A checkpoint of `tree`, as folder `to`.
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        health: Arc<Health>,
        tree: Arc<Tree>,
        to: &Path,
    ) -> Result<TreeCheckpoint> {
        let temporary = folder::temporary(to)?;
        Ok(TreeCheckpoint { vfs, health, tree, to: to.to_owned(), temporary, stage: Stage::Clear })
    }

    fn file(&self) -> PathBuf {
        self.temporary.join(NAME)
    }

    /// Removes what is left of another one, and begins the file.
    fn clear(&self) -> Result<Stage> {
        let (temporary, path) = (&self.temporary, self.file());
        folder::refuse_taken(&*self.vfs, &self.to)?;
        if self.vfs.exists(temporary).map_err(Error::io(temporary))? {
            if self.vfs.exists(&path).map_err(Error::io(&path))? {
                self.vfs.remove_file(&path).map_err(Error::io(&path))?;
            }
            self.vfs.remove_dir(temporary).map_err(Error::io(temporary))?;
        }
        folder::make(&*self.vfs, temporary)?;
        let mut file = self.vfs.create_append(&path).map_err(Error::io(&path))?;
        file.append(&head(&self.tree.meta)).map_err(Error::io(&path))?;
        Ok(Stage::Copy(file, 2))
    }

    /// Copies a piece.
    fn copy(&self, mut file: Box<dyn AppendFile>, from: u64) -> Result<Stage> {
        let path = self.file();
        let pages = (self.tree.meta.pages - from).min(PIECE_PAGES);
        let mut piece = vec![0; pages as usize * PAGE_BYTES as usize];
        self.tree.pager.read_as_it_is(from, &mut piece)?;
        file.append(&piece).map_err(Error::io(&path))?;
        Ok(Stage::Copy(file, from + pages))
    }

    /// Makes the folder durable and gives it its name.
    fn seal(&self, mut file: Box<dyn AppendFile>) -> Result<()> {
        file.sync().map_err(Error::io(&self.file()))?;
        folder::publish(&*self.vfs, &self.temporary, &self.to)
    }
}

impl Checkpoint for TreeCheckpoint {
    fn step(&mut self) -> Result<Option<Applied>> {
        self.health.check()?;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Clear => self.clear()?,
            Stage::Copy(file, from) if from < self.tree.meta.pages => self.copy(file, from)?,
            Stage::Copy(file, _) => {
                self.seal(file)?;
                return Ok(Some(self.tree.applied.clone()));
            }
            Stage::Ended => unreachable!("a checkpoint that has ended isn't stepped"),
        };
        Ok(None)
    }
}
