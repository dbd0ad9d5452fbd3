//! Where in the log an entry lies: a sparse index in memory.
//!
//! A *mark* names the group in which some index is first found. There is one for about every 64 KiB
//! of log, one at the first group with entries of each segment, and one at each group that replaces
//! entries; marks at or above what is replaced go. So marks ascend by index and by place, and this
//! holds: between a mark and its successor, in one segment, entries ascend without a gap from the
//! mark's index up to the successor's, which is where the successor takes over. What lies before
//! the successor's place at or above its index was replaced and never counts.
//!
//! Memory: a mark takes 40 bytes, so 0.06 % of the log, 40 KiB for a segment of 64 MiB. Only a log
//! in which every group replaces entries has more, one for each block of 4 KiB.
//!
//! Only durable groups are in here. Nothing in here reads files; see [`crate::LogReader`].

use crate::limits::{BLOCK_BYTES, MARK_SPACING_BYTES};
use crate::segment::{SegmentHeader, SegmentName};
use crate::types::{LogEntry, SnapshotMark};
use std::collections::VecDeque;

/// A durable group, as the index sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durable {
    /// Where it starts in the newest segment, in bytes.
    pub(crate) offset: u64,
    /// Where it ends there, padding included.
    pub(crate) end: u64,
    /// Checksum of the group before, or of the segment's header.
    pub(crate) chain: u32,
    /// A snapshot mark in it.
    pub(crate) snapshot: Option<SnapshotMark>,
    /// The entries in it.
    pub(crate) entries: Option<Span>,
}

/// Entries without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    first: SnapshotMark,
    last: SnapshotMark,
    has_one_term: bool,
}

impl Span {
    /// One entry.
    pub(crate) fn new(index: u64, term: u64) -> Span {
        let entry = SnapshotMark { index, term };
        Span { first: entry, last: entry, has_one_term: true }
    }

    /// The span with one more entry; `None` if that leaves a gap.
    pub(crate) fn and(self, index: u64, term: u64) -> Option<Span> {
        let last = SnapshotMark { index, term };
        let has_one_term = self.has_one_term && term == self.first.term;
        (self.last.index.checked_add(1) == Some(index)).then_some(Span {
            last,
            has_one_term,
            ..self
        })
    }

    /// The span of entries without a gap; `None` if there are none.
    pub(crate) fn of(entries: &[LogEntry]) -> Option<Span> {
        let position = |entry: &LogEntry| SnapshotMark { index: entry.index, term: entry.term };
        let first = position(entries.first()?);
        let has_one_term = entries.iter().all(|entry| entry.term == first.term);
        Some(Span { first, last: position(entries.last()?), has_one_term })
    }
}

/// The group from which on an index is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// Index and term of the first entry in the group.
    first: SnapshotMark,
    segment: u64,
    offset: u64,
    /// Checksum of what is before the group.
    chain: u32,
    /// Whether all entries up to the next mark have the first one's term.
    has_one_term: bool,
}

const _: () = assert!(std::mem::size_of::<Mark>() == 40);

/// A segment whose groups are indexed.
#[derive(Clone, Copy, Debug)]
struct Indexed {
    header: SegmentHeader,
    /// Where its durable groups end, in bytes.
    end: u64,
}

/// A stretch of one segment in which indexes ascend without a gap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) segment: SegmentHeader,
    /// Where its first group starts, in bytes, and the checksum of what is before that.
    pub(crate) offset: u64,
    pub(crate) chain: u32,
    /// Where it ends, in bytes.
    pub(crate) end: u64,
    /// What is in the segment before this is durable, in bytes.
    pub(crate) durable_end: u64,
    /// Entries at this index and above don't count here.
    pub(crate) bound: u64,
    /// [`Index::replacements`] when this was looked up.
    pub(crate) replacements: u64,
}

/// What an index that was asked for turned out to be.
#[derive(Debug)]
pub(crate) enum Located {
    /// It is in this stretch.
    Here(Stretch),
    /// No durable entry has it yet.
    AboveEnd,
    /// It is before what is indexed.
    Before,
}

