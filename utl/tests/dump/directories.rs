//! Data directories that are kept in the tree, copied to files in memory: one of etcd 3.5.1's, and
//! those of ours that a killed member left.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::*;
use retcd_vfs::{MemVfs, Vfs};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of etcd's directory, below `data`.
pub(crate) const ETCDS_LOG: &str = "data/member/wal/0000000000000000-0000000000000000.wal";
pub(crate) const ETCDS_DATABASE: &str = "data/member/snap/db";
pub(crate) const ETCDS_SNAP: &str = "data/member/snap/0000000000000002-0000000000000016.snap";

/// A directory that etcd 3.5.1 left.
pub(crate) fn etcds() -> MemVfs {
    copy_of("tests/golden/etcd-3.5.1-data")
}

/// One that a killed member of ours left: `data-3`, `data-btree-1`.
pub(crate) fn ours(name: &str) -> MemVfs {
    copy_of(&format!("../raft-glue/tests/golden/{name}"))
}

/// A copy of a folder in memory, as `data`.
fn copy_of(folder: &str) -> MemVfs {
    let vfs = MemVfs::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        vfs.create_dir_all(&Path::new("data").join(&folder)).unwrap();
        for found in fs::read_dir(root.join(&folder)).unwrap() {
            let found = found.unwrap();
            let name = folder.join(found.file_name());
            match found.file_type().unwrap().is_dir() {
                true => folders.push(name),
                false => {
                    let bytes = fs::read(found.path()).unwrap();
                    write(&vfs, &Path::new("data").join(name), &bytes);
                }
            }
        }
    }
    vfs
}

/// Changes a file of whatever length.
pub(crate) fn change(vfs: &MemVfs, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = Path::new(path);
    let mut bytes = read(vfs, path);
    change(&mut bytes);
    vfs.remove_file(path).unwrap();
    write(vfs, path, &bytes);
}

/// Removes a folder and everything in it.
pub(crate) fn remove_all(vfs: &MemVfs, path: &str) {
    let path = Path::new(path);
    for name in vfs.list(path).unwrap() {
        let inner = path.join(name);
        match vfs.list(&inner).is_ok() {
            true => remove_all(vfs, inner.to_str().unwrap()),
            false => vfs.remove_file(&inner).unwrap(),
        }
    }
    vfs.remove_dir(path).unwrap();
}

/// All files below a folder, by name.
pub(crate) fn files_in(vfs: &MemVfs, folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in vfs.list(folder).unwrap() {
        let path = folder.join(name);
        match vfs.list(&path).is_ok() {
            true => files.extend(files_in(vfs, &path)),
            false => files.push(path),
        }
    }
    files
}

/// A copy of everything in `data`.
pub(crate) fn copy_in_memory(vfs: &MemVfs) -> MemVfs {
    let copy = MemVfs::new();
    for path in files_in(vfs, Path::new("data")) {
        copy.create_dir_all(path.parent().unwrap()).unwrap();
        write(&copy, &path, &read(vfs, &path));
    }
    copy
}
