//! One gRPC stream of watches.
//!
//! Owned by one task, which calls the methods as requests and timer ticks come in, and
//! [`WatchStream::poll_next`] whenever it can send. What is sent next, in this order: answers to
//! requests; what is left of the current delivery; then queued batches, and when these are worked
//! off, one piece of the past for the watchers that are behind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::{ResponseHeader, WatchCreateRequest, WatchResponse};

use super::delivery::{Delivery, Parcel};
use super::event::Batch;
use super::history::{History, Readers};
use super::hub::Hub;
use super::matcher::Matcher;
use super::queue::{Arrival, FoundPairs, Queue};
use super::range::WatchRange;
use super::watchers::{Progress, Watcher, Watchers};

/// The id in answers that concern no single watcher.
const NO_WATCH_ID: i64 = -1;

const DUPLICATE_ID: &str = "mvcc: duplicate watch ID provided on the WatchStream";

/// Steps without a response after which a stream lets others run.
const STEPS_MAX: usize = 16;

/// What response headers say about this member.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Id of the cluster.
    pub cluster_id: u64,
    /// Id of this member.
    pub member_id: u64,
    /// Raft's current term, kept current by the member.
    pub term: Arc<AtomicU64>,
}

impl Identity {
    /// A header with this revision; zero leaves it out.
    pub(super) fn header(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.cluster_id,
            member_id: self.member_id,
            revision,
            raft_term: self.term.load(Ordering::Relaxed),
        }
    }
}

/// What a stream needs beside the hub.
#[derive(Clone)]
pub struct StreamConfig {
    /// Whose answers these are.
    pub identity: Identity,
    /// The stored past.
    pub history: Arc<dyn History>,
    /// Who reads it.
    pub readers: Arc<dyn Readers>,
    /// Watchers that asked for fragments get responses below this size, in bytes, unless a single
    /// event is larger. etcd takes its request limit plus 512 KiB.
    pub fragment_bytes: usize,
}

impl std::fmt::Debug for StreamConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamConfig")
            .field("identity", &self.identity)
            .field("fragment_bytes", &self.fragment_bytes)
            .finish_non_exhaustive()
    }
}

/// A response that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The encoded `etcdserverpb.WatchResponse`.
    pub bytes: Bytes,
    /// Events in it.
    pub events: usize,
}

/// A promise to be given once everything up to `revision` is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProgressMark {
    revision: i64,
    /// The watcher, or [`NO_WATCH_ID`] for all of them.
    id: i64,
}

/// The server's end of one watch stream.
#[derive(Debug)]
pub struct WatchStream {
    pub(super) hub: Arc<Hub>,
    pub(super) id: u64,
    pub(super) queue: Arc<Queue>,
    pub(super) config: StreamConfig,
    pub(super) watchers: Watchers,
    /// Slots by what they watch.
    pub(super) matcher: Matcher<u32>,
    /// Slots of watchers that are neither synced nor compacted.
    pub(super) unsynced: Vec<u32>,
    /// Answers to requests.
    pub(super) outbox: VecDeque<Response>,
    /// Batches taken from the queue.
    inbox: VecDeque<Arc<Batch>>,
    pub(super) delivery: Delivery,
    progress_marks: VecDeque<ProgressMark>,
    /// Revision of the last batch taken from the inbox.
    pub(super) taken: i64,
    /// The first revision that a job reads, while it does.
    pub(super) reads_past: Option<i64>,
    /// Whether a job looks up the previous pairs that the delivery needs.
    pub(super) reads_previous: bool,
    /// Whether the past had its turn since the queue was last looked at.
    past_had_its_turn: bool,
    pub(super) failure: Option<crate::Error>,
}

impl WatchStream {
    pub(super) fn new(
        hub: Arc<Hub>,
        id: u64,
        queue: Arc<Queue>,
        config: StreamConfig,
    ) -> WatchStream {
        WatchStream {
            hub,
            id,
            queue,
            config,
            watchers: Watchers::default(),
            matcher: Matcher::default(),
            unsynced: Vec::new(),
            outbox: VecDeque::new(),
            inbox: VecDeque::new(),
            delivery: Delivery::default(),
            progress_marks: VecDeque::new(),
            taken: 0,
            reads_past: None,
            reads_previous: false,
            past_had_its_turn: false,
            failure: None,
        }
    }

