//! How the log's files are opened: in the way that was asked for, or in the best that is to be had.

use crate::error::{Error, Result};
use crate::options::{IoMode, Options};
use retcd_vfs::{AlignedBuf, LogFile, LogMode, Vfs, is_refusal};
use std::io;
use std::path::Path;

/// A way of writing that wasn't to be had.
#[derive(Debug)]
pub struct Refusal {
    /// Which.
    pub mode: LogMode,
    /// What the system said.
    pub reason: io::Error,
}

/// Opens log files in the way that the options ask for and the system allows.
pub(crate) struct Opener {
    /// The way that is taken, or tried next.
    mode: LogMode,
    /// What else may be tried, in this order, until one has worked.
    others: &'static [LogMode],
    refusals: Vec<Refusal>,
}

impl Opener {
    pub(crate) fn new(options: &Options) -> Opener {
        let depth = options.depth;
        let (mode, others): (_, &[LogMode]) = match options.io {
            _ if options.unsynced => (LogMode::Unsynced, &[]),
            IoMode::Auto if depth > 1 => {
                (LogMode::Uring { depth }, &[LogMode::Direct, LogMode::Buffered])
            }
            IoMode::Auto => (LogMode::Direct, &[LogMode::Buffered]),
            IoMode::Direct => (LogMode::Direct, &[]),
            IoMode::Buffered => (LogMode::Buffered, &[]),
            IoMode::Uring => (LogMode::Uring { depth }, &[]),
        };
        Opener { mode, others, refusals: Vec::new() }
    }

    /// The way that is taken, once a file was opened.
    pub(crate) fn mode(&self) -> LogMode {
        self.mode
    }

    /// What was tried before, best first.
    pub(crate) fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Opens `path` and writes `block` at `offset`, where nothing acknowledged may lie: only a
    /// write shows whether a file system has direct I/O.
    pub(crate) fn open_with_block(
        &mut self,
        vfs: &dyn Vfs,
        path: &Path,
        offset: u64,
        block: &AlignedBuf,
    ) -> Result<Box<dyn LogFile>> {
        loop {
            let error = match try_open(vfs, path, self.mode, offset, block) {
                Ok(file) => {
                    self.others = &[];
                    return Ok(file);
                }
                Err(error) => error,
            };
            match self.others {
                [next, others @ ..] if is_refusal(&error) => {
                    self.refusals.push(Refusal { mode: self.mode, reason: error });
                    (self.mode, self.others) = (*next, others);
                }
                _ if is_refusal(&error) => {
                    let (path, mode) = (path.to_owned(), self.mode);
                    return Err(Error::Refused { path, mode, source: error });
                }
                _ => return Err(Error::io(path)(error)),
            }
        }
    }
}

fn try_open(
    vfs: &dyn Vfs,
    path: &Path,
    mode: LogMode,
    offset: u64,
    block: &AlignedBuf,
) -> io::Result<Box<dyn LogFile>> {
    let mut file = vfs.open_log(path, mode)?;
    let mut copy = AlignedBuf::new(block.len());
    copy.copy_from_slice(block);
    file.submit(offset, copy)?;
    file.complete()?.expect("a submitted write completes");
    Ok(file)
}
