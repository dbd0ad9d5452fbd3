//! Where the apply thread tells, and streams subscribe.
//!
//! Two marks make the hand-over without gaps. `published` moves *before* a batch goes into queues:
//! whatever a stream reads up to it, a queued copy is recognized as known. `settled` moves *after*:
//! whatever concerns a stream up to it lies in its queue, so it is what progress may promise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use super::event::Batch;
use super::history::PieceLimit;
use super::matcher::Matcher;
use super::previous::RecentPairs;
use super::queue::{Lost, Queue, wake};
use super::range::WatchRange;
use super::ring::Ring;
use super::stream::{StreamConfig, WatchStream};
use crate::Commit;

/// Sizes that bound the memory of watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubLimits {
    /// Revisions in the ring of recent history.
    pub ring_revisions: usize,
    /// Bytes in it, counting keys and values twice: as they came and as they are encoded.
    pub ring_bytes: usize,
    /// Revisions that wait for one stream.
    pub queue_revisions: usize,
    /// Bytes that wait for one stream, counted likewise and shared with the ring and other streams.
    pub queue_bytes: usize,
    /// Bytes of previous pairs that were looked up recently.
    pub previous_bytes: usize,
    /// One piece of the past, from the ring or from history.
    pub piece: PieceLimit,
}

impl Default for HubLimits {
    fn default() -> HubLimits {
        HubLimits {
            ring_revisions: 16_384,
            ring_bytes: 32 << 20,
            queue_revisions: 512,
            queue_bytes: 1 << 20,
            previous_bytes: 8 << 20,
            piece: PieceLimit { revisions: 1_000, scanned: 16_384, bytes: 2 << 20 },
        }
    }
}

/// Numbers for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Open streams.
    pub streams: usize,
    /// Watchers on them.
    pub watchers: usize,
    /// Of these, those that read the past.
    pub unsynced_watchers: usize,
    /// Events that wait in queues of streams.
    pub pending_events: usize,
}

/// A stream in the hub's matcher, equal to itself only.
#[derive(Clone, Debug)]
struct Subscriber(Arc<Queue>);

impl PartialEq for Subscriber {
    fn eq(&self, other: &Subscriber) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Debug, Default)]
struct Subscribers {
    matcher: Matcher<Subscriber>,
    streams: BTreeMap<u64, Arc<Queue>>,
    next_stream: u64,
    closed: bool,
}

/// Counters that streams keep current.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) watchers: AtomicUsize,
    pub(super) unsynced: AtomicUsize,
    pending: Arc<AtomicUsize>,
}

/// The meeting point of one writer and all watch streams.
#[derive(Debug)]
pub struct Hub {
    limits: HubLimits,
    subscribers: Mutex<Subscribers>,
    ring: Mutex<Ring>,
    published: AtomicI64,
    settled: AtomicI64,
    pub(super) counters: Counters,
    pub(super) recent_pairs: RecentPairs,
}

impl Hub {
    /// A hub for a store whose current revision is `current_revision`.
    pub fn new(current_revision: i64, limits: HubLimits) -> Hub {
        Hub {
            limits,
            subscribers: Mutex::default(),
            ring: Mutex::new(Ring::new(limits.ring_revisions, limits.ring_bytes)),
            published: AtomicI64::new(current_revision),
            settled: AtomicI64::new(current_revision),
            counters: Counters::default(),
            recent_pairs: RecentPairs::new(limits.previous_bytes),
        }
    }

