//! The log stage: makes groups durable, one sync for everything that gathered meanwhile.

use super::handle::{Event, Member};
use super::segments::{DiskSpace, Segments, Wait};
use super::stage::{Queue, Worker};
use crate::member::Failure;
use crossbeam_channel::Sender;
use retcd_raft_glue::{AppendGroup, Input};
use retcd_wal::{Group, HardState, Log, LogEntry, Purge};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries' payload above which a group doesn't grow any more.
const GROUP_BYTES_DEFAULT: usize = 4 << 20;

/// Groups after which a log thread that never waits looks after its segments all the same, as it
/// does at each segment's begin. A segment of small groups holds sixteen times as many.
const GROUPS_PER_LOOK: usize = 1024;

/// How long the log's thread waits for work before it looks after its segments.
pub(super) const IDLE: Duration = Duration::from_millis(20);

/// How groups are made.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    /// A group doesn't grow beyond this many payload bytes.
    pub(crate) bytes_max: usize,
    /// How long a group waits for company. Zero: never.
    pub(crate) delay: Duration,
}

impl Default for Grouping {
    fn default() -> Grouping {
        Grouping { bytes_max: GROUP_BYTES_DEFAULT, delay: Duration::ZERO }
    }
}

/// The log stage's possessions.
pub(super) struct Writer {
    pub(super) log: Log,
    pub(super) raft: Sender<Event>,
    pub(super) member: Arc<Member>,
    pub(super) grouping: Grouping,
    /// Segments to keep for members that lag; 0 for no limit.
    pub(super) segments_max: usize,
    pub(super) segments: Segments,
    /// Groups written since the segments were last looked after.
    pub(super) groups_since_look: usize,
}

/// A durable write in the making.
#[derive(Default)]
struct Gathered {
    number: u64,
    entries: Vec<LogEntry>,
    hard_state: Option<HardState>,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, group: AppendGroup) {
        self.number = group.number;
        self.bytes += group.entries.iter().map(|entry| entry.data.len()).sum::<usize>();
        if self.entries.is_empty() {
            self.entries = group.entries;
        } else {
            self.entries.extend(group.entries);
        }
        if group.hard_state.is_some() {
            self.hard_state = group.hard_state;
        }
    }

    /// Whether `group` continues the entries, instead of replacing some.
    fn is_continued_by(&self, group: &AppendGroup) -> bool {
        match (self.entries.last(), group.entries.first()) {
            (Some(last), Some(first)) => first.index == last.index + 1,
            _ => true,
        }
    }
}

impl Worker for Writer {
    type Work = AppendGroup;

    /// Makes the group durable, and with the same sync everything that gathered meanwhile.
    fn work(&mut self, first: AppendGroup, queue: &Queue<AppendGroup>) -> Result<(), Failure> {
        let mut next = Some(first);
        while let Some(group) = next {
            let mut gathered = Gathered::default();
            gathered.add(group);
            next = self.gather(&mut gathered, queue);
            self.append(&gathered)?;
            // The raft thread may be gone at shutdown; then nobody needs to know.
            let persisted = Input::Persisted { number: gathered.number };
            let _ = self.raft.send(Event::Input(persisted));
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.look_after_segments()
    }

    fn end(self) -> Result<(), Failure> {
        Ok(self.log.close()?)
    }
}

impl Writer {
    /// Adds what is queued already. A group that can't be added comes back.
    fn gather(&self, gathered: &mut Gathered, queue: &Queue<AppendGroup>) -> Option<AppendGroup> {
        let deadline =
            (!self.grouping.delay.is_zero()).then(|| Instant::now() + self.grouping.delay);
        while gathered.bytes < self.grouping.bytes_max {
            let group = match (queue.next(), deadline) {
                (Some(group), _) => group,
                (None, None) => return None,
                (None, Some(deadline)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    queue.next_within(left)?
                }
            };
            if !gathered.is_continued_by(&group) {
                return Some(group);
            }
            gathered.add(group);
        }
        None
    }

    fn append(&mut self, gathered: &Gathered) -> Result<(), Failure> {
        let group =
            Group { entries: &gathered.entries, hard_state: gathered.hard_state, snapshot: None };
        let wait = if self.log.begins_segment(&group) { Wait::Until } else { Wait::Never };
        self.take_segment(wait)?;
        let started = Instant::now();
        self.log.append(&group)?;
        self.member.metrics.log_synced(started.elapsed(), gathered.entries.len());
        self.groups_since_look += 1;
        // A look lets one segment go: one at least for each that is begun, or large groups without
        // a pause would fill the disk.
        match wait == Wait::Until || self.groups_since_look >= GROUPS_PER_LOOK {
            true => self.look_after_segments(),
            false => self.segments.give_out(&mut self.log),
        }
    }

    /// Lets go of segments that the engine doesn't need any more, and has the next one made.
    fn look_after_segments(&mut self) -> Result<(), Failure> {
        self.groups_since_look = 0;
        self.take_segment(Wait::Never)?;
        let flushed = self.member.engine.flushed().index;
        let limits = Purge { flushed, replicated: flushed, segments_max: self.segments_max };
        // One per look: letting go of a file syncs its folder, and groups may be waiting.
        self.log.purge(limits)?;
        self.segments.give_out(&mut self.log)?;
        self.member.metrics.log_stats(self.log.stats(), self.segments.stalls());
        Ok(())
    }

    /// Takes a finished segment back. A full disk is no failure yet: preparation is tried again,
    /// and NOSPACE keeps clients from needing the segment soon.
    fn take_segment(&mut self, wait: Wait) -> Result<(), Failure> {
        if let DiskSpace::Full(error) = self.segments.take_back(&mut self.log, wait)? {
            tracing::error!(%error, "no space for the next log segment");
            self.member.raise_no_space();
        }
        Ok(())
    }
}
