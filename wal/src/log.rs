//! The log as its user sees it: open, append, prepare, purge, close.

use crate::active::{Active, Buffers, Opener};
use crate::error::{Error, Result};
use crate::group::GROUP_HEADER_BYTES;
use crate::limits::{BLOCK_BYTES, group_bytes_max};
use crate::options::Options;
use crate::prepare::{Next, Preparation, Purge, ReadyFile, is_temporary, temporary};
use crate::reader::segments;
use crate::recovery::{self, Recovery, Tail, recover};
use crate::segment::{SegmentHeader, SegmentName};
use crate::stats::Stats;
use crate::types::{Flushed, Group, HardState, Identity, LogState, SnapshotMark, Step};
use retcd_vfs::{AlignedBuf, LogMode, Vfs};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A submitted group. Tickets count up from 0 and complete in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The write-ahead log of one member.
pub struct Log {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    options: Options,
    identity: Identity,
    state: LogState,
    /// Every segment that exists, oldest first; the last one is the active one.
    segments: VecDeque<SegmentName>,
    active: Active,
    next: Next,
    opener: Opener,
    buffers: Buffers,
    submitted: u64,
    completed: u64,
    /// Of the completed groups, how many `complete` has told about.
    told: u64,
    poisoned: bool,
    stats: Stats,
}