    /// Tells the streams what changed. Called by the apply thread, after the changes have become
    /// readable, with ascending revisions; never waits for a stream.
    pub fn publish(&self, commits: Vec<Commit>) {
        let Some(last) = commits.last().map(|commit| commit.revision) else {
            return;
        };
        let mut wakers: Vec<Waker> = Vec::new();
        {
            let subscribers = self.subscribers.lock();
            if subscribers.streams.is_empty() {
                self.ring.lock().clear();
                self.published.store(last, Ordering::Release);
                self.settled.store(last, Ordering::Release);
                return;
            }
            let batches: Vec<Arc<Batch>> =
                commits.into_iter().map(|commit| Arc::new(Batch::new(commit))).collect();
            {
                let mut ring = self.ring.lock();
                batches.iter().for_each(|batch| ring.push(Arc::clone(batch)));
            }
            self.published.store(last, Ordering::Release);
            for batch in &batches {
                for event in &batch.events {
                    subscribers.matcher.for_each(event.key(), |subscriber| {
                        wakers.extend(subscriber.0.push(batch));
                    });
                }
            }
            self.settled.store(last, Ordering::Release);
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Opens a stream.
    pub fn stream(self: &Arc<Hub>, config: StreamConfig) -> WatchStream {
        let queue = Arc::new(Queue::new(
            self.limits.queue_revisions,
            self.limits.queue_bytes,
            Arc::clone(&self.counters.pending),
        ));
        let id = {
            let mut subscribers = self.subscribers.lock();
            let id = subscribers.next_stream;
            subscribers.next_stream += 1;
            subscribers.streams.insert(id, Arc::clone(&queue));
            if subscribers.closed {
                queue.close();
            }
            id
        };
        WatchStream::new(Arc::clone(self), id, queue, config)
    }

    /// The state was replaced by a snapshot at `current_revision`: every watcher goes on reading
    /// from where it was, from history.
    pub fn resync_all(&self, current_revision: i64) {
        let mut wakers: Vec<Waker> = Vec::new();
        {
            let subscribers = self.subscribers.lock();
            let before = self.published.load(Ordering::Acquire);
            self.ring.lock().clear();
            self.published.store(current_revision, Ordering::Release);
            if before < current_revision {
                let lost = Lost { from: before + 1, through: current_revision };
                wakers.extend(subscribers.streams.values().filter_map(|queue| queue.lose(lost)));
            }
            self.settled.store(current_revision, Ordering::Release);
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends all streams, and those that are opened later.
    pub fn close(&self) {
        let queues: Vec<Arc<Queue>> = {
            let mut subscribers = self.subscribers.lock();
            subscribers.closed = true;
            subscribers.streams.values().cloned().collect()
        };
        queues.iter().for_each(|queue| wake(queue.close()));
    }

    /// Numbers for metrics.
    pub fn stats(&self) -> HubStats {
        HubStats {
            streams: self.subscribers.lock().streams.len(),
            watchers: self.counters.watchers.load(Ordering::Relaxed),
            unsynced_watchers: self.counters.unsynced.load(Ordering::Relaxed),
            pending_events: self.counters.pending.load(Ordering::Relaxed),
        }
    }

    /// Revision up to which everything is readable and in the ring, if it is there at all.
    pub(super) fn published(&self) -> i64 {
        self.published.load(Ordering::Acquire)
    }

    /// Revision up to which everything is in the queues.
    pub(super) fn settled(&self) -> i64 {
        self.settled.load(Ordering::Acquire)
    }

    /// Bounds of one piece of the past.
    pub(super) fn piece_limit(&self) -> PieceLimit {
        self.limits.piece
    }

    /// From now on, batches with keys in `range` go to `queue`; what is at or below the returned
    /// revision may have gone by.
    pub(super) fn subscribe(&self, range: &WatchRange, queue: &Arc<Queue>) -> i64 {
        let mut subscribers = self.subscribers.lock();
        subscribers.matcher.insert(range, Subscriber(Arc::clone(queue)));
        self.published()
    }

    /// Undoes [`Hub::subscribe`].
    pub(super) fn unsubscribe(&self, range: &WatchRange, queue: &Arc<Queue>) {
        let mut subscribers = self.subscribers.lock();
        subscribers.matcher.remove(range, &Subscriber(Arc::clone(queue)));
    }

    /// Forgets a stream that has unsubscribed from everything.
    pub(super) fn remove_stream(&self, id: u64) {
        self.subscribers.lock().streams.remove(&id);
    }

    /// A piece of recent history, if `from` is in the ring.
    pub(super) fn recent(&self, from: i64, to: i64) -> Option<Vec<Arc<Batch>>> {
        let PieceLimit { revisions, bytes, .. } = self.limits.piece;
        self.ring.lock().read(from, to, revisions, bytes)
    }
}
