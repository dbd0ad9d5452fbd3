//! What is meant by a path: a folder of one of our engines, or a file in bbolt's format.

use super::Error;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::Folder;
use retcd_vfs::Vfs;
use std::path::{Path, PathBuf};

/// Names under which a database lies in a data directory: from its top, and from `member`.
const WITHIN: [&str; 2] = ["member/snap/db", "snap/db"];

/// See the module's text.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dump) enum Place {
    /// A folder of our own tables.
    Engine {
        /// The folder.
        dir: PathBuf,
        /// Whether a member seems to run on it.
        is_held: bool,
    },
    /// A folder with our B+tree in it.
    Tree {
        /// The folder.
        dir: PathBuf,
        /// Whether a member seems to run on it.
        is_held: bool,
    },
    /// A file in bbolt's format: a database of etcd's, a snapshot, or our tree's file by its name.
    Bolt(PathBuf),
}

impl Place {
    /// Finds what `path` means: a data directory, its `member` folder, its `snap/db`, or a file.
    pub(in crate::dump) fn find(vfs: &dyn Vfs, path: &Path) -> Result<Place, Error> {
        if !is_folder(vfs, path) {
            // What isn't there is no file, whatever is asked of it.
            vfs.open_read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
            return Ok(Place::Bolt(path.to_owned()));
        }
        let exists = |path: &Path| vfs.exists(path).map_err(|e| Error::Io(path.to_owned(), e));
        let mut dir = path.to_owned();
        for within in WITHIN {
            let database = path.join(within);
            if exists(&database)? {
                if !is_folder(vfs, &database) {
                    return Ok(Place::Bolt(database));
                }
                dir = database;
                break;
            }
        }
        let is_tree = TreeFile::is_here(vfs, &dir)?;
        if !is_tree && !Folder::is_here(vfs, &dir)? {
            return Err(Error::NoDatabase(dir));
        }
        // Where the lock is if the folder is that of a member: beside `snap`.
        let lock = dir.join("../../lock");
        let lock = match dir.parent().and_then(Path::parent) {
            Some(member) if !member.as_os_str().is_empty() => member.join("lock"),
            _ => lock,
        };
        let is_held = vfs.is_locked(&lock).unwrap_or(false);
        Ok(match is_tree {
            true => Place::Tree { dir, is_held },
            false => Place::Engine { dir, is_held },
        })
    }
}

fn is_folder(vfs: &dyn Vfs, path: &Path) -> bool {
    vfs.list(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_engine::btree::{self, Btree};
    use retcd_engine::{Lsm, Options};
    use retcd_vfs::MemVfs;
    use std::sync::Arc;

    #[test]
    fn a_tree_is_found_from_each_folder_above_it() {
        let vfs = MemVfs::new();
        let dir = PathBuf::from("data/member/snap/db");
        let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
        drop(Btree::open(shared, &dir, btree::Options::default()).expect("in memory"));
        let found = Place::Tree { dir: dir.clone(), is_held: false };
        for path in ["data", "data/member", "data/member/snap/db"] {
            assert_eq!(Place::find(&vfs, Path::new(path)).expect("it is there"), found, "{path}");
        }
        let file = dir.join("tree.db");
        assert_eq!(Place::find(&vfs, &file).expect("it is there"), Place::Bolt(file));
    }

    #[test]
    fn a_database_is_found_from_each_folder_above_it() {
        let vfs = MemVfs::new();
        let dir = PathBuf::from("data/member/snap/db");
        let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
        drop(Lsm::open(shared, &dir, Options::default()).expect("in memory"));
        let held = vfs.lock(Path::new("data/member/lock")).expect("nobody has it");
        let found = Place::Engine { dir: dir.clone(), is_held: true };
        for path in ["data", "data/member", "data/member/snap/db"] {
            assert_eq!(Place::find(&vfs, Path::new(path)).expect("it is there"), found, "{path}");
        }
        drop(held);
        let found = Place::Engine { dir, is_held: false };
        assert_eq!(Place::find(&vfs, Path::new("data")).expect("it is there"), found);
        let nothing = Place::find(&vfs, Path::new("data/member/snp"));
        assert!(matches!(nothing, Err(Error::Io(..))), "{nothing:?}");
        let nothing = Place::find(&vfs, Path::new("data/member/snap"));
        assert!(matches!(nothing, Err(Error::NoDatabase(_))), "{nothing:?}");
    }
}
