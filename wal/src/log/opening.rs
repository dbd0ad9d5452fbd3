//! Creating a log, and opening one that is there.

use super::Log;
use super::rotation::{begin, finish};
use crate::active::{Active, Workshop};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::limits::{BLOCK_BYTES, SPARES_MAX};
use crate::opener::Opener;
use crate::options::{IoMode, Options};
use crate::prepare::{Next, ReadyFile, is_temporary};
use crate::readback::Shared;
use crate::reader::segments;
use crate::recovery::{self, Recovery, Tail, recover};
use crate::segment::{FORMAT_VERSION, SegmentHeader, SegmentName};
use crate::stats::Stats;
use crate::types::{Flushed, Group, Identity, LogState, Seen, SnapshotMark};
use retcd_vfs::{AlignedBuf, Vfs, create_dir_durably};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

impl Log {
    /// Creates a log whose first entry will be the one behind `start` (zeros for a new cluster),
    /// with its first segment prepared on the spot. The folder and its missing parents are made,
    /// durably.
    pub fn create(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        start: SnapshotMark,
    ) -> Result<Log> {
        options.check()?;
        create_dir_durably(&*vfs, dir, 1).map_err(|error| Error::io(&error.path)(error.source))?;
        if !segments(&*vfs, dir)?.is_empty() {
            return Err(Error::AlreadyExists { dir: dir.to_owned() });
        }
        remove_temporaries(&*vfs, dir)?;
        let mut state = LogState::default();
        state.restart(start);
        let mut opener = Opener::new(&options);
        let mut next = Next::Nothing;
        let file = finish(&mut next, &*vfs, dir, 0, options.segment_bytes)?;
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            identity,
            segment: 0,
            state,
            salt: options.segment_salt(0),
            segment_bytes: options.segment_bytes,
            previous_end: 0,
            previous_chain: 0,
            recycled: file.recycled,
            cut: None,
        };
        let active = begin(&*vfs, dir, &mut opener, &file, header)?;
        let names = VecDeque::from([header.name()]);
        let parts = (state, names, Index::new(header, &[]), active, next, opener);
        Ok(Log::assemble(vfs, dir, options, identity, parts))
    }

    /// Opens the log in `dir` and checks everything above what the engine has flushed.
    ///
    /// What is there is durable then, and the log can be appended to. A log that has lost something
    /// acknowledged is refused: [`Error::Damaged`], [`Error::Missing`]. Entries stay on the disk:
    /// see [`Log::reader`].
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        flushed: Flushed,
    ) -> Result<(Log, Recovery)> {
        Log::open_seeing(vfs, dir, options, identity, flushed, &mut |_| {})
    }

    /// Does what [`Log::open`] does, and tells `seen` of each entry above the flushed index in the
    /// order in which they lie in the log.
    pub fn open_seeing(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        flushed: Flushed,
        seen: &mut dyn FnMut(Seen),
    ) -> Result<(Log, Recovery)> {
        options.check()?;
        let (recovery, tail) = recover(&*vfs, dir, flushed, seen)?;
        if recovery.identity != identity {
            return Err(Error::Foreign {
                path: tail.reader.path().to_owned(),
                expected: identity,
                found: recovery.identity,
            });
        }
        make_durable(&*vfs, dir, &recovery, &tail)?;
        let state = recovery.state;
        let mut log = Log::continue_behind(vfs, dir, options, identity, state, tail)?;
        if recovery.restarted {
            log.append(&Group { snapshot: Some(recovery.state.snapshot), ..Group::default() })?;
        }
        Ok((log, recovery))
    }

    /// Reads the log in `dir` as [`Log::open`] does, and changes nothing: for looking at the log of
    /// a member that isn't running. Segments and their groups are read by
    /// [`SegmentReader`](crate::SegmentReader).
    pub fn inspect(vfs: &dyn Vfs, dir: &Path, flushed: Flushed) -> Result<Recovery> {
        Log::inspect_seeing(vfs, dir, flushed, &mut |_| {})
    }

    /// As [`Log::inspect`], and tells `seen` what [`Log::open_seeing`] would.
    pub fn inspect_seeing(
        vfs: &dyn Vfs,
        dir: &Path,
        flushed: Flushed,
        seen: &mut dyn FnMut(Seen),
    ) -> Result<Recovery> {
        recover(vfs, dir, flushed, seen).map(|(recovery, _)| recovery)
    }

    /// Who wrote the log in `dir`; `None` if there is no log yet.
    pub fn read_identity(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Identity>> {
        recovery::read_identity(vfs, dir)
    }

    /// Goes on in the last segment, or in a new one if the last was cut or is full.
    fn continue_behind(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        state: LogState,
        tail: Tail,
    ) -> Result<Log> {
        let mut opener = Opener::new(&options);
        let mut names = VecDeque::from(tail.segments);
        let mut index = tail.index;
        let last = *tail.reader.header();
        let number = last.segment + 1;
        let (mut next, spares) = adopt(&*vfs, dir, options.segment_bytes)?;
        let (end, chain) = (tail.reader.offset(), tail.reader.chain());
        // A killed process can leave writes with the kernel, if it had several under way or used
        // io_uring: they may arrive late, but not in a segment that goes on elsewhere.
        let may_straggle = options.depth > 1 || options.io == IoMode::Uring;
        let goes_on_elsewhere = may_straggle && !tail.is_final;
        let active = if tail.cut.is_some() || goes_on_elsewhere || end == last.segment_bytes {
            let file = finish(&mut next, &*vfs, dir, number, options.segment_bytes)?;
            let header = SegmentHeader {
                version: FORMAT_VERSION,
                identity,
                segment: number,
                state,
                salt: options.segment_salt(number),
                segment_bytes: options.segment_bytes,
                previous_end: end,
                previous_chain: chain,
                recycled: file.recycled,
                cut: tail.cut,
            };
            names.push_back(header.name());
            index.begin_segment(header);
            begin(&*vfs, dir, &mut opener, &file, header)?
        } else {
            let path = tail.reader.path().to_owned();
            let block = AlignedBuf::new(BLOCK_BYTES as usize);
            let file = opener.open_with_block(&*vfs, &path, end, &block)?;
            let mut active = Active::new(path, last, file, end, chain);
            active.is_final = tail.is_final;
            active
        };
        let parts = (state, names, index, active, next, opener);
        let mut log = Log::assemble(vfs, dir, options, identity, parts);
        log.spares = spares;
        log.take_spare();
        Ok(log)
    }

    fn assemble(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        (state, segments, index, active, next, opener): (
            LogState,
            VecDeque<SegmentName>,
            Index,
            Active,
            Next,
            Opener,
        ),
    ) -> Log {
        Log {
            shared: Arc::new(Shared::new(Arc::clone(&vfs), dir, index)),
            vfs,
            dir: dir.to_owned(),
            options,
            identity,
            state,
            segments,
            active,
            next,
            spares: VecDeque::new(),
            opener,
            workshop: Workshop::new(&options),
            submitted: 0,
            completed: 0,
            told: 0,
            poisoned: false,
            stats: Stats::default(),
        }
    }
}

