//! etcd 15271: a watch went back in time when its member took over a snapshot.
//!
//! A member that was cut off for long gets the leader's state as a whole. Its watchers have to read
//! what they missed from there on. etcd put them back among those that are behind as they were:
//! with the revision that they began at, not the one that they had got to. So they got events again
//! that they had had, after later ones.
//!
//! Here every watcher keeps where it is, whoever moved the store. A snapshot comes while watchers
//! are up to date, behind, and waiting for a revision to come; each gets every event once, and in
//! order.

use std::sync::Arc;

use retcd_api::etcdserverpb::WatchCreateRequest;
use retcd_mvcc::watch::{History, Hub, HubLimits, InlineReaders};

use crate::model::{Client, Model, TINY};

fn watch(id: i64, start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: "\0".into(),
        range_end: "\0".into(),
        start_revision,
        watch_id: id,
        ..WatchCreateRequest::default()
    }
}

/// Revisions of the events that have come for a watcher, in their order.
fn revisions(client: &mut Client, id: i64) -> Vec<i64> {
    let responses = client.drain().into_iter().filter(|response| response.watch_id == id);
    let events = responses.flat_map(|response| response.events);
    events.map(|event| event.kv.unwrap().mod_revision).collect()
}

/// Writes through the log, so that the hub is told, until `revision`.
fn publish(model: &Model, hub: &Hub, revision: i64) {
    while model.current_revision() < revision {
        hub.publish(vec![model.write(&[("key", Some("value"))])]);
    }
}

/// Arrives at `revision` by a snapshot: the hub only hears how far the store is.
fn snapshot(model: &Model, hub: &Hub, revision: i64) {
    while model.current_revision() < revision {
        model.write(&[("key", Some("value"))]);
    }
    hub.resync_all(revision);
}

fn play(limits: HubLimits) {
    let model = Model::new();
    let hub = Arc::new(Hub::new(1, limits));
    let client = || Client::new(&hub, model.clone(), Arc::new(InlineReaders), 1 << 20);
    let (mut synced, mut behind, mut waiting) = (client(), client(), client());
    synced.create(watch(1, 2));
    publish(&model, &hub, 20);
    assert_eq!(revisions(&mut synced, 1), (2..=20).collect::<Vec<_>>());
    behind.create(watch(2, 5));
    waiting.create(watch(3, 30));
    assert_eq!(revisions(&mut waiting, 3), [0; 0]);

    snapshot(&model, &hub, 40);
    assert_eq!(revisions(&mut synced, 1), (21..=40).collect::<Vec<_>>());
    snapshot(&model, &hub, 43);
    publish(&model, &hub, 50);
    assert_eq!(revisions(&mut synced, 1), (41..=50).collect::<Vec<_>>());
    assert_eq!(revisions(&mut behind, 2), (5..=50).collect::<Vec<_>>());
    assert_eq!(revisions(&mut waiting, 3), (30..=50).collect::<Vec<_>>());
}

#[test]
fn with_room_for_everything() {
    play(HubLimits::default());
}

#[test]
fn with_buffers_that_overflow() {
    play(TINY);
}
