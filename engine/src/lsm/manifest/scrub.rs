//! A scrub of `CURRENT` and of the manifest that it names: both are read again and held against
//! what the engine knows that they say.
//!
//! 1. Under the ledger's lock, so that no edit comes between: what the manifest says is noted, its
//!    file is opened, and `CURRENT` is read.
//! 2. The manifest is read piece by piece, as far as it was written then.
//! 3. What its edits amount to must be what was noted.
//!
//! A manifest that is written anew meanwhile is another file; this one is read to its end all the
//! same. Zeros that fill up an edit are covered by no checksum, and mean nothing.

use std::path::PathBuf;
use std::sync::Arc;

use retcd_vfs::ReadFile;

use super::{Contents, Manifest, current, log};
use crate::lsm::names;
use crate::table::FileNumber;
use crate::{Error, Result, Scrubbed};

/// Bytes of the manifest that are read at once.
const CHUNK_BYTES: u64 = 4096;

/// See the module's text.
pub(crate) struct ManifestScrub {
    path: PathBuf,
    number: FileNumber,
    file: Arc<dyn ReadFile>,
    /// How long it is.
    len: u64,
    /// What it says.
    contents: Contents,
    /// What has been read.
    bytes: Vec<u8>,
    /// What step 1 read and found.
    begun: Scrubbed,
}

impl Manifest {
    /// Begins a scrub.
    ///
    /// # Errors
    /// What is wrong with the manifest, if it can't even be begun with.
    pub(crate) fn scrub(&self) -> Result<Option<ManifestScrub>> {
        let Some(number) = self.number else {
            return Ok(None);
        };
        let path = names::manifest(&self.dir, number);
        let file = self.vfs.open_read(&path).map_err(Error::io(&path))?;
        let file_bytes = file.len().map_err(Error::io(&path))?;
        // Before the first edit it is the file of another process, which may have a torn end.
        let len = self.log.as_ref().map_or(file_bytes, |log| log.len.min(file_bytes));
        if len > log::FILE_BYTES_MAX as u64 {
            return Err(log::Damage::TOO_LONG.at(&path));
        }
        let begun = Scrubbed {
            bytes: log::HEADER_BYTES as u64,
            damage: self.scrub_current(number).err().into_iter().collect(),
            is_last: false,
        };
        let (contents, bytes) = (self.contents.clone(), Vec::new());
        Ok(Some(ManifestScrub { path, number, file, len, contents, bytes, begun }))
    }

    /// Checks that `CURRENT` names manifest `number`.
    fn scrub_current(&self, number: FileNumber) -> Result<()> {
        let path = names::current(&self.dir);
        match current(&*self.vfs, &self.dir) {
            Ok(named) if named == number => Ok(()),
            Ok(_) => {
                let reason = "it names another manifest than the engine's";
                Err(Error::Corrupt { path, offset: 0, reason })
            }
            Err(error) => Err(not_as_written(error)),
        }
    }
}

impl ManifestScrub {
    /// Reads on; the last step judges.
    pub(crate) fn step(&mut self) -> Scrubbed {
        let mut done = std::mem::take(&mut self.begun);
        let offset = self.bytes.len() as u64;
        let len = (self.len - offset).min(CHUNK_BYTES);
        self.bytes.resize((offset + len) as usize, 0);
        done.bytes += len;
        let read = self.file.read_exact_at(offset, &mut self.bytes[offset as usize..]);
        done.is_last = read.is_err() || offset + len == self.len;
        if let Err(source) = read {
            done.damage.push(Error::io(&self.path)(source));
        } else if done.is_last {
            done.damage.extend(self.judge().err());
        }
        done
    }

    fn judge(&self) -> Result<()> {
        let replayed = log::replay_each(&self.bytes, self.number, &mut |_, _, _| {});
        let replayed = replayed.map_err(|damage| not_as_written(damage.at(&self.path)))?;
        if let Some(damage) = replayed.damage {
            return Err(damage.at(&self.path));
        }
        // A damaged last edit looks as if it had been cut short, and it may have been.
        match replayed.contents == self.contents {
            true => Ok(()),
            false => Err(Error::Corrupt {
                path: self.path.clone(),
                offset: replayed.end,
                reason: "its edits don't amount to what the engine has",
            }),
        }
    }
}

/// The engine read this file or wrote it: a version that it doesn't know is damage.
fn not_as_written(error: Error) -> Error {
    match error {
        Error::Version { path, .. } => {
            let reason = "its version isn't the one that was written";
            Error::Corrupt { path, offset: 0, reason }
        }
        other => other,
    }
}
