//! The data directory: whose it is, and the lock that one process holds on it.
//!
//! ```text
//! DATA/member/lock       held while a member runs
//! DATA/member/wal/       the log, unless it lies elsewhere
//! DATA/member/snap/db/   the engine
//! DATA/member/snap/outgoing/   scratch files of snapshots for clients
//! DATA/member/snap/sending/    a checkpoint that is sent to another member
//! DATA/member/snap/incoming/   a checkpoint that is received from one
//! DATA/member/snap/incoming.etcd   a database that is received from a member of etcd's
//! DATA/member.part/            the same as DATA/member, while it is being restored
//! ```
//!
//! etcd has the same names, so that scripts that know them go on to work, but `snap/db` is a file
//! there and the log's files have another format. Such a directory is recognized before anything
//! in it is touched.

use crate::{Error, Result};
use retcd_vfs::{FileLock, Vfs, create_dir_durably};
use retcd_wal::{Found, LogState, SegmentReader, segments};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder in a data directory that has everything.
pub const MEMBER_NAME: &str = "member";

/// Its name while somebody restores.
pub const PART_NAME: &str = "member.part";

/// A locked data directory. Dropping it lets others in.
pub struct DataDir {
    vfs: Arc<dyn Vfs>,
    log: PathBuf,
    engine: PathBuf,
    outgoing: PathBuf,
    sending: PathBuf,
    incoming: PathBuf,
    /// Of the member, unless its opener has that, and of a log that lies elsewhere.
    locks: Vec<Box<dyn FileLock>>,
}

impl std::fmt::Debug for DataDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DataDir { log, engine, .. } = self;
        f.debug_struct("DataDir").field("log", log).field("engine", engine).finish_non_exhaustive()
    }
}

impl DataDir {
    /// Creates what is missing of the folders, with durable names, and takes the lock. `log_dir` is
    /// where the log lies if not within.
    ///
    /// # Errors
    ///
    /// [`Error::Etcd`] if etcd itself wrote here: then nothing was changed. [`Error::Locked`] if
    /// another process, or another member in this one, holds the lock. [`Error::Unfinished`] if
    /// somebody restores here, or had to stop while doing so.
    pub fn open(vfs: Arc<dyn Vfs>, dir: &Path, log_dir: Option<&Path>) -> Result<DataDir> {
        let (member, part) = (dir.join(MEMBER_NAME), dir.join(PART_NAME));
        let exists = |path: &Path| vfs.exists(path).map_err(Error::io(path));
        if exists(&part)? && !exists(&member)? {
            return Err(Error::Unfinished { path: part });
        }
        DataDir::open_member(vfs, &member, log_dir)
    }

    /// As [`DataDir::open`], of the folder `member` of a data directory, whatever its name.
    ///
    /// # Errors
    ///
    /// As for [`DataDir::open`].
    pub fn open_member(
        vfs: Arc<dyn Vfs>,
        member: &Path,
        log_dir: Option<&Path>,
    ) -> Result<DataDir> {
        let log = log_dir.map_or_else(|| member.join("wal"), Path::to_owned);
        DataDir::refuse_etcds(&*vfs, &log, &member.join("snap/db"))?;
        let held = DataDir::hold(&*vfs, member)?;
        let mut opened = DataDir::open_held(vfs, member, log_dir, &*held)?;
        opened.locks.push(held);
        Ok(opened)
    }

    /// Creates the folder `member` of a data directory, with a durable name, and takes its lock.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if somebody has it.
    pub fn hold(vfs: &dyn Vfs, member: &Path) -> Result<Box<dyn FileLock>> {
        create(vfs, member, 2)?;
        lock(vfs, &member.join("lock"))
    }

    /// As [`DataDir::open_member`], for who has the lock from [`DataDir::hold`] and keeps it for at
    /// least as long.
    ///
    /// # Errors
    ///
    /// As for [`DataDir::open_member`].
    pub fn open_held(
        vfs: Arc<dyn Vfs>,
        member: &Path,
        log_dir: Option<&Path>,
        _held: &dyn FileLock,
    ) -> Result<DataDir> {
        let snap = member.join("snap");
        let engine = snap.join("db");
        let [outgoing, sending, incoming] =
            ["outgoing", "sending", "incoming"].map(|name| snap.join(name));
        let log = log_dir.map_or_else(|| member.join("wal"), Path::to_owned);
        DataDir::refuse_etcds(&*vfs, &log, &engine)?;
        create(&*vfs, &snap, 1)?;
        create(&*vfs, &log, 1)?;
        let locks = match log_dir {
            Some(_) => vec![lock(&*vfs, &log.join("lock"))?],
            None => Vec::new(),
        };
        Ok(DataDir { vfs, log, engine, outgoing, sending, incoming, locks })
    }

    /// Makes sure that etcd itself wrote neither the log nor the engine in these folders. Changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Etcd`] if it did.
    pub fn refuse_etcds(vfs: &dyn Vfs, log: &Path, engine: &Path) -> Result<()> {
        if is_file(vfs, engine)? {
            return Err(Error::Etcd { path: engine.to_owned() });
        }
        if !vfs.exists(log).map_err(Error::io(log))? {
            return Ok(());
        }
        for name in vfs.list(log).map_err(Error::io(log))? {
            let path = log.join(&name);
            let is_log = name.extension().is_some_and(|extension| extension == "wal");
            if is_log && is_etcds_log(vfs, &path)? {
                return Err(Error::Etcd { path });
            }
        }
        Ok(())
    }

