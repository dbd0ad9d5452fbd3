//! How segments come and go: preparation, rotation, letting go.

use super::{Log, group_bytes};
use crate::active::Active;
use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES, SPARES_MAX};
use crate::opener::Opener;
use crate::prepare::{Next, Preparation, Purge, ReadyFile, fill_begin, fill_target, temporary};
use crate::recovery;
use crate::segment::{FORMAT_VERSION, SegmentHeader, SegmentName};
use crate::types::{Flushed, Group, Step};
use retcd_vfs::{AlignedBuf, Vfs};
use std::path::Path;
use std::sync::Arc;

impl Log {
    /// Does a bounded piece of making the next segment ready, when that is due. Says `Idle` when
    /// there is nothing to do for now.
    ///
    /// # Errors
    ///
    /// [`Error::PreparationDiskFull`] leaves the log as it was; any other error poisons it.
    pub fn prepare(&mut self) -> Result<Step> {
        self.guarded(|log| {
            if !log.preparation_is_due() {
                return Ok(Step::Idle);
            }
            let mut preparation = log.take_preparation();
            let step = preparation.step();
            log.next = preparation.next;
            log.take_spare();
            step
        })
    }

    /// The making of the next segment, when it is due, to be stepped elsewhere. Nothing to do, or
    /// already away: `None`.
    pub fn preparation(&mut self) -> Result<Option<Preparation>> {
        self.guarded(|log| Ok(log.preparation_is_due().then(|| log.take_preparation())))
    }

    /// How much of the next segment's file, in bytes, should be filled by now, for whoever steps a
    /// [`Preparation`] and doesn't want to take the disk from the groups: all of it in good time
    /// before this segment is full.
    pub fn preparation_target(&self) -> u64 {
        fill_target(self.active.offset, self.active.header.segment_bytes)
    }

    /// Takes back what [`Log::preparation`] gave out, finished or not. One that failed for good
    /// poisons the log.
    pub fn prepared(&mut self, preparation: Preparation) {
        assert!(matches!(self.next, Next::Away), "nothing was given out");
        self.poisoned |= preparation.has_failed;
        self.next = preparation.next;
        self.take_spare();
    }

    /// Makes a file that was kept for later the next one, where there is no next one.
    pub(super) fn take_spare(&mut self) {
        if matches!(self.next, Next::Nothing)
            && let Some(spare) = self.spares.pop_front()
        {
            self.next = Next::Ready(spare);
        }
    }

    /// Whether writing `group` may begin a segment, for which a preparation given out must be back.
    pub fn begins_segment(&self, group: &Group<'_>) -> bool {
        // A mark is written by itself, so that the rest may start one block later.
        let mark_bytes = if group.snapshot.is_some() { BLOCK_BYTES } else { 0 };
        !self.active.has_room(group_bytes(group) + mark_bytes)
    }

    /// In the first half of a segment an old one may still become free to be used again.
    fn preparation_is_due(&self) -> bool {
        match self.next {
            Next::Nothing => self.active.offset >= fill_begin(self.active.header.segment_bytes),
            Next::Filling { .. } => true,
            Next::Ready(_) | Next::Away => false,
        }
    }

    fn take_preparation(&mut self) -> Preparation {
        Preparation {
            next: std::mem::replace(&mut self.next, Next::Away),
            vfs: Arc::clone(&self.vfs),
            dir: self.dir.clone(),
            segment: self.active.header.segment + 1,
            segment_bytes: self.options.segment_bytes,
            has_failed: false,
        }
    }

    /// Lets go of the oldest segment if the limits allow it: its file becomes the next segment, or
    /// is removed. One segment per call.
    pub fn purge(&mut self, limits: Purge) -> Result<Step> {
        self.guarded(|log| {
            let names = &*log.segments.make_contiguous();
            let flushed = Flushed { index: limits.flushed, term: 0 };
            let [oldest, after, ..] = names else {
                return Ok(Step::Idle);
            };
            let beyond = limits.segments_max > 0 && names.len() > limits.segments_max;
            let needed = recovery::start(names, flushed).unwrap_or(0) == 0;
            if needed || !(beyond || after.first_index <= limits.replicated.saturating_add(1)) {
                return Ok(Step::Idle);
            }
            let oldest = *oldest;
            // Readers must not take what becomes of the file for damage.
            log.shared.index.lock().forget(oldest);
            log.let_go(oldest)?;
            log.segments.pop_front();
            Ok(Step::Worked)
        })
    }

