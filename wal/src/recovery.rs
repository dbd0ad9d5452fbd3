//! Finds the end of the log after a stop or a crash, and refuses a log that has lost something.
//!
//! 1. The newest segment is left out if its header was never finished and it holds no group.
//! 2. Reading starts at the newest segment whose first index is at most flushed + 1. Everything
//!    older is summed up in its header; older files are ignored, whatever state they are in.
//! 3. From there on the numbers of the segments have no gap. In each but the last, groups are read
//!    up to the end that the next header names, and the chain must agree there.
//! 4. In the last one the chain ends somewhere. What lies behind decides (see [`Verdict`]): nothing
//!    that says it was built after that place was durable, or the log is refused.
//! 5. If the engine has gone past the log by switching to a snapshot, the log restarts there.
//!
//! Entries aren't kept: each is checked, told to whoever wants to see it, and put into the sparse
//! [`Index`] by its group. What is in memory at a time is a window on the segment that is read.
//!
//! What can't be told from a torn tail: damage to the last groups, as many as may be under way at
//! once, when no later group claims that they were durable.

use crate::error::{Error, Result};
use crate::group::GroupHeader;
use crate::index::{Durable, Index, Span};
use crate::reader::{Behind, SegmentReader, Walked, holds_groups, segments};
use crate::record::{RecordHead, RecordHeads};
use crate::segment::{Cut, CutReason, HeaderFault, SegmentHeader, SegmentName};
use crate::types::{Flushed, Identity, LogState, Seen, SnapshotMark};
use retcd_vfs::Vfs;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How the log ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With the final group of a clean stop.
    Closed,
    /// Behind a whole group, without a final one: the member was stopped while nothing was under
    /// way, or what was under way has left no trace that could be mistaken for a group.
    Unmarked,
    /// With a group that hadn't reached the disk as a whole. The log was cut there.
    TornTail {
        /// The segment.
        path: PathBuf,
        /// Where it was cut, in bytes.
        offset: u64,
    },
    /// With a group missing before later ones, none of which was acknowledged. The log was cut
    /// there.
    Hole {
        /// The segment.
        path: PathBuf,
        /// Where it was cut, in bytes.
        offset: u64,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Closed => f.write_str("a log that was closed"),
            Verdict::Unmarked => f.write_str("a whole log that wasn't closed"),
            Verdict::TornTail { path, offset } => {
                write!(f, "a torn tail, cut at offset {offset} of {}", path.display())
            }
            Verdict::Hole { path, offset } => {
                write!(f, "groups behind a gap, cut at offset {offset} of {}", path.display())
            }
        }
    }
}

/// What was found in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Who wrote the log.
    pub identity: Identity,
    /// Last index and term, hard state, newest snapshot mark.
    pub state: LogState,
    /// Indexes of the entries above the flushed one.
    pub unflushed: Range<u64>,
    /// How the log ended.
    pub verdict: Verdict,
    /// Bytes of unfinished groups that were given up, an estimate for people.
    pub truncated_bytes: u64,
    /// Whether the engine had gone past the log, or away from it, by switching to a snapshot: the
    /// log was restarted behind the flushed index, and entries that contradicted it were dropped.
    pub restarted: bool,
    /// A newest segment that was never finished, and has been removed.
    pub discarded: Option<PathBuf>,
}

/// Where the log goes on.
pub(crate) struct Tail {
    /// The last segment's reader, at the end of the chain.
    pub(crate) reader: SegmentReader,
    /// Where the entries are that were read.
    pub(crate) index: Index,
    /// Every segment that exists, oldest first, the last one included.
    pub(crate) segments: Vec<SegmentName>,
    /// Of these, the first that was read.
    pub(crate) first_read: usize,
    /// Whether the last group is a final one.
    pub(crate) is_final: bool,
    /// What the next segment's header has to say, if the log was cut.
    pub(crate) cut: Option<Cut>,
}

