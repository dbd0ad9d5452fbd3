//! The log stage: makes groups durable, one sync for everything that gathered meanwhile.
//!
//! A log that writes on the spot has one group at a time: beginning it is doing it. Of a log with a
//! waiter up to its depth are under way: whoever brings work begins a group if there is room, the
//! stage's thread sleeps on completions, reports them in order, and begins what has gathered.

use super::gathering::{Gathered, Gathering};
use super::handle::{Event, Member};
use super::segments::{DiskSpace, Segments, Wait};
use super::stage::{Pause, Queue, Worker};
use crate::member::Failure;
use crossbeam_channel::Sender;
use retcd_raft_glue::{AppendGroup, Input};
use retcd_wal::{Group, Log, Purge};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Groups after which a log thread that never waits looks after its segments all the same, as it
/// does at each segment's begin. A segment of small groups holds sixteen times as many.
const GROUPS_PER_LOOK: usize = 1024;

/// Segments, beyond those that are kept anyhow, that a snapshot under way keeps: 1 GiB.
const PINNED_SEGMENTS_MAX: usize = (1 << 30) / retcd_wal::SEGMENT_BYTES_DEFAULT as usize;

/// How long the log's thread waits for work before it looks after its segments.
pub(super) const IDLE: Duration = Duration::from_millis(20);

/// The log stage's possessions.
pub(super) struct Writer {
    pub(super) log: Log,
    pub(super) raft: Sender<Event>,
    pub(super) member: Arc<Member>,
    pub(super) gathering: Gathering,
    /// Groups that aren't reported yet, oldest first.
    pub(super) under_way: VecDeque<UnderWay>,
    /// Segments to keep for members that lag; 0 for no limit.
    pub(super) segments_max: usize,
    pub(super) segments: Segments,
    /// Groups written since the segments were last looked after.
    pub(super) groups_since_look: usize,
}

/// A group on its way to the disk.
pub(super) struct UnderWay {
    number: u64,
    begun: Instant,
    entries: usize,
}

impl Worker for Writer {
    type Work = AppendGroup;

    /// A log that writes on the spot takes whatever comes. To one that overlaps only the beginning
    /// of a group is brought: what waits for a free place, for groups under way (a new segment), or
    /// for the disk (a look at the segments) is the stage's thread's.
    fn is_ready(&self, work: &AppendGroup) -> bool {
        if !self.log.overlaps() {
            return true;
        }
        let AppendGroup { entries, hard_state, snapshot, .. } = work;
        let group = Group { entries, hard_state: *hard_state, snapshot: *snapshot };
        self.has_room()
            && self.gathering.is_empty()
            && self.groups_since_look < GROUPS_PER_LOOK
            && !self.log.begins_segment(&group)
    }

    /// Begins to make the group durable, and with the same sync everything that gathered meanwhile.
    fn work(&mut self, first: AppendGroup, queue: &Queue<AppendGroup>) -> Result<(), Failure> {
        self.gathering.add(first);
        self.go_on(queue)
    }

    /// Reports what is durable, and begins what has gathered as far as there is room.
    fn go_on(&mut self, queue: &Queue<AppendGroup>) -> Result<(), Failure> {
        loop {
            self.report()?;
            if !self.has_room() {
                return Ok(());
            }
            while self.gathering.takes_more()
                && let Some(group) = queue.next()
            {
                self.gathering.add(group);
            }
            let Some(gathered) = self.gathering.take_if_due() else {
                return Ok(());
            };
            self.begin(gathered)?;
        }
    }

    fn pause(&self) -> Pause {
        let waiter = match self.under_way.is_empty() {
            true => None,
            false => self.log.waiter(),
        };
        let has_room = self.has_room();
        Pause {
            waiter,
            takes_work: has_room && self.gathering.takes_more(),
            until: self.gathering.waits_until().filter(|_| has_room),
        }
    }

    fn settle(&mut self) -> Result<(), Failure> {
        while !self.under_way.is_empty() {
            self.log.complete()?;
            self.durable();
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.look_after_segments()
    }

    fn end(mut self) -> Result<(), Failure> {
        self.settle()?;
        while let Some(gathered) = self.gathering.take() {
            self.begin(gathered)?;
            self.settle()?;
        }
        Ok(self.log.close()?)
    }
}

impl Writer {
    fn has_room(&self) -> bool {
        self.under_way.len() < self.log.depth()
    }

    fn begin(&mut self, gathered: Gathered) -> Result<(), Failure> {
        let Gathered { number, entries, hard_state, snapshot, .. } = gathered;
        let group = Group { entries: &entries, hard_state, snapshot };
        let wait = if self.log.begins_segment(&group) { Wait::Until } else { Wait::Never };
        self.take_segment(wait)?;
        let begun = Instant::now();
        self.log.submit(&group)?;
        self.under_way.push_back(UnderWay { number, begun, entries: entries.len() });
        self.member.metrics.log_begun(self.under_way.len());
        self.groups_since_look += 1;
        // A look lets one segment go: one at least for each that is begun, or large groups without
        // a pause would fill the disk.
        match wait == Wait::Until || self.groups_since_look >= GROUPS_PER_LOOK {
            true => self.look_after_segments(),
            false => self.segments.give_out(&mut self.log),
        }
    }

    /// Tells the raft thread what is durable.
    fn report(&mut self) -> Result<(), Failure> {
        while !self.under_way.is_empty() && self.log.try_complete()?.is_some() {
            self.durable();
        }
        Ok(())
    }

    /// The oldest group has completed.
    fn durable(&mut self) {
        let group = self.under_way.pop_front().expect("what completes was begun");
        self.member.metrics.log_synced(group.begun.elapsed(), group.entries);
        // The raft thread may be gone at shutdown; then nobody needs to know.
        let _ = self.raft.send(Event::Input(Input::Persisted { number: group.number }));
    }

    /// Lets go of segments that the engine doesn't need any more, and has the next one made.
    fn look_after_segments(&mut self) -> Result<(), Failure> {
        self.groups_since_look = 0;
        self.take_segment(Wait::Never)?;
        if let Some(error) = self.log.take_unusable() {
            let consequence = "members that lack what was in it will be sent a snapshot";
            tracing::error!(%error, consequence, "an old segment of the log can't be read");
        }
        let limits = Purge {
            flushed: self.member.engine.flushed().index,
            replicated: self.member.status.replicated(),
            segments_max: self.segments_max_now(),
        };
        // One per look: letting go of a file syncs its folder, and groups may be waiting.
        self.log.purge(limits)?;
        self.segments.give_out(&mut self.log)?;
        self.member.metrics.log_stats(self.log.stats(), self.segments.stalls());
        Ok(())
    }

    /// As many segments as may be kept at this moment for members that lag. Whoever is being sent a
    /// snapshot needs what comes behind it; beyond a limit the snapshot is given up instead.
    fn segments_max_now(&self) -> usize {
        let sender = &self.member.snapshots.sender;
        if self.segments_max == 0 || !sender.is_busy() {
            return self.segments_max;
        }
        if self.log.stats().segments > (self.segments_max + PINNED_SEGMENTS_MAX) as u64 {
            tracing::warn!("giving up a snapshot: the log has grown too much meanwhile");
            sender.abort();
            return self.segments_max;
        }
        0
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
