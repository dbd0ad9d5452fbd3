//! Random writes, watchers that begin anywhere, readers that are slow, compactions, snapshots: each
//! watcher gets exactly the events that it wants, once, in order, whole revisions at a time, or the
//! news that they are compacted, and promises are kept.
//!
//! Buffers are tiny, so that every way is taken: queue, ring, history, loss. Streams are polled
//! only when they were woken, so a forgotten wake-up shows as missing events.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use retcd_api::mvccpb::Event;
use retcd_api::mvccpb::event::EventType;
use retcd_mvcc::watch::{History, Hub, HubStats, InlineReaders, Readers};
use retcd_mvcc::{ChangeKind, Commit};

use crate::model::{Client, ManualReaders, Model, TINY};

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
const RANGES: [(&str, &str); 6] =
    [("a", ""), ("c", ""), ("", "\0"), ("b", "d"), ("c", "\0"), ("a", "c")];
const STREAMS: usize = 3;

type Writes = Vec<(usize, bool)>;

#[derive(Clone, Debug)]
enum Step {
    /// Revisions that are published together.
    Publish(Vec<Writes>),
    /// Revisions that arrive as a snapshot.
    Snapshot(Vec<Writes>),
    Create {
        stream: usize,
        range: usize,
        /// From the current revision; `None` for "from now on".
        start: Option<i64>,
        filter: Option<i32>,
        previous: bool,
        fragment: bool,
        notify: bool,
    },
    Cancel(usize, usize),
    /// A slow reader takes only some responses.
    Poll(usize, usize),
    RunJob(usize),
    /// How far behind the current revision.
    Compact(i64),
    RequestProgress(usize),
    Tick(usize),
}

