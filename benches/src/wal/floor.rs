//! The raw floor: blocks of one size made durable one after the other in a file filled with zeros,
//! by the same system call as the log's, without the log.

use super::latency::Latencies;
use super::modes::RawCall;
use crate::Error;
use retcd_vfs::AlignedBuf;
use rustix::fs::OFlags;
use rustix::io::{ReadWriteFlags, pwritev2};
use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// Blocks are written from its start to its end, then from its start again.
const FILE_BYTES: u64 = 64 << 20;

/// A file for raw writes.
pub struct Floor {
    file: File,
    raw: RawCall,
    offset: u64,
}

impl Floor {
    /// Makes the file `name` in `folder`. `None` where the file system has no direct access.
    pub fn new(folder: &Path, name: &str, raw: RawCall) -> Result<Option<Floor>, Error> {
        let path = folder.join(name);
        let mut file = File::create(&path)?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..FILE_BYTES >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        let mut options = OpenOptions::new();
        options.write(true);
        if raw == RawCall::DirectDsync {
            options.custom_flags(OFlags::DIRECT.bits().cast_signed());
        }
        match options.open(&path) {
            Ok(file) => Ok(Some(Floor { file, raw, offset: 0 })),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes blocks of `bytes` (a multiple of 4 KiB) for a while.
    pub fn run(&mut self, bytes: usize, duration: Duration) -> Result<Latencies, Error> {
        let block = block(bytes);
        let mut latencies = Latencies::default();
        let end = Instant::now() + duration;
        while Instant::now() < end {
            latencies.add(self.write(&block)?);
        }
        Ok(latencies)
    }

    /// Writes one block and says how long it took.
    pub fn write(&mut self, block: &AlignedBuf) -> Result<Duration, Error> {
        let started_at = Instant::now();
        self.call(block)?;
        Ok(started_at.elapsed())
    }

    fn call(&mut self, block: &[u8]) -> Result<(), Error> {
        if self.offset + block.len() as u64 > FILE_BYTES {
            self.offset = 0;
        }
        match self.raw {
            RawCall::DirectDsync => {
                let slices = [IoSlice::new(block)];
                let written = pwritev2(&self.file, &slices, self.offset, ReadWriteFlags::DSYNC)?;
                assert_eq!(written, block.len(), "blocks are short enough for one call");
            }
            RawCall::WriteAndSync => {
                self.file.write_all_at(block, self.offset)?;
                self.file.sync_data()?;
            }
        }
        self.offset += block.len() as u64;
        Ok(())
    }
}

/// A block of `bytes` (a multiple of 4 KiB) that isn't zeros.
pub fn block(bytes: usize) -> AlignedBuf {
    let mut block = AlignedBuf::new(bytes);
    block.fill(7);
    block
}