    /// Answers a create request. The server has checked permissions on [`WatchRange::of`] it.
    ///
    /// The answer, like those of all methods, comes out of [`WatchStream::poll_next`], which has to
    /// be called again afterwards.
    pub fn create(&mut self, request: &WatchCreateRequest) {
        if request.start_revision < 0 {
            return self.refuse(retcd_api::Error::Compacted.message());
        }
        let range = match WatchRange::of(request) {
            Ok(range) => range,
            Err(empty) => return self.refuse(&empty.to_string()),
        };
        let Some(id) = self.watchers.choose_id(request.watch_id) else {
            return self.refuse(DUPLICATE_ID);
        };
        let watcher = Watcher::new(request, id, range.clone(), self.config.fragment_bytes);
        let slot = self.watchers.add(watcher);
        let published = if self.matcher.insert(&range, slot) == 1 {
            self.hub.subscribe(&range, &self.queue)
        } else {
            self.hub.published()
        };
        let watcher = self.watchers.at_mut(slot);
        watcher.read_through = published;
        if watcher.start_revision == 0 {
            watcher.next = published.saturating_add(1);
        } else if watcher.start_revision <= published {
            watcher.progress = Progress::Unsynced;
            self.unsynced.push(slot);
            increment(&self.hub.counters.unsynced);
        }
        increment(&self.hub.counters.watchers);
        self.answer(WatchResponse {
            header: Some(self.config.identity.header(published)),
            watch_id: id,
            created: true,
            ..WatchResponse::default()
        });
    }

    /// Answers a create request that the server refuses, with the text of its error.
    pub fn refuse(&mut self, reason: &str) {
        self.answer(WatchResponse {
            header: Some(self.config.identity.header(self.hub.published())),
            watch_id: NO_WATCH_ID,
            created: true,
            canceled: true,
            cancel_reason: reason.to_owned(),
            ..WatchResponse::default()
        });
    }

    /// Ends a watcher. An unknown id gets no answer.
    pub fn cancel(&mut self, id: i64) {
        let Some((slot, watcher)) = self.watchers.remove(id) else {
            return;
        };
        if watcher.progress != Progress::Compacted {
            self.detach(slot, &watcher.range);
        }
        self.answer(WatchResponse {
            header: Some(self.config.identity.header(self.hub.published())),
            watch_id: id,
            canceled: true,
            ..WatchResponse::default()
        });
    }

    /// Answers a progress request, if all watchers are synced and none waits for a revision to
    /// come; otherwise there is no answer.
    pub fn request_progress(&mut self) {
        let revision = self.hub.settled();
        if !self.queue.has_lost() && self.all_can_promise(revision) {
            self.mark_progress(ProgressMark { revision, id: NO_WATCH_ID });
        }
    }

    /// Reports progress for synced watchers that asked for it and got nothing since the last tick.
    pub fn progress_tick(&mut self) {
        let revision = self.hub.settled();
        let has_lost = self.queue.has_lost();
        let mut due = Vec::new();
        for (_, watcher) in self.watchers.iter_mut() {
            if watcher.progress_notify && watcher.is_idle && watcher.can_promise(revision) {
                due.push(watcher.form.id);
            }
            watcher.is_idle = true;
        }
        if !has_lost {
            for id in due {
                self.mark_progress(ProgressMark { revision, id });
            }
        }
    }

    /// Answers that wait to be sent. The server stops reading requests while this is large.
    pub fn backlog(&self) -> usize {
        self.outbox.len() + self.progress_marks.len()
    }

    /// Why the stream ended, if reading history failed.
    pub fn failure(&self) -> Option<&crate::Error> {
        self.failure.as_ref()
    }

    /// The next response; `None` when the hub was closed or a read of history failed.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Response>> {
        for _ in 0..STEPS_MAX {
            if let Some(response) = self.outbox.pop_front() {
                return Poll::Ready(Some(response));
            }
            if !self.reads_previous
                && let Some(response) = self.deliver()
            {
                return Poll::Ready(Some(response));
            }
            match self.advance(context) {
                Poll::Ready(Step::Worked) => {}
                Poll::Ready(Step::Ended) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn deliver(&mut self) -> Option<Response> {
        let watchers = &self.watchers;
        let Parcel { slot, bytes, events } = self.delivery.next(|slot| watchers.at(slot).form)?;
        self.watchers.at_mut(slot).is_idle = false;
        Some(Response { bytes, events })
    }

    /// Finds the next thing to deliver.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        if self.failure.is_some() {
            return Poll::Ready(Step::Ended);
        }
        if self.reads_previous {
            return self.queue.poll_previous(context).map(|outcome| self.take_previous(outcome));
        }
        self.delivery.finish();
        if let Some(batch) = self.inbox.pop_front() {
            self.take_batch(batch);
            return Poll::Ready(Step::Worked);
        }
        if !self.unsynced.is_empty() && self.reads_past.is_none() && !self.past_had_its_turn {
            self.past_had_its_turn = true;
            self.begin_piece();
            return Poll::Ready(Step::Worked);
        }
        match self.queue.poll(&mut self.inbox, context) {
            Poll::Ready(Arrival::Batches) => {
                self.past_had_its_turn = false;
                Poll::Ready(Step::Worked)
            }
            Poll::Ready(Arrival::Closed) => Poll::Ready(Step::Ended),
            Poll::Ready(arrival) => {
                self.give_promises(i64::MAX);
                self.past_had_its_turn = false;
                match arrival {
                    Arrival::Lost(lost) => self.take_loss(lost),
                    Arrival::Past(past) => self.take_past(past),
                    Arrival::Batches | Arrival::Closed => {}
                }
                Poll::Ready(Step::Worked)
            }
            Poll::Pending => {
                self.give_promises(i64::MAX);
                let past_is_due = self.past_had_its_turn && self.reads_past.is_none();
                self.past_had_its_turn = false;
                let works_on = past_is_due && !self.unsynced.is_empty();
                if works_on || !self.outbox.is_empty() {
                    Poll::Ready(Step::Worked)
                } else {
                    Poll::Pending
                }
            }
        }
    }