/// The sparse index of the log's durable groups.
#[derive(Debug)]
pub(crate) struct Index {
    /// Older segments that nobody has asked for yet, oldest first.
    older: VecDeque<SegmentName>,
    /// The others, oldest first, without a gap in their numbers.
    segments: VecDeque<Indexed>,
    marks: VecDeque<Mark>,
    /// The newest snapshot mark.
    snapshot: SnapshotMark,
    /// What comes before the first entry in `segments`, unless there is a mark for it.
    before: SnapshotMark,
    /// The lowest index that the log may have; never descends but for a snapshot mark.
    first: u64,
    last: SnapshotMark,
    /// How often entries were replaced or given up.
    replacements: u64,
}

impl Index {
    /// The index of a log that is read or written from the segment with this header on. `older` are
    /// all segments before it, oldest first.
    pub(crate) fn new(header: SegmentHeader, older: &[SegmentName]) -> Index {
        let numbers = older.iter().rev().zip((0..header.segment).rev());
        let consecutive = numbers.take_while(|(name, number)| name.segment == *number).count();
        let older: VecDeque<_> = older[older.len() - consecutive..].iter().copied().collect();
        let mut index = Index {
            older,
            segments: VecDeque::new(),
            marks: VecDeque::new(),
            snapshot: header.state.snapshot,
            before: header.state.position(),
            first: 0,
            last: header.state.position(),
            replacements: 0,
        };
        index.begin_segment(header);
        index.note_oldest();
        index
    }

    /// Goes on in a new segment. Makes room for its marks, so that groups need none.
    pub(crate) fn begin_segment(&mut self, header: SegmentHeader) {
        let marks = header.segment_bytes / MARK_SPACING_BYTES + 1;
        self.marks.reserve(usize::try_from(marks).unwrap_or_default());
        self.segments.push_back(Indexed { header, end: BLOCK_BYTES });
    }

    /// Takes in the next group, which is durable.
    pub(crate) fn add(&mut self, group: &Durable) {
        let segment = self.segments.back_mut().expect("a group lies in a segment that was begun");
        segment.end = group.end;
        let segment = segment.header.segment;
        if let Some(mark) = group.snapshot {
            self.restart(mark);
        }
        let Some(span) = group.entries else { return };
        let replaces = span.first.index <= self.last.index;
        if replaces {
            self.replacements += 1;
            while self.marks.back().is_some_and(|mark| mark.first.index >= span.first.index) {
                self.marks.pop_back();
            }
        }
        self.last = span.last;
        let is_near = |mark: &Mark| {
            mark.segment == segment && group.offset - mark.offset < MARK_SPACING_BYTES
        };
        match self.marks.back_mut().filter(|mark| !replaces && is_near(mark)) {
            Some(near) => {
                near.has_one_term &= span.has_one_term && span.first.term == near.first.term;
            }
            None => self.marks.push_back(Mark {
                first: span.first,
                segment,
                offset: group.offset,
                chain: group.chain,
                has_one_term: span.has_one_term,
            }),
        }
    }

    /// Restarts behind a snapshot: nothing before it counts.
    fn restart(&mut self, mark: SnapshotMark) {
        self.replacements += 1;
        self.older.clear();
        self.marks.clear();
        (self.snapshot, self.before, self.last) = (mark, mark, mark);
        self.first = mark.index.saturating_add(1);
    }

    /// Forgets the oldest segment, whose file is about to go.
    pub(crate) fn forget(&mut self, oldest: SegmentName) {
        if self.older.front() == Some(&oldest) {
            self.older.pop_front();
        } else if self.segments.len() > 1
            && self.segments.front().is_some_and(|s| s.header.name() == oldest)
        {
            self.segments.pop_front();
            while self.marks.front().is_some_and(|mark| mark.segment == oldest.segment) {
                self.marks.pop_front();
            }
        }
        self.note_oldest();
    }

    /// Takes in what was found in the newest of the older segments, or that nothing of use was.
    /// Ignored, with `false`, if somebody else was faster or the segment was let go.
    pub(crate) fn prepend(&mut self, name: SegmentName, found: Option<Index>) -> bool {
        if self.older.back() != Some(&name) {
            return false;
        }
        self.older.pop_back();
        match found {
            None => self.older.clear(),
            Some(found) => {
                let reach = self.first_indexed();
                let counts = found.marks.iter().rev().filter(|mark| mark.first.index < reach);
                counts.for_each(|mark| self.marks.push_front(*mark));
                let header = *found.oldest_indexed();
                self.segments.push_front(Indexed { header, end: found.end() });
                // What is older than the newest snapshot mark doesn't count.
                if !self.begins_behind_mark(&header) {
                    self.older.clear();
                }
            }
        }
        self.note_oldest();
        true
    }