fn writes() -> impl Strategy<Value = Writes> {
    prop::collection::vec((0..KEYS.len(), prop::bool::weighted(0.7)), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let create = (
        0..STREAMS,
        0..RANGES.len(),
        prop::option::of(-8..3_i64),
        prop::option::weighted(0.2, 0..2_i32),
        any::<[bool; 3]>(),
    )
        .prop_map(|(stream, range, start, filter, [previous, fragment, notify])| {
            Step::Create { stream, range, start, filter, previous, fragment, notify }
        });
    prop_oneof![
        8 => prop::collection::vec(writes(), 1..4).prop_map(Step::Publish),
        1 => prop::collection::vec(writes(), 0..4).prop_map(Step::Snapshot),
        3 => create,
        1 => (0..STREAMS, 0..8_usize).prop_map(|(stream, nth)| Step::Cancel(stream, nth)),
        6 => (0..STREAMS, 0..6_usize).prop_map(|(stream, count)| Step::Poll(stream, count)),
        4 => (0..8_usize).prop_map(Step::RunJob),
        1 => (0..12_i64).prop_map(Step::Compact),
        1 => (0..STREAMS).prop_map(Step::RequestProgress),
        1 => (0..STREAMS).prop_map(Step::Tick),
    ]
}

/// What the client knows of one watcher.
struct Watched {
    range: (&'static str, &'static str),
    filter: Option<i32>,
    previous: bool,
    fragment: bool,
    asked_start: i64,
    /// From the created answer on, the first revision that it gets.
    start: Option<i64>,
    got: Vec<Event>,
    /// A fragment came, and the rest of it has yet to.
    in_fragment: bool,
    /// No event at or below it may come any more.
    promised: i64,
    compacted: Option<i64>,
    /// The revision of the answer to its cancelling.
    canceled: Option<i64>,
}

impl Watched {
    fn holds(&self, key: &str) -> bool {
        let (start, end) = self.range;
        let start = if start.is_empty() { "\0" } else { start };
        match end {
            "" => key == start,
            "\0" => key >= start,
            _ => key >= start && key < end,
        }
    }

    /// What it should get of these commits: revision, key, whether it is a delete.
    fn expected(&self, commits: &[Commit]) -> Vec<(i64, Bytes, bool)> {
        let Some(start) = self.start else {
            return Vec::new();
        };
        let mut expected = Vec::new();
        for commit in commits.iter().filter(|commit| commit.revision >= start) {
            for change in &commit.changes {
                let key = std::str::from_utf8(&change.key).unwrap();
                let is_delete = change.kind == ChangeKind::Delete;
                if self.holds(key) && self.filter != Some(i32::from(is_delete)) {
                    expected.push((commit.revision, change.key.clone(), is_delete));
                }
            }
        }
        expected
    }

    fn take(&mut self, response: WatchResponse) {
        let header = response.header.unwrap().revision;
        assert!(self.start.is_some(), "created comes first");
        assert_eq!((self.compacted, self.canceled), (None, None));
        assert!(self.fragment || !response.fragment);
        let last = self.got.last().map(revision_of);
        for event in &response.events {
            let revision = revision_of(event);
            assert!(revision > self.promised, "a promise was broken");
            assert!(revision <= header);
            assert!(
                self.in_fragment || Some(revision) > last,
                "a revision was split, or came out of order"
            );
        }
        self.in_fragment = response.fragment;
        self.got.extend(response.events);
    }
}

fn revision_of(event: &Event) -> i64 {
    event.kv.as_ref().unwrap().mod_revision
}

struct World {
    model: Arc<Model>,
    hub: Arc<Hub>,
    readers: Arc<ManualReaders>,
    clients: Vec<Client>,
    watched: Vec<BTreeMap<i64, Watched>>,
    next_id: i64,
}

impl World {
    fn new(inline: bool) -> World {
        let model = Model::new();
        let hub = Arc::new(Hub::new(1, TINY));
        let readers = Arc::new(ManualReaders::default());
        let chosen: Arc<dyn Readers> =
            if inline { Arc::new(InlineReaders) } else { readers.clone() };
        let client = |_| Client::new(&hub, model.clone(), chosen.clone(), 200);
        World {
            clients: (0..STREAMS).map(client).collect(),
            watched: (0..STREAMS).map(|_| BTreeMap::new()).collect(),
            model,
            hub,
            readers,
            next_id: 1,
        }
    }

    fn write(&self, writes: &Writes) -> Commit {
        let value = "v".repeat(100 * writes.len());
        let changes: Vec<(&str, Option<&str>)> = writes
            .iter()
            .map(|(key, is_put)| (KEYS[*key], is_put.then_some(value.as_str())))
            .collect();
        self.model.write(&changes)
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish(list) => {
                let commits = list.iter().map(|writes| self.write(writes)).collect();
                self.hub.publish(commits);
            }
            Step::Snapshot(list) => {
                for writes in &list {
                    self.write(writes);
                }
                self.hub.resync_all(self.model.current_revision());
            }
            Step::Create { .. } => self.create(step),
            Step::Cancel(stream, nth) => {
                let id = self.watched[stream].keys().nth(nth).copied();
                if let Some(id) = id {
                    self.clients[stream].with(|stream| stream.cancel(id));
                }
            }
            Step::Poll(stream, count) => self.poll(stream, count),
            Step::RunJob(index) => {
                self.readers.run_one(index);
            }
            Step::Compact(behind) => {
                let revision = self.model.current_revision() - behind;
                if revision > self.model.compacted_revision() && revision > 0 {
                    self.model.compact(revision);
                }
            }
            Step::RequestProgress(stream) => {
                self.clients[stream].with(|stream| stream.request_progress());
            }
            Step::Tick(stream) => self.clients[stream].with(|stream| stream.progress_tick()),
        }
    }

    fn create(&mut self, step: Step) {
        let Step::Create { stream, range, start, filter, previous, fragment, notify } = step else {
            return;
        };
        let asked_start =
            start.map_or(0, |from_current| (self.model.current_revision() + from_current).max(1));
        let id = self.next_id;
        self.next_id += 1;
        self.clients[stream].create(WatchCreateRequest {
            key: RANGES[range].0.into(),
            range_end: RANGES[range].1.into(),
            start_revision: asked_start,
            progress_notify: notify,
            filters: filter.into_iter().collect(),
            prev_kv: previous,
            watch_id: id,
            fragment,
        });
        let watched = Watched {
            range: RANGES[range],
            filter,
            previous,
            fragment,
            asked_start,
            start: None,
            got: Vec::new(),
            in_fragment: false,
            promised: 0,
            compacted: None,
            canceled: None,
        };
        self.watched[stream].insert(id, watched);
    }

    fn poll(&mut self, stream: usize, count: usize) {
        for _ in 0..count {
            let Some(response) = self.clients[stream].next() else {
                break;
            };
            self.take(stream, response);
        }
    }

    fn take(&mut self, stream: usize, response: WatchResponse) {
        let commits = self.model.commits();
        let header = response.header.unwrap().revision;
        let watched = &mut self.watched[stream];
        if response.events.is_empty() && !response.created && !response.canceled {
            let all = response.watch_id == -1;
            let promised = watched.iter_mut().filter(|(id, watched)| {
                let is_known = watched.start.is_some() && watched.compacted.is_none();
                is_known && (all || **id == response.watch_id)
            });
            for (_, watched) in promised.filter(|(_, watched)| watched.canceled.is_none()) {
                let mut expected = watched.expected(&commits);
                expected.retain(|(revision, ..)| *revision <= header);
                assert_eq!(watched.got.len(), expected.len(), "a promise came too early");
                watched.promised = header;
            }
            return;
        }
        let one = watched.get_mut(&response.watch_id).unwrap();
        if response.created {
            assert!(!response.canceled);
            one.start = Some(match one.asked_start {
                0 => header + 1,
                start => start,
            });
        } else if response.compact_revision != 0 {
            assert_eq!((header, response.cancel_reason.as_str()), (0, ""));
            one.compacted = Some(response.compact_revision);
        } else if response.canceled {
            one.canceled = Some(header);
        } else {
            one.take(response);
        }
    }

    /// Lets everybody read until nothing is left to do.
    fn settle(&mut self) {
        loop {
            for stream in 0..STREAMS {
                self.poll(stream, usize::MAX);
            }
            if !self.readers.run_one(0) {
                break;
            }
        }
    }

    fn check(&self) {
        let commits = self.model.commits();
        for watched in self.watched.iter().flat_map(|watched| watched.values()) {
            let mut expected = watched.expected(&commits);
            let got: Vec<(i64, Bytes, bool)> = watched
                .got
                .iter()
                .map(|event| {
                    let key = event.kv.as_ref().unwrap().key.clone();
                    (revision_of(event), key, event.r#type() == EventType::Delete)
                })
                .collect();
            let is_cut_short = watched.compacted.is_some() || watched.canceled.is_some();
            if is_cut_short {
                let missing = expected.split_off(got.len().min(expected.len()));
                if let (Some(compacted), Some(start)) = (watched.compacted, watched.start) {
                    assert!(start < compacted);
                    let last = got.last().map_or(0, |(revision, ..)| *revision);
                    assert!(missing.iter().all(|(revision, ..)| *revision > last));
                    assert!(last < compacted);
                }
            }
            assert_eq!(got, expected);
            for event in &watched.got {
                self.check_previous(watched, event);
            }
        }
    }

    fn check_previous(&self, watched: &Watched, event: &Event) {
        let before = revision_of(event) - 1;
        let now = event.kv.as_ref().unwrap();
        // A key that was deleted and put in one revision is new, too.
        let is_creation = now.create_revision == now.mod_revision;
        let pair = if is_creation { None } else { self.model.pair(&now.key, before) };
        let may_be_gone = before < self.model.compacted_revision();
        let is_right = event.prev_kv == pair || (may_be_gone && event.prev_kv.is_none());
        if watched.previous {
            assert!(is_right, "{:?} instead of {pair:?}", event.prev_kv);
        } else {
            assert_eq!(event.prev_kv, None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_event_arrives_once_and_in_order(
        inline in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(inline);
        for step in steps {
            world.run(step);
        }
        world.settle();
        world.check();
        let HubStats { unsynced_watchers, pending_events, .. } = world.hub.stats();
        prop_assert_eq!((unsynced_watchers, pending_events), (0, 0));
        // Streams that close before the hub does give back what they held.
        world.clients.clear();
        prop_assert_eq!(world.hub.stats(), HubStats::default());
    }
}