    /// Whether there may be no member here yet, so that [`crate::bootstrap`] needs to know how to
    /// found one: there is no log, or none of its segments holds a group at its start. It errs on
    /// the side of yes; a damaged log is judged when it is opened.
    pub fn may_be_new(&self) -> Result<bool> {
        let vfs = &*self.vfs;
        for name in segments(vfs, &self.log)? {
            let reader = SegmentReader::open(vfs, &self.log.join(name.to_string()));
            let Ok(mut reader) = reader else { continue };
            let begins_later = reader.header().state != LogState::default();
            if begins_later || matches!(reader.next_group()?, Found::Group(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The folder of the log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The folder of the engine, which makes it itself.
    pub fn engine(&self) -> &Path {
        &self.engine
    }

    /// The folder of scratch files for snapshots that clients are sent. Whoever uses it makes it.
    pub fn outgoing(&self) -> &Path {
        &self.outgoing
    }

    /// Where checkpoints are made that other members are sent.
    pub fn sending(&self) -> &Path {
        &self.sending
    }

    /// Where checkpoints are received, beside the engine whose place they take.
    pub fn incoming(&self) -> &Path {
        &self.incoming
    }

    /// The file system.
    pub fn vfs(&self) -> &Arc<dyn Vfs> {
        &self.vfs
    }
}

fn lock(vfs: &dyn Vfs, path: &Path) -> Result<Box<dyn FileLock>> {
    vfs.lock(path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => Error::Locked { path: path.to_owned() },
        _ => Error::io(path)(source),
    })
}

/// Creates a folder and its missing parents, see [`create_dir_durably`].
fn create(vfs: &dyn Vfs, dir: &Path, ours: usize) -> Result<()> {
    create_dir_durably(vfs, dir, ours).map_err(|error| Error::io(&error.path)(error.source))
}

fn is_file(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    if !vfs.exists(path).map_err(Error::io(path))? {
        return Ok(false);
    }
    match vfs.list(path) {
        Ok(_) => Ok(false),
        Err(e) => match e.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::NotFound => Ok(true),
            _ => Err(Error::io(path)(e)),
        },
    }
}

/// Whether a file begins as etcd's log files do: an 8-byte little-endian length with the number of
/// padding bytes in its top byte, then a record whose first field says that it is of kind 4, a
/// checksum.
fn is_etcds_log(vfs: &dyn Vfs, path: &Path) -> Result<bool> {
    const FIRST_RECORD: [u8; 2] = [0x08, 0x04];
    let file = vfs.open_read(path).map_err(Error::io(path))?;
    let mut start = [0; 10];
    match file.read_exact_at(0, &mut start) {
        Ok(()) => Ok(start[2..7] == [0; 5] && start[8..] == FIRST_RECORD),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(Error::io(path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_vfs::MemVfs;

    fn put(vfs: &MemVfs, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        vfs.create_dir_all(path.parent().expect("a parent")).expect("in memory");
        let mut file = vfs.create_append(path).expect("in memory");
        file.append(bytes).expect("in memory");
    }

    fn open(vfs: &MemVfs) -> Result<DataDir> {
        DataDir::open(Arc::new(vfs.clone()), Path::new("data"), None)
    }

    #[test]
    fn etcds_own_directories_are_refused_untouched() {
        let vfs = MemVfs::new();
        put(&vfs, "data/member/snap/db", &[0; 32]);
        let refused = open(&vfs).expect_err("a database of etcd");
        assert!(matches!(refused, Error::Etcd { .. }), "{refused}");
        assert!(!vfs.exists(Path::new("data/member/lock")).expect("in memory"));

        let vfs = MemVfs::new();
        let record = [4, 0, 0, 0, 0, 0, 0, 0x84, 0x08, 4, 0x10, 0, 0, 0, 0, 0];
        put(&vfs, "data/member/wal/0000000000000000-0000000000000000.wal", &record);
        let refused = open(&vfs).expect_err("a log of etcd");
        assert!(refused.to_string().contains("0000000000000000.wal"), "{refused}");
        assert!(!vfs.exists(Path::new("data/member/snap")).expect("in memory"));
    }

    #[test]
    fn what_was_never_restored_to_the_end_is_refused() {
        let vfs = MemVfs::new();
        put(&vfs, "data/member.part/lock", b"");
        let refused = open(&vfs).expect_err("it isn't complete");
        assert!(matches!(refused, Error::Unfinished { .. }), "{refused}");
        assert!(!vfs.exists(Path::new("data/member")).expect("in memory"));
        vfs.create_dir_all(Path::new("data/member")).expect("in memory");
        open(&vfs).expect("what else there is means nothing beside a member");
    }

    #[test]
    fn one_at_a_time() {
        let vfs = MemVfs::new();
        let held = open(&vfs).expect("an empty directory");
        let refused = open(&vfs).expect_err("it is locked");
        assert!(matches!(refused, Error::Locked { .. }), "{refused}");
        drop(held);
        open(&vfs).expect("it was let go");
    }

    #[test]
    fn a_log_elsewhere_is_locked_too() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let with_log =
            |dir: &str| DataDir::open(vfs.clone(), Path::new(dir), Some(Path::new("fast/log")));
        let held = with_log("one").expect("an empty directory");
        assert_eq!(held.log(), Path::new("fast/log"));
        assert!(matches!(with_log("two"), Err(Error::Locked { .. })));
    }
}
