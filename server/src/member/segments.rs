//! The segment thread: fills the log's next segment with zeros while the log thread writes.
//!
//! It shares the disk with the groups, so it goes on in step with them: the log's side tells it how
//! far the file should be filled by now. Nothing is filled while nothing is written. A group that
//! needs the segment at once waits until all of it is filled; that counts as a stall.

use super::Failure;
use crossbeam_channel::{Receiver, Sender, unbounded};
use retcd_wal::{Error, Preparation, Step};
use std::time::{Duration, Instant};

/// How long a full disk is left alone before preparation is tried again.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(1);

/// The log's side tells the segment thread how far to go each time when this is due, in bytes.
const STRIDE_BYTES: u64 = 1 << 20;

/// What the segment thread is told.
enum Order {
    /// The next file, not yet filled.
    Begin(Preparation),
    /// It should be filled up to here, in bytes.
    FillTo(u64),
}

/// What came of a preparation.
pub(super) enum Outcome {
    /// The segment's file is ready.
    Ready,
    /// The disk is full.
    DiskFull(Error),
    /// It failed for good.
    Failed(Error),
}

/// The log thread's side.
pub(super) struct Segments {
    orders: Sender<Order>,
    done: Receiver<(Preparation, Outcome)>,
    is_away: bool,
    /// How far the file that is away was ordered to be filled, in bytes.
    ordered: u64,
    not_before: Instant,
    is_disk_full: bool,
    /// How often groups have waited for a segment, ...
    stalls: u64,
    /// ... and for how long.
    stalled: Duration,
}

/// The segment thread's side.
pub(super) struct SegmentLoop {
    orders: Receiver<Order>,
    done: Sender<(Preparation, Outcome)>,
}

/// Both sides.
pub(super) fn segments() -> (Segments, SegmentLoop) {
    let (order_sender, orders) = unbounded();
    let (done_sender, done) = unbounded();
    let segments = Segments {
        orders: order_sender,
        done,
        is_away: false,
        ordered: 0,
        not_before: Instant::now(),
        is_disk_full: false,
        stalls: 0,
        stalled: Duration::ZERO,
    };
    (segments, SegmentLoop { orders, done: done_sender })
}

impl SegmentLoop {
    /// Runs until the log thread is gone.
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut begun: Option<Preparation> = None;
        while let Ok(order) = self.orders.recv() {
            let target = match order {
                Order::Begin(preparation) => {
                    begun = Some(preparation);
                    continue;
                }
                Order::FillTo(target) => target,
            };
            // One that is done or has failed is back already.
            let Some(mut preparation) = begun.take() else {
                continue;
            };
            match fill(&mut preparation, target) {
                None => begun = Some(preparation),
                Some(outcome) => {
                    // The log thread may be gone at shutdown; then nobody needs it.
                    let _ = self.done.send((preparation, outcome));
                }
            }
        }
        Ok(())
    }
}

/// Goes on with a file; `None` if it is filled up to `target` and not yet ready.
fn fill(preparation: &mut Preparation, target: u64) -> Option<Outcome> {
    while preparation.filled() < target {
        match preparation.step() {
            Ok(Step::Worked) => {}
            Ok(Step::Idle) => break,
            Err(error @ Error::PreparationDiskFull { .. }) => {
                return Some(Outcome::DiskFull(error));
            }
            Err(error) => return Some(Outcome::Failed(error)),
        }
    }
    preparation.is_ready().then_some(Outcome::Ready)
}

impl Segments {
    /// Gives the log's next segment out if it is due, and says how far it should be filled by now.
    /// A full disk is left alone for a while.
    pub(super) fn give_out(&mut self, log: &mut retcd_wal::Log) -> Result<(), Failure> {
        if self.is_away {
            let target = log.preparation_target();
            return match target >= self.ordered.saturating_add(STRIDE_BYTES) {
                true => self.order(target),
                false => Ok(()),
            };
        }
        if self.is_disk_full && Instant::now() < self.not_before {
            return Ok(());
        }
        if let Some(preparation) = log.preparation()? {
            self.is_away = true;
            self.ordered = 0;
            self.send(Order::Begin(preparation))?;
            // At least a step: a full disk shows early.
            self.order(log.preparation_target().max(1))?;
        }
        Ok(())
    }

    fn order(&mut self, target: u64) -> Result<(), Failure> {
        self.ordered = target;
        self.send(Order::FillTo(target))
    }

    fn send(&self, order: Order) -> Result<(), Failure> {
        self.orders.send(order).map_err(|_| Failure::Stopped)
    }

    /// How often groups have waited for a segment, and for how long in all.
    pub(super) fn stalls(&self) -> (u64, Duration) {
        (self.stalls, self.stalled)
    }