impl Log {
    /// Creates a log whose first entry will be the one behind `start` (zeros for a new cluster), with
    /// its first segment prepared on the spot. The folder's name is made durable in its parent; the
    /// parent's own name is the caller's.
    pub fn create(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        start: SnapshotMark,
    ) -> Result<Log> {
        options.check()?;
        vfs.create_dir_all(dir).map_err(Error::io(dir))?;
        let parent = dir.parent().unwrap_or(Path::new(""));
        vfs.sync_dir(parent).map_err(Error::io(parent))?;
        if !segments(&*vfs, dir)?.is_empty() {
            return Err(Error::AlreadyExists { dir: dir.to_owned() });
        }
        remove_temporaries(&*vfs, dir, None)?;
        let mut state = LogState::default();
        state.restart(start);
        let mut opener = Opener::new(&options);
        let mut next = Next::Nothing;
        let file = finish(&mut next, &*vfs, dir, 0, options.segment_bytes)?;
        let header = SegmentHeader {
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
        let parts = (state, names, active, next, opener);
        Ok(Log::assemble(vfs, dir, options, identity, parts))
    }

    /// Opens the log in `dir` and reads everything above what the engine has flushed.
    ///
    /// What is returned is durable, and the log can be appended to. A log that has lost something
    /// acknowledged is refused: [`Error::Damaged`], [`Error::Missing`].
    pub fn open(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        flushed: Flushed,
    ) -> Result<(Log, Recovery)> {
        options.check()?;
        let (recovery, tail) = recover(&*vfs, dir, &options, flushed)?;
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
        let last = *tail.reader.header();
        let number = last.segment + 1;
        let mut next = adopt(&*vfs, dir, options.segment_bytes)?;
        let (end, chain) = (tail.reader.offset(), tail.reader.chain());
        let active = if tail.cut.is_some() || end == last.segment_bytes {
            let file = finish(&mut next, &*vfs, dir, number, options.segment_bytes)?;
            let header = SegmentHeader {
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
            begin(&*vfs, dir, &mut opener, &file, header)?
        } else {
            let path = tail.reader.path().to_owned();
            let block = AlignedBuf::new(BLOCK_BYTES as usize);
            let (file, _) = opener.open_with_block(&*vfs, &path, end, block)?;
            let mut active = Active::new(path, last, file, end, chain);
            active.is_final = tail.is_final;
            active
        };
        let parts = (state, names, active, next, opener);
        Ok(Log::assemble(vfs, dir, options, identity, parts))
    }

    fn assemble(
        vfs: Arc<dyn Vfs>,
        dir: &Path,
        options: Options,
        identity: Identity,
        (state, segments, active, next, opener): (
            LogState,
            VecDeque<SegmentName>,
            Active,
            Next,
            Opener,
        ),
    ) -> Log {
        Log {
            vfs,
            dir: dir.to_owned(),
            options,
            identity,
            state,
            segments,
            active,
            next,
            opener,
            buffers: Buffers::default(),
            submitted: 0,
            completed: 0,
            told: 0,
            poisoned: false,
            stats: Stats::default(),
        }
    }

    /// Starts writing a group. It is durable when [`Log::complete`] has returned its ticket.
    ///
    /// # Errors
    ///
    /// [`Error::GroupTooLarge`] leaves the log as it was; any other error poisons it.
    ///
    /// # Panics
    ///
    /// If the group is empty, its entries have a gap or don't follow the log, or as many groups are
    /// under way as [`Log::depth`] says.
    pub fn submit(&mut self, group: &Group<'_>) -> Result<Ticket> {
        self.guarded(|log| {
            log.check_follows(group);
            assert!(log.under_way() < log.depth(), "too many groups under way");
            let bytes = group_bytes(group);
            let limit = log.group_bytes_max();
            if bytes > limit {
                return Err(Error::GroupTooLarge { bytes, limit });
            }
            match group.snapshot {
                None => log.write(group)?,
                Some(mark) => log.write_behind_mark(mark, group)?,
            }
            log.submitted += 1;
            Ok(Ticket(log.submitted - 1))
        })
    }

    /// Waits for the oldest group; `None` if there is none.
    pub fn complete(&mut self) -> Result<Option<Ticket>> {
        self.guarded(|log| {
            if log.told == log.completed {
                if !log.complete_one()? {
                    return Ok(None);
                }
                log.completed += 1;
            }
            log.told += 1;
            Ok(Some(Ticket(log.told - 1)))
        })
    }

    /// Writes a group and waits until it and all groups before it are durable. Their tickets aren't
    /// returned by `complete` any more.
    pub fn append(&mut self, group: &Group<'_>) -> Result<Ticket> {
        let ticket = self.submit(group)?;
        self.guarded(|log| {
            log.drain()?;
            log.told = log.completed;
            Ok(ticket)
        })
    }

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
            step
        })
    }

    /// The making of the next segment, when it is due, to be stepped elsewhere. Nothing to do, or
    /// already away: `None`.
    pub fn preparation(&mut self) -> Result<Option<Preparation>> {
        self.guarded(|log| Ok(log.preparation_is_due().then(|| log.take_preparation())))
    }

    /// Takes back what [`Log::preparation`] gave out, finished or not.
    pub fn prepared(&mut self, preparation: Preparation) {
        assert!(matches!(self.next, Next::Away), "nothing was given out");
        self.next = preparation.next;
    }

    /// Whether writing `group` begins a segment, for which a preparation given out must be back.
    pub fn begins_segment(&self, group: &Group<'_>) -> bool {
        !self.active.has_room(group_bytes(group))
    }

    /// In the first half of a segment an old one may still become free to be used again.
    fn preparation_is_due(&self) -> bool {
        match self.next {
            Next::Nothing => self.active.offset >= self.active.header.segment_bytes / 2,
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
        }
    }

    /// Lets go of the oldest segment if the limits allow it: its file becomes the next segment, or is
    /// removed. One segment per call.
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
            let path = log.dir.join(oldest.to_string());
            log.let_go(&path)?;
            log.segments.pop_front();
            Ok(Step::Worked)
        })
    }

    /// Ends the log with an empty group that covers everything before it, so that the next start
    /// knows that nothing was under way.
    pub fn close(mut self) -> Result<()> {
        self.guarded(|log| {
            log.drain()?;
            if !log.active.is_final {
                log.start(&Group::default())?;
                log.complete_one()?;
            }
            Ok(())
        })
    }

    /// Index of the last entry, or of the snapshot mark behind which there is none. Counts what is
    /// under way.
    pub fn last_index(&self) -> u64 {
        self.state.last_index
    }

    /// Last index and term, hard state, newest snapshot mark. Counts what is under way.
    pub fn state(&self) -> LogState {
        self.state
    }

    /// Who writes this log.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// How many groups may be under way at once.
    pub fn depth(&self) -> usize {
        self.active.depth()
    }

    /// How many groups are under way: submitted, and not told by `complete`.
    pub fn under_way(&self) -> usize {
        (self.submitted - self.told) as usize
    }

    /// Which way writes take.
    pub fn mode(&self) -> LogMode {
        self.opener.mode.expect("an open log has written a block already")
    }

    /// Longest group that is accepted, in bytes: see [`group_bytes`].
    pub fn group_bytes_max(&self) -> u64 {
        group_bytes_max(self.options.segment_bytes)
    }

    /// Counts since open.
    pub fn stats(&self) -> Stats {
        Stats { segments: self.segments.len() as u64, ..self.stats }
    }

    /// Runs a call unless the log is poisoned, and poisons it if the call fails.
    fn guarded<T>(&mut self, call: impl FnOnce(&mut Log) -> Result<T>) -> Result<T> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let result = call(self);
        self.poisoned = match &result {
            Ok(_) | Err(Error::GroupTooLarge { .. } | Error::PreparationDiskFull { .. }) => false,
            Err(_) => true,
        };
        result
    }

    fn check_follows(&self, group: &Group<'_>) {
        assert!(
            !group.entries.is_empty() || group.hard_state.is_some() || group.snapshot.is_some(),
            "an empty group"
        );
        let last = group.snapshot.map_or(self.state.last_index, |mark| mark.index);
        if let Some(first) = group.entries.first() {
            assert!(first.index > 0 && first.index <= last + 1, "a gap before {}", first.index);
        }
        for pair in group.entries.windows(2) {
            assert!(pair[1].index == pair[0].index + 1, "a gap behind {}", pair[0].index);
        }
    }

    /// Writes a mark by itself, waits for it, and then starts what else is in the group.
    ///
    /// Recovery relies on two things: a mark lies in one sector, so it is never torn, and nothing
    /// else is under way with it. The hard state that goes with it mustn't commit more than there is.
    fn write_behind_mark(&mut self, mark: SnapshotMark, group: &Group<'_>) -> Result<()> {
        self.drain()?;
        let within = |state: HardState| HardState { commit: state.commit.min(mark.index), ..state };
        self.write(&Group {
            entries: &[],
            hard_state: group.hard_state.map(within),
            snapshot: Some(mark),
        })?;
        if group.entries.is_empty() {
            return self.drain();
        }
        self.complete_one()?;
        self.write(&Group { snapshot: None, ..group.clone() })
    }

    /// Starts a group, in the next segment if it doesn't fit into this one.
    fn write(&mut self, group: &Group<'_>) -> Result<()> {
        if !self.active.has_room(group_bytes(group)) {
            self.rotate()?;
        }
        self.start(group)
    }

    fn start(&mut self, group: &Group<'_>) -> Result<()> {
        self.state.append(group);
        self.active.submit(&mut self.buffers, group, self.state.last_index)
    }

    /// Waits for the oldest group on its way, without counting it as a completed ticket.
    fn complete_one(&mut self) -> Result<bool> {
        let Some(group) = self.active.complete(&mut self.buffers)? else {
            return Ok(false);
        };
        self.stats.groups += 1;
        self.stats.syncs += u64::from(self.mode() != LogMode::Unsynced);
        self.stats.bytes += group.bytes;
        self.stats.payload_bytes += group.payload_bytes;
        Ok(true)
    }

    fn drain(&mut self) -> Result<()> {
        while self.complete_one()? {
            self.completed += 1;
        }
        Ok(())
    }

    /// Begins the next segment. Everything in the old one is durable before the new one's header
    /// says where it ends.
    fn rotate(&mut self) -> Result<()> {
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
        self.stats.rotations += 1;
        Ok(())
    }

    fn let_go(&mut self, path: &Path) -> Result<()> {
        let file = self.vfs.open_read(path).map_err(Error::io(path))?;
        let length = file.len().map_err(Error::io(path))?;
        if matches!(self.next, Next::Nothing) && length == self.options.segment_bytes {
            let to = temporary(&self.dir, self.active.header.segment + 1);
            self.vfs.rename(path, &to).map_err(Error::io(path))?;
            self.next = Next::Ready(ReadyFile { path: to, recycled: true });
            self.stats.recycled += 1;
        } else {
            self.vfs.remove_file(path).map_err(Error::io(path))?;
        }
        // Before the file's first block is written again its old name must be gone for good.
        self.vfs.sync_dir(&self.dir).map_err(Error::io(&self.dir))
    }
}

