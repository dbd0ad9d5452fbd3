//! A file system in memory that loses what wasn't synced, and fails when told to.
//!
//! The way to use it: run a history once and ask for [`CrashVfs::operations`]; then, for each
//! operation k, run the history again with [`CrashVfs::stop_at`] k until it fails, and look at what
//! [`CrashVfs::crash`] leaves under several seeds. [`CrashVfs::fail_at`] does the same for errors
//! that the process survives.
//!
//! Every call counts as an operation, reads too; a `complete` only where several writes may be
//! under way. Beyond losing unsynced sectors and names nothing is damaged: bytes that were synced
//! stay.

use crate::content::Tracking;
use crate::memory::{MemVfs, Planned, Refuses, Setup};
use crate::random::Random;
use crate::tree::Tree;
use crate::{AppendFile, FileLock, LogFile, LogMode, PageFile, ReadFile, Vfs};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An error that a chosen operation returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`, without effect.
    Io,
    /// `ENOSPC`, without effect.
    NoSpace,
    /// Half of the bytes are written, then the call fails; a call that writes nothing fails with
    /// `EIO`. Where several log writes may be under way it is the completion that fails.
    ShortWrite,
}

impl Fault {
    pub(crate) fn error(self) -> io::Error {
        match self {
            Fault::Io | Fault::ShortWrite => Errno::IO.into(),
            Fault::NoSpace => Errno::NOSPC.into(),
        }
    }
}

/// A file system in memory that can crash. Clones share it.
#[derive(Clone)]
pub struct CrashVfs {
    files: MemVfs,
}

impl Default for CrashVfs {
    fn default() -> CrashVfs {
        CrashVfs::new()
    }
}

impl CrashVfs {
    /// An empty file system whose log files have depth 1.
    pub fn new() -> CrashVfs {
        CrashVfs::with_log_depth(1)
    }

    /// An empty file system whose log files keep up to `depth` writes under way in every mode, and
    /// more if [`LogMode::Uring`] asks for more. With a depth above 1 a write is durable only when
    /// its completion has been returned; until then a crash may leave it and not an earlier one.
    pub fn with_log_depth(depth: usize) -> CrashVfs {
        CrashVfs::empty(depth.max(1), Refuses::Nothing)
    }

    /// An empty file system that refuses [`LogMode::Direct`] and [`LogMode::Uring`] with
    /// `InvalidInput`.
    pub fn without_direct_io() -> CrashVfs {
        CrashVfs::empty(1, Refuses::Direct)
    }

    /// An empty file system that refuses [`LogMode::Uring`] as a system does that forbids it.
    pub fn without_uring() -> CrashVfs {
        CrashVfs::empty(1, Refuses::Uring)
    }

    /// An empty file system that refuses [`Vfs::hard_link`] as one does between two file systems.
    pub fn without_hard_links() -> CrashVfs {
        CrashVfs::empty(1, Refuses::HardLinks)
    }

    fn empty(log_depth: usize, refuses: Refuses) -> CrashVfs {
        let setup = Setup { tracking: Tracking::On, log_depth, refuses };
        CrashVfs::from_tree(Tree::default(), setup)
    }

    fn from_tree(tree: Tree, setup: Setup) -> CrashVfs {
        CrashVfs { files: MemVfs::from_tree(tree, setup) }
    }

    /// Calls since the file system was made.
    pub fn operations(&self) -> u64 {
        self.files.shared.gate.lock().operations
    }

    /// Successful syncs of files and folders, and durable log writes.
    pub fn syncs(&self) -> u64 {
        self.files.shared.gate.lock().syncs
    }

    /// Fails the `operation`-th call (the first is 1) once. Replaces an earlier plan.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.files.shared.gate.lock().planned = Some((operation, Planned::Fail(fault)));
    }

    /// Stops the machine at the `operation`-th call (the first is 1): it and all later ones fail,
    /// and what it did is in doubt. Replaces an earlier plan.
    pub fn stop_at(&self, operation: u64) {
        self.files.shared.gate.lock().planned = Some((operation, Planned::Stop));
    }

    /// Makes everything durable, as after a long quiet time.
    pub fn settle(&self) {
        self.files.shared.tree.lock().settle();
    }

    /// What a crash at this moment leaves, as a new file system without plans, locks or counts.
    /// Equal seeds leave equal disks. This file system isn't changed.
    pub fn crash(&self, seed: u64) -> CrashVfs {
        let left = self.files.shared.tree.lock().crashed(&mut Random::new(seed));
        CrashVfs::from_tree(left, self.files.shared.setup)
    }
}

impl Vfs for CrashVfs {
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.files.open_read(path)
    }

    fn create_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.files.create_append(path)
    }

    fn open_log(&self, path: &Path, mode: LogMode) -> io::Result<Box<dyn LogFile>> {
        self.files.open_log(path, mode)
    }

    fn open_pages(&self, path: &Path) -> io::Result<Arc<dyn PageFile>> {
        self.files.open_pages(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.files.remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.files.exists(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.files.sync_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.files.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.files.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.files.is_locked(path)
    }

    fn leads_into(&self, path: &Path, folder: &Path) -> io::Result<bool> {
        self.files.leads_into(path, folder)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.files.free_bytes(folder)
    }
}
