//! Files in memory, shared by [`MemVfs`] and the crash simulation.
//!
//! Every call passes a gate that counts it and, in the crash simulation, may fail it or stop the
//! machine at it. A call that the machine stops at has its effect, but none of its durability, so
//! that the crash decides what is left of it.

use crate::content::{Content, Tracking};
use crate::crash::Fault;
use crate::refusal::refused;
use crate::tree::{Inode, Tree};
use crate::{
    AlignedBuf, AppendFile, FileLock, LOG_ALIGNMENT, LogFile, LogMode, PageFile, ReadFile, Vfs,
};
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file system in memory. Clones share it.
#[derive(Clone)]
pub struct MemVfs {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) tree: Mutex<Tree>,
    pub(crate) gate: Mutex<Gate>,
    /// The files that are locked, whatever their names.
    locks: Mutex<Vec<Inode>>,
    free_bytes: AtomicU64,
    pub(crate) setup: Setup,
}

/// What is fixed when a file system is made.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) tracking: Tracking,
    pub(crate) log_depth: usize,
    pub(crate) refuses: Refuses,
}

/// What a file system refuses: modes of log files, or second names for files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refuses {
    Nothing,
    Uring,
    Direct,
    HardLinks,
}

impl Refuses {
    /// Fails as the operating system does.
    fn check(self, mode: LogMode) -> io::Result<()> {
        match (self, mode) {
            (Refuses::Direct, LogMode::Direct | LogMode::Uring { .. }) => {
                Err(io::ErrorKind::InvalidInput.into())
            }
            (Refuses::Uring, LogMode::Uring { .. }) => Err(refused("io_uring", Errno::PERM.into())),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Planned {
    Fail(Fault),
    Stop,
}

#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) operations: u64,
    pub(crate) syncs: u64,
    pub(crate) planned: Option<(u64, Planned)>,
    stopped: bool,
}

enum Pass {
    Whole,
    /// A part of what is to be written, then an error.
    Short,
    /// The effect, without durability; nothing works after it.
    Last,
}

fn stopped() -> io::Error {
    io::Error::other("the machine has stopped")
}

fn short_write() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "only a part was written")
}

impl Default for MemVfs {
    fn default() -> MemVfs {
        MemVfs::new()
    }
}

impl MemVfs {
    /// An empty file system.
    pub fn new() -> MemVfs {
        MemVfs::from_tree(
            Tree::default(),
            Setup { tracking: Tracking::Off, log_depth: 1, refuses: Refuses::Nothing },
        )
    }

    pub(crate) fn from_tree(tree: Tree, setup: Setup) -> MemVfs {
        MemVfs {
            shared: Arc::new(Shared {
                tree: Mutex::new(tree),
                gate: Mutex::new(Gate::default()),
                locks: Mutex::default(),
                free_bytes: AtomicU64::new(u64::MAX),
                setup,
            }),
        }
    }

    /// From now on [`Vfs::free_bytes`] tells this; nothing is refused for want of room.
    pub fn pretend_free_bytes(&self, bytes: u64) {
        self.shared.free_bytes.store(bytes, Ordering::Relaxed);
    }

    fn names<T>(&self, change: impl FnOnce(&mut Tree) -> io::Result<T>) -> io::Result<T> {
        let pass = self.shared.pass()?;
        let mut tree = self.shared.tree.lock();
        let result = match pass {
            Pass::Whole => change(&mut tree),
            Pass::Short => Err(Fault::Io.error()),
            Pass::Last => change(&mut tree).and(Err(stopped())),
        };
        if self.shared.setup.tracking == Tracking::Off {
            tree.forget_pending();
        }
        result
    }

    fn handle(&self, inode: Inode) -> Handle {
        Handle { shared: self.shared.clone(), inode }
    }
}

