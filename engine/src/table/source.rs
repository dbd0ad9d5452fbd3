//! A table's file while it is read: blocks come out checked, trouble gets the file's name.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::cache::{BlockCache, BlockId};
use super::coding::Damage;
use super::footer::{FOOT_BYTES, Foot, HEAD_BYTES, Refusal, check_head};
use super::frame::{Dictionary, Expected, Handle, TRAILER_BYTES, needs_dictionary};
use super::part::Part;
use super::{DICTIONARY_BYTES_MAX, TableFile};
use crate::{Error, Result};
use bytes::Bytes;
use retcd_vfs::ReadFile;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether blocks come from the cache and stay there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caching {
    /// They do.
    Keep,
    /// They are read and forgotten: the reader goes through once.
    Bypass,
}

/// An open file of the manifest.
pub(super) struct Source {
    file: Arc<dyn ReadFile>,
    path: PathBuf,
    listed: TableFile,
    cache: Arc<BlockCache>,
    /// Read with the first block that needs it.
    dictionary: Option<Part<Dictionary>>,
}

impl Source {
    pub(super) fn new(
        file: Arc<dyn ReadFile>,
        path: PathBuf,
        listed: TableFile,
        cache: Arc<BlockCache>,
    ) -> Source {
        Source { file, path, listed, cache, dictionary: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn listed(&self) -> &TableFile {
        &self.listed
    }

    /// Checks length and head, and reads the foot.
    pub(super) fn foot(&self) -> Result<Foot> {
        let len = self.file.len().map_err(|source| self.io_error(source))?;
        let wanted = self.listed.file_bytes;
        if len != wanted {
            let reason = "the file's length isn't what the manifest says";
            return Err(self.corrupt(len.min(wanted), Damage(reason)));
        }
        let mut head = [0; HEAD_BYTES];
        self.read_at(0, &mut head)?;
        let version = check_head(&head, self.listed.number, self.listed.keyspace)
            .map_err(|refusal| self.refused(0, refusal))?;
        let Some(offset) = len.checked_sub(FOOT_BYTES as u64) else {
            return Err(self.corrupt(len, Damage("the file is shorter than its foot")));
        };
        let mut foot = [0; FOOT_BYTES];
        self.read_at(offset, &mut foot)?;
        let foot = Foot::decode(&foot, self.listed.number, self.listed.keyspace, offset)
            .map_err(|refusal| self.refused(offset, refusal))?;
        if foot.version != version {
            return Err(self.corrupt(offset, Damage("head and foot name different formats")));
        }
        Ok(foot)
    }

    /// The same file, whose blocks may need the dictionary at `handle`.
    pub(super) fn with_dictionary(self, handle: Handle) -> Source {
        Source { dictionary: Some(Part::at(handle)), ..self }
    }

    /// The dictionary, if there is one.
    pub(super) fn dictionary(&self) -> Result<Option<&Dictionary>> {
        let Some(part) = &self.dictionary else {
            return Ok(None);
        };
        let read = |handle| {
            let frame = self.frame(handle, DICTIONARY_BYTES_MAX)?;
            let content = self.unpack(frame, handle, DICTIONARY_BYTES_MAX, None)?;
            Dictionary::new(&content).map_err(|damage| self.corrupt(handle.offset, damage))
        };
        part.get_or_read(read).map(Some)
    }

    /// The content of the block at `handle`, from the cache if it is there.
    pub(super) fn block(
        &self,
        handle: Handle,
        bytes_max: usize,
        caching: Caching,
    ) -> Result<Bytes> {
        if caching == Caching::Bypass {
            return self.read(handle, bytes_max);
        }
        let id = BlockId { number: self.listed.number, offset: handle.offset };
        if let Some(content) = self.cache.get(id) {
            return Ok(content);
        }
        let content = self.read(handle, bytes_max)?;
        self.cache.insert(id, content.clone());
        Ok(content)
    }

    /// Reads and checks the block at `handle`, which lies within the file.
    pub(super) fn read(&self, handle: Handle, bytes_max: usize) -> Result<Bytes> {
        let frame = self.frame(handle, bytes_max)?;
        let dictionary = if needs_dictionary(&frame) { self.dictionary()? } else { None };
        self.unpack(frame, handle, bytes_max, dictionary)
    }

    fn frame(&self, handle: Handle, bytes_max: usize) -> Result<Vec<u8>> {
        let len = handle.len as usize;
        if len > bytes_max.saturating_add(TRAILER_BYTES) {
            return Err(self.corrupt(handle.offset, Damage("block above its limit")));
        }
        let mut frame = vec![0; len];
        self.read_at(handle.offset, &mut frame)?;
        Ok(frame)
    }

    fn unpack(
        &self,
        frame: Vec<u8>,
        handle: Handle,
        bytes_max: usize,
        dictionary: Option<&Dictionary>,
    ) -> Result<Bytes> {
        let expected = Expected {
            number: self.listed.number,
            offset: handle.offset,
            content_bytes_max: bytes_max,
            dictionary,
        };
        let opened = self.cache.opener().open(frame, expected);
        opened.map_err(|damage| self.corrupt(handle.offset, damage))
    }

    /// Fills `buf`. That the file ends before is damage: its length has been checked.
    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(offset, buf).map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                return self.corrupt(offset, Damage("the file ends too early"));
            }
            self.io_error(source)
        })
    }

    pub(super) fn corrupt(&self, offset: u64, damage: Damage) -> Error {
        Error::Corrupt { path: self.path.clone(), offset, reason: damage.0 }
    }

    fn refused(&self, offset: u64, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Damage(damage) => self.corrupt(offset, damage),
            Refusal::Version(found) => Error::Version { path: self.path.clone(), found },
        }
    }

    fn io_error(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}
