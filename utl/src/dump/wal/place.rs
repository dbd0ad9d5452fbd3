//! Where the log lies, and up to where the engine beside it has flushed.

use super::Error;
use retcd_engine::lsm::manifest;
use retcd_vfs::Vfs;
use retcd_wal::Flushed;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// How often a manifest is looked for that a running member replaces meanwhile.
const MANIFEST_ATTEMPTS: usize = 3;

/// A log, and the engine that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder of the log.
    pub(super) log: PathBuf,
    /// Where the engine's folder is if there is one.
    pub(super) engine: PathBuf,
}

/// Who says up to where the engine has flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Source {
    /// The engine's manifest.
    Engine,
    /// The command line.
    Given,
    /// Nobody: there is no engine that can be read.
    Assumed,
}

impl Place {
    /// Finds the log in `dir`: a data directory, its `member` folder, or the log's own folder.
    /// `log_dir` is where the log lies if not within.
    pub(super) fn find(vfs: &dyn Vfs, dir: &Path, log_dir: Option<&Path>) -> Result<Place, Error> {
        let exists = |path: &Path| {
            vfs.exists(path).map_err(|source| match source.kind() {
                io::ErrorKind::NotADirectory => Error::NotAFolder(dir.to_owned()),
                _ => Error::Io { path: path.to_owned(), source },
            })
        };
        let (member, log) = if let Some(log) = log_dir {
            (dir.join("member"), log.to_owned())
        } else if exists(&dir.join("member").join("wal"))? {
            (dir.join("member"), dir.join("member").join("wal"))
        } else if exists(&dir.join("wal"))? {
            (dir.to_owned(), dir.join("wal"))
        } else {
            (above(dir), dir.to_owned())
        };
        if !exists(&log)? {
            return Err(Error::NoFolder(log));
        }
        Ok(Place { log, engine: member.join("snap").join("db") })
    }

    /// Up to where the engine has flushed, by its manifest; `None` if there is no engine.
    pub(super) fn flushed(&self, vfs: &dyn Vfs) -> Result<Option<Flushed>, retcd_engine::Error> {
        if !vfs.exists(&self.engine.join("CURRENT")).is_ok_and(|exists| exists) {
            return Ok(None);
        }
        for attempt in 1.. {
            match manifest::read(vfs, &self.engine) {
                // A running member moves on to another manifest and removes this one.
                Err(retcd_engine::Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && attempt < MANIFEST_ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok((_, contents)) => {
                    let applied = contents.applied;
                    return Ok(Some(Flushed { index: applied.index, term: applied.term }));
                }
            }
        }
        unreachable!("the last attempt returns")
    }
}

/// The folder that `dir` lies in.
fn above(dir: &Path) -> PathBuf {
    match (dir.file_name(), dir.parent()) {
        (Some(_), Some(parent)) => parent.to_owned(),
        _ => dir.join(".."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_vfs::MemVfs;

    #[test]
    fn a_log_is_found_from_each_folder_above_it() {
        let vfs = MemVfs::new();
        vfs.create_dir_all(Path::new("data/member/wal")).expect("in memory");
        vfs.create_dir_all(Path::new("fast")).expect("in memory");
        let find = |dir: &str, log: Option<&str>| {
            let place = Place::find(&vfs, Path::new(dir), log.map(Path::new)).expect("it is there");
            (place.log, place.engine)
        };
        let log = PathBuf::from("data/member/wal");
        let engine = PathBuf::from("data/member/snap/db");
        assert_eq!(find("data", None), (log.clone(), engine.clone()));
        assert_eq!(find("data/member", None), (log.clone(), engine.clone()));
        assert_eq!(find("data/member/wal", None), (log, engine.clone()));
        assert_eq!(find("data", Some("fast")), (PathBuf::from("fast"), engine));
        assert_eq!(above(Path::new(".")), Path::new("./.."));
        assert_eq!(above(Path::new("wal")), Path::new(""));
        let missing = Place::find(&vfs, Path::new("nowhere"), None);
        assert!(matches!(missing, Err(Error::NoFolder(_))), "{missing:?}");
    }
}
