//! The folder for scratch files of snapshots that clients are sent.
//!
//! Nothing in it outlives the process: a start empties it. As many snapshots as [`AT_ONCE_MAX`] may
//! be under way, each with a folder of its own, because each takes disk and a thread.

use retcd_vfs::Vfs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Snapshots that may be under way.
const AT_ONCE_MAX: usize = 2;

/// The folder.
pub(crate) struct Outgoing {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    next: AtomicU64,
    places: Arc<Semaphore>,
}

impl Outgoing {
    /// Empties the folder, if there is one.
    pub(super) fn open(vfs: Arc<dyn Vfs>, dir: &Path) -> io::Result<Outgoing> {
        if vfs.exists(dir)? {
            for name in vfs.list(dir)? {
                remove_folder(&*vfs, &dir.join(name))?;
            }
        }
        Ok(Outgoing {
            vfs,
            dir: dir.to_owned(),
            next: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        })
    }

    /// A folder of one's own; `None` if too many have one.
    pub(crate) fn folder(&self) -> Option<io::Result<OutgoingFolder>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(number.to_string());
        let vfs = Arc::clone(&self.vfs);
        let made = self.vfs.create_dir_all(&path);
        Some(made.map(|()| OutgoingFolder { vfs, path, _place: place }))
    }
}

/// A folder that goes, with what is in it, when this does.
pub(crate) struct OutgoingFolder {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    _place: OwnedSemaphorePermit,
}

impl OutgoingFolder {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file system that it is on.
    pub(crate) fn vfs(&self) -> &Arc<dyn Vfs> {
        &self.vfs
    }
}

impl Drop for OutgoingFolder {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&*self.vfs, &self.path) {
            tracing::warn!(%error, path = %self.path.display(), "scratch files stay behind");
        }
    }
}

fn remove_folder(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    for name in vfs.list(path)? {
        vfs.remove_file(&path.join(name))?;
    }
    vfs.remove_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_vfs::MemVfs;

    #[test]
    fn folders_go_with_their_content_at_the_latest_at_a_start() {
        let vfs = MemVfs::new();
        let dir = Path::new("/member/snap/outgoing");
        let open = || Outgoing::open(Arc::new(vfs.clone()), dir).expect("memory");
        let outgoing = open();
        let folder = outgoing.folder().expect("there is a place").expect("memory");
        drop(vfs.create_append(&folder.path().join("run-0")).expect("memory"));
        let second = outgoing.folder().expect("there is a place").expect("memory");
        assert_ne!(folder.path(), second.path());
        assert!(outgoing.folder().is_none(), "no third one at a time");
        drop(second);
        assert!(outgoing.folder().is_some());
        assert_eq!(vfs.list(dir).expect("memory"), [Path::new("0")]);
        std::mem::forget(folder);
        open();
        assert!(vfs.list(dir).expect("memory").is_empty());
    }
}
