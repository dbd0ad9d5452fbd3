//! A checkpoint: what the tables of one moment hold, as a folder of its own.
//!
//! 1. The tree of the moment is kept, so no merge unlinks a table of it.
//! 2. What an interrupted checkpoint of the same name has left is removed.
//! 3. In a folder with a temporary name each table gets a second name by a hard link. Where links
//!    aren't to be had, as in another file system, it is copied and held against the manifest's
//!    checksum on the way.
//! 4. A manifest that names them and `CURRENT` are written and synced, then the folder is.
//! 5. The folder is renamed to its name, and its parent synced.
//!
//! So a folder with the final name is complete and durable, whenever the machine stops. It is an
//! engine's folder like any other: [`super::Lsm::open`] opens it, and goes its own way from there,
//! because tables are never written to and each folder unlinks only its own names.
//!
//! Nothing here takes a lock that readers, writers, flushes or merges wait for. An error is the
//! checkpoint's, not the engine's: the engine's own files are only read and linked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use retcd_vfs::{AppendFile, ReadFile, Vfs, is_link_refusal};

use super::manifest::{self, Contents};
use super::names;
use super::store::Store;
use super::tree::{TableHandle, Tree};
use crate::health::Health;
use crate::table::TableFile;
use crate::{Applied, Checkpoint, Error, Result, folder};

/// Bytes that are copied or verified at once.
const PIECE_BYTES: usize = 1 << 20;

/// See the module's text.
pub(super) struct LsmCheckpoint {
    vfs: Arc<dyn Vfs>,
    health: Arc<Health>,
    /// The engine's folder.
    source: PathBuf,
    tree: Arc<Tree>,
    /// A number that nothing in the tree has.
    unused: u64,
    to: PathBuf,
    temporary: PathBuf,
    stage: Stage,
}

enum Stage {
    /// Leftovers of this name have to go.
    Clear,
    /// These tables are missing.
    Tables(Vec<Arc<TableHandle>>),
    /// The first of these is half there.
    Copy(Box<Copying>, Vec<Arc<TableHandle>>),
    /// All tables are there.
    Seal,
    /// It is whole, or has failed.
    Ended,
}

struct Copying {
    from: Pieces,
    to: Box<dyn AppendFile>,
    path: PathBuf,
}

impl LsmCheckpoint {
    /// A checkpoint of what `store` has flushed, as folder `to`.
    pub(super) fn new(store: &Store, to: &Path) -> Result<LsmCheckpoint> {
        Ok(LsmCheckpoint {
            vfs: Arc::clone(store.vfs()),
            health: Arc::clone(&store.front.health),
            source: store.dir().to_owned(),
            tree: Arc::clone(&store.picture().disk),
            // Taken after the picture, so it is above all numbers in there.
            unused: store.take_number(),
            to: to.to_owned(),
            temporary: folder::temporary(to)?,
            stage: Stage::Clear,
        })
    }

    /// Removes one leftover, or makes the folder.
    fn clear(&mut self) -> Result<Stage> {
        let temporary = &self.temporary;
        folder::refuse_taken(&*self.vfs, &self.to)?;
        if self.vfs.exists(temporary).map_err(Error::io(temporary))? {
            let left = self.vfs.list(temporary).map_err(Error::io(temporary))?;
            let Some(name) = left.iter().find(|name| names::is_ours(name)) else {
                self.vfs.remove_dir(temporary).map_err(Error::io(temporary))?;
                return Ok(Stage::Clear);
            };
            let path = temporary.join(name);
            self.vfs.remove_file(&path).map_err(Error::io(&path))?;
            return Ok(Stage::Clear);
        }
        folder::make(&*self.vfs, temporary)?;
        let tables = self.tree.all_runs().flat_map(|run| &run.tables);
        Ok(Stage::Tables(tables.map(Arc::clone).collect()))
    }

