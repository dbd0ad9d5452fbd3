//! The log as its user sees it: appending is here, opening and the change of segments below.

mod opening;
mod rotation;

use crate::active::{Active, Wait, Workshop};
use crate::error::{Error, Result};
use crate::group::GROUP_HEADER_BYTES;
use crate::limits::group_bytes_max;
use crate::opener::{Opener, Refusal};
use crate::options::Options;
use crate::prepare::{Next, ReadyFile};
use crate::readback::{LogReader, Shared};
use crate::segment::SegmentName;
use crate::stats::Stats;
use crate::types::{Group, HardState, Identity, LogState, SnapshotMark};
use retcd_vfs::{LogMode, Vfs, Waiter};
use std::collections::VecDeque;
use std::path::PathBuf;
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
    /// What readers see of the log.
    shared: Arc<Shared>,
    active: Active,
    next: Next,
    /// Files for the segments after the next, oldest first: a recycled file needn't be filled,
    /// which would double what the log writes.
    spares: VecDeque<ReadyFile>,
    opener: Opener,
    workshop: Workshop,
    submitted: u64,
    completed: u64,
    /// Of the completed groups, how many `complete` has told about.
    told: u64,
    poisoned: bool,
    stats: Stats,
}

impl Log {
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
        self.guarded(|log| log.tell(Wait::UntilDurable))
    }

    /// As [`Log::complete`], but where there is a [`Log::waiter`] it doesn't wait: `None` also if
    /// the oldest group is still under way.
    pub fn try_complete(&mut self) -> Result<Option<Ticket>> {
        self.guarded(|log| log.tell(Wait::Never))
    }

    /// What to sleep on, without a hold on the log, until [`Log::try_complete`] may have something
    /// to say. `None` where it always has. Another one after a new segment was begun, when the old
    /// one rings a last time.
    pub fn waiter(&self) -> Option<Arc<dyn Waiter>> {
        self.active.waiter()
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

    /// Ends the log with an empty group that covers everything before it, so that the next start
    /// knows that nothing was under way.
    pub fn close(mut self) -> Result<()> {
        self.guarded(|log| {
            log.drain()?;
            if !log.active.is_final {
                log.start(&Group::default())?;
                log.complete_one(Wait::UntilDurable)?;
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

    /// Reads durable entries back, on any thread.
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// What was wrong with a segment from before the start that a reader asked for: nothing older
    /// than what is behind it can be read. `None` if nothing was, and from the second call on.
    pub fn take_unusable(&self) -> Option<Error> {
        self.shared.unusable.lock().take()
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

    /// Whether submitting a group leaves it under way, instead of writing it on the spot.
    pub fn overlaps(&self) -> bool {
        matches!(self.mode(), LogMode::Uring { .. })
    }

    /// Which way writes take.
    pub fn mode(&self) -> LogMode {
        self.opener.mode()
    }

    /// Better ways of writing that [`IoMode::Auto`](crate::IoMode::Auto) found refused.
    pub fn refusals(&self) -> &[Refusal] {
        self.opener.refusals()
    }

    /// Longest group that is accepted, in bytes: see [`group_bytes`].
    pub fn group_bytes_max(&self) -> u64 {
        group_bytes_max(self.options.segment_bytes)
    }

    /// Counts since open.
    pub fn stats(&self) -> Stats {
        let is_next_ready = matches!(self.next, Next::Ready(_));
        Stats {
            segments: self.segments.len() as u64,
            prepared: self.spares.len() as u64 + u64::from(is_next_ready),
            ..self.stats
        }
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
    /// else is under way with it. The hard state that goes with it mustn't commit more than there
    /// is.
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
        self.complete_one(Wait::UntilDurable)?;
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
        self.active.submit(&mut self.workshop, group, self.state.last_index)
    }

    /// The oldest ticket that `complete` hasn't told about, if it has completed.
    fn tell(&mut self, wait: Wait) -> Result<Option<Ticket>> {
        if self.told == self.completed {
            if !self.complete_one(wait)? {
                return Ok(None);
            }
            self.completed += 1;
        }
        self.told += 1;
        Ok(Some(Ticket(self.told - 1)))
    }

    /// Takes the oldest group on its way, without counting it as a completed ticket. Says whether
    /// there was one that is durable.
    fn complete_one(&mut self, wait: Wait) -> Result<bool> {
        let Some(group) = self.active.complete(&mut self.workshop, wait)? else {
            return Ok(false);
        };
        self.shared.index.lock().add(&group.durable);
        self.stats.groups += 1;
        self.stats.syncs += u64::from(self.mode() != LogMode::Unsynced);
        self.stats.bytes += group.bytes;
        self.stats.payload_bytes += group.payload_bytes;
        self.stats.compressed_groups += u64::from(group.saved_bytes > 0);
        self.stats.saved_bytes += group.saved_bytes;
        Ok(true)
    }

    fn drain(&mut self) -> Result<()> {
        while self.complete_one(Wait::UntilDurable)? {
            self.completed += 1;
        }
        Ok(())
    }
}

/// Bytes that a group takes in a segment, header included, padding not.
pub fn group_bytes(group: &Group<'_>) -> u64 {
    GROUP_HEADER_BYTES as u64 + group.record_bytes()
}
