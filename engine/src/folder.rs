//! The folder that an engine lives in.

use std::io;
use std::path::{Path, PathBuf};

use retcd_vfs::{Vfs, create_dir_durably};

use crate::{Error, Result};

/// Makes `dir` and its missing parents, durably. One that is there may have been made by a process
/// that ended before its name was durable.
pub(crate) fn make(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    create_dir_durably(vfs, dir, 1).map_err(|error| Error::io(&error.path)(error.source))
}

/// Refuses a name that is taken.
pub(crate) fn refuse_taken(vfs: &dyn Vfs, to: &Path) -> Result<()> {
    match vfs.exists(to).map_err(Error::io(to))? {
        true => Err(Error::io(to)(io::ErrorKind::AlreadyExists.into())),
        false => Ok(()),
    }
}

/// Makes a folder durable whose files are, and gives it its name.
pub(crate) fn publish(vfs: &dyn Vfs, temporary: &Path, to: &Path) -> Result<()> {
    vfs.sync_dir(temporary).map_err(Error::io(temporary))?;
    vfs.rename(temporary, to).map_err(Error::io(to))?;
    let parent = parent_of(to);
    vfs.sync_dir(parent).map_err(Error::io(parent))
}

/// The folder that `path` is a name in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Whose files a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Lsm,
    Btree,
}

impl Owner {
    /// A file that there is in each of its folders, and the engine's name.
    fn mark(self) -> (&'static str, &'static str) {
        match self {
            Owner::Lsm => ("CURRENT", "lsm"),
            Owner::Btree => ("tree.db", "btree"),
        }
    }
}

/// Fails if the folder belongs to another engine than `owner`.
pub(crate) fn refuse_other(vfs: &dyn Vfs, dir: &Path, owner: Owner) -> Result<()> {
    let other = match owner {
        Owner::Lsm => Owner::Btree,
        Owner::Btree => Owner::Lsm,
    };
    let (file, found) = other.mark();
    let path = dir.join(file);
    match vfs.exists(&path).map_err(Error::io(&path))? {
        true => Err(Error::OtherEngine { path: dir.to_owned(), found }),
        false => Ok(()),
    }
}

/// The name of a checkpoint before it is complete.
pub(crate) fn temporary(to: &Path) -> Result<PathBuf> {
    beside(to, ".tmp")
}

/// The name that has `end` behind the one of `path`.
pub(crate) fn beside(path: &Path, end: &str) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Error::io(path)(io::ErrorKind::InvalidInput.into()));
    };
    let mut name = name.to_owned();
    name.push(end);
    Ok(path.with_file_name(name))
}
