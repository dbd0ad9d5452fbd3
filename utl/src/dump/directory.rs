//! A data directory: of which server it is, where its parts lie, and whether somebody uses it.

use super::db::Error;
use super::etcds::EtcdLog;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::lsm::inspect::Folder;
use retcd_raft_glue::{DataDir, MEMBER_NAME, PART_NAME};
use retcd_vfs::Vfs;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Who made a directory, and with which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Ours, with the log-structured engine.
    Lsm,
    /// Ours, with the B+tree.
    Btree,
    /// Ours, without an engine.
    NoEngine,
    /// etcd's.
    Bbolt,
}

impl Kind {
    /// The server's name.
    pub(super) fn writer(self) -> &'static str {
        match self {
            Kind::Lsm | Kind::Btree | Kind::NoEngine => "retcd",
            Kind::Bbolt => "etcd",
        }
    }

    /// The engine's name, as `--backend-engine` has it.
    pub(super) fn engine(self) -> &'static str {
        match self {
            Kind::Lsm => "lsm",
            Kind::Btree => "btree",
            Kind::NoEngine => "none",
            Kind::Bbolt => "bbolt",
        }
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Directory {
    /// What was asked for.
    pub(super) dir: PathBuf,
    /// The log's folder.
    pub(super) log: PathBuf,
    /// The engine's folder, or etcd's file.
    pub(super) database: PathBuf,
    /// Whose it is.
    pub(super) kind: Kind,
    /// Whether a server seems to run on it.
    pub(super) in_use: bool,
}

impl Directory {
    /// Finds out about `dir`, a data directory or its `member` folder. `log_dir` is where the log
    /// lies if not within.
    pub(super) fn find(
        vfs: &dyn Vfs,
        dir: &Path,
        log_dir: Option<&Path>,
    ) -> Result<Directory, Error> {
        let exists = |path: &Path| vfs.exists(path).map_err(|e| Error::Io(path.to_owned(), e));
        vfs.list(dir).map_err(|error| Error::Io(dir.to_owned(), error))?;
        let mut member = dir.join(MEMBER_NAME);
        if !exists(&member)? {
            if exists(&dir.join("wal"))? || exists(&dir.join("snap"))? {
                member = dir.to_owned();
            } else if exists(&dir.join(PART_NAME))? {
                return Err(Error::Unfinished(dir.join(PART_NAME)));
            } else {
                return Err(Error::NoMember(dir.to_owned()));
            }
        }
        let log = log_dir.map_or_else(|| member.join("wal"), Path::to_owned);
        let mut database = member.join("snap/db");
        let next = database.with_extension("next");
        // Where a received snapshot is on its way into the engine's place, a start ends that.
        if !exists(&database)? && exists(&next)? {
            database = next;
        }
        let kind = kind_of(vfs, &log, &database)?;
        let mut locks = vec![member.join("lock"), log.join("lock")];
        if kind == Kind::Bbolt {
            let newest = EtcdLog::names(vfs, &log).ok().and_then(|files| files.last().copied());
            locks = newest.map(|file| log.join(file.to_string())).into_iter().collect();
            locks.push(database.clone());
        }
        let in_use = locks.iter().any(|lock| vfs.is_locked(lock).unwrap_or(false));
        Ok(Directory { dir: dir.to_owned(), log, database, kind, in_use })
    }
}

fn kind_of(vfs: &dyn Vfs, log: &Path, database: &Path) -> Result<Kind, Error> {
    match DataDir::refuse_etcds(vfs, log, database) {
        Ok(()) => {}
        Err(retcd_raft_glue::Error::Etcd { .. }) => return Ok(Kind::Bbolt),
        Err(retcd_raft_glue::Error::Io { path, source }) => return Err(Error::Io(path, source)),
        Err(error) => return Err(Error::Io(log.to_owned(), std::io::Error::other(error))),
    }
    let exists = vfs.exists(database).map_err(|error| Error::Io(database.to_owned(), error))?;
    Ok(if !exists {
        Kind::NoEngine
    } else if TreeFile::is_here(vfs, database)? {
        Kind::Btree
    } else if Folder::is_here(vfs, database)? {
        Kind::Lsm
    } else {
        Kind::NoEngine
    })
}
