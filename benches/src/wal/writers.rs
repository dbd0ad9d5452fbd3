//! Many writers before one log: entries gather while a group is on its way to the disk, and whoever
//! comes when the log is free writes what has gathered, for all.
//!
//! 1. A writer adds its entry to the batch that is open, or opens one.
//! 2. If nobody has the log, it takes it and leads: it closes the oldest batch, appends it as one
//!    group, wakes that batch's writers, and goes on while there are batches.
//! 3. Otherwise it waits for its batch. A leader that has worked enough asks a waiting writer to
//!    lead instead. Whoever gives the log back looks once more whether a batch waits.
//!
//! This is how the server's stages share their work, without the rest of the server.

use super::latency::Latencies;
use super::tended::Tended;
use crate::Error;
use bytes::Bytes;
use retcd_wal::Stats;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// A leader writes at most so many groups before it goes on with its own work.
const GROUPS_LED_MAX: usize = 64;
/// Bytes of a writer's stack.
const STACK_BYTES: usize = 128 << 10;
/// Bytes of a record besides its payload: an estimate for the limit of a group.
const RECORD_BYTES: usize = 24;

/// What some writers wait for together.
#[derive(Default)]
struct Batch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    /// One of its writers is asked to lead.
    Leaderless,
    Durable,
    Failed,
}

/// The log and what waits before it.
pub struct Queue {
    log: Mutex<Tended>,
    batches: Mutex<VecDeque<(usize, Arc<Batch>)>>,
    payload: Bytes,
    /// Entries in one group at most.
    entries_max: usize,
}

/// What a run gave.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Of each entry, from when it was brought until its writer knew that it was durable.
    pub latencies: Latencies,
    /// How long it took.
    pub took: Duration,
}

impl Queue {
    /// Puts a queue before `log` for entries with this payload, in groups of at most `group_bytes`.
    pub fn new(log: Tended, payload: Bytes, group_bytes: usize) -> Queue {
        let entries_max = (group_bytes / (payload.len() + RECORD_BYTES)).max(1);
        Queue { log: Mutex::new(log), batches: Mutex::default(), payload, entries_max }
    }

    /// Bytes of an entry's payload.
    pub fn payload_bytes(&self) -> usize {
        self.payload.len()
    }

    /// What the log counts.
    pub fn stats(&self) -> Result<Stats, Error> {
        Ok(self.log.lock().map_err(|_| "a leader has panicked")?.stats())
    }

    /// Gives the log back.
    pub fn into_log(self) -> Result<Tended, Error> {
        self.log.into_inner().map_err(|_| "a writer has panicked".into())
    }

    /// Lets `writers` threads append entries, each one after the other, for a while.
    pub fn run(&self, writers: usize, duration: Duration) -> Result<Run, Error> {
        let start = Barrier::new(writers + 1);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for _ in 0..writers {
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
                threads.push(thread.spawn_scoped(scope, || self.write(&start, &is_over))?);
            }
            start.wait();
            let started_at = Instant::now();
            std::thread::sleep(duration);
            is_over.store(true, Ordering::Relaxed);
            let mut latencies = Latencies::default();
            for thread in threads {
                let own = thread.join().map_err(|_| "a writer has panicked")??;
                latencies.extend(&own);
            }
            Ok(Run { latencies, took: started_at.elapsed() })
        })
    }

    fn write(&self, start: &Barrier, is_over: &AtomicBool) -> Result<Latencies, Error> {
        let mut latencies = Latencies::default();
        start.wait();
        while !is_over.load(Ordering::Relaxed) {
            let started_at = Instant::now();
            self.append()?;
            latencies.add(started_at.elapsed());
        }
        Ok(latencies)
    }

    /// Returns when an entry of this writer's is durable.
    pub fn append(&self) -> Result<(), Error> {
        let batch = self.join_batch();
        loop {
            self.lead()?;
            match batch.wait() {
                State::Durable => return Ok(()),
                State::Failed => return Err("the log has failed".into()),
                State::Waiting | State::Leaderless => {}
            }
        }
    }

    fn join_batch(&self) -> Arc<Batch> {
        let mut batches = self.batches();
        match batches.back_mut() {
            Some((count, batch)) if *count < self.entries_max => {
                *count += 1;
                Arc::clone(batch)
            }
            _ => {
                let batch = Arc::<Batch>::default();
                batches.push_back((1, Arc::clone(&batch)));
                batch
            }
        }
    }

    /// Leads if nobody does.
    fn lead(&self) -> Result<(), Error> {
        loop {
            let led = match self.log.try_lock() {
                Ok(mut log) => self.write_batches(&mut log)?,
                Err(TryLockError::WouldBlock) => return Ok(()),
                Err(TryLockError::Poisoned(_)) => return Err("a leader has panicked".into()),
            };
            // Whoever has joined since has found the log taken, so this is looked at without it.
            let waiting = self.batches().front().map(|(_, batch)| Arc::clone(batch));
            let Some(waiting) = waiting else {
                return Ok(());
            };
            if led == GROUPS_LED_MAX {
                waiting.ask_to_lead();
                return Ok(());
            }
        }
    }

    /// Writes what waits, one batch as one group; says how many.
    fn write_batches(&self, log: &mut Tended) -> Result<usize, Error> {
        for led in 0..GROUPS_LED_MAX {
            let Some((count, batch)) = self.batches().pop_front() else {
                return Ok(led);
            };
            let appended = log.append(count, &self.payload);
            batch.end(if appended.is_ok() { State::Durable } else { State::Failed });
            appended?;
        }
        Ok(GROUPS_LED_MAX)
    }

    fn batches(&self) -> MutexGuard<'_, VecDeque<(usize, Arc<Batch>)>> {
        self.batches.lock().expect("nobody panics while holding it")
    }
}

impl Batch {
    /// Waits until the batch has ended or this writer is asked to lead.
    fn wait(&self) -> State {
        let mut state = self.state();
        while *state == State::Waiting {
            state = self.changed.wait(state).expect("nobody panics while holding it");
        }
        let seen = *state;
        if seen == State::Leaderless {
            *state = State::Waiting;
        }
        seen
    }

    fn end(&self, how: State) {
        *self.state() = how;
        self.changed.notify_all();
    }

    fn ask_to_lead(&self) {
        let mut state = self.state();
        if *state == State::Waiting {
            *state = State::Leaderless;
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::super::modes::MODES;
    use super::*;

    #[test]
    fn every_writer_gets_on_and_groups_gather() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [.., buffered] = MODES;
        let log = Tended::with_segments(&folder.path().join("wal"), buffered, 1 << 20);
        let queue = Queue::new(log.expect("a log"), Bytes::from_static(b"payload"), 1 << 16);
        let before = queue.stats().expect("no panic");
        let run = queue.run(32, Duration::from_millis(50)).expect("no failure");
        let after = queue.stats().expect("no panic");
        assert!(run.latencies.count() >= 32);
        let groups = (after.groups - before.groups) as usize;
        assert!((1..=run.latencies.count()).contains(&groups));
        assert_eq!(after.syncs - before.syncs, after.groups - before.groups);
    }
}
