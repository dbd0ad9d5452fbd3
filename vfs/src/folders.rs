//! Folders that a crash doesn't take away.

use crate::Vfs;
use std::io;
use std::path::{Path, PathBuf};

/// What failed while a folder was made, and on which path.
#[derive(Debug)]
pub struct FolderError {
    /// The folder itself, or one that leads to it.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Makes a folder and its missing parents, and makes their names durable: those that were missing,
/// and the lowest `ours` even if they were there, since a process that was interrupted may have
/// made them.
///
/// # Errors
///
/// Those of the file system. Some of the folders may be there then.
pub fn create_dir_durably(vfs: &dyn Vfs, dir: &Path, ours: usize) -> Result<(), FolderError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| FolderError { path, source }
    };
    let mut named = Vec::new();
    for folder in dir.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        let existed = vfs.exists(folder).map_err(at(folder))?;
        if existed && named.len() >= ours {
            break;
        }
        named.push((folder, existed));
    }
    vfs.create_dir_all(dir).map_err(at(dir))?;
    for (folder, existed) in named.into_iter().rev() {
        let parent = folder.parent().unwrap_or(Path::new(""));
        match vfs.sync_dir(parent) {
            // Somebody else made the folder for us, in a place that we may not even read.
            Err(e) if existed && e.kind() == io::ErrorKind::PermissionDenied => {}
            other => other.map_err(at(parent))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CrashVfs;

    fn is_certain(vfs: &CrashVfs, path: &str) -> bool {
        (0..64).all(|seed| vfs.crash(seed).exists(Path::new(path)).unwrap())
    }

    #[test]
    fn every_name_that_was_missing_is_durable() {
        let vfs = CrashVfs::new();
        create_dir_durably(&vfs, Path::new("a/b/c"), 1).unwrap();
        assert!(is_certain(&vfs, "a/b/c"));
    }

    #[test]
    fn names_left_by_an_interrupted_start_become_durable() {
        let vfs = CrashVfs::new();
        vfs.create_dir_all(Path::new("a/b/c")).unwrap();
        create_dir_durably(&vfs, Path::new("a/b/c"), 2).unwrap();
        assert!(!is_certain(&vfs, "a"), "it is somebody else's");
        vfs.sync_dir(Path::new("")).unwrap();
        assert!(is_certain(&vfs, "a/b/c"));
    }

    #[test]
    fn wherever_it_fails_the_error_says_on_which_folder() {
        let whole = CrashVfs::new();
        create_dir_durably(&whole, Path::new("a/b"), 1).unwrap();
        for operation in 1..=whole.operations() {
            let vfs = CrashVfs::new();
            vfs.fail_at(operation, crate::Fault::Io);
            let error = create_dir_durably(&vfs, Path::new("a/b"), 1).unwrap_err();
            assert!(Path::new("a/b").starts_with(&error.path), "{operation}: {error:?}");
        }
    }
}
