//! Clients that watch: each keeps to one member as long as it runs, then goes on at another one
//! from where it was.
//!
//! Whatever the members, the way of the events (queue, ring, history) and the interruptions, a
//! client must see every revision that changed its keys, whole, once, in order, and nothing else.
//! What a progress report promises must be true.

use crate::defect::Defect;
use crate::model::{Event, Model};
use crate::network::Place;
use crate::request::{Keys, Pair};
use prost::Message;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use retcd_api::mvccpb;
use retcd_mvcc::Store;
use retcd_mvcc::watch::{Identity, InlineReaders, StreamConfig, WatchStream};
use retcd_testkit::random::Random;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// One in so many responses is spoilt, if that is the defect.
const WRONG_EVERY: u64 = 20;

/// Whether a stream that isn't ready wants to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client that watches.
pub(crate) struct Watch {
    name: String,
    keys: Keys,
    /// The first revision that it doesn't know of.
    next: i64,
    /// The member that it watches at, and the stream there.
    stream: Option<(Place, WatchStream)>,
    seen: u64,
    defect: Option<Defect>,
}

impl Watch {
    pub(crate) fn new(name: String, keys: Keys, defect: Option<Defect>) -> Watch {
        Watch { name, keys, next: 1, stream: None, seen: 0, defect }
    }

    /// Where it watches.
    pub(crate) fn place(&self) -> Option<Place> {
        self.stream.as_ref().map(|(place, _)| *place)
    }

    /// Revisions that it has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The member is gone, or the client has enough of it.
    pub(crate) fn disconnect(&mut self) {
        self.stream = None;
    }

    /// Begins to watch at a member.
    pub(crate) fn connect(&mut self, place: Place, store: &Arc<Store>) {
        let identity = Identity { cluster_id: 1, member_id: 1, term: Arc::default() };
        let config = StreamConfig {
            identity,
            history: store.clone(),
            readers: Arc::new(InlineReaders),
            fragment_bytes: 1 << 20,
        };
        let mut stream = store.hub().stream(config);
        let (key, range_end) = self.keys.range();
        let is_resumed = self.next > 1;
        let late = i64::from(is_resumed && self.defect == Some(Defect::ResumeLate));
        let start_revision = self.next + late;
        let create = WatchCreateRequest { key, range_end, start_revision, ..Default::default() };
        stream.create(&create);
        self.stream = Some((place, stream));
    }

    /// Takes what there is.
    ///
    /// # Errors
    ///
    /// Why the member has ended the stream.
    pub(crate) fn poll(&mut self, model: &Model, random: &mut Random) -> Result<(), String> {
        if random.one_in(8)
            && let Some((_, stream)) = &mut self.stream
        {
            stream.request_progress();
        }
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        while let Some((_, stream)) = &mut self.stream {
            match stream.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => return Ok(()),
                Poll::Ready(None) => {
                    let failure = stream.failure().map(ToString::to_string);
                    return Err(failure.unwrap_or_else(|| "a watch stream ended".to_owned()));
                }
                Poll::Ready(Some(response)) => {
                    let response = WatchResponse::decode(response.bytes);
                    self.hear(response.expect("a response decodes"), model, random);
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, mut response: WatchResponse, model: &Model, random: &mut Random) {
        let name = &self.name;
        if response.canceled {
            let compacted = response.compact_revision;
            let next = self.next;
            assert!(
                next < compacted && compacted <= model.compacted(),
                "{name} from {next} on was cancelled: {response:?}"
            );
            self.next = compacted;
            self.stream = None;
            return;
        }
        match self.defect {
            Some(Defect::DropEvent) if random.one_in(WRONG_EVERY) => {
                response.events.pop();
            }
            Some(Defect::RepeatEvent) if random.one_in(WRONG_EVERY) => {
                let last = response.events.last().cloned();
                response.events.extend(last);
            }
            _ => {}
        }
        let promised = response.header.map_or(0, |header| header.revision);
        let mut revisions: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
        let mut last = 0;
        for event in &response.events {
            let (revision, event) = event_of(event);
            assert!(revision >= last, "{name} hears of {revision} after {last}");
            last = revision;
            revisions.entry(revision).or_default().push(event);
        }
        for (revision, events) in revisions {
            self.see(revision, events, model);
        }
        if response.events.is_empty() && !response.created && promised >= self.next {
            let missing = model.next_events(&self.keys, self.next);
            let missing = missing.filter(|(revision, _)| *revision <= promised);
            assert_eq!(missing, None, "{} was promised all up to {promised}", self.name);
            self.next = promised + 1;
        }
    }

    fn see(&mut self, revision: i64, events: Vec<Event>, model: &Model) {
        let expected = model.next_events(&self.keys, self.next);
        assert_eq!(Some((revision, events)), expected, "{} wants {}", self.name, self.next);
        self.next = revision + 1;
        self.seen += 1;
    }

    /// Whether it has seen everything.
    pub(crate) fn is_up_to_date(&self, model: &Model) -> bool {
        model.next_events(&self.keys, self.next).is_none()
    }

    /// Panics if it hasn't.
    pub(crate) fn assert_up_to_date(&self, model: &Model) {
        let missing = model.next_events(&self.keys, self.next);
        assert_eq!(missing, None, "{} was never told", self.name);
    }
}

fn event_of(event: &mvccpb::Event) -> (i64, Event) {
    let pair = event.kv.as_ref().expect("an event is about a key");
    let key = pair.key.clone();
    match event.r#type() {
        mvccpb::event::EventType::Put => {
            (pair.mod_revision, Event { key, pair: Some(Pair::of(pair)) })
        }
        mvccpb::event::EventType::Delete => (pair.mod_revision, Event { key, pair: None }),
    }
}
