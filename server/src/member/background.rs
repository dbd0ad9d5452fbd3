//! The maintenance threads: flushes and merges, a bounded piece at a time.
//!
//! Each calls the engine's step function, which finds a piece that no other thread is at: of a
//! flush, or of the merges that its pieces owe, so that neither waits for the other's end.

use super::niceness::stand_back;
use super::{Failure, Member};
use parking_lot::{Condvar, Mutex};
use retcd_api::Error;
use retcd_engine::{Engine, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a thread sleeps when nobody rings. A memtable takes much longer to fill.
const NAP: Duration = Duration::from_millis(100);

/// A merge that found the disk full is tried again after a nap, then after twice as long, and so on
/// up to this: each attempt writes what room there is. The bell still wakes the thread.
const FULL_DISK_NAP_MAX: Duration = Duration::from_secs(30);

/// It sleeps so long at least, however often commits are wanted.
const NAP_MIN: Duration = Duration::from_millis(1);

/// Wakes the maintenance threads.
#[derive(Default)]
pub(crate) struct Doorbell {
    rung: Mutex<bool>,
    bell: Condvar,
    stopped: AtomicBool,
}

impl Doorbell {
    /// Rings.
    pub(crate) fn ring(&self) {
        *self.rung.lock() = true;
        self.bell.notify_all();
    }

    /// Ends the maintenance threads.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ring();
    }

    fn wait(&self, limit: Duration) {
        let mut rung = self.rung.lock();
        if !*rung {
            self.bell.wait_for(&mut rung, limit);
        }
        *rung = false;
    }
}

/// What others may ask of the maintenance threads.
pub(crate) struct Background {
    pub(super) doorbell: Arc<Doorbell>,
    /// How often somebody began to wait.
    asked: Arc<AtomicU64>,
    settled: watch::Receiver<Settled>,
}

/// A maintenance thread's possessions.
#[derive(Clone)]
pub(super) struct Maintenance {
    engine: Arc<dyn Engine>,
    /// Longest time between two commits, for an engine that has it.
    commit_interval: Option<Duration>,
    last_commit: Instant,
    doorbell: Arc<Doorbell>,
    asked: Arc<AtomicU64>,
    settled: Arc<watch::Sender<Settled>>,
    /// Flushes whose time is known.
    flushes_timed: Arc<AtomicU64>,
}

/// How far the maintenance threads are.
#[derive(Clone, Copy, Default)]
struct Settled {
    /// The newest request that is fulfilled, or given up.
    ticket: u64,
    /// Whether it was given up because the disk is full.
    is_full: bool,
}

/// A maintenance thread's possessions, and the handle for others.
pub(super) fn background(
    engine: Arc<dyn Engine>,
    commit_interval: Option<Duration>,
) -> (Background, Maintenance) {
    let doorbell = Arc::<Doorbell>::default();
    let asked = Arc::<AtomicU64>::default();
    let (sender, receiver) = watch::channel(Settled::default());
    let background =
        Background { doorbell: doorbell.clone(), asked: asked.clone(), settled: receiver };
    let maintenance = Maintenance {
        engine,
        commit_interval,
        last_commit: Instant::now(),
        doorbell,
        asked,
        settled: Arc::new(sender),
        flushes_timed: Arc::default(),
    };
    (background, maintenance)
}

impl Background {
    /// Waits until what the engine was asked for before the call is done.
    ///
    /// # Errors
    ///
    /// If there is no space for it, or the threads ended first.
    pub(super) async fn settled(&self) -> Result<(), Error> {
        let ticket = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.doorbell.ring();
        let mut settled = self.settled.clone();
        let settled = settled.wait_for(|done| done.ticket >= ticket).await;
        match settled.map_err(|_| Error::Stopped)?.is_full {
            true => Err(Error::NoSpace),
            false => Ok(()),
        }
    }
}

/// How long to leave a full disk alone that so many attempts before have met.
fn full_disk_nap(attempts: u32) -> Duration {
    NAP.saturating_mul(2_u32.saturating_pow(attempts)).min(FULL_DISK_NAP_MAX)
}

impl Maintenance {
    /// The possessions of one more thread. One is enough to see to commits in time.
    pub(super) fn helper(&self) -> Maintenance {
        Maintenance { commit_interval: None, ..self.clone() }
    }

    /// Runs until told to stop. What is left undone then is due again at the next start.
    ///
    /// A merge that finds the disk full gives back what it wrote; it is due again when there is
    /// space, and until then NOSPACE keeps clients from filling it further.
    pub(super) fn run(mut self, member: &Member) -> Result<(), Failure> {
        stand_back();
        let mut attempts = 0;
        while !self.doorbell.stopped.load(Ordering::Acquire) {
            let ticket = self.asked.load(Ordering::Acquire);
            self.commit_in_time()?;
            let step = self.step(member)?;
            if step != Step::OutOfSpace && !self.engine.stats().is_owed {
                self.settle(Settled { ticket, is_full: false });
            }
            match step {
                Step::Worked => {
                    if !self.engine.stats().out_of_space {
                        attempts = 0;
                    }
                    member.look_after_engine();
                }
                Step::OutOfSpace => {
                    if attempts == 0 {
                        tracing::error!("no space for merging the engine's files");
                    }
                    member.raise_no_space();
                    self.settle(Settled { ticket, is_full: true });
                    // Commits come in time on a full disk, too.
                    let nap = self.commit_interval.map_or(full_disk_nap(attempts), |_| self.nap());
                    self.doorbell.wait(nap);
                    attempts += 1;
                }
                Step::Idle => self.doorbell.wait(self.nap()),
            }
        }
        Ok(())
    }

    /// Asks for a commit if the last one that was asked for is long ago and something came since.
    fn commit_in_time(&mut self) -> Result<(), Failure> {
        if self.commit_interval.is_none_or(|interval| self.last_commit.elapsed() < interval) {
            return Ok(());
        }
        self.last_commit = Instant::now();
        if self.engine.applied().index > self.engine.flushed().index {
            self.engine.request_flush()?;
        }
        Ok(())
    }

    fn nap(&self) -> Duration {
        self.commit_interval.map_or(NAP, |interval| interval.clamp(NAP_MIN, NAP))
    }

    /// Tells those who wait. Threads may come here in another order than their tickets have.
    fn settle(&self, settled: Settled) {
        self.settled.send_if_modified(|before| {
            let newer = before.ticket < settled.ticket;
            if newer {
                *before = settled;
            }
            newer
        });
    }

    /// One piece of work. The time of one that ended with a flush is what etcd's users know as a
    /// backend commit.
    fn step(&self, member: &Member) -> Result<Step, Failure> {
        let started = Instant::now();
        let step = self.engine.step()?;
        let flushes = self.engine.stats().flushes;
        if self.flushes_timed.fetch_max(flushes, Ordering::AcqRel) < flushes {
            member.metrics.flushed(started.elapsed());
        }
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_tried_again_ever_less_often() {
        let naps: Vec<Duration> = (0..40).map(full_disk_nap).collect();
        assert!(naps.is_sorted() && naps[0] == NAP && naps[1] == 2 * NAP, "{naps:?}");
        assert_eq!(naps[39], FULL_DISK_NAP_MAX);
    }
}
