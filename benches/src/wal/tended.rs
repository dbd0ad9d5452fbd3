//! A log with what a server does for it: a thread that has the next segment ready, and a purge that
//! lets old segments be used again.

use super::modes::Mode;
use crate::Error;
use bytes::Bytes;
use retcd_vfs::RealVfs;
use retcd_wal::{
    Group, Identity, Log, LogEntry, Options, Preparation, Purge, SnapshotMark, Stats, Step,
};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Who writes the benches' logs.
pub const IDENTITY: Identity = Identity { cluster: 1, member: 2 };

/// So much is written before anything is measured, in segments: from then on files are used again.
const WARM_SEGMENTS: u64 = 3;
/// In so many groups each.
const WARM_GROUPS_PER_SEGMENT: u64 = 16;

/// A log that is looked after.
pub struct Tended {
    log: Log,
    entries: Vec<LogEntry>,
    /// When the groups under way were begun, oldest first.
    begun: VecDeque<Instant>,
    to_thread: Sender<Preparation>,
    from_thread: Receiver<Preparation>,
    is_away: bool,
}

impl Tended {
    /// Creates a log in `folder`, which doesn't exist yet, and writes until its files are recycled.
    pub fn new(folder: &Path, mode: Mode) -> Result<Tended, Error> {
        Tended::with_segments(folder, mode, mode.options().segment_bytes)
    }

    /// The same, with segments of this length.
    pub fn with_segments(folder: &Path, mode: Mode, segment_bytes: u64) -> Result<Tended, Error> {
        let options = Options { segment_bytes, ..mode.options() };
        let start = SnapshotMark::default();
        let log = Log::create(Arc::new(RealVfs), folder, options, IDENTITY, start)?;
        let (to_thread, work) = channel::<Preparation>();
        let (done, from_thread) = channel();
        std::thread::Builder::new().name("segments".into()).spawn(move || {
            for mut preparation in work {
                // A failed preparation is given back too: it poisons the log, which then says so.
                while preparation.step().is_ok_and(|step| step == Step::Worked) {}
                if done.send(preparation).is_err() {
                    return;
                }
            }
        })?;
        let (entries, begun) = (Vec::new(), VecDeque::new());
        let mut tended = Tended { log, entries, begun, to_thread, from_thread, is_away: false };
        tended.warm(&options)?;
        Ok(tended)
    }

    fn warm(&mut self, options: &Options) -> Result<(), Error> {
        let bytes = options.segment_bytes / WARM_GROUPS_PER_SEGMENT;
        let payload = Bytes::from(vec![7; usize::try_from(bytes)?]);
        for _ in 0..WARM_SEGMENTS * WARM_GROUPS_PER_SEGMENT {
            self.append(1, &payload)?;
        }
        Ok(())
    }

    /// Appends `count` equal entries as one group; says how long the log took.
    pub fn append(&mut self, count: usize, payload: &Bytes) -> Result<Duration, Error> {
        self.make_entries(count, payload);
        self.take_segment()?;
        let started_at = Instant::now();
        self.log.append(&Group { entries: &self.entries, ..Group::default() })?;
        let took = started_at.elapsed();
        self.tend()?;
        Ok(took)
    }

    /// Begins to append an entry. If as many groups are under way as may be, waits for the oldest
    /// before, and says how long that one took.
    pub fn begin(&mut self, payload: &Bytes) -> Result<Option<Duration>, Error> {
        let is_full = self.begun.len() == self.log.depth();
        let took = if is_full { self.complete()? } else { None };
        self.make_entries(1, payload);
        self.take_segment()?;
        self.begun.push_back(Instant::now());
        self.log.submit(&Group { entries: &self.entries, ..Group::default() })?;
        self.tend()?;
        Ok(took)
    }

    /// Waits for the oldest group under way; says how long it took, or that there is none.
    pub fn complete(&mut self) -> Result<Option<Duration>, Error> {
        let Some(begun) = self.begun.pop_front() else {
            return Ok(None);
        };
        self.log.complete()?;
        Ok(Some(begun.elapsed()))
    }

    fn make_entries(&mut self, count: usize, payload: &Bytes) {
        let next = self.log.last_index() + 1;
        self.entries.clear();
        self.entries.extend((next..next + count as u64).map(|index| LogEntry {
            index,
            term: 1,
            kind: 0,
            data: payload.clone(),
        }));
    }

    /// Takes the next segment back if the entries need it.
    fn take_segment(&mut self) -> Result<(), Error> {
        let group = Group { entries: &self.entries, ..Group::default() };
        if self.is_away && self.log.begins_segment(&group) {
            self.log.prepared(self.from_thread.recv()?);
            self.is_away = false;
        }
        Ok(())
    }

    /// What is due besides appending; costs nothing when nothing is.
    fn tend(&mut self) -> Result<(), Error> {
        if self.is_away
            && let Ok(preparation) = self.from_thread.try_recv()
        {
            self.log.prepared(preparation);
            self.is_away = false;
        }
        let last = self.log.last_index();
        self.log.purge(Purge { flushed: last, replicated: last, segments_max: 0 })?;
        if !self.is_away
            && let Some(preparation) = self.log.preparation()?
        {
            self.to_thread.send(preparation).map_err(|_| "the segment thread has ended")?;
            self.is_away = true;
        }
        Ok(())
    }

    /// What the log counts.
    pub fn stats(&self) -> Stats {
        self.log.stats()
    }
}
