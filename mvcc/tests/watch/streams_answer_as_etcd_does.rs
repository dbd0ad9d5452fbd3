//! The facts of etcd's watch protocol, one after the other, on a stream with inline reads.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::{ResponseHeader, WatchCreateRequest, WatchResponse};
use retcd_api::mvccpb::Event;
use retcd_mvcc::watch::{Hub, HubLimits, HubStats, InlineReaders};

use crate::model::{CLUSTER_ID, Client, MEMBER_ID, ManualReaders, Model, TERM, TINY};

struct World {
    model: Arc<Model>,
    hub: Arc<Hub>,
}

impl World {
    fn new(limits: HubLimits) -> World {
        World { model: Model::new(), hub: Arc::new(Hub::new(1, limits)) }
    }

    fn client(&self) -> Client {
        let readers = Arc::new(InlineReaders);
        Client::new(&self.hub, self.model.clone(), readers, 2_000)
    }

    fn write(&self, changes: &[(&str, Option<&str>)]) {
        self.hub.publish(vec![self.model.write(changes)]);
    }

    fn put(&self, key: &str, value: &str) {
        self.write(&[(key, Some(value))]);
    }
}

fn watch(key: &'static str) -> WatchCreateRequest {
    WatchCreateRequest { key: key.into(), ..WatchCreateRequest::default() }
}

fn watch_all() -> WatchCreateRequest {
    WatchCreateRequest { range_end: Bytes::from_static(b"\0"), ..WatchCreateRequest::default() }
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: CLUSTER_ID, member_id: MEMBER_ID, revision, raft_term: TERM })
}

fn created(watch_id: i64, revision: i64) -> WatchResponse {
    WatchResponse { header: header(revision), watch_id, created: true, ..WatchResponse::default() }
}

fn refused(reason: &str, revision: i64) -> WatchResponse {
    WatchResponse { canceled: true, cancel_reason: reason.into(), ..created(-1, revision) }
}

fn canceled(watch_id: i64, revision: i64) -> WatchResponse {
    WatchResponse { header: header(revision), watch_id, canceled: true, ..WatchResponse::default() }
}

fn progress(watch_id: i64, revision: i64) -> WatchResponse {
    WatchResponse { header: header(revision), watch_id, ..WatchResponse::default() }
}

fn revisions(response: &WatchResponse) -> Vec<i64> {
    let revision = |event: &Event| event.kv.as_ref().unwrap().mod_revision;
    response.events.iter().map(revision).collect()
}

#[test]
fn ids_are_given_and_bad_requests_are_refused_with_the_exact_reason() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.create(watch("a"));
    client.create(WatchCreateRequest { watch_id: -9, ..watch("a") });
    client.create(WatchCreateRequest { watch_id: -9, ..watch("b") });
    client.create(WatchCreateRequest { range_end: Bytes::from_static(b"a"), ..watch("b") });
    client.create(WatchCreateRequest { start_revision: -1, ..watch("a") });
    client.with(|stream| stream.refuse("because"));
    let expected = [
        created(0, 1),
        created(-9, 1),
        refused("mvcc: duplicate watch ID provided on the WatchStream", 1),
        refused("mvcc: watcher range is empty", 1),
        refused("etcdserver: mvcc: required revision has been compacted", 1),
        refused("because", 1),
    ];
    assert_eq!(client.drain(), expected);
}

#[test]
fn live_events_have_the_revision_of_their_batch_and_the_bytes_of_the_generated_code() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.create(watch("a"));
    client.create(watch_all());
    assert_eq!(client.drain(), [created(0, 1), created(1, 1)]);
    world.write(&[("a", Some("1")), ("b", Some("2")), ("a", None)]);
    world.put("c", "3");
    let responses = client.drain();
    let ids: Vec<i64> = responses.iter().map(|response| response.watch_id).collect();
    assert_eq!(ids, [0, 1, 1]);
    assert_eq!(responses[0].header, header(2));
    assert_eq!(revisions(&responses[0]), [2, 2]);
    assert_eq!(revisions(&responses[1]), [2, 2, 2]);
    assert_eq!(responses[2].header, header(3));
    let delete = &responses[0].events[1];
    assert_eq!(delete.encode_to_vec(), b"\x08\x01\x12\x05\x0a\x01a\x18\x02");
}