    /// Takes over the previous pairs that a job has looked up.
    fn take_previous(&mut self, outcome: Option<crate::Result<FoundPairs>>) -> Step {
        self.reads_previous = false;
        match outcome {
            None => Step::Ended,
            Some(Ok(pairs)) => {
                self.delivery.know(pairs);
                Step::Worked
            }
            Some(Err(error)) => {
                self.failure = Some(error);
                Step::Ended
            }
        }
    }

    /// Delivers a queued batch to synced watchers.
    fn take_batch(&mut self, batch: Arc<Batch>) {
        self.give_promises(batch.revision.saturating_sub(1));
        self.taken = batch.revision;
        let header = self.config.identity.header(batch.revision);
        self.delivery.begin(vec![batch], Vec::new(), &header);
        let (matcher, watchers) = (&self.matcher, &self.watchers);
        self.delivery.pick(|event, picked| {
            matcher.for_each(event.key(), |slot| {
                let watcher = watchers.at(*slot);
                if watcher.progress == Progress::Synced && watcher.wants(event) {
                    picked(*slot);
                }
            });
        });
        self.look_up_previous();
    }

    /// Sends the progress marks at or below `through`, before anything above them is sent.
    fn give_promises(&mut self, through: i64) {
        while let Some(mark) = self.progress_marks.front().copied() {
            if mark.revision > through {
                break;
            }
            self.progress_marks.pop_front();
            let holds = if mark.id == NO_WATCH_ID {
                self.all_can_promise(mark.revision)
            } else {
                let watcher = self.watchers.by_id(mark.id);
                watcher.is_some_and(|watcher| watcher.can_promise(mark.revision))
            };
            if holds {
                self.answer(WatchResponse {
                    header: Some(self.config.identity.header(mark.revision)),
                    watch_id: mark.id,
                    ..WatchResponse::default()
                });
            }
        }
    }

    fn mark_progress(&mut self, mark: ProgressMark) {
        if self.progress_marks.back() != Some(&mark) {
            self.progress_marks.push_back(mark);
        }
    }

    /// Whether nothing at or below `revision` will be sent once the queue is worked off up to it.
    fn all_can_promise(&self, revision: i64) -> bool {
        let mut active = self
            .watchers
            .iter()
            .filter(|watcher| watcher.progress != Progress::Compacted)
            .peekable();
        active.peek().is_some() && active.all(|watcher| watcher.can_promise(revision))
    }

    pub(super) fn answer(&mut self, response: WatchResponse) {
        self.outbox.push_back(Response { bytes: response.encode_to_vec().into(), events: 0 });
    }

    /// Takes a watcher out of everything that knows its slot.
    pub(super) fn detach(&mut self, slot: u32, range: &WatchRange) {
        self.delivery.forget(slot);
        if let Some(index) = self.unsynced.iter().position(|other| *other == slot) {
            self.unsynced.swap_remove(index);
            decrement(&self.hub.counters.unsynced);
        }
        if self.matcher.remove(range, &slot) == 0 {
            self.hub.unsubscribe(range, &self.queue);
        }
        decrement(&self.hub.counters.watchers);
    }
}

enum Step {
    Worked,
    Ended,
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        let counters = &self.hub.counters;
        counters.unsynced.fetch_sub(self.unsynced.len(), Ordering::Relaxed);
        for (slot, watcher) in self.watchers.iter_mut() {
            if watcher.progress != Progress::Compacted {
                decrement(&counters.watchers);
                if self.matcher.remove(&watcher.range, &slot) == 0 {
                    self.hub.unsubscribe(&watcher.range, &self.queue);
                }
            }
        }
        self.hub.remove_stream(self.id);
    }
}

pub(super) fn increment(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn decrement(counter: &AtomicUsize) {
    counter.fetch_sub(1, Ordering::Relaxed);
}
