//! A table's file while it is written: blocks go out in order, lengths and checksums are kept.

use super::footer::{FormatVersion, encode_head};
use super::frame::{Handle, Packing, Sealer};
use super::{Compression, FileNumber, TableFile};
use crate::{Error, Keyspace, Result};
use retcd_vfs::AppendFile;
use std::io;
use std::path::PathBuf;

/// Bytes that are gathered for one append.
const BUFFER_BYTES: usize = 256 << 10;

/// The file and what has been written to it. After an error every call fails.
pub(super) struct Output {
    file: Box<dyn AppendFile>,
    path: PathBuf,
    number: FileNumber,
    keyspace: Keyspace,
    sealer: Sealer,
    buffer: Vec<u8>,
    /// Bytes appended to the file and those in the buffer.
    len: u64,
    checksum: crc32fast::Hasher,
    poisoned: bool,
}

impl Output {
    /// Takes an empty file and begins it with the head.
    pub(super) fn new(
        file: Box<dyn AppendFile>,
        path: PathBuf,
        number: FileNumber,
        keyspace: Keyspace,
        compression: Compression,
    ) -> Result<Output> {
        let sealer = match Sealer::new(number, compression) {
            Ok(sealer) => sealer,
            Err(source) => return Err(Error::Io { path, source }),
        };
        let head = encode_head(FormatVersion::V3, number, keyspace);
        Ok(Output {
            file,
            path,
            number,
            keyspace,
            sealer,
            len: head.len() as u64,
            buffer: head,
            checksum: crc32fast::Hasher::new(),
            poisoned: false,
        })
    }

    pub(super) fn number(&self) -> FileNumber {
        self.number
    }

    pub(super) fn keyspace(&self) -> Keyspace {
        self.keyspace
    }

    /// Where the next byte goes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fails if an earlier call has.
    pub(super) fn check(&self) -> Result<()> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        Ok(())
    }

    /// Writes `dictionary` as a block and compresses value blocks with it from now on.
    pub(super) fn dictionary(&mut self, level: i32, dictionary: &[u8]) -> Result<Handle> {
        let handle = self.block(dictionary, Packing::Compressed)?;
        let used = self.sealer.use_dictionary(level, dictionary);
        self.poison_on_error(used)?;
        Ok(handle)
    }

    /// Writes one block.
    pub(super) fn block(&mut self, content: &[u8], packing: Packing) -> Result<Handle> {
        self.check()?;
        let before = self.buffer.len();
        let sealed = self.sealer.seal(content, packing, self.len, &mut self.buffer);
        self.poison_on_error(sealed)?;
        let len = self.buffer.len() - before;
        let handle = Handle {
            offset: self.len,
            len: u32::try_from(len).expect("blocks are below their limit"),
        };
        self.len += len as u64;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(handle)
    }

    /// Writes the foot, syncs the file and says what the manifest has to know.
    pub(super) fn finish(mut self, foot: &[u8]) -> Result<TableFile> {
        self.check()?;
        self.buffer.extend_from_slice(foot);
        self.len += foot.len() as u64;
        self.flush()?;
        let synced = self.file.sync();
        self.poison_on_error(synced)?;
        Ok(TableFile {
            number: self.number,
            keyspace: self.keyspace,
            file_bytes: self.len,
            checksum: self.checksum.finalize(),
        })
    }

    fn flush(&mut self) -> Result<()> {
        self.checksum.update(&self.buffer);
        let appended = self.file.append(&self.buffer);
        self.poison_on_error(appended)?;
        self.buffer.clear();
        Ok(())
    }

    fn poison_on_error(&mut self, done: io::Result<()>) -> Result<()> {
        done.map_err(|source| {
            self.poisoned = true;
            Error::Io { path: self.path.clone(), source }
        })
    }
}
