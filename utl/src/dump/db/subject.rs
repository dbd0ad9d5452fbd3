//! A database of our own, whichever engine made it: what it covers, and where its records are read.

use retcd_engine::Applied;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::Folder;
use std::path::Path;

/// See the module's text.
#[derive(Clone, Copy)]
pub(in crate::dump) enum Subject<'a> {
    /// Sorted tables and a manifest.
    Tables(&'a Folder<'a>),
    /// A B+tree in one file.
    Tree(&'a TreeFile<'a>),
}

impl Subject<'_> {
    /// What faults are about that lie in no place of their own: the folder, or the one file.
    pub(in crate::dump) fn path(&self) -> &Path {
        match self {
            Subject::Tables(folder) => folder.dir(),
            Subject::Tree(tree) => tree.path(),
        }
    }

    /// What is durable.
    pub(in crate::dump) fn applied(&self) -> &Applied {
        match self {
            Subject::Tables(folder) => &folder.contents().applied,
            Subject::Tree(tree) => tree.applied(),
        }
    }
}
