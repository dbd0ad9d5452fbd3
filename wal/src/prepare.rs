//! Makes the next segment's file ready, and lets go of old ones.
//!
//! A file is ready when it has its full length in bytes that were written, so that later writes
//! change nothing but content. That costs a write of the whole file, so an old segment that nobody
//! needs is used again instead; what it holds is told from new groups by segment number and salt.

use crate::error::{Error, Result};
use crate::limits::PREPARE_BYTES;
use crate::types::Step;
use retcd_vfs::{AppendFile, Vfs};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which segments may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Entries up to here are durable in the engine. Nothing above goes.
    pub flushed: u64,
    /// Entries up to here are durable on all members. What is above stays for them, ...
    pub replicated: u64,
    /// ... unless there are more segments than this (`--max-wals`); 0 for no limit.
    pub segments_max: usize,
}

/// The next segment's file.
pub(crate) enum Next {
    /// There is none.
    Nothing,
    /// It is being filled.
    Filling { path: PathBuf, file: Box<dyn AppendFile>, filled: u64 },
    /// It has its full length.
    Ready(ReadyFile),
    /// It is being filled elsewhere: see [`Preparation`].
    Away,
}

/// The making of the next segment's file, taken out of the log so that groups don't wait for it.
///
/// Step it, on any thread, until it says `Idle` or fails, then give it back with
/// [`crate::Log::prepared`]. Until then the log can't begin a segment.
pub struct Preparation {
    pub(crate) next: Next,
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) dir: PathBuf,
    pub(crate) segment: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) has_failed: bool,
}

impl Preparation {
    /// How much of the file is filled, in bytes.
    pub fn filled(&self) -> u64 {
        match &self.next {
            Next::Nothing | Next::Away => 0,
            Next::Filling { filled, .. } => *filled,
            Next::Ready(_) => self.segment_bytes,
        }
    }

    /// Whether the file is ready.
    pub fn is_ready(&self) -> bool {
        matches!(self.next, Next::Ready(_))
    }

    /// Does a bounded piece of work; says `Idle` when the file is ready.
    ///
    /// # Errors
    ///
    /// After [`Error::PreparationDiskFull`] nothing is left of the file, and it can be tried again;
    /// after any other error, not.
    pub fn step(&mut self) -> Result<Step> {
        if self.has_failed {
            return Err(Error::Poisoned);
        }
        let mut step = self.next.step(&*self.vfs, &self.dir, self.segment, self.segment_bytes);
        if matches!(step, Err(Error::PreparationDiskFull { .. })) {
            step = self.next.abandon(&*self.vfs).and(step);
        }
        self.has_failed = !matches!(step, Ok(_) | Err(Error::PreparationDiskFull { .. }));
        step
    }
}

/// Where in a segment the filling of the next one begins, in bytes: in the first half an old file
/// may still become free.
pub(crate) fn fill_begin(segment_bytes: u64) -> u64 {
    segment_bytes / 2
}

/// How much of the next segment should be filled when groups have come to `offset` in this one: in
/// step with them from the middle on, and all of it at seven eighths.
pub(crate) fn fill_target(offset: u64, segment_bytes: u64) -> u64 {
    let gone = offset.saturating_sub(fill_begin(segment_bytes));
    (gone * 8 / 3).min(segment_bytes)
}

/// A file of full length under a temporary name.
pub(crate) struct ReadyFile {
    pub(crate) path: PathBuf,
    /// Whether it may hold old bytes.
    pub(crate) recycled: bool,
}

/// The temporary name of a segment's file.
pub(crate) fn temporary(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:016x}.tmp"))
}

/// Whether a bare file name is one of those.
pub(crate) fn is_temporary(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "tmp")
}

impl Next {
    /// Does one bounded piece of work; says `Idle` when the file is ready.
    pub(crate) fn step(
        &mut self,
        vfs: &dyn Vfs,
        dir: &Path,
        segment: u64,
        segment_bytes: u64,
    ) -> Result<Step> {
        match self {
            Next::Ready(_) | Next::Away => return Ok(Step::Idle),
            Next::Nothing => {
                let path = temporary(dir, segment);
                let file = vfs.create_append(&path).map_err(|e| preparing(&path, e))?;
                *self = Next::Filling { path, file, filled: 0 };
            }
            Next::Filling { path, file, filled } => {
                let piece = (segment_bytes - *filled).min(PREPARE_BYTES as u64);
                fill(file.as_mut(), piece as usize).map_err(|e| preparing(path, e))?;
                *filled += piece;
                if *filled == segment_bytes {
                    *self = Next::Ready(ReadyFile { path: std::mem::take(path), recycled: false });
                }
            }
        }
        Ok(Step::Worked)
    }

    /// Gives up a file that couldn't be filled. That it may stay behind does no harm.
    pub(crate) fn abandon(&mut self, vfs: &dyn Vfs) -> Result<()> {
        match std::mem::replace(self, Next::Nothing) {
            Next::Filling { path, file, .. } => {
                drop(file);
                vfs.remove_file(&path).map_err(Error::io(&path))
            }
            Next::Nothing => Ok(()),
            kept @ (Next::Ready(_) | Next::Away) => {
                *self = kept;
                Ok(())
            }
        }
    }
}

/// Writes zeros and syncs them, so that no call leaves much behind for the next.
fn fill(file: &mut dyn AppendFile, bytes: usize) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(ZEROS.len());
        file.append(&ZEROS[..piece])?;
        left -= piece;
    }
    file.sync()
}

fn preparing(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::PreparationDiskFull { path, source }
        }
        _ => Error::Io { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_segment_is_filled_in_step_with_this_one() {
        let bytes = 64 << 20;
        assert_eq!(fill_target(bytes / 2, bytes), 0);
        assert_eq!(fill_target(bytes / 2 + 3000, bytes), 8000);
        assert_eq!(fill_target(bytes / 8 * 7 - 3, bytes), bytes - 8);
        assert_eq!(fill_target(bytes, bytes), bytes);
        let largest = crate::limits::SEGMENT_BYTES_MAX;
        assert_eq!(fill_target(largest, largest), largest);
    }
}