#[test]
fn past_revisions_are_caught_up_with_the_current_revision_in_the_header() {
    let world = World::new(HubLimits::default());
    world.put("a", "1");
    world.put("b", "2");
    world.put("a", "3");
    let mut client = world.client();
    client.create(WatchCreateRequest { start_revision: 2, ..watch("a") });
    let responses = client.drain();
    assert_eq!(responses.len(), 2);
    assert_eq!(responses[0], created(0, 4));
    assert_eq!(responses[1].header, header(4));
    assert_eq!(revisions(&responses[1]), [2, 4]);
    world.put("a", "4");
    assert_eq!(revisions(&client.drain()[0]), [5]);
}

#[test]
fn a_future_start_waits_and_makes_no_promise_before() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.create(WatchCreateRequest { start_revision: 4, ..watch("a") });
    client.with(|stream| stream.request_progress());
    assert_eq!(client.drain(), [created(0, 1)]);
    world.put("a", "1");
    world.put("a", "2");
    assert_eq!(client.drain(), []);
    world.put("a", "3");
    assert_eq!(revisions(&client.drain()[0]), [4]);
    client.with(|stream| stream.request_progress());
    assert_eq!(client.drain(), [progress(-1, 4)]);
}

#[test]
fn compacted_starts_are_cancelled_after_the_created_answer_without_reason_and_revision() {
    let world = World::new(TINY);
    for value in ["1", "2", "3"] {
        world.put("a", value);
    }
    world.model.compact(3);
    let mut client = world.client();
    client.create(WatchCreateRequest { start_revision: 2, ..watch("a") });
    let gone = WatchResponse { compact_revision: 3, ..canceled(0, 0) };
    assert_eq!(client.drain(), [created(0, 4), gone]);
    client.create(WatchCreateRequest { start_revision: 3, ..watch("a") });
    let responses = client.drain();
    assert_eq!(responses[0], created(1, 4));
    assert_eq!(revisions(&responses[1]), [3, 4]);
    // The id stays taken until the client cancels it.
    client.create(WatchCreateRequest { watch_id: 1, ..watch("a") });
    client.with(|stream| stream.cancel(0));
    client.with(|stream| stream.cancel(0));
    let duplicate = "mvcc: duplicate watch ID provided on the WatchStream";
    assert_eq!(client.drain(), [refused(duplicate, 4), canceled(0, 4)]);
    world.put("a", "4");
    assert_eq!(client.drain().len(), 1);
}

#[test]
fn cancelled_watchers_get_nothing_more() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.create(watch("a"));
    client.create(watch("a"));
    client.drain();
    world.write(&[("a", Some("1"))]);
    assert_eq!(client.next().unwrap().watch_id, 0);
    client.with(|stream| stream.cancel(1));
    client.with(|stream| stream.cancel(7));
    assert_eq!(client.drain(), [canceled(1, 2)]);
    client.with(|stream| stream.cancel(0));
    assert_eq!(client.drain(), [canceled(0, 2)]);
    world.put("a", "2");
    assert_eq!(client.drain(), []);
    drop(client);
    assert_eq!(world.hub.stats(), HubStats::default());
}

#[test]
fn filters_drop_puts_or_deletes() {
    let world = World::new(TINY);
    let mut client = world.client();
    for filter in [0, 1] {
        client.create(WatchCreateRequest { filters: vec![filter], ..watch("a") });
    }
    client.drain();
    world.put("a", "1");
    world.write(&[("a", None)]);
    let responses = client.drain();
    let got: Vec<(i64, Vec<i64>)> =
        responses.iter().map(|response| (response.watch_id, revisions(response))).collect();
    assert_eq!(got, [(1, vec![2]), (0, vec![3])]);
}

#[test]
fn previous_pairs_are_those_of_the_revision_before() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.create(WatchCreateRequest { prev_kv: true, ..watch("a") });
    client.create(watch("a"));
    client.drain();
    world.put("a", "1");
    world.put("a", "2");
    world.write(&[("a", None)]);
    let mut previous = Vec::new();
    for response in client.drain() {
        let pair = response.events[0].prev_kv.clone();
        if response.watch_id == 1 {
            assert_eq!(pair, None);
        } else {
            previous.push(pair);
        }
    }
    let expected = [None, world.model.pair(b"a", 2), world.model.pair(b"a", 3)];
    assert_eq!(previous, expected);
}

