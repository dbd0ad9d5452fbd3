//! The data directory of a member that doesn't run: its lock, and its engine of either kind.

use super::failure::Failure;
use super::helped::Helped;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::btree::{self, Btree};
use retcd_engine::lsm::{self, Lsm};
use retcd_engine::{Engine, Replaceable};
use retcd_raft_glue::{DataDir, Error as MemberError, MEMBER_NAME};
use retcd_vfs::{FileLock, Vfs};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Memtables that may wait for their flush while an engine from [`EngineKind::open_to_fill`] is
/// filled: one, so that two threads have something to do.
pub(super) const WAITING_MEMTABLES_MAX: u64 = 1;

/// A memtable of an engine that is filled, in bytes: larger than a server's, so that runs are few.
/// Two of them are there at a time.
const FILLED_MEMTABLE_BYTES: u64 = 256 << 20;

/// Runs that an engine that is filled gathers before it merges any: a server begins with four, and
/// holds writers back from twelve on. So a database of 2 GiB is written once, and its server merges
/// when there is time for it.
const UNMERGED_RUNS: usize = 8;

/// Kinds of engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EngineKind {
    /// The log-structured one, the server's default.
    Lsm,
    /// The B+tree.
    Btree,
}

impl EngineKind {
    /// Opens an engine in a folder, or makes it there.
    pub(super) fn open(
        self,
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
    ) -> retcd_engine::Result<Arc<dyn Engine>> {
        let vfs = vfs.clone();
        Ok(match self {
            EngineKind::Lsm => Arc::new(Lsm::open(vfs, dir, lsm::Options::default())?),
            EngineKind::Btree => Arc::new(Btree::open(vfs, dir, btree::Options::default())?),
        })
    }

    /// Makes an engine in a folder that is filled at once, by one thread, while another one does
    /// the engine's work.
    pub(super) fn open_to_fill(
        self,
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
    ) -> retcd_engine::Result<Arc<dyn Engine>> {
        let engine = match self {
            EngineKind::Lsm => {
                let options = lsm::Options {
                    memtable_bytes: FILLED_MEMTABLE_BYTES,
                    unmerged_runs: UNMERGED_RUNS,
                    ..lsm::Options::default()
                };
                Arc::new(Lsm::open(vfs.clone(), dir, options)?)
            }
            EngineKind::Btree => self.open(vfs, dir)?,
        };
        Ok(Arc::new(Helped::new(engine)))
    }
}

/// An opened engine, and the lock that keeps members away from it.
pub(super) struct Opened {
    /// The engine.
    pub(super) engine: Arc<dyn Engine>,
    /// Its folder.
    pub(super) dir: PathBuf,
    _lock: Box<dyn FileLock>,
}

/// Opens the engine of the data directory `data_dir`.
pub(super) fn open(vfs: &Arc<dyn Vfs>, data_dir: &Path) -> Result<Opened, Failure> {
    let lock = hold(&**vfs, data_dir, None)?;
    let dir = data_dir.join(MEMBER_NAME).join("snap/db");
    let kind = kind_of(&**vfs, &dir)?;
    let own = vfs.clone();
    let opener = Box::new(move |dir: &Path| kind.open(&own, dir));
    // Not the engine itself: a snapshot that was received may have been on its way there.
    let engine = Arc::new(Replaceable::open(vfs.clone(), &dir, opener)?);
    Ok(Opened { engine, dir, _lock: lock })
}

/// Keeps members away from the data directory of one that doesn't run, after a look at whose it is.
pub(super) fn hold(
    vfs: &dyn Vfs,
    data_dir: &Path,
    log_dir: Option<&Path>,
) -> Result<Box<dyn FileLock>, Failure> {
    let member = data_dir.join(MEMBER_NAME);
    let log_dir = log_dir.map_or_else(|| member.join("wal"), Path::to_owned);
    DataDir::refuse_etcds(vfs, &log_dir, &member.join("snap/db"))?;
    if !vfs.exists(&member).map_err(Failure::io(&member))? {
        return Err(Failure::Io(member, io::ErrorKind::NotFound.into()));
    }
    let path = member.join("lock");
    vfs.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => Failure::Member(MemberError::Locked { path }),
        _ => Failure::Io(path, source),
    })
}

/// The kind of the engine in a folder.
pub(super) fn kind_of(vfs: &dyn Vfs, dir: &Path) -> Result<EngineKind, Failure> {
    Ok(match is_tree(vfs, dir)? {
        true => EngineKind::Btree,
        false => EngineKind::Lsm,
    })
}

fn is_tree(vfs: &dyn Vfs, dir: &Path) -> Result<bool, Failure> {
    let exists = |path: &Path| vfs.exists(path).map_err(Failure::io(path));
    let next = dir.with_extension("next");
    match (exists(dir)?, exists(&next)?) {
        (true, _) => Ok(TreeFile::is_here(vfs, dir)?),
        (false, true) => Ok(TreeFile::is_here(vfs, &next)?),
        (false, false) => Err(Failure::Io(dir.to_owned(), io::ErrorKind::NotFound.into())),
    }
}

/// Removes a folder and everything in it, if it is there.
pub(super) fn remove(vfs: &dyn Vfs, dir: &Path) -> Result<(), Failure> {
    if !vfs.exists(dir).map_err(Failure::io(dir))? {
        return Ok(());
    }
    let Ok(names) = vfs.list(dir) else {
        return vfs.remove_file(dir).map_err(Failure::io(dir));
    };
    for name in names {
        remove(vfs, &dir.join(name))?;
    }
    vfs.remove_dir(dir).map_err(Failure::io(dir))
}