/// What was read may so far only be in the system's memory; nobody may act on it before it is on
/// the disk.
fn make_durable(vfs: &dyn Vfs, dir: &Path, recovery: &Recovery, tail: &Tail) -> Result<()> {
    for name in &tail.segments[tail.first_read..] {
        let path = dir.join(name.to_string());
        vfs.sync_file(&path).map_err(Error::io(&path))?;
    }
    if let Some(path) = &recovery.discarded {
        vfs.remove_file(path).map_err(Error::io(path))?;
    }
    vfs.sync_dir(dir).map_err(Error::io(dir))
}

/// Takes over files of full length that were prepared or kept before; removes the others.
fn adopt(vfs: &dyn Vfs, dir: &Path, segment_bytes: u64) -> Result<(Next, VecDeque<ReadyFile>)> {
    let mut adopted = VecDeque::new();
    for name in vfs.list(dir).map_err(Error::io(dir))? {
        if !is_temporary(&name) {
            continue;
        }
        let path = dir.join(&name);
        let file = vfs.open_read(&path).map_err(Error::io(&path))?;
        let has_length = file.len().map_err(Error::io(&path))? == segment_bytes;
        if has_length && adopted.len() <= SPARES_MAX {
            vfs.sync_file(&path).map_err(Error::io(&path))?;
            adopted.push_back(ReadyFile { path, recycled: true });
        } else {
            vfs.remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    let next = adopted.pop_front().map_or(Next::Nothing, Next::Ready);
    Ok((next, adopted))
}

fn remove_temporaries(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    for name in vfs.list(dir).map_err(Error::io(dir))? {
        if is_temporary(&name) {
            let path = dir.join(&name);
            vfs.remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}