#[test]
fn large_responses_are_split_only_if_asked_for() {
    let world = World::new(HubLimits::default());
    let mut client = world.client();
    client.create(WatchCreateRequest { fragment: true, ..watch_all() });
    client.create(watch_all());
    client.drain();
    let large = "x".repeat(900);
    world.write(&[("a", Some(&large)), ("b", Some(&large)), ("c", Some(&large))]);
    let huge = "y".repeat(3_000);
    world.write(&[("a", Some(&huge))]);
    let shape: Vec<(i64, usize, bool)> = client
        .drain()
        .iter()
        .map(|response| (response.watch_id, response.events.len(), response.fragment))
        .collect();
    let expected = [(0, 2, true), (0, 1, false), (1, 3, false), (0, 1, false), (1, 1, false)];
    assert_eq!(shape, expected);
}

#[test]
fn progress_comes_after_the_events_and_on_ticks_for_idle_watchers_only() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.with(|stream| stream.request_progress());
    client.create(WatchCreateRequest { progress_notify: true, ..watch("a") });
    client.create(watch("b"));
    client.with(|stream| stream.progress_tick());
    assert_eq!(client.drain(), [created(0, 1), created(1, 1), progress(0, 1)]);
    world.put("a", "1");
    client.with(|stream| stream.request_progress());
    let responses = client.drain();
    assert_eq!(revisions(&responses[0]), [2]);
    assert_eq!(responses[1..], [progress(-1, 2)]);
    client.with(|stream| stream.progress_tick());
    assert_eq!(client.drain(), []);
    world.put("c", "1");
    client.with(|stream| stream.progress_tick());
    assert_eq!(client.drain(), [progress(0, 3)]);
}

#[test]
fn no_progress_while_a_watcher_is_behind() {
    let world = World::new(TINY);
    world.put("a", "1");
    let readers = Arc::new(ManualReaders::default());
    let mut client = Client::new(&world.hub, world.model.clone(), readers.clone(), 2_000);
    client.create(WatchCreateRequest { start_revision: 2, ..watch("a") });
    client.create(watch("b"));
    client.with(|stream| stream.request_progress());
    assert_eq!(client.drain(), [created(0, 2), created(1, 2)]);
    // What happens meanwhile reaches those who are synced, while the other one reads.
    world.write(&[("a", Some("2")), ("b", Some("2"))]);
    let responses = client.drain();
    assert_eq!(responses[0].watch_id, 1);
    assert_eq!(responses.len(), 1);
    assert!(readers.run_one(0));
    let caught_up: Vec<Vec<i64>> = client.drain().iter().map(revisions).collect();
    assert_eq!(caught_up, [[2], [3]]);
    client.with(|stream| stream.request_progress());
    assert_eq!(client.drain().last(), Some(&progress(-1, 3)));
}

#[test]
fn a_snapshot_makes_watchers_read_on_from_where_they_were() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.create(watch("a"));
    client.drain();
    world.put("a", "1");
    for value in ["2", "3"] {
        world.model.write(&[("a", Some(value))]);
    }
    world.hub.resync_all(4);
    let responses = client.drain();
    let got: Vec<i64> = responses.iter().flat_map(revisions).collect();
    assert_eq!(got, [2, 3, 4]);
    for value in ["4", "5"] {
        world.model.write(&[("a", Some(value))]);
    }
    world.model.compact(6);
    world.hub.resync_all(6);
    let gone = WatchResponse { compact_revision: 6, ..canceled(0, 0) };
    assert_eq!(client.drain(), [gone]);
}

#[test]
fn closing_the_hub_or_losing_a_job_ends_streams() {
    let world = World::new(TINY);
    let mut client = world.client();
    client.drain();
    world.hub.close();
    client.drain();
    assert!(client.has_ended);
    let mut late = world.client();
    late.drain();
    assert!(late.has_ended);

    let world = World::new(TINY);
    world.put("a", "1");
    let readers = Arc::new(ManualReaders::default());
    let mut client = Client::new(&world.hub, world.model.clone(), readers.clone(), 2_000);
    client.create(WatchCreateRequest { start_revision: 1, ..watch("a") });
    client.drain();
    assert!(!client.has_ended);
    readers.drop_all();
    client.drain();
    assert!(client.has_ended);
}