/// Reads the log in `dir`, and tells `seen` what it sees. Changes nothing.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    flushed: Flushed,
    seen: &mut dyn FnMut(Seen),
) -> Result<(Recovery, Tail)> {
    let (names, discarded) = usable_segments(vfs, dir)?;
    let first_read = start(&names, flushed).ok_or_else(|| {
        let oldest = names.first().map_or(0, |name| name.segment);
        let reason = "the log begins behind what the engine has flushed";
        Error::missing(dir, oldest, reason)
    })?;
    let (older, read) = names.split_at(first_read);
    let mut sequence = Sequence { vfs, dir, names: read.iter(), before: None };
    let first = sequence.next().expect("reading starts at a segment")?;
    let header = *first.header();
    let mut replay = Replay {
        flushed,
        term_at_flushed: None,
        state: header.state,
        index: Index::new(header, older),
        has_told: false,
        seen,
    };
    replay.note_position();
    let (last, is_final) = replay.read_all(first, sequence)?;
    let (recovery, tail) = replay.judge(header.identity, last, is_final)?;
    Ok((Recovery { discarded, ..recovery }, Tail { segments: names, first_read, ..tail }))
}

/// Indexes a segment from before the one at which reading started. `next` is the header of the one
/// behind it.
///
/// # Errors
///
/// Whatever is wrong with it: also that it isn't of this log.
pub(crate) fn index_older(
    vfs: &dyn Vfs,
    dir: &Path,
    name: SegmentName,
    next: &SegmentHeader,
) -> Result<Index> {
    let path = dir.join(name.to_string());
    let mut reader = SegmentReader::open(vfs, &path)?;
    let header = *reader.header();
    if header.name() != name || header.identity != next.identity {
        return Err(Error::damaged(&path, 0, NOT_THIS_FILES));
    }
    let mut replay = Replay {
        // The engine has everything that is in there.
        flushed: Flushed { index: u64::MAX, term: 0 },
        term_at_flushed: None,
        state: header.state,
        index: Index::new(header, &[]),
        has_told: false,
        seen: &mut |_| {},
    };
    replay.read_segment(&mut reader, Some(next.previous_end))?;
    let leads_on = (reader.offset(), reader.chain()) == (next.previous_end, next.previous_chain)
        && replay.state == next.state;
    match leads_on {
        true => Ok(replay.index),
        false => Err(Error::damaged(&path, reader.offset(), NOT_LED_ON)),
    }
}

/// Who wrote the log in `dir`; `None` if there is no log.
pub(crate) fn read_identity(vfs: &dyn Vfs, dir: &Path) -> Result<Option<Identity>> {
    if !vfs.exists(dir).map_err(Error::io(dir))? || segments(vfs, dir)?.is_empty() {
        return Ok(None);
    }
    let (names, _) = usable_segments(vfs, dir)?;
    let newest = names.last().expect("at least one segment is usable");
    let reader = SegmentReader::open(vfs, &dir.join(newest.to_string()))?;
    Ok(Some(reader.header().identity))
}

/// The segments without a newest one that was never finished, and that one's path.
fn usable_segments(vfs: &dyn Vfs, dir: &Path) -> Result<(Vec<SegmentName>, Option<PathBuf>)> {
    if !vfs.exists(dir).map_err(Error::io(dir))? {
        return Err(Error::NoLog { dir: dir.to_owned() });
    }
    let mut names = segments(vfs, dir)?;
    let Some(newest) = names.last().copied() else {
        return Err(Error::NoLog { dir: dir.to_owned() });
    };
    let path = dir.join(newest.to_string());
    match SegmentReader::open_or_fault(vfs, &path)? {
        Ok(_) => Ok((names, None)),
        Err(HeaderFault::Version(found)) => Err(Error::Version { path, found }),
        Err(HeaderFault::Damaged(reason)) => {
            // A header is durable before its file gets its name, so a group behind a bad one means
            // that the header went bad later.
            if names.len() == 1 || holds_groups(vfs, &path, newest.segment)? {
                return Err(Error::damaged(&path, 0, reason));
            }
            names.pop();
            Ok((names, Some(path)))
        }
    }
}

/// Where reading starts: the newest segment that everything flushed lies before or reaches into.
pub(crate) fn start(names: &[SegmentName], flushed: Flushed) -> Option<usize> {
    let reach = flushed.index.saturating_add(1);
    names.iter().rposition(|name| name.first_index <= reach)
}

