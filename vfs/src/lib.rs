//! The only door to files.
//!
//! Everything that the log and the engine keep on disk goes through [`Vfs`], so that one process
//! can run on real files, on files in memory, or on files that crash at a chosen operation.
//!
//! Four kinds of file, because there are four ways in which the storage core uses one:
//!
//! * [`ReadFile`]: immutable while it is read, positioned reads from any thread;
//! * [`AppendFile`]: written once from start to end, then synced (tables, manifests);
//! * [`LogFile`]: preallocated, written at aligned offsets, each write made durable before it
//!   counts;
//! * [`PageFile`]: read and written in place, grown and cut, synced as a whole (the B+tree).
//!
//! Three implementations: [`RealVfs`], [`MemVfs`] for tests that only need speed, and [`CrashVfs`],
//! which remembers what was synced, fails calls on request, and yields what a crash could leave.
//!
//! Durability follows POSIX: the content of a file is durable after its `sync`, its name only after
//! [`Vfs::sync_dir`] on the folder, a folder's own name only after a sync of its parent. What this
//! crate doesn't do: retry, cache, or interpret bytes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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

    /// Opens an existing file to be read and written in place.
    fn open_pages(&self, path: &Path) -> io::Result<Arc<dyn PageFile>>;

    /// Renames within one file system, replacing a file that has the name. A folder is renamed
    /// only within its parent, to a name that isn't taken.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Creates a second name for a file. Where that isn't to be had, [`is_link_refusal`] says so.
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

    /// Whether somebody seems to hold the lock, as far as that can be told without taking it:
    /// `false` also where it can't. Changes nothing.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;

    /// Whether `path`, as far as it exists, leads to an existing folder or into it, whatever links
    /// or mounts are on the way.
    fn leads_into(&self, path: &Path, folder: &Path) -> io::Result<bool>;

    /// How many bytes the file system that an existing folder is on still takes from this process,
    /// as far as it knows.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
}

/// How a log file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMode {
    /// Direct I/O, durable in the same call. Refused with `InvalidInput` or `Unsupported` where the
    /// file system has none: see [`is_refusal`].
    Direct,
    /// Direct I/O through io_uring, with up to `depth` writes under way. Refused as `Direct` is,
    /// and with `Unsupported` where the kernel has no io_uring or forbids it.
    Uring {
        /// Writes that may be under way, at least 1.
        depth: usize,
    },
    /// Page cache and `fdatasync`.
    Buffered,
    /// Page cache without a sync (`--unsafe-no-fsync`): nothing survives a machine crash.
    Unsynced,
}

impl fmt::Display for LogMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogMode::Direct => f.write_str("direct I/O"),
            LogMode::Uring { depth } => write!(f, "io_uring of depth {depth}"),
            LogMode::Buffered => f.write_str("the page cache with syncs"),
            LogMode::Unsynced => f.write_str("the page cache without syncs"),
        }
    }
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
/// Whatever the order in which the disk ends writes, they come back in the order of their
/// submission. A back end without a [`Waiter`] does the work in `submit`, or in `complete`.
///
/// After an error the file must not be used again; calls on it fail or go on, but a write that
/// failed is never reported as done. A file that is dropped waits for what is under way.
pub trait LogFile: Send {
    /// Starts writing `buf` at `offset` so that it is durable when its completion is returned.
    fn submit(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()>;

    /// Waits for the oldest submitted write; `None` if there is none under way.
    fn complete(&mut self) -> io::Result<Option<AlignedBuf>>;

    /// As `complete`, but if there is a [`Waiter`] it doesn't wait: `None` also if the oldest write
    /// is still under way.
    fn try_complete(&mut self) -> io::Result<Option<AlignedBuf>> {
        self.complete()
    }

    /// How many writes may be under way.
    fn depth(&self) -> usize;

    /// What to sleep on until a write may have ended, without a hold on the file. `None` where
    /// `try_complete` always gives the oldest write back.
    fn waiter(&self) -> Option<Arc<dyn Waiter>> {
        None
    }
}

/// A file that is read and written in place. Reads and writes may be concurrent; a read that meets
/// a write of the same bytes sees any mixture of old and new ones.
///
/// Writes are durable after a `sync`, until then any part of any of them may be lost. After an
/// error the file must not be written again.
pub trait PageFile: ReadFile {
    /// Writes all bytes at `offset`; the file grows as needed.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Takes away what lies behind the first `len` bytes. A file that is shorter stays as it is.
    fn cut(&self, len: u64) -> io::Result<()>;

    /// Makes everything written so far durable, and the file's length.
    fn sync(&self) -> io::Result<()>;
}

/// What one thread at a time sleeps on while writes to a log file are under way.
///
/// Whatever happens between a look at the file and the call of `wait` isn't missed. When the file
/// is dropped its waiter rings once more.
pub trait Waiter: Send + Sync {
    /// Sleeps until a write has ended, somebody calls `wake`, or the limit has passed. It may
    /// return for nothing.
    fn wait(&self, limit: Duration) -> io::Result<()>;

    /// Wakes who waits, or the next one who does.
    fn wake(&self);
}

/// An exclusive lock, released on drop.
pub trait FileLock: Send + Sync {}

mod aligned;
mod alignment;
mod bell;
mod content;
mod crash;
mod folders;
mod in_order;
mod memory;
mod random;
mod real;
mod refusal;
mod tree;
mod uring;

pub use aligned::AlignedBuf;
pub use crash::{CrashVfs, Fault};
pub use folders::{FolderError, create_dir_durably};
pub use memory::MemVfs;
pub use real::RealVfs;
pub use refusal::{is_link_refusal, is_refusal};
