//! The operating system's files.
//!
//! Folders are made for the owner only (0700), files too (0600). Directly written log files use
//! `O_DIRECT` and `RWF_DSYNC`: one system call per durable write. Log files with several writes
//! under way are in `uring.rs`. Nothing is retried after an error; an interrupted call that did
//! nothing is repeated, and a partial write is continued.

use crate::uring::UringLog;
use crate::{
    AlignedBuf, AppendFile, FileLock, LOG_ALIGNMENT, LogFile, LogMode, PageFile, ReadFile, Vfs,
    alignment,
};
use rustix::fs::{FlockOperation, OFlags, flock, statvfs};
use rustix::io::{ReadWriteFlags, pwritev2, retry_on_intr};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// Where Linux lists the locks that processes hold.
const LOCKS: &str = "/proc/locks";

/// Whether a listing of locks has an exclusive `flock` on the file with this number. The device
/// isn't compared: file systems in layers list another one than files have.
fn lists_lock_on(listed: &str, inode: u64) -> bool {
    let is_on = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let kind = (fields.next(), fields.nth(1));
        let place = fields.nth(1).and_then(|place| place.rsplit(':').next());
        kind == (Some("FLOCK"), Some("WRITE")) && place == Some(inode.to_string().as_str())
    };
    listed.lines().any(is_on)
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealVfs;

impl Vfs for RealVfs {
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(RealFile(File::open(path)?)))
    }

    fn create_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        Ok(Box::new(RealAppend(file)))
    }

    fn open_log(&self, path: &Path, mode: LogMode) -> io::Result<Box<dyn LogFile>> {
        let is_direct = matches!(mode, LogMode::Direct | LogMode::Uring { .. });
        let mut options = OpenOptions::new();
        options.write(true);
        if is_direct {
            // The type of open flags differs from the system's only in sign.
            options.custom_flags(OFlags::DIRECT.bits().cast_signed());
        }
        let file = options.open(path)?;
        if is_direct {
            alignment::check(&file)?;
        }
        let length = file.metadata()?.len();
        Ok(match mode {
            LogMode::Uring { depth } => Box::new(UringLog::new(file, length, depth)?),
            _ => Box::new(RealLog { file, length, is_direct, mode, done: None }),
        })
    }

    fn open_pages(&self, path: &Path) -> io::Result<Arc<dyn PageFile>> {
        Ok(Arc::new(RealFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut names = std::fs::read_dir(path)?
            .map(|entry| Ok(PathBuf::from(entry?.file_name())))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // The parent of a bare name is the empty path, which means the working directory.
        let path = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(RealLock { _file: file }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let inode = match std::fs::metadata(path) {
            Ok(found) => found.ino(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        Ok(std::fs::read_to_string(LOCKS).is_ok_and(|listed| lists_lock_on(&listed, inode)))
    }

    fn leads_into(&self, path: &Path, folder: &Path) -> io::Result<bool> {
        let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino()));
        let folder = identity(folder)?;
        let path = std::path::absolute(path)?;
        // A link may lead anywhere: only behind all of them are the folders above those it is in.
        let Some(path) = path.ancestors().find_map(|path| path.canonicalize().ok()) else {
            return Ok(false);
        };
        Ok(path.ancestors().any(|above| identity(above).is_ok_and(|above| above == folder)))
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let found = statvfs(folder)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

struct RealFile(File);

impl ReadFile for RealFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl PageFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        if self.0.metadata()?.len() > len {
            self.0.set_len(len)?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

struct RealAppend(File);

impl AppendFile for RealAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The lock goes with the open file.
struct RealLock {
    _file: File,
}

impl FileLock for RealLock {}

struct RealLog {
    file: File,
    length: u64,
    is_direct: bool,
    mode: LogMode,
    done: Option<AlignedBuf>,
}

impl RealLog {
    fn write(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let slices = [IoSlice::new(bytes)];
            let flags = match self.is_direct {
                true => ReadWriteFlags::DSYNC,
                false => ReadWriteFlags::empty(),
            };
            let n = retry_on_intr(|| pwritev2(&self.file, &slices, offset, flags))?;
            // What is left of a directly written buffer must still be aligned.
            if n == 0 || self.is_direct && !n.is_multiple_of(LOG_ALIGNMENT) {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[n..];
            offset += n as u64;
        }
        Ok(())
    }
}

impl LogFile for RealLog {
    fn submit(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()> {
        assert!(self.done.is_none(), "too many writes under way");
        assert!(offset.is_multiple_of(LOG_ALIGNMENT as u64), "offset {offset} isn't aligned");
        assert!(offset + buf.len() as u64 <= self.length, "a log file isn't extended");
        self.write(offset, &buf)?;
        if self.mode == LogMode::Buffered {
            self.file.sync_data()?;
        }
        self.done = Some(buf);
        Ok(())
    }

    fn complete(&mut self) -> io::Result<Option<AlignedBuf>> {
        Ok(self.done.take())
    }

    fn depth(&self) -> usize {
        1
    }
}
