//! A manifest as it came about, edit by edit, for those who look at a folder and change nothing.
//!
//! Opening an engine wants one answer, or none. Who inspects a folder wants whatever can be had:
//! the edits before damage, and what they amount to.

use std::path::Path;

use retcd_vfs::Vfs;

use super::{Contents, Edit, log, read_whole};
use crate::lsm::names;
use crate::table::FileNumber;
use crate::{Error, Result};

/// An edit and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Where it starts in the manifest.
    pub offset: u64,
    /// Its length there, in bytes, with what surrounds it.
    pub bytes: u64,
    /// Its changes.
    pub edit: Edit,
}

/// What is behind the last edit that counts.
#[derive(Debug)]
pub enum Ending {
    /// Nothing.
    Whole,
    /// An edit that was cut short: it hasn't happened.
    Torn {
        /// Where it starts.
        offset: u64,
        /// How much there is of it.
        bytes: u64,
    },
    /// Something that an engine refuses to start with.
    Damaged(Error),
}

/// See the module's text.
#[derive(Debug)]
pub struct History {
    /// Number of the manifest.
    pub number: FileNumber,
    /// Its length, in bytes.
    pub file_bytes: u64,
    /// Its edits, as far as they count.
    pub edits: Vec<Logged>,
    /// What they amount to.
    pub contents: Contents,
    /// How it ends.
    pub ending: Ending,
}

impl History {
    /// Reads manifest `number` in folder `dir`. Memory is what the manifest takes on disk, about.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corrupt`] and [`Error::Version`] if the header is refused.
    pub fn read(vfs: &dyn Vfs, dir: &Path, number: FileNumber) -> Result<History> {
        let path = names::manifest(dir, number);
        let bytes = read_whole(vfs, &path)?;
        let mut edits = Vec::new();
        let replayed = log::replay_each(&bytes, number, &mut |offset, bytes, edit| {
            edits.push(Logged { offset, bytes, edit: edit.clone() });
        });
        let replayed = replayed.map_err(|damage| damage.at(&path))?;
        let file_bytes = bytes.len() as u64;
        let ending = match replayed.damage {
            Some(damage) => Ending::Damaged(damage.at(&path)),
            None if replayed.end < file_bytes => {
                Ending::Torn { offset: replayed.end, bytes: file_bytes - replayed.end }
            }
            None => Ending::Whole,
        };
        Ok(History { number, file_bytes, edits, contents: replayed.contents, ending })
    }
}

/// The number of the manifest that `CURRENT` in folder `dir` names.
///
/// # Errors
/// [`Error::Io`], [`Error::Corrupt`] and [`Error::Version`].
pub(crate) fn current(vfs: &dyn Vfs, dir: &Path) -> Result<FileNumber> {
    let path = names::current(dir);
    log::decode_current(&read_whole(vfs, &path)?).map_err(|damage| damage.at(&path))
}