/// Bytes that a group takes in a segment, header included, padding not.
pub fn group_bytes(group: &Group<'_>) -> u64 {
    GROUP_HEADER_BYTES as u64 + group.record_bytes()
}

/// Prepares what is left of a file and takes it.
fn finish(
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
fn begin(
    vfs: &dyn Vfs,
    dir: &Path,
    opener: &mut Opener,
    ready: &ReadyFile,
    header: SegmentHeader,
) -> Result<Active> {
    let mut block = AlignedBuf::new(BLOCK_BYTES as usize);
    let chain = header.encode(&mut block);
    let (file, _) = opener.open_with_block(vfs, &ready.path, 0, block)?;
    let path = dir.join(header.name().to_string());
    vfs.rename(&ready.path, &path).map_err(Error::io(&ready.path))?;
    vfs.sync_dir(dir).map_err(Error::io(dir))?;
    Ok(Active::new(path, header, file, BLOCK_BYTES, chain))
}

/// What was read may so far only be in the system's memory; nobody may act on it before it is on the
/// disk.
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

/// Takes over a file of full length that was being prepared before; removes the others.
fn adopt(vfs: &dyn Vfs, dir: &Path, segment_bytes: u64) -> Result<Next> {
    let mut adopted = None;
    for name in vfs.list(dir).map_err(Error::io(dir))? {
        let path = dir.join(&name);
        if adopted.is_some() || !is_temporary(&name) {
            continue;
        }
        let file = vfs.open_read(&path).map_err(Error::io(&path))?;
        if file.len().map_err(Error::io(&path))? == segment_bytes {
            vfs.sync_file(&path).map_err(Error::io(&path))?;
            adopted = Some(path);
        }
    }
    remove_temporaries(vfs, dir, adopted.as_deref())?;
    Ok(match adopted {
        None => Next::Nothing,
        Some(path) => Next::Ready(ReadyFile { path, recycled: true }),
    })
}

fn remove_temporaries(vfs: &dyn Vfs, dir: &Path, except: Option<&Path>) -> Result<()> {
    for name in vfs.list(dir).map_err(Error::io(dir))? {
        let path = dir.join(&name);
        if is_temporary(&name) && Some(path.as_path()) != except {
            vfs.remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}