    /// Works out what the log begins with. A segment has everything from its first index on, but
    /// what is replaced may lie before it: so the lowest first index decides, and among equals the
    /// newest, which knows the term of what comes before.
    fn note_oldest(&mut self) {
        let behind_mark = |indexed: &Indexed| self.begins_behind_mark(&indexed.header);
        self.before = match self.segments.iter().all(behind_mark) {
            false => self.snapshot,
            true => {
                let begins = self.segments.iter().rev().map(|s| s.header.state.position());
                begins.min_by_key(|begin| begin.index).expect("the newest segment is there")
            }
        };
        let indexed = self.before.index.saturating_add(1);
        let named = self.older.iter().map(|name| name.first_index).min();
        // Entries up to the newest snapshot mark went with it.
        let named = named.map(|first| first.max(self.snapshot.index.saturating_add(1)));
        self.first = self.first.max(named.map_or(indexed, |named| named.min(indexed)));
    }

    /// Whether a segment was begun when the newest snapshot mark was in the log.
    fn begins_behind_mark(&self, header: &SegmentHeader) -> bool {
        header.state.snapshot == self.snapshot
    }

    /// Where the entry at `index` is.
    pub(crate) fn locate(&self, index: u64) -> Located {
        if index > self.last.index {
            return Located::AboveEnd;
        }
        let after = self.marks.partition_point(|mark| mark.first.index <= index);
        let Some(mark) = after.checked_sub(1).and_then(|at| self.marks.get(at)) else {
            return Located::Before;
        };
        let position = mark.segment - self.oldest_indexed().segment;
        let segment = self.segments[usize::try_from(position).expect("segments are held")];
        let next = self.marks.get(after);
        let next_here = next.filter(|next| next.segment == mark.segment);
        Located::Here(Stretch {
            segment: segment.header,
            offset: mark.offset,
            chain: mark.chain,
            end: next_here.map_or(segment.end, |next| next.offset),
            durable_end: segment.end,
            bound: next.map_or(self.last.index.saturating_add(1), |next| next.first.index),
            replacements: self.replacements,
        })
    }

    /// The newest segment that isn't indexed, and the header of the one behind it.
    pub(crate) fn newest_older(&self) -> Option<(SegmentName, SegmentHeader)> {
        self.older.back().map(|name| (*name, *self.oldest_indexed()))
    }

    /// The term of the entry at `index`, or of the one before the first, if it is known.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == self.last.index {
            return Some(self.last.term);
        }
        let after = self.marks.partition_point(|mark| mark.first.index <= index);
        match after.checked_sub(1).and_then(|at| self.marks.get(at)) {
            Some(mark) if mark.has_one_term && index < self.last.index => Some(mark.first.term),
            Some(_) => None,
            None => (index == self.before.index).then_some(self.before.term),
        }
    }

    /// The lowest index that the log may have.
    pub(crate) fn first_index(&self) -> u64 {
        self.first
    }

    /// Index and term of the last durable entry, or of what is before the first one.
    pub(crate) fn last(&self) -> SnapshotMark {
        self.last
    }

    /// Whether the groups of an indexed segment can still be asked for.
    pub(crate) fn has_segment(&self, segment: u64) -> bool {
        self.oldest_indexed().segment <= segment
    }

    /// The lowest index that needs no older segment.
    fn first_indexed(&self) -> u64 {
        self.marks.front().map_or(self.last.index.saturating_add(1), |mark| mark.first.index)
    }

    fn oldest_indexed(&self) -> &SegmentHeader {
        &self.segments.front().expect("the newest segment is never forgotten").header
    }

    /// Where the newest segment's groups end, in bytes.
    pub(crate) fn end(&self) -> u64 {
        self.segments.back().expect("the newest segment is never forgotten").end
    }
}
