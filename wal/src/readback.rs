//! Reads durable entries back by index, while the log goes on.
//!
//! 1. The [`Index`] names the stretch of a segment in which the entry lies, under a lock that the
//!    log takes for a moment when a group has become durable.
//! 2. The stretch is read and checked group by group, without the lock: segment number, salt,
//!    offset, checksum, chain. Nothing behind the last durable group is ever read, so a group that
//!    is being written isn't seen; what is durable never changes where it is.
//! 3. What doesn't check is damage, unless the index has forgotten the segment meanwhile: the log
//!    forgets a segment before it touches the file.
//!
//! A reader remembers where it stopped, with the open file and a window of the last megabyte: so
//! reading in sequence, in pieces of any size, is one pass. Segments from before the start that
//! nobody has asked for aren't indexed; they are when somebody does, newest first, one read of the
//! whole segment each. Whatever is wrong with one of these ends what is available, and is no error:
//! the log is complete without them. What it was can be asked for: [`Log::take_unusable`].
//!
//! [`Log::take_unusable`]: crate::Log::take_unusable
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::error::{Error, Result};
use crate::index::{Index, Located, Stretch};
use crate::limits::{WINDOW_BYTES, WINDOW_BYTES_MIN};
use crate::reader::{SegmentReader, Walked};
use crate::record::{Record, RecordHead, RecordHeads, Records};
use crate::recovery::index_older;
use crate::types::LogEntry;
use bytes::Bytes;
use parking_lot::Mutex;
use retcd_vfs::Vfs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the log and its readers share.
pub(crate) struct Shared {
    vfs: Arc<dyn Vfs>,
    dir: PathBuf,
    pub(crate) index: Mutex<Index>,
    /// What was wrong with a segment from before the start.
    pub(crate) unusable: Mutex<Option<Error>>,
}

impl Shared {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, dir: &Path, index: Index) -> Shared {
        let (index, unusable) = (Mutex::new(index), Mutex::default());
        Shared { vfs, dir: dir.to_owned(), index, unusable }
    }
}

/// Reads a log's durable entries by index. It goes on to work when the log is closed.
///
/// Each reader holds one open file and up to 1 MiB of it (more, up to 8 MiB, where a group is
/// larger). A clone starts without these. After an error of the file system, or damage, a reader is
/// poisoned: it fails from then on.
pub struct LogReader {
    shared: Arc<Shared>,
    cursor: Mutex<Cursor>,
}