impl Shared {
    /// Counts the call and says how far it gets.
    fn pass(&self) -> io::Result<Pass> {
        let mut gate = self.gate.lock();
        if gate.stopped {
            return Err(stopped());
        }
        gate.operations += 1;
        match gate.planned {
            Some((at, Planned::Stop)) if at == gate.operations => {
                gate.stopped = true;
                Ok(Pass::Last)
            }
            Some((at, Planned::Fail(fault))) if at == gate.operations => match fault {
                Fault::ShortWrite => Ok(Pass::Short),
                fault => Err(fault.error()),
            },
            _ => Ok(Pass::Whole),
        }
    }

    /// For calls that have no effect to lose: they succeed or fail.
    fn pass_whole(&self) -> io::Result<()> {
        match self.pass()? {
            Pass::Whole => Ok(()),
            Pass::Short => Err(Fault::Io.error()),
            Pass::Last => Err(stopped()),
        }
    }

    fn count_sync(&self) {
        self.gate.lock().syncs += 1;
    }
}

impl Vfs for MemVfs {
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        let inode = self.names(|tree| tree.file(path))?;
        Ok(Arc::new(self.handle(inode)))
    }

    fn create_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let inode = self.names(|tree| tree.create(path))?;
        Ok(Box::new(self.handle(inode)))
    }

    fn open_log(&self, path: &Path, mode: LogMode) -> io::Result<Box<dyn LogFile>> {
        let inode = self.names(|tree| tree.file(path))?;
        self.shared.setup.refuses.check(mode)?;
        let depth = match mode {
            LogMode::Uring { depth } => depth.max(self.shared.setup.log_depth),
            _ => self.shared.setup.log_depth,
        };
        let under_way = VecDeque::with_capacity(depth);
        Ok(Box::new(MemLog { file: self.handle(inode), mode, depth, under_way, failed: false }))
    }

    fn open_pages(&self, path: &Path) -> io::Result<Arc<dyn PageFile>> {
        let inode = self.names(|tree| tree.file(path))?;
        Ok(Arc::new(self.handle(inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.names(|tree| tree.rename(from, to))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.names(|tree| match self.shared.setup.refuses {
            Refuses::HardLinks => Err(Errno::XDEV.into()),
            _ => tree.hard_link(from, to),
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.names(|tree| tree.remove_file(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.names(|tree| tree.remove_dir(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.names(|tree| tree.create_dir_all(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.names(|tree| tree.list(path))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.names(|tree| Ok(tree.exists(path)))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.shared.pass_whole()?;
        let inode = self.shared.tree.lock().file(path)?;
        inode.lock().sync();
        self.shared.count_sync();
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.pass_whole()?;
        self.shared.tree.lock().sync_dir(path)?;
        self.shared.count_sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let inode = self.names(|tree| match tree.exists(path) {
            true => tree.file(path),
            false => tree.create(path),
        })?;
        let mut locks = self.shared.locks.lock();
        if locks.iter().any(|locked| Arc::ptr_eq(locked, &inode)) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        locks.push(inode.clone());
        Ok(Box::new(MemLock { shared: self.shared.clone(), inode }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let inode = self.shared.tree.lock().file(path);
        let locks = self.shared.locks.lock();
        Ok(inode.is_ok_and(|inode| locks.iter().any(|locked| Arc::ptr_eq(locked, &inode))))
    }

    fn leads_into(&self, path: &Path, folder: &Path) -> io::Result<bool> {
        self.names(|tree| tree.list(folder))?;
        // There are no links; dots in front don't count.
        let plain = |path: &Path| -> PathBuf {
            path.components().filter(|part| *part != Component::CurDir).collect()
        };
        Ok(plain(path).starts_with(plain(folder)))
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.names(|tree| tree.list(folder))?;
        Ok(self.shared.free_bytes.load(Ordering::Relaxed))
    }
}

struct MemLock {
    shared: Arc<Shared>,
    inode: Inode,
}

impl FileLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.shared.locks.lock().retain(|locked| !Arc::ptr_eq(locked, &self.inode));
    }
}

/// An open file.
struct Handle {
    shared: Arc<Shared>,
    inode: Inode,
}

impl Handle {
    /// Writes as far as the gate lets it; `at` chooses the offset.
    fn write(&self, at: impl FnOnce(&Content) -> usize, bytes: &[u8]) -> io::Result<()> {
        let pass = self.shared.pass()?;
        let mut content = self.inode.lock();
        let offset = at(&content);
        let tracking = self.shared.setup.tracking;
        match pass {
            Pass::Whole => content.write(offset, bytes, tracking),
            Pass::Short => {
                content.write(offset, &bytes[..bytes.len() / 2], tracking);
                return Err(short_write());
            }
            Pass::Last => {
                content.write(offset, bytes, tracking);
                return Err(stopped());
            }
        }
        Ok(())
    }

    fn make_durable(&self) -> io::Result<()> {
        self.shared.pass_whole()?;
        self.inode.lock().sync();
        self.shared.count_sync();
        Ok(())
    }
}

impl ReadFile for Handle {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.shared.pass_whole()?;
        Ok(self.inode.lock().read(offset, buf))
    }

    fn len(&self) -> io::Result<u64> {
        self.shared.pass_whole()?;
        Ok(self.inode.lock().len() as u64)
    }
}

impl AppendFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(Content::len, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.make_durable()
    }
}

impl PageFile for Handle {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("a file in memory is addressable");
        self.write(|_| offset, bytes)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).expect("a file in memory is addressable");
        let pass = self.shared.pass()?;
        if let Pass::Short = pass {
            return Err(Fault::Io.error());
        }
        self.inode.lock().cut(len, self.shared.setup.tracking);
        match pass {
            Pass::Last => Err(stopped()),
            Pass::Whole | Pass::Short => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.make_durable()
    }
}

struct MemLog {
    file: Handle,
    mode: LogMode,
    depth: usize,
    under_way: VecDeque<Write>,
    failed: bool,
}

struct Write {
    offset: usize,
    buf: AlignedBuf,
    /// What its completion will say.
    result: io::Result<()>,
}

impl MemLog {
    fn make_durable(&self, offset: usize, len: usize) {
        let mut content = self.file.inode.lock();
        match self.mode {
            LogMode::Direct | LogMode::Uring { .. } => content.sync_range(offset, len),
            LogMode::Buffered => content.sync(),
            LogMode::Unsynced => return,
        }
        self.file.shared.count_sync();
    }
}

impl LogFile for MemLog {
    fn submit(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()> {
        assert!(self.under_way.len() < self.depth(), "too many writes under way");
        assert!(offset.is_multiple_of(LOG_ALIGNMENT as u64), "offset {offset} isn't aligned");
        let offset = usize::try_from(offset).expect("a file in memory is addressable");
        let end = offset + buf.len();
        assert!(end <= self.file.inode.lock().len(), "a log file isn't extended");
        let result = match self.file.write(|_| offset, &buf) {
            // Of several writes under way only their completions say how they ended.
            Err(short) if self.depth > 1 && short.kind() == io::ErrorKind::WriteZero => Err(short),
            done => {
                done?;
                Ok(())
            }
        };
        if self.depth == 1 {
            self.make_durable(offset, buf.len());
        }
        self.under_way.push_back(Write { offset, buf, result });
        Ok(())
    }

    fn complete(&mut self) -> io::Result<Option<AlignedBuf>> {
        if self.failed {
            return Err(Fault::Io.error());
        }
        let Some(write) = self.under_way.pop_front() else {
            return Ok(None);
        };
        if self.depth > 1 {
            let ended = write.result.and_then(|()| self.file.shared.pass_whole());
            self.failed = ended.is_err();
            ended?;
            self.make_durable(write.offset, write.buf.len());
        }
        Ok(Some(write.buf))
    }

    fn depth(&self) -> usize {
        self.depth
    }
}
