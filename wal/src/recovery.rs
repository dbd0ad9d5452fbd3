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
//! What can't be told from a torn tail: damage to the last groups, as many as may be under way at
//! once, when no later group claims that they were durable.

use crate::error::{Error, Result};
use crate::options::Options;
use crate::reader::{Behind, Found, ReadGroup, SegmentReader, holds_groups, segments};
use crate::record::{ENTRY_OVERHEAD_BYTES, Record};
use crate::segment::{Cut, CutReason, HeaderFault, SegmentName};
use crate::types::{Flushed, Identity, LogEntry, LogState, SnapshotMark};
use retcd_vfs::Vfs;
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

/// What was found in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Who wrote the log.
    pub identity: Identity,
    /// Last index and term, hard state, newest snapshot mark.
    pub state: LogState,
    /// The entries above the flushed index, in order and without a gap.
    pub entries: Vec<LogEntry>,
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
    /// Every segment that exists, oldest first, the last one included.
    pub(crate) segments: Vec<SegmentName>,
    /// Of these, the first that was read.
    pub(crate) first_read: usize,
    /// Whether the last group is a final one.
    pub(crate) is_final: bool,
    /// What the next segment's header has to say, if the log was cut.
    pub(crate) cut: Option<Cut>,
}

/// Reads the log in `dir`. Changes nothing.
pub(crate) fn recover(
    vfs: &dyn Vfs,
    dir: &Path,
    options: &Options,
    flushed: Flushed,
) -> Result<(Recovery, Tail)> {
    let (names, discarded) = usable_segments(vfs, dir)?;
    let first_read = start(&names, flushed).ok_or_else(|| {
        let oldest = names.first().map_or(0, |name| name.segment);
        let reason = "the log begins behind what the engine has flushed";
        Error::missing(dir, oldest, reason)
    })?;
    let readers = open_in_sequence(vfs, dir, &names[first_read..])?;
    let first = &readers[0];
    let mut replay = Replay {
        flushed,
        limit: options.replay_bytes_max,
        collected_bytes: 0,
        term_at_flushed: None,
        state: first.header().state,
        entries: Vec::new(),
    };
    replay.note_position();
    let identity = first.header().identity;
    let (last, is_final) = replay.read_all(readers)?;
    let (recovery, tail) = replay.judge(identity, last, is_final)?;
    Ok((Recovery { discarded, ..recovery }, Tail { segments: names, first_read, ..tail }))
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

fn open_in_sequence(
    vfs: &dyn Vfs,
    dir: &Path,
    names: &[SegmentName],
) -> Result<Vec<SegmentReader>> {
    let mut readers: Vec<SegmentReader> = Vec::with_capacity(names.len());
    for name in names {
        let path = dir.join(name.to_string());
        let reader = SegmentReader::open(vfs, &path)?;
        let header = reader.header();
        if header.name() != *name {
            return Err(Error::damaged(&path, 0, "the header isn't this file's"));
        }
        if let Some(before) = readers.last().map(SegmentReader::header) {
            if header.identity != before.identity {
                return Err(Error::Foreign {
                    path,
                    expected: before.identity,
                    found: header.identity,
                });
            }
            if before.segment.checked_add(1) != Some(header.segment) {
                let reason = "the segments before it are missing";
                return Err(Error::missing(dir, header.segment, reason));
            }
        }
        readers.push(reader);
    }
    Ok(readers)
}

/// What an entry counts for in the limit of a replay.
fn replay_bytes(entry: &LogEntry) -> u64 {
    (ENTRY_OVERHEAD_BYTES + entry.data.len()) as u64
}

/// The log as it is read, group by group.
struct Replay {
    flushed: Flushed,
    limit: u64,
    collected_bytes: u64,
    /// The term of the entry at the flushed index, once the log has one.
    term_at_flushed: Option<u64>,
    state: LogState,
    /// From flushed + 1 to the last index, or empty.
    entries: Vec<LogEntry>,
}

impl Replay {
    /// Reads all segments; returns the last one's reader and whether its last group is a final one.
    fn read_all(&mut self, readers: Vec<SegmentReader>) -> Result<(SegmentReader, bool)> {
        let mut readers = readers.into_iter().peekable();
        loop {
            let mut reader = readers.next().expect("the last one returns");
            let next = readers.peek().map(SegmentReader::header);
            let bound = next.map(|next| (next.previous_end, next.previous_chain));
            let is_final = self.read_segment(&mut reader, bound.map(|(end, _)| end))?;
            let Some((end, chain)) = bound else {
                return Ok((reader, is_final));
            };
            if reader.offset() != end || reader.chain() != chain {
                let reason = "the next segment was begun behind groups that aren't here any more";
                return Err(Error::damaged(reader.path(), reader.offset(), reason));
            }
        }
    }

    /// Reads the groups of one segment, up to `end` if there is one.
    fn read_segment(&mut self, reader: &mut SegmentReader, end: Option<u64>) -> Result<bool> {
        let mut is_final = false;
        while end.is_none_or(|end| reader.offset() < end) {
            let Found::Group(group) = reader.next_group()? else {
                break;
            };
            is_final = group.header.is_final;
            self.apply(reader.path(), &group)?;
        }
        Ok(is_final)
    }

    fn apply(&mut self, path: &Path, group: &ReadGroup) -> Result<()> {
        let damaged = |reason| Error::damaged(path, group.header.offset, reason);
        let mut records = 0;
        for record in group.records() {
            records += 1;
            match record.map_err(damaged)? {
                Record::Entry(entry) => self.entry(entry, &damaged)?,
                Record::HardState(hard_state) => self.state.hard_state = hard_state,
                Record::Snapshot(mark) if mark.index > self.flushed.index => {
                    return Err(damaged("a snapshot that the engine hasn't got is marked here"));
                }
                Record::Snapshot(mark) => self.restart(mark),
            }
        }
        if records != group.header.records {
            return Err(damaged("the group doesn't hold as many records as it says"));
        }
        match self.state.last_index == group.header.last_index {
            true => Ok(()),
            false => Err(damaged("the group doesn't end at the index that it says")),
        }
    }

    fn entry(&mut self, entry: LogEntry, damaged: &dyn Fn(&'static str) -> Error) -> Result<()> {
        if entry.index == 0 || entry.index > self.state.last_index.saturating_add(1) {
            return Err(damaged("an entry doesn't follow the one before"));
        }
        if entry.index == u64::MAX {
            return Err(damaged("an entry has the last index there is: none could follow"));
        }
        self.state.last_index = entry.index;
        self.state.last_term = entry.term;
        self.note_position();
        let keep = entry.index.saturating_sub(self.flushed.index.saturating_add(1));
        while self.entries.len() as u64 > keep {
            let dropped = self.entries.pop().expect("it isn't empty");
            self.collected_bytes -= replay_bytes(&dropped);
        }
        if entry.index <= self.flushed.index {
            return Ok(());
        }
        self.collected_bytes += replay_bytes(&entry);
        if self.collected_bytes > self.limit {
            return Err(Error::ReplayTooLarge { limit: self.limit });
        }
        self.entries.push(entry);
        Ok(())
    }

    fn restart(&mut self, mark: SnapshotMark) {
        self.state.restart(mark);
        self.entries.clear();
        self.collected_bytes = 0;
        self.note_position();
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
            entries: self.entries,
            verdict,
            truncated_bytes: cut.map_or(0, |cut| cut.bytes),
            restarted: contradicts,
            discarded: None,
        };
        let tail = Tail { reader, segments: Vec::new(), first_read: 0, is_final, cut };
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