const GAP: &str = "an entry doesn't follow the one before";
const NOT_THIS_FILES: &str = "the header isn't this file's";
const NOT_LED_ON: &str = "the next segment was begun behind groups that aren't here any more";

/// Opens one segment after the other.
struct Sequence<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    names: std::slice::Iter<'a, SegmentName>,
    before: Option<SegmentHeader>,
}

impl Iterator for Sequence<'_> {
    type Item = Result<SegmentReader>;

    fn next(&mut self) -> Option<Self::Item> {
        self.names.next().map(|name| self.open(*name))
    }
}

impl Sequence<'_> {
    fn open(&mut self, name: SegmentName) -> Result<SegmentReader> {
        let path = self.dir.join(name.to_string());
        let reader = SegmentReader::open(self.vfs, &path)?;
        let header = *reader.header();
        if header.name() != name {
            return Err(Error::damaged(&path, 0, NOT_THIS_FILES));
        }
        if let Some(before) = self.before.replace(header) {
            if header.identity != before.identity {
                return Err(Error::Foreign {
                    path,
                    expected: before.identity,
                    found: header.identity,
                });
            }
            if before.segment.checked_add(1) != Some(header.segment) {
                let reason = "the segments before it are missing";
                return Err(Error::missing(self.dir, header.segment, reason));
            }
        }
        Ok(reader)
    }
}

/// The log as it is read, group by group.
struct Replay<'a> {
    flushed: Flushed,
    /// The term of the entry at the flushed index, once the log has one.
    term_at_flushed: Option<u64>,
    state: LogState,
    index: Index,
    /// Whether `seen` knows of entries.
    has_told: bool,
    seen: &'a mut dyn FnMut(Seen),
}

