//! What travels to a stream from other threads: live batches, results of reads, the end.
//!
//! The apply thread pushes and never waits: what doesn't fit is counted as lost, from the first
//! such revision on, until the stream has drained the queue and takes note. So a queue holds an
//! unbroken run of what its stream watches, and then nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::delivery::{EventIndex, PreviousPairs};
use super::event::Batch;
use super::previous::Pair;

/// Revisions that a stream has to read again, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// The first one that may be missing.
    pub(super) from: i64,
    /// The last one; what comes later is queued again.
    pub(super) through: i64,
}

/// Previous pairs that a job looked up.
pub(super) type FoundPairs = Vec<(EventIndex, Option<Pair>)>;

/// A piece of the past for one stream.
#[derive(Debug)]
pub(super) struct Past {
    /// Its batches, ascending.
    pub(super) batches: Vec<Arc<Batch>>,
    /// The previous pairs of those events that somebody on the stream wants them of.
    pub(super) previous: PreviousPairs,
    /// The first revision that it doesn't cover.
    pub(super) next: i64,
}

/// What a stream finds when it looks.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The inbox was filled.
    Batches,
    /// The queue was full and is now empty.
    Lost(Lost),
    /// The past that was asked for. Never found while batches are queued.
    Past(crate::Result<Past>),
    /// The hub or a reader is gone.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    lost: Option<Lost>,
    past: Option<crate::Result<Past>>,
    previous: Option<crate::Result<FoundPairs>>,
    closed: bool,
    waker: Option<Waker>,
}

/// One stream's queue, shared with the hub.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Revision of the last pushed batch. Written and read by the pushing thread only.
    last_revision: AtomicI64,
    batches_max: usize,
    bytes_max: usize,
    /// Events queued in all queues of the hub.
    pending: Arc<AtomicUsize>,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(batches_max: usize, bytes_max: usize, pending: Arc<AtomicUsize>) -> Queue {
        Queue {
            state: Mutex::default(),
            last_revision: AtomicI64::new(0),
            batches_max,
            bytes_max,
            pending,
        }
    }

    /// Queues a batch, unless it is there already, or counts it as lost. Gives who waits for it.
    pub(super) fn push(&self, batch: &Arc<Batch>) -> Option<Waker> {
        if self.last_revision.load(Ordering::Relaxed) == batch.revision {
            return None;
        }
        self.last_revision.store(batch.revision, Ordering::Relaxed);
        let mut state = self.state.lock();
        if let Some(lost) = &mut state.lost {
            lost.through = batch.revision;
            return None;
        }
        let fits = state.batches.is_empty()
            || (state.batches.len() < self.batches_max
                && state.bytes.saturating_add(batch.bytes) <= self.bytes_max);
        if fits {
            state.bytes = state.bytes.saturating_add(batch.bytes);
            state.batches.push_back(Arc::clone(batch));
            self.pending.fetch_add(batch.events.len(), Ordering::Relaxed);
        } else {
            state.lost = Some(Lost { from: batch.revision, through: batch.revision });
        }
        state.waker.take()
    }

    /// Makes the stream read these revisions from history.
    pub(super) fn lose(&self, lost: Lost) -> Option<Waker> {
        let mut state = self.state.lock();
        let from = state.lost.map_or(lost.from, |earlier| earlier.from);
        state.lost = Some(Lost { from, ..lost });
        state.waker.take()
    }

    /// Ends the stream.
    pub(super) fn close(&self) -> Option<Waker> {
        let mut state = self.state.lock();
        state.closed = true;
        state.waker.take()
    }

    /// Hands over what a job read.
    pub(super) fn complete_past(&self, past: crate::Result<Past>) {
        let waker = {
            let mut state = self.state.lock();
            state.past = Some(past);
            state.waker.take()
        };
        wake(waker);
    }

    /// Hands over the previous pairs that a job has looked up.
    pub(super) fn complete_previous(&self, outcome: crate::Result<FoundPairs>) {
        let waker = {
            let mut state = self.state.lock();
            state.previous = Some(outcome);
            state.waker.take()
        };
        wake(waker);
    }

    /// Whether revisions were lost and the stream hasn't noticed yet.
    pub(super) fn has_lost(&self) -> bool {
        self.state.lock().lost.is_some()
    }

    /// Fills the empty `inbox` or finds something else; waits if there is nothing.
    pub(super) fn poll(
        &self,
        inbox: &mut VecDeque<Arc<Batch>>,
        context: &mut Context<'_>,
    ) -> Poll<Arrival> {
        assert!(inbox.is_empty(), "an inbox is worked off before it is filled");
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(Arrival::Closed);
        }
        if !state.batches.is_empty() {
            std::mem::swap(&mut state.batches, inbox);
            state.bytes = 0;
            let events = inbox.iter().map(|batch| batch.events.len()).sum();
            self.pending.fetch_sub(events, Ordering::Relaxed);
            return Poll::Ready(Arrival::Batches);
        }
        if let Some(lost) = state.lost.take() {
            return Poll::Ready(Arrival::Lost(lost));
        }
        if let Some(past) = state.past.take() {
            return Poll::Ready(Arrival::Past(past));
        }
        state.wait(context);
        Poll::Pending
    }

    /// Waits for [`Queue::complete_previous`]; `None` if the stream ends.
    pub(super) fn poll_previous(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<crate::Result<FoundPairs>>> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(None);
        }
        if let Some(outcome) = state.previous.take() {
            return Poll::Ready(Some(outcome));
        }
        state.wait(context);
        Poll::Pending
    }
}

impl State {
    fn wait(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.waker = Some(context.waker().clone()),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let events = state.batches.iter().map(|batch| batch.events.len()).sum();
        self.pending.fetch_sub(events, Ordering::Relaxed);
    }
}

/// Wakes whoever waited.
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Change, ChangeKind, Commit};

    fn batch(revision: i64) -> Arc<Batch> {
        Arc::new(Batch::new(Commit {
            revision,
            changes: vec![Change { key: Bytes::from_static(b"k"), kind: ChangeKind::Delete }],
        }))
    }

    fn arrival(queue: &Queue, inbox: &mut VecDeque<Arc<Batch>>) -> Poll<Arrival> {
        queue.poll(inbox, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_does_not_fit_is_lost_until_it_is_noticed() {
        let pending = Arc::new(AtomicUsize::new(0));
        let queue = Queue::new(2, usize::MAX, Arc::clone(&pending));
        for revision in 5..=9 {
            queue.push(&batch(revision));
        }
        assert_eq!(pending.load(Ordering::Relaxed), 2);
        let mut inbox = VecDeque::new();
        assert!(matches!(arrival(&queue, &mut inbox), Poll::Ready(Arrival::Batches)));
        assert_eq!(inbox.len(), 2);
        inbox.clear();
        queue.push(&batch(10));
        let expected = Lost { from: 7, through: 10 };
        assert!(matches!(
            arrival(&queue, &mut inbox),
            Poll::Ready(Arrival::Lost(lost)) if lost == expected
        ));
        queue.push(&batch(11));
        assert_eq!(pending.load(Ordering::Relaxed), 1);
        drop(queue);
        assert_eq!(pending.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_batch_always_fits_and_is_queued_once() {
        let queue = Queue::new(1, 0, Arc::default());
        queue.push(&batch(5));
        queue.push(&batch(5));
        assert!(!queue.has_lost());
        queue.push(&batch(6));
        assert!(queue.has_lost());
    }
}
