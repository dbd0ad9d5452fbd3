//! What changes while the mirror runs.

use bytes::Bytes;
use retcd_api::etcdserverpb::{DeleteRangeRequest, PutRequest, WatchCreateRequest};
use retcd_api::mvccpb::event::EventType;
use retcd_api::mvccpb::{Event, KeyValue};

use super::destination::{Destination, Operation};
use crate::client::{CallError, Client};
use crate::command::follow::Follow;
use crate::command::keys::prefix;

/// Repeats what happens to keys that begin with `source_prefix` from a revision on. It ends by an
/// error.
pub(super) async fn copy(
    source: &Client,
    source_prefix: &Bytes,
    start_revision: i64,
    destination: &Destination,
) -> Result<(), CallError> {
    let range = prefix(source_prefix.clone());
    let watch = WatchCreateRequest {
        key: range.key,
        range_end: range.end,
        start_revision,
        ..WatchCreateRequest::default()
    };
    let mut watch = Follow::new(source, watch);
    loop {
        let events = watch.next().await?.events;
        // What happened at one revision happened at once, and does so again.
        for events in events.chunk_by(|one, other| revision(one) == revision(other)) {
            let repeated = events.iter().map(|event| operation(event, destination));
            destination.write(repeated).await?;
        }
    }
}

fn revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |pair| pair.mod_revision)
}

fn operation(event: &Event, destination: &Destination) -> Operation {
    let KeyValue { key, value, .. } = event.kv.clone().unwrap_or_default();
    let key = destination.key(&key);
    match event.r#type() {
        EventType::Put => Operation::Put(PutRequest { key, value, ..PutRequest::default() }),
        EventType::Delete => {
            Operation::Delete(DeleteRangeRequest { key, ..DeleteRangeRequest::default() })
        }
    }
}