impl Replay<'_> {
    /// Reads all segments; returns the last one's reader and whether its last group is a final one.
    fn read_all(
        &mut self,
        first: SegmentReader,
        mut sequence: Sequence<'_>,
    ) -> Result<(SegmentReader, bool)> {
        let mut reader = first;
        loop {
            let next = sequence.next().transpose()?;
            let bound = next.as_ref().map(SegmentReader::header);
            let is_final = self.read_segment(&mut reader, bound.map(|next| next.previous_end))?;
            let Some(next) = next else {
                return Ok((reader, is_final));
            };
            let header = *next.header();
            if (reader.offset(), reader.chain()) != (header.previous_end, header.previous_chain) {
                return Err(Error::damaged(reader.path(), reader.offset(), NOT_LED_ON));
            }
            self.index.begin_segment(header);
            reader = next;
        }
    }

    /// Reads the groups of one segment, up to `end` if there is one.
    fn read_segment(&mut self, reader: &mut SegmentReader, end: Option<u64>) -> Result<bool> {
        let mut is_final = false;
        while end.is_none_or(|end| reader.offset() < end) {
            let (offset, chain) = (reader.offset(), reader.chain());
            let Walked::Group { header, payload, end } = reader.walk()? else {
                break;
            };
            is_final = header.is_final;
            let applied = self.apply(&header, &payload);
            let (snapshot, entries) =
                applied.map_err(|reason| Error::damaged(reader.path(), offset, reason))?;
            self.index.add(&Durable { offset, end, chain, snapshot, entries });
        }
        Ok(is_final)
    }

    /// Follows what a group does; says what doesn't hold if it can't be.
    fn apply(
        &mut self,
        header: &GroupHeader,
        payload: &[u8],
    ) -> std::result::Result<(Option<SnapshotMark>, Option<Span>), &'static str> {
        let (mut records, mut snapshot, mut span) = (0, None, None);
        for record in RecordHeads::new(payload) {
            records += 1;
            match record?.0 {
                RecordHead::Entry { index: u64::MAX, .. } => {
                    return Err("an entry has the last index there is: none could follow");
                }
                RecordHead::Entry { index, term, kind } => {
                    span = Some(match span {
                        None => self.first_entry(index, term)?,
                        Some(span) => Span::and(span, index, term).ok_or(GAP)?,
                    });
                    self.entry(index, term, kind);
                }
                RecordHead::HardState(hard_state) => self.state.hard_state = hard_state,
                RecordHead::Snapshot(mark) if mark.index > self.flushed.index => {
                    return Err("a snapshot that the engine hasn't got is marked here");
                }
                RecordHead::Snapshot(_) if span.is_some() => {
                    return Err("a snapshot is marked behind entries");
                }
                RecordHead::Snapshot(mark) => {
                    snapshot = Some(mark);
                    self.restart(mark);
                }
            }
        }
        if records != header.records {
            return Err("the group doesn't hold as many records as it says");
        }
        match self.state.last_index == header.last_index {
            true => Ok((snapshot, span)),
            false => Err("the group doesn't end at the index that it says"),
        }
    }

    fn first_entry(&self, index: u64, term: u64) -> std::result::Result<Span, &'static str> {
        match index > 0 && index <= self.state.last_index.saturating_add(1) {
            true => Ok(Span::new(index, term)),
            false => Err(GAP),
        }
    }

    fn entry(&mut self, index: u64, term: u64, kind: u8) {
        (self.state.last_index, self.state.last_term) = (index, term);
        self.note_position();
        if index > self.flushed.index {
            self.has_told = true;
            (self.seen)(Seen::Entry { index, term, kind });
        } else {
            self.tell_restart();
        }
    }

    fn restart(&mut self, mark: SnapshotMark) {
        self.state.restart(mark);
        self.note_position();
        self.tell_restart();
    }

    fn tell_restart(&mut self) {
        if std::mem::take(&mut self.has_told) {
            (self.seen)(Seen::Restart);
        }
    }

    /// Keeps track of the term at the flushed index as the end of the log moves.
    fn note_position(&mut self) {
        if self.state.last_index == self.flushed.index {
            self.term_at_flushed = Some(self.state.last_term);
        } else if self.state.last_index < self.flushed.index {
            self.term_at_flushed = None;
        }
    }

    fn judge(
        mut self,
        identity: Identity,
        mut reader: SegmentReader,
        is_final: bool,
    ) -> Result<(Recovery, Tail)> {
        let offset = reader.offset();
        let cut = self.cut(&mut reader)?;
        let contradicts = self.flushed.index > 0 && self.term_at_flushed != Some(self.flushed.term);
        if contradicts {
            self.restart(SnapshotMark { index: self.flushed.index, term: self.flushed.term });
        }
        let path = reader.path().to_owned();
        let verdict = match cut.map(|cut| cut.reason) {
            Some(CutReason::TornTail) => Verdict::TornTail { path, offset },
            Some(CutReason::Hole) => Verdict::Hole { path, offset },
            None if is_final => Verdict::Closed,
            None => Verdict::Unmarked,
        };
        let recovery = Recovery {
            identity,
            state: self.state,
            unflushed: self.flushed.index.saturating_add(1)
                ..self.state.last_index.max(self.flushed.index).saturating_add(1),
            verdict,
            truncated_bytes: cut.map_or(0, |cut| cut.bytes),
            restarted: contradicts,
            discarded: None,
        };
        let index = self.index;
        let tail = Tail { reader, index, segments: Vec::new(), first_read: 0, is_final, cut };
        Ok((recovery, tail))
    }

    /// Decides whether the log is cut at the end of its chain, or refused.
    fn cut(&self, reader: &mut SegmentReader) -> Result<Option<Cut>> {
        let end = reader.offset();
        let Behind { synced_through, contradicts_chain, written_through } = reader.behind()?;
        if synced_through > Some(end) {
            let reason = "a later group says that what was here had been made durable";
            return Err(Error::damaged(reader.path(), end, reason));
        }
        if contradicts_chain {
            let reason = "the group here says that another one than the one before it was durable";
            return Err(Error::damaged(reader.path(), end, reason));
        }
        let reason = match synced_through {
            Some(_) => CutReason::Hole,
            None if written_through > end => CutReason::TornTail,
            None => return Ok(None),
        };
        // The engine goes past the log only when nothing is under way, and the mark that follows is
        // never torn: what is unfinished below the flushed index had been acknowledged.
        if self.state.last_index < self.flushed.index {
            let reason = "what was here is below the index that the engine has flushed";
            return Err(Error::damaged(reader.path(), end, reason));
        }
        Ok(Some(Cut { reason, bytes: written_through - end }))
    }
}
