//! A look at a tree's file from outside, while nobody or somebody else uses it.
//!
//! The file is only opened for reading, and nothing is made or removed. A member that runs may
//! write over pages of the tree that was newest when it was opened: such a page shows as damaged,
//! since it is of a later transaction. A copy that was taken of a file that is being written is as
//! good as luck has it; a checkpoint isn't.
//!
//! What is in the log and not yet committed isn't here.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use retcd_vfs::{PageFile, ReadFile, Vfs};

use super::file::{self, NAME};
use super::scrub::TreeScrub;
use super::tree::{Tree, TreeCursor};
use crate::bolt::page::{ELEMENT_BYTES, Page};
use crate::bolt::{Database, PAGE_BYTES, Usage};
use crate::picture::{Disk, DiskCursor, PictureView};
use crate::table::{Footprint, Seen};
use crate::{
    Applied, Direction, Error, KeyRange, Keyspace, Projection, Result, Scrub, Version, View,
};

/// Bytes of pages that are kept in memory.
const CACHE_BYTES: usize = 16 << 20;

/// See the module's text.
pub struct TreeFile<'v> {
    vfs: &'v dyn Vfs,
    path: PathBuf,
    tree: Arc<Tree>,
    used_pages: u64,
    file_bytes: u64,
}

impl<'v> TreeFile<'v> {
    /// Whether the folder `dir` is that of a tree.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn is_here(vfs: &dyn Vfs, dir: &Path) -> Result<bool> {
        let path = TreeFile::path_in(dir);
        vfs.exists(&path).map_err(Error::io(&path))
    }

    /// The one file of a tree in the folder `dir`.
    pub fn path_in(dir: &Path) -> PathBuf {
        dir.join(NAME)
    }

    /// Opens the file in `dir`.
    ///
    /// # Errors
    /// Those of [`crate::Btree::open`] that reading brings.
    pub fn open(vfs: &'v dyn Vfs, dir: &Path) -> Result<TreeFile<'v>> {
        let path = TreeFile::path_in(dir);
        let file = vfs.open_read(&path).map_err(Error::io(&path))?;
        let file_bytes = file.len().map_err(Error::io(&path))?;
        let ledger = file::read(vfs, path.clone(), Arc::new(ReadOnly(file)), CACHE_BYTES)?;
        let (tree, used_pages) = (Arc::clone(&ledger.tree), ledger.used_pages());
        Ok(TreeFile { vfs, path, tree, used_pages, file_bytes })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it covers.
    pub fn applied(&self) -> &Applied {
        &self.tree.applied
    }

    /// The transaction that counts.
    pub fn transaction(&self) -> u64 {
        self.tree.meta.transaction
    }

    /// Pages that there are, used or free.
    pub fn pages(&self) -> u64 {
        self.tree.meta.pages
    }

    /// Pages of them that are in use.
    pub fn used_pages(&self) -> u64 {
        self.used_pages
    }

    /// Bytes of a page.
    pub fn page_bytes(&self) -> u64 {
        u64::from(PAGE_BYTES)
    }

    /// Length of the file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Reads of it.
    pub fn view(&self) -> Box<dyn View> {
        Box::new(PictureView::of_files(Arc::clone(&self.tree)))
    }

    /// A pass over all pages in use.
    pub fn scrub(&self) -> Box<dyn Scrub> {
        Box::new(TreeScrub::new(Arc::clone(&self.tree), Arc::default()))
    }

    /// Checks by other code than the engine's that each page is used once or free.
    ///
    /// # Errors
    /// As [`Database::verify`].
    pub fn usage(&self) -> Result<Usage> {
        Database::open(self.vfs, &self.path)?.verify()
    }

    /// Goes through all versions of a keyspace with what each takes on disk.
    ///
    /// # Errors
    /// Those of reading the first pages.
    pub fn walk(&self, keyspace: Keyspace, range: KeyRange<'_>) -> Result<TreeWalk> {
        let (direction, projection) = (Direction::Forward, Projection::Keys);
        let at = Version::MAX;
        let mut cursors = self.tree.cursors(keyspace, range, at, direction, projection)?;
        let cursor = cursors.pop().expect("a tree has one cursor for a keyspace");
        let end = range.end.map(Bytes::copy_from_slice);
        Ok(TreeWalk { cursor, end, started: false, path: Vec::new(), ratio: 0.0, page_bytes: 0 })
    }
}

/// All versions of a keyspace, keys ascending and versions of one key descending.
pub struct TreeWalk {
    cursor: TreeCursor,
    end: Option<Bytes>,
    started: bool,
    /// Numbers of the pages above the current record and of its own.
    path: Vec<u64>,
    /// Bytes of the leaf for each byte of its elements.
    ratio: f64,
    page_bytes: u64,
}

impl TreeWalk {
    /// The next record; `None` at the end. A record's share of its page is by its length.
    ///
    /// # Errors
    /// Those of reading a page. The walk must not be used afterwards.
    #[expect(clippy::should_implement_trait, reason = "it lends, and may fail")]
    pub fn next(&mut self) -> Result<Option<Seen<'_>>> {
        if std::mem::replace(&mut self.started, true) {
            self.cursor.advance()?;
        }
        self.meet_pages();
        let Some(record) = self.cursor.current() else {
            return Ok(None);
        };
        if self.end.as_ref().is_some_and(|end| record.key >= end) {
            return Ok(None);
        }
        let own = self.cursor.element_bytes().unwrap_or(0);
        let value_bytes = self.cursor.value_bytes();
        let footprint = Footprint { value_bytes, stored_bytes: own as f64 * self.ratio };
        Ok(Some(Seen { record, footprint }))
    }

    /// Bytes of the pages that it has come to so far.
    pub fn page_bytes(&self) -> u64 {
        self.page_bytes
    }

    /// Notes the pages of the path that weren't in it before.
    fn meet_pages(&mut self) {
        let pages = self.cursor.pages();
        let Some((leaf, page)) = pages.clone().last() else {
            return;
        };
        if self.path.last() == Some(&leaf) {
            return;
        }
        let is_new =
            |(depth, (number, _)): &(usize, (u64, &Page))| self.path.get(*depth) != Some(number);
        let new = pages.clone().enumerate().filter(is_new);
        self.page_bytes += new.map(|(_, (_, page))| page.bytes().len() as u64).sum::<u64>();
        let elements = (0..page.count()).filter_map(|at| page.leaf(at));
        let content: usize = elements.map(|e| ELEMENT_BYTES + e.key.len() + e.value.len()).sum();
        self.ratio = page.bytes().len() as f64 / content.max(1) as f64;
        self.path = pages.map(|(number, _)| number).collect();
    }
}

/// A file that nobody may write.
struct ReadOnly(Arc<dyn ReadFile>);

impl ReadFile for ReadOnly {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}

impl PageFile for ReadOnly {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn cut(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