    /// Begins the next segment. Everything in the old one is durable before the new one's header
    /// says where it ends.
    pub(super) fn rotate(&mut self) -> Result<()> {
        self.drain()?;
        let number = self.active.header.segment + 1;
        if !matches!(self.next, Next::Ready(_)) {
            self.stats.inline_preparations += 1;
        }
        let bytes = self.options.segment_bytes;
        let finished = finish(&mut self.next, &*self.vfs, &self.dir, number, bytes);
        // Here a group is waiting, so a full disk is as final as it is when the group is written.
        let file = finished.map_err(|e| match e {
            Error::PreparationDiskFull { path, source } => Error::Io { path, source },
            other => other,
        })?;
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            identity: self.identity,
            segment: number,
            state: self.state,
            salt: self.options.segment_salt(number),
            segment_bytes: bytes,
            previous_end: self.active.offset,
            previous_chain: self.active.chain,
            recycled: file.recycled,
            cut: None,
        };
        self.active = begin(&*self.vfs, &self.dir, &mut self.opener, &file, header)?;
        self.segments.push_back(header.name());
        self.shared.index.lock().begin_segment(header);
        self.stats.rotations += 1;
        self.take_spare();
        Ok(())
    }

    /// Keeps the file of an old segment for later if there are few, or removes it.
    fn let_go(&mut self, name: SegmentName) -> Result<()> {
        let path = self.dir.join(name.to_string());
        let file = self.vfs.open_read(&path).map_err(Error::io(&path))?;
        let length = file.len().map_err(Error::io(&path))?;
        let to = temporary(&self.dir, name.segment);
        if length == self.options.segment_bytes && self.wants_file(&to) {
            self.vfs.rename(&path, &to).map_err(Error::io(&path))?;
            self.spares.push_back(ReadyFile { path: to, recycled: true });
            self.take_spare();
            self.stats.recycled += 1;
        } else {
            self.vfs.remove_file(&path).map_err(Error::io(&path))?;
        }
        // Before the file's first block is written again its old name must be gone for good.
        self.vfs.sync_dir(&self.dir).map_err(Error::io(&self.dir))
    }

    /// Whether a file is to be kept for later under this name. A file that was filled for a segment
    /// and then wasn't needed for it may have the name already.
    fn wants_file(&self, path: &Path) -> bool {
        let is_next = match &self.next {
            Next::Ready(next) => next.path == path,
            Next::Nothing | Next::Filling { .. } | Next::Away => false,
        };
        self.spares.len() < SPARES_MAX
            && !is_next
            && self.spares.iter().all(|spare| spare.path != path)
    }
}

/// Prepares what is left of a file and takes it.
pub(super) fn finish(
    next: &mut Next,
    vfs: &dyn Vfs,
    dir: &Path,
    segment: u64,
    segment_bytes: u64,
) -> Result<ReadyFile> {
    while next.step(vfs, dir, segment, segment_bytes)? == Step::Worked {}
    match std::mem::replace(next, Next::Nothing) {
        Next::Ready(file) => Ok(file),
        Next::Nothing | Next::Filling { .. } => unreachable!("it is idle only when it is ready"),
        Next::Away => panic!("a segment begins while the next one's preparation is given out"),
    }
}

/// Makes a prepared file a segment: first its header, then its name.
pub(super) fn begin(
    vfs: &dyn Vfs,
    dir: &Path,
    opener: &mut Opener,
    ready: &ReadyFile,
    header: SegmentHeader,
) -> Result<Active> {
    let mut block = AlignedBuf::new(BLOCK_BYTES as usize);
    let chain = header.encode(&mut block);
    let file = opener.open_with_block(vfs, &ready.path, 0, &block)?;
    let path = dir.join(header.name().to_string());
    vfs.rename(&ready.path, &path).map_err(Error::io(&ready.path))?;
    vfs.sync_dir(dir).map_err(Error::io(dir))?;
    Ok(Active::new(path, header, file, BLOCK_BYTES, chain))
}
