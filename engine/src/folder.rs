//! The folder that an engine lives in.

use std::path::Path;

use retcd_vfs::Vfs;

use crate::{Error, Result};

/// Makes `dir` and its missing parents, durably.
pub(crate) fn make(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
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
        let parent = parent_of(folder);
        vfs.sync_dir(parent).map_err(Error::io(parent))?;
    }
    Ok(())
}

/// The folder that `path` is a name in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
