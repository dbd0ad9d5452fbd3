//! The raw floor: what the file system takes to make one 4 KiB block durable, one after the other.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use retcd_vfs::AlignedBuf;
use rustix::fs::OFlags;
use rustix::io::ReadWriteFlags;

use crate::Error;
use crate::stats::percentile;

/// What a log group of one small put occupies.
const BLOCK_BYTES: usize = 4096;
/// The file is filled with zeros before, as a log segment is, so that no sync journals extents.
const FILE_BYTES: u64 = 4 << 20;

/// How long one block takes.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// Half of the blocks were durable within this time.
    pub p50: Duration,
    /// All but one in a hundred were.
    pub p99: Duration,
}

/// With `O_DIRECT` and `pwritev2(RWF_DSYNC)`: one system call, no page cache. `None` where the file
/// system has no direct access.
pub fn direct(folder: &Path, duration: Duration) -> Result<Option<Floor>, Error> {
    let path = prepare(folder)?;
    let flags = i32::try_from(OFlags::DIRECT.bits()).expect("open flags fit");
    let file = match OpenOptions::new().write(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut block = AlignedBuf::new(BLOCK_BYTES);
    block.set_len(BLOCK_BYTES);
    let floor = repeat(duration, |offset| {
        let blocks = [IoSlice::new(&block)];
        let written = rustix::io::pwritev2(&file, &blocks, offset, ReadWriteFlags::DSYNC)?;
        assert_eq!(written, BLOCK_BYTES, "a block is written whole or not at all");
        Ok(())
    })?;
    std::fs::remove_file(path)?;
    Ok(Some(floor))
}

/// With a write into the page cache and `fdatasync`.
pub fn buffered(folder: &Path, duration: Duration) -> Result<Floor, Error> {
    let path = prepare(folder)?;
    let file = OpenOptions::new().write(true).open(&path)?;
    let block = [7; BLOCK_BYTES];
    let floor = repeat(duration, |offset| {
        file.write_all_at(&block, offset)?;
        file.sync_data()?;
        Ok(())
    })?;
    std::fs::remove_file(path)?;
    Ok(floor)
}

fn prepare(folder: &Path) -> Result<std::path::PathBuf, Error> {
    let path = folder.join("floor");
    let mut file = File::create(&path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES >> 20 {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    Ok(path)
}

fn repeat(
    duration: Duration,
    mut write: impl FnMut(u64) -> Result<(), Error>,
) -> Result<Floor, Error> {
    let mut micros = Vec::new();
    let end = Instant::now() + duration;
    let mut offset = 0;
    while Instant::now() < end {
        let started_at = Instant::now();
        write(offset)?;
        micros.push(u32::try_from(started_at.elapsed().as_micros()).unwrap_or(u32::MAX));
        offset = (offset + BLOCK_BYTES as u64) % FILE_BYTES;
    }
    micros.sort_unstable();
    Ok(Floor { p50: percentile(&micros, 0.5), p99: percentile(&micros, 0.99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_takes_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let floor = buffered(folder.path(), Duration::from_millis(20)).expect("a floor");
        assert!(floor.p50 <= floor.p99);
        direct(folder.path(), Duration::from_millis(20)).expect("a floor or none");
    }
}