    /// Gives the next table its second name, or begins to copy it.
    fn add_table(&self, mut missing: Vec<Arc<TableHandle>>) -> Result<Stage> {
        let Some(next) = missing.last() else {
            return Ok(Stage::Seal);
        };
        let file = *next.table().file();
        let from = names::table(&self.source, file.number);
        let path = names::table(&self.temporary, file.number);
        match self.vfs.hard_link(&from, &path) {
            Ok(()) => {
                missing.pop();
                Ok(Stage::Tables(missing))
            }
            Err(refused) if is_link_refusal(&refused) => {
                let from = Pieces::open(&*self.vfs, from, file)?;
                let to = self.vfs.create_append(&path).map_err(Error::io(&path))?;
                Ok(Stage::Copy(Box::new(Copying { from, to, path }), missing))
            }
            Err(error) => Err(Error::io(&path)(error)),
        }
    }

    /// Makes the folder an engine's, durable, and gives it its name.
    fn seal(&self) -> Result<()> {
        let contents = self.tree.contents(self.unused);
        manifest::write_first(&*self.vfs, &self.temporary, contents)?;
        folder::publish(&*self.vfs, &self.temporary, &self.to)
    }
}

impl Checkpoint for LsmCheckpoint {
    fn step(&mut self) -> Result<Option<Applied>> {
        self.health.check()?;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Clear => self.clear()?,
            Stage::Tables(missing) => self.add_table(missing)?,
            Stage::Copy(mut copying, mut missing) => {
                if copying.step()? {
                    missing.pop();
                    Stage::Tables(missing)
                } else {
                    Stage::Copy(copying, missing)
                }
            }
            Stage::Seal => {
                self.seal()?;
                return Ok(Some(self.tree.applied.clone()));
            }
            Stage::Ended => unreachable!("a checkpoint that has ended isn't stepped"),
        };
        Ok(None)
    }
}

impl Copying {
    /// Copies a piece; answers whether the copy is whole, durable, and what the manifest says.
    fn step(&mut self) -> Result<bool> {
        let mut piece = Vec::new();
        if self.from.next(&mut piece)? {
            self.to.append(&piece).map_err(Error::io(&self.path))?;
            return Ok(false);
        }
        self.to.sync().map_err(Error::io(&self.path))?;
        Ok(true)
    }
}

/// Holds every file of the engine's folder `dir` against its manifest: its length, and the checksum
/// of its bytes. Answers what the folder covers. For checkpoints: nobody writes to it meanwhile.
///
/// # Errors
/// [`Error::Corrupt`] names the first file that isn't what was written; [`Error::Io`] one that is
/// missing.
pub fn verify(vfs: &dyn Vfs, dir: &Path) -> Result<Applied> {
    let (_, contents) = manifest::read(vfs, dir)?;
    let Contents { applied, runs, .. } = contents;
    let mut piece = Vec::new();
    for &file in runs.values().flat_map(|run| &run.tables) {
        let mut pieces = Pieces::open(vfs, names::table(dir, file.number), file)?;
        while pieces.next(&mut piece)? {}
    }
    Ok(applied)
}

/// A table's bytes in order, held against what the manifest says.
struct Pieces {
    file: Arc<dyn ReadFile>,
    path: PathBuf,
    listed: TableFile,
    offset: u64,
    hasher: crc32fast::Hasher,
}

impl Pieces {
    fn open(vfs: &dyn Vfs, path: PathBuf, listed: TableFile) -> Result<Pieces> {
        let file = vfs.open_read(&path).map_err(Error::io(&path))?;
        let len = file.len().map_err(Error::io(&path))?;
        if len != listed.file_bytes {
            let reason = "the file's length isn't what the manifest says";
            return Err(Error::Corrupt { path, offset: len.min(listed.file_bytes), reason });
        }
        Ok(Pieces { file, path, listed, offset: 0, hasher: crc32fast::Hasher::new() })
    }

    /// Fills `piece` with what comes next. `false` at the end, if all was as it was written.
    fn next(&mut self, piece: &mut Vec<u8>) -> Result<bool> {
        let left = self.listed.file_bytes.saturating_sub(self.offset);
        if left == 0 {
            if self.hasher.clone().finalize() == self.listed.checksum {
                return Ok(false);
            }
            let reason = "the file's checksum isn't what the manifest says";
            return Err(Error::Corrupt { path: self.path.clone(), offset: 0, reason });
        }
        piece.resize(left.min(PIECE_BYTES as u64) as usize, 0);
        let read = self.file.read_exact_at(self.offset, piece);
        read.map_err(Error::io(&self.path))?;
        self.hasher.update(piece);
        self.offset += piece.len() as u64;
        Ok(true)
    }
}