    /// Takes back what is done. With `wait`, a preparation that is under way is waited for. Says
    /// whether the disk has just turned out to be full.
    pub(super) fn take_back(
        &mut self,
        log: &mut retcd_wal::Log,
        wait: Wait,
    ) -> Result<DiskSpace, Failure> {
        if !self.is_away {
            return Ok(DiskSpace::Unchanged);
        }
        let done = match (self.done.try_recv(), wait) {
            (Ok(done), _) => done,
            (Err(_), Wait::Never) => return Ok(DiskSpace::Unchanged),
            (Err(_), Wait::Until) => {
                let started = Instant::now();
                self.order(u64::MAX)?;
                let done = self.done.recv().map_err(|_| Failure::Stopped)?;
                self.stalled += started.elapsed();
                self.stalls += 1;
                done
            }
        };
        self.is_away = false;
        let (preparation, outcome) = done;
        log.prepared(preparation);
        match outcome {
            Outcome::Ready => {
                self.is_disk_full = false;
                Ok(DiskSpace::Unchanged)
            }
            Outcome::DiskFull(error) => {
                self.not_before = Instant::now() + FULL_DISK_PAUSE;
                match std::mem::replace(&mut self.is_disk_full, true) {
                    true => Ok(DiskSpace::Unchanged),
                    false => Ok(DiskSpace::Full(error)),
                }
            }
            Outcome::Failed(error) => Err(error.into()),
        }
    }
}

/// Whether to wait for a preparation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until it is done.
    Until,
    /// Not at all.
    Never,
}

/// What a preparation says about the disk.
pub(super) enum DiskSpace {
    /// Nothing new.
    Unchanged,
    /// It is full, and wasn't before.
    Full(Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_vfs::MemVfs;
    use retcd_wal::{Group, Identity, Log, LogEntry, Options, SnapshotMark};
    use std::path::Path;
    use std::sync::Arc;
    use std::thread;

    const SEGMENT_BYTES: u64 = 32 << 20;

    fn log() -> Log {
        let identity = Identity { cluster: 1, member: 2 };
        let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::default() };
        let start = SnapshotMark::default();
        let dir = Path::new("/wal");
        Log::create(Arc::new(MemVfs::new()), dir, options, identity, start).expect("memory")
    }

    fn entry(index: u64) -> LogEntry {
        // Of 1 MiB, and not to be compressed.
        let noise = (0..1 << 17).scan(index, |state, _| {
            *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            Some(*state >> 8)
        });
        let data = noise.flat_map(u64::to_le_bytes).collect::<Vec<_>>().into();
        LogEntry { index, term: 1, kind: 0, data }
    }

    fn append(log: &mut Log, segments: &mut Segments, index: u64) {
        let entries = [entry(index)];
        let group = Group { entries: &entries, ..Group::default() };
        let wait = if log.begins_segment(&group) { Wait::Until } else { Wait::Never };
        assert!(matches!(segments.take_back(log, wait), Ok(DiskSpace::Unchanged)));
        log.append(&group).expect("memory");
        segments.give_out(log).expect("the thread runs");
    }

    #[test]
    fn a_segment_is_filled_in_step_with_the_groups() {
        let (mut segments, segment_loop) = segments();
        let mut log = log();
        for index in 1..=20 {
            append(&mut log, &mut segments, index);
        }
        assert!(segments.is_away && segments.ordered < SEGMENT_BYTES / 2, "{}", segments.ordered);
        for index in 21..=29 {
            append(&mut log, &mut segments, index);
        }
        assert_eq!(segments.ordered, SEGMENT_BYTES);
        let thread = thread::spawn(move || segment_loop.run());
        for index in 30..=33 {
            append(&mut log, &mut segments, index);
        }
        let stats = log.stats();
        assert_eq!((stats.rotations, stats.inline_preparations), (1, 0));
        drop(segments);
        assert!(matches!(thread.join(), Ok(Ok(()))));
    }

    /// Nobody fills before the segment is needed.
    #[test]
    fn a_group_that_needs_a_segment_at_once_waits_and_it_is_counted() {
        let (mut segments, segment_loop) = segments();
        let mut log = log();
        for index in 1..=30 {
            append(&mut log, &mut segments, index);
        }
        let orders = segments.orders.len();
        assert!(orders > 1, "nothing was done yet");
        let thread = thread::spawn(move || {
            // As if the disk were slow: what was ordered before the group needed it comes too late.
            while segment_loop.orders.len() <= orders {
                thread::yield_now();
            }
            segment_loop.run()
        });
        for index in 31..=32 {
            append(&mut log, &mut segments, index);
        }
        assert_eq!(segments.stalls().0, 1);
        assert!(segments.stalls().1 > Duration::ZERO);
        assert_eq!(log.stats().rotations, 1);
        drop(segments);
        assert!(matches!(thread.join(), Ok(Ok(()))));
    }
}
