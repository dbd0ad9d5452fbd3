//! The only door to files.
//!
//! Everything that the log and the engine keep on disk goes through [`Vfs`], so that one process
//! can run on real files, on files in memory, or on files that crash at a chosen operation.
//!
//! Three kinds of file, because there are three ways in which the storage core uses one:
//!
//! * [`ReadFile`]: immutable while it is read, positioned reads from any thread;
//! * [`AppendFile`]: written once from start to end, then synced (tables, manifests);
//! * [`LogFile`]: preallocated, written at aligned offsets, each write made durable before it
//!   counts.
//!
//! Three implementations: [`RealVfs`], [`MemVfs`] for tests that only need speed, and [`CrashVfs`],
//! which remembers what was synced, fails calls on request, and yields what a crash could leave.
//!
//! Durability follows POSIX: the content of a file is durable after its `sync`, its name only after
//! [`Vfs::sync_dir`] on the folder, a folder's own name only after a sync of its parent. What this
//! crate doesn't do: retry, cache, or interpret bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Alignment, in bytes, of [`LogFile`] offsets, lengths and buffers. Direct I/O needs it.
pub const LOG_ALIGNMENT: usize = 4096;

/// A file system. Shared by every component of a member.
///
/// Paths are absolute or relative to the process; errors are the operating system's.
pub trait Vfs: Send + Sync + 'static {
    /// Opens an existing file for positioned reads.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>>;

    /// Creates a file for appending. Fails with `AlreadyExists` if the name is taken.
    fn create_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// Opens an existing file of full length for aligned, durable writes.
    fn open_log(&self, path: &Path, mode: LogMode) -> io::Result<Box<dyn LogFile>>;

    /// Renames within one file system, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Creates a second name for a file.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Creates a folder and its missing parents, readable by the owner only.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Names in a folder, sorted; bare names, without the folder.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether the name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Makes the content of an existing file durable, whoever wrote it and however.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes an exclusive lock that is held until the value is dropped.
    /// Fails with `WouldBlock` if another process or another holder in this process has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// How a log file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMode {
    /// Direct I/O, durable in the same call. Refused with `InvalidInput` or `Unsupported` where the
    /// file system has none.
    Direct,
    /// Page cache and `fdatasync`.
    Buffered,
    /// Page cache without a sync (`--unsafe-no-fsync`): nothing survives a machine crash.
    Unsynced,
}

/// An immutable file. Reads may be concurrent.
pub trait ReadFile: Send + Sync {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buf` from `offset`, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_at(offset + done as u64, &mut buf[done..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => done += n,
            }
        }
        Ok(())
    }
}

/// A file that grows at its end. Dropping it closes it without a sync.
pub trait AppendFile: Send {
    /// Writes all bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written so far durable. After an error the file must not be used again.
    fn sync(&mut self) -> io::Result<()>;
}

/// A preallocated file of the log. Offsets and lengths are multiples of [`LOG_ALIGNMENT`].
///
/// `submit` starts a durable write; `complete` waits for the oldest one and gives its buffer back.
/// A back end of depth 1 does the work in `submit`. After an error the file must not be used again.
pub trait LogFile: Send {
    /// Starts writing `buf` at `offset` so that it is durable when its completion is returned.
    fn submit(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()>;

    /// Waits for the oldest submitted write; `None` if there is none under way.
    fn complete(&mut self) -> io::Result<Option<AlignedBuf>>;

    /// How many writes may be under way.
    fn depth(&self) -> usize;
}

/// An exclusive lock, released on drop.
pub trait FileLock: Send + Sync {}

mod aligned;
mod content;
mod crash;
mod memory;
mod random;
mod real;
mod tree;

pub use aligned::AlignedBuf;
pub use crash::{CrashVfs, Fault};
pub use memory::MemVfs;
pub use real::RealVfs;
