//! The segment thread: fills the log's next segment with zeros while the log thread writes.

use super::Failure;
use crossbeam_channel::{Receiver, Sender, unbounded};
use retcd_wal::{Error, Preparation, Step};
use std::time::{Duration, Instant};

/// How long a full disk is left alone before preparation is tried again.
const FULL_DISK_PAUSE: Duration = Duration::from_secs(1);

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
    work: Sender<Preparation>,
    done: Receiver<(Preparation, Outcome)>,
    is_away: bool,
    not_before: Instant,
    is_disk_full: bool,
}

/// The segment thread's side.
pub(super) struct SegmentLoop {
    work: Receiver<Preparation>,
    done: Sender<(Preparation, Outcome)>,
}

/// Both sides.
pub(super) fn segments() -> (Segments, SegmentLoop) {
    let (work_sender, work) = unbounded();
    let (done_sender, done) = unbounded();
    let segments = Segments {
        work: work_sender,
        done,
        is_away: false,
        not_before: Instant::now(),
        is_disk_full: false,
    };
    (segments, SegmentLoop { work, done: done_sender })
}

impl SegmentLoop {
    /// Runs until the log thread is gone.
    pub(super) fn run(self) -> Result<(), Failure> {
        while let Ok(mut preparation) = self.work.recv() {
            let outcome = loop {
                match preparation.step() {
                    Ok(Step::Worked) => {}
                    Ok(Step::Idle) => break Outcome::Ready,
                    Err(error @ Error::PreparationDiskFull { .. }) => {
                        break Outcome::DiskFull(error);
                    }
                    Err(error) => break Outcome::Failed(error),
                }
            };
            // The log thread may be gone at shutdown; then nobody needs it.
            let _ = self.done.send((preparation, outcome));
        }
        Ok(())
    }
}

impl Segments {
    /// Gives the log's next segment out if it is due. A full disk is left alone for a while.
    pub(super) fn give_out(&mut self, log: &mut retcd_wal::Log) -> Result<(), Failure> {
        if self.is_away || (self.is_disk_full && Instant::now() < self.not_before) {
            return Ok(());
        }
        if let Some(preparation) = log.preparation()? {
            self.is_away = true;
            self.work.send(preparation).map_err(|_| Failure::Stopped)?;
        }
        Ok(())
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
        let done = match wait {
            Wait::Until => self.done.recv().map_err(|_| Failure::Stopped)?,
            Wait::Never => match self.done.try_recv() {
                Ok(done) => done,
                Err(_) => return Ok(DiskSpace::Unchanged),
            },
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
