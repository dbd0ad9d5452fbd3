//! The tables of a folder, opened as far as that is possible, and reads over them.

use std::path::Path;
use std::sync::Arc;

use super::Folder;
use super::walk::Walk;
use crate::lsm::manifest::Contents;
use crate::lsm::tree::{self, OpenTables, TableHandle, Tree};
use crate::picture::{Disk, Graveyard, PictureView};
use crate::table::{BlockCache, FileNumber, Properties, Table, TableFile};
use crate::{Error, KeyRange, Keyspace, Result, Version, View};

/// Bytes of blocks that are kept in memory.
const CACHE_BYTES: usize = 16 << 20;

/// Bytes of a table of its own that a merge would give back for certain, an estimate.
pub fn dead_bytes(file: &TableFile, properties: &Properties, watermark: u64) -> u64 {
    tree::dead_bytes(file, properties, watermark)
}

/// See the module's text. Indexes and filters are in memory, some bytes for each key.
pub struct Tables {
    /// What the manifest says, without the tables that are left out.
    contents: Contents,
    open: OpenTables,
}

impl Tables {
    /// Opens the tables of `keyspaces`. Those that can't be opened are shown to `fault` and left
    /// out.
    pub fn open(
        folder: &Folder<'_>,
        keyspaces: &[Keyspace],
        fault: &mut dyn FnMut(Error),
    ) -> Tables {
        Tables::open_by(&|file, cache| folder.open(file, cache), folder, keyspaces, fault)
    }

    /// As [`Tables::open`], but of each table is read what an engine that starts reads; the other
    /// parts are read when they are needed.
    pub fn open_as_a_start_does(
        folder: &Folder<'_>,
        keyspaces: &[Keyspace],
        fault: &mut dyn FnMut(Error),
    ) -> Tables {
        let open = |file, cache: &_| folder.open_as_a_start_does(file, cache);
        Tables::open_by(&open, folder, keyspaces, fault)
    }

    fn open_by(
        open_table: &dyn Fn(TableFile, &Arc<BlockCache>) -> Result<Table>,
        folder: &Folder<'_>,
        keyspaces: &[Keyspace],
        fault: &mut dyn FnMut(Error),
    ) -> Tables {
        let cache = Arc::new(BlockCache::new(CACHE_BYTES));
        let graveyard: Arc<Graveyard> = Arc::default();
        let mut contents = folder.contents().clone();
        contents.runs.retain(|_, run| keyspaces.contains(&run.keyspace));
        let mut open = OpenTables::new();
        for file in contents.runs.values().flat_map(|run| &run.tables) {
            match open_table(*file, &cache) {
                Ok(table) => {
                    let handle = TableHandle::new(table, Arc::clone(&graveyard), 0);
                    open.insert(file.number, handle);
                }
                Err(error) => fault(error),
            }
        }
        let mut tables = Tables { contents, open };
        tables.forget_closed();
        tables
    }

    /// Leaves out the table that `error` is about. `false` if it is about none that is open.
    pub fn leave_out(&mut self, error: &Error) -> bool {
        let (Error::Corrupt { path, .. } | Error::Io { path, .. }) = error else {
            return false;
        };
        let Some(number) = self.number_of(path) else {
            return false;
        };
        self.open.remove(&number);
        self.forget_closed();
        true
    }

    /// Reads over the tables that are open. It ends with the first error, as an engine does.
    pub fn view(&self) -> Box<dyn View> {
        Box::new(PictureView::of_files(Arc::new(Tree::new(&self.contents, &self.open))))
    }

    /// How many keys the records of `range` say that they add together; `None` if some don't say
    /// it. If nothing is left out, that is how many there are.
    ///
    /// # Errors
    /// Those of reading a block.
    pub fn keys_added(&self, keyspace: Keyspace, range: KeyRange<'_>) -> Result<Option<i64>> {
        Tree::new(&self.contents, &self.open).keys_added(keyspace, range, Version::MAX)
    }

    /// Goes through all versions of a keyspace with what each takes on disk, without their values.
    ///
    /// # Errors
    /// Those of reading the first blocks.
    pub fn walk(&self, keyspace: Keyspace, range: KeyRange<'_>) -> Result<Walk> {
        Walk::new(&Tree::new(&self.contents, &self.open), keyspace, range)
    }

    fn number_of(&self, path: &Path) -> Option<FileNumber> {
        let found = self.open.iter().find(|(_, handle)| handle.table().path() == path);
        found.map(|(&number, _)| number)
    }

    fn forget_closed(&mut self) {
        let Tables { contents, open } = self;
        for run in contents.runs.values_mut() {
            run.tables.retain(|file| open.contains_key(&file.number));
        }
        contents.runs.retain(|_, run| !run.tables.is_empty());
    }
}