impl Clone for LogReader {
    fn clone(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

impl LogReader {
    pub(crate) fn new(shared: Arc<Shared>) -> LogReader {
        LogReader { shared, cursor: Mutex::default() }
    }

    /// The lowest index that the log may have, one above the last if it has none. It rises when
    /// segments are let go, or when an older one turns out to be of no use.
    pub fn first_index(&self) -> u64 {
        self.shared.index.lock().first_index()
    }

    /// Index of the last durable entry, or of what is before the first one.
    pub fn last_index(&self) -> u64 {
        self.shared.index.lock().last().index
    }

    /// The durable entries from index `from` up to `to`, exclusive, or the first few of them: at
    /// least one if there is one, and no more than `bytes_max` bytes otherwise, where an entry
    /// counts 24 more than its payload. Entries that were replaced don't come. None at all if
    /// `from` is above the last durable index.
    ///
    /// Fewer may also come if entries are replaced while this reads: what comes was in the log at
    /// one time.
    ///
    /// # Errors
    ///
    /// [`Error::NotInLog`] if `from` is below what the log has. [`Error::Damaged`] with the place.
    pub fn entries(&self, from: u64, to: u64, bytes_max: u64) -> Result<Vec<LogEntry>> {
        let mut wanted = Wanted { next: from, to, bytes_left: bytes_max, entries: Vec::new() };
        let mut cursor = self.cursor.lock();
        let result = cursor.read(&self.shared, &mut wanted);
        cursor.is_poisoned |= !matches!(result, Ok(()) | Err(Error::NotInLog { .. }));
        match result {
            // The rest was let go meanwhile.
            Err(Error::NotInLog { .. }) if !wanted.entries.is_empty() => Ok(wanted.entries),
            result => result.map(|()| wanted.entries),
        }
    }

    /// The term of the entry at `index`, or of the one before [`LogReader::first_index`].
    ///
    /// # Errors
    ///
    /// As [`LogReader::entries`], and [`Error::NotInLog`] above the last durable index.
    pub fn term(&self, index: u64) -> Result<u64> {
        let known = || self.shared.index.lock().term(index);
        if let Some(term) = known() {
            return Ok(term);
        }
        match self.entries(index, index.saturating_add(1), 0) {
            Ok(entries) => entries.first().map(|entry| entry.term).ok_or(Error::NotInLog { index }),
            // The oldest segment, which is indexed now, says what comes before its first entry.
            Err(Error::NotInLog { .. }) => known().ok_or(Error::NotInLog { index }),
            Err(error) => Err(error),
        }
    }
}

/// Where the entry at `index` is; `None` if it is above the end.
fn locate(shared: &Shared, index: u64) -> Result<Option<Stretch>> {
    loop {
        let located = shared.index.lock().locate(index);
        match located {
            Located::Here(stretch) => return Ok(Some(stretch)),
            Located::AboveEnd => return Ok(None),
            Located::Before if index_another(shared) => {}
            Located::Before => return Err(Error::NotInLog { index }),
        }
    }
}

/// Indexes the newest segment that isn't indexed; says whether there was one. The file is read
/// without the lock.
fn index_another(shared: &Shared) -> bool {
    let older = shared.index.lock().newest_older();
    let Some((name, next)) = older else {
        return false;
    };
    let (found, wrong) = match index_older(&*shared.vfs, &shared.dir, name, &next) {
        Ok(found) => (Some(found), None),
        Err(wrong) => (None, Some(wrong)),
    };
    // What is wrong with a segment that was let go meanwhile says nothing.
    if shared.index.lock().prepend(name, found) && wrong.is_some() {
        *shared.unusable.lock() = wrong;
    }
    true
}

/// What a reader keeps from one call to the next.
#[derive(Default)]
struct Cursor {
    /// The segment that was read last.
    reader: Option<SegmentReader>,
    /// Where to go on in it.
    resume: Option<Resume>,
    is_poisoned: bool,
}

/// A group before which there are only entries below `index`, as far as they count.
#[derive(Clone, Copy)]
struct Resume {
    index: u64,
    offset: u64,
    chain: u32,
}

impl Cursor {
    fn read(&mut self, shared: &Shared, wanted: &mut Wanted) -> Result<()> {
        if self.is_poisoned {
            return Err(Error::Poisoned);
        }
        let mut replacements = None;
        let mut goes_on = true;
        while goes_on && wanted.next < wanted.to {
            let index = wanted.next;
            let Some(stretch) = locate(shared, index)? else {
                break;
            };
            if *replacements.get_or_insert(stretch.replacements) != stretch.replacements {
                break;
            }
            goes_on = self.read_stretch(shared, &stretch, wanted).map_err(|error| {
                (self.reader, self.resume) = (None, None);
                // What went wrong with a segment that was let go meanwhile says nothing.
                match shared.index.lock().has_segment(stretch.segment.segment) {
                    true => error,
                    false => Error::NotInLog { index },
                }
            })?;
        }
        if let Some(reader) = &mut self.reader {
            reader.window().shrink();
        }
        Ok(())
    }

    /// Reads what is wanted of one stretch; says whether there may be more of it in the next one.
    fn read_stretch(
        &mut self,
        shared: &Shared,
        stretch: &Stretch,
        wanted: &mut Wanted,
    ) -> Result<bool> {
        let start = self.start(stretch, wanted.next);
        let reader = self.reader_of(shared, stretch)?;
        let ahead = wanted.bytes_left.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES);
        reader.window().set_reach(stretch.durable_end, ahead);
        reader.seek(start.offset, start.chain);
        let end = wanted.to.min(stretch.bound);
        loop {
            let before =
                Resume { index: wanted.next, offset: reader.offset(), chain: reader.chain() };
            let damaged = |path: &Path, reason| Error::damaged(path, before.offset, reason);
            if before.offset >= stretch.end {
                return Err(damaged(reader.path(), "the entries that were here are missing"));
            }
            let taken = match reader.walk()? {
                Walked::End(_) => Err("what was made durable here isn't here any more"),
                Walked::Group { header, .. } if header.last_index < wanted.next => continue,
                Walked::Group { payload, .. } => wanted.take(&payload, end),
            };
            let is_used_up = taken.map_err(|reason| damaged(reader.path(), reason))?;
            if !is_used_up || wanted.next >= end {
                let behind =
                    Resume { index: wanted.next, offset: reader.offset(), chain: reader.chain() };
                self.resume = Some(if is_used_up { behind } else { before });
                return Ok(wanted.next >= end);
            }
        }
    }

    /// Where to begin in a stretch: at its start, or where the last call stopped in it.
    fn start(&self, stretch: &Stretch, index: u64) -> Resume {
        let Stretch { offset, chain, .. } = *stretch;
        let is_in_segment = |reader: &SegmentReader| *reader.header() == stretch.segment;
        self.resume
            .filter(|_| self.reader.as_ref().is_some_and(is_in_segment))
            .filter(|resume| (offset..stretch.end).contains(&resume.offset))
            .filter(|resume| resume.index <= index)
            .unwrap_or(Resume { index, offset, chain })
    }

    fn reader_of(&mut self, shared: &Shared, stretch: &Stretch) -> Result<&mut SegmentReader> {
        let held = self.reader.take().filter(|reader| *reader.header() == stretch.segment);
        let reader = match held {
            Some(reader) => reader,
            None => {
                let path = shared.dir.join(stretch.segment.name().to_string());
                SegmentReader::reopen(&*shared.vfs, path, stretch.segment)?
            }
        };
        Ok(self.reader.insert(reader))
    }
}

/// What is asked for and what was found of it.
struct Wanted {
    next: u64,
    to: u64,
    bytes_left: u64,
    entries: Vec<LogEntry>,
}

impl Wanted {
    /// Takes what is wanted of a group, below index `end`. Says whether the group has no more.
    fn take(&mut self, payload: &[u8], end: u64) -> std::result::Result<bool, &'static str> {
        let (mut start, mut bytes, mut count) = (0_usize, 0_usize, 0_usize);
        let mut is_used_up = true;
        for record in RecordHeads::new(payload) {
            let (head, record) = record?;
            match head {
                RecordHead::Entry { index, .. } if index >= self.next => {
                    let record_bytes = record.len() as u64;
                    let is_first = self.entries.is_empty() && bytes == 0;
                    if index >= end || !(is_first || record_bytes <= self.bytes_left) {
                        is_used_up = false;
                        break;
                    }
                    if index != self.next {
                        return Err("an entry doesn't follow the one before");
                    }
                    self.next = self.next.saturating_add(1);
                    self.bytes_left = self.bytes_left.saturating_sub(record_bytes);
                    bytes = bytes.saturating_add(record.len());
                    count = count.saturating_add(1);
                }
                _ if bytes == 0 => start = start.saturating_add(record.len()),
                // A hard state ends a group.
                _ => {}
            }
        }
        // One allocation for a group: its entries are used, and given up, together.
        let taken = payload.get(start..start.saturating_add(bytes)).unwrap_or_default();
        self.entries.reserve(count);
        for record in Records::new(Bytes::copy_from_slice(taken)) {
            if let Record::Entry(entry) = record? {
                self.entries.push(entry);
            }
        }
        Ok(is_used_up)
    }
}
