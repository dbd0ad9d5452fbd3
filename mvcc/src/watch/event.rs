//! What changed, and its encoding, which is made once and shared by all who get it.

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use retcd_api::mvccpb::KeyValue;

use super::previous::Previous;
use super::wire;
use crate::{Change, ChangeKind, Commit};

/// Whether this is the put that made the key.
fn is_creation(change: &Change, revision: i64) -> bool {
    matches!(change.kind, ChangeKind::Put { create_revision, .. } if create_revision == revision)
}

/// Bytes of key and value.
fn payload_bytes(change: &Change) -> usize {
    let value_bytes = match &change.kind {
        ChangeKind::Put { value, .. } => value.len(),
        ChangeKind::Delete => 0,
    };
    change.key.len().saturating_add(value_bytes)
}

/// The pair in the event of `change`.
fn pair(change: &Change, revision: i64) -> KeyValue {
    let key = change.key.clone();
    match &change.kind {
        ChangeKind::Put { create_revision, version, value, lease } => KeyValue {
            key,
            create_revision: *create_revision,
            mod_revision: revision,
            version: *version,
            value: value.clone(),
            lease: *lease,
        },
        ChangeKind::Delete => KeyValue { key, mod_revision: revision, ..KeyValue::default() },
    }
}

/// One event of a [`Batch`].
#[derive(Debug)]
pub(super) struct Event {
    change: Change,
    revision: i64,
    /// `mvccpb.Event` without the previous pair.
    body: OnceLock<Bytes>,
    previous: Previous,
}

impl Event {
    fn new(change: Change, revision: i64) -> Event {
        let previous =
            if is_creation(&change, revision) { Previous::absent() } else { Previous::unknown() };
        Event { change, revision, body: OnceLock::new(), previous }
    }

    /// The key that changed.
    pub(super) fn key(&self) -> &Bytes {
        &self.change.key
    }

    /// The main revision.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    /// Whether the key was deleted.
    pub(super) fn is_delete(&self) -> bool {
        self.change.kind == ChangeKind::Delete
    }

    /// The event on the wire, without the previous pair. The first caller encodes it.
    pub(super) fn body(&self) -> &Bytes {
        self.body.get_or_init(|| {
            let pair = pair(&self.change, self.revision);
            let pair_bytes = pair.encoded_len();
            let mut body = BytesMut::with_capacity(2 + wire::field_bytes(pair_bytes));
            if self.is_delete() {
                body.put_u8(wire::EVENT_TYPE);
                body.put_u8(wire::EVENT_TYPE_DELETE);
            }
            wire::put_length_prefix(&mut body, wire::EVENT_KV, pair_bytes);
            pair.encode_raw(&mut body);
            body.freeze()
        })
    }

    /// What is known of the pair before it.
    pub(super) fn previous(&self) -> &Previous {
        &self.previous
    }
}

/// The events of one main revision.
#[derive(Debug)]
pub(super) struct Batch {
    /// The main revision.
    pub(super) revision: i64,
    /// Its events in order.
    pub(super) events: Vec<Event>,
    /// Bytes of keys and values, as they came and as they are encoded, with an allowance for what
    /// surrounds them.
    pub(super) bytes: usize,
}

impl Batch {
    /// What an event costs beside its key and value, in bytes, roughly.
    const EVENT_OVERHEAD_BYTES: usize = 128;

    /// Takes over the changes of one revision.
    pub(super) fn new(commit: Commit) -> Batch {
        let bytes = commit
            .changes
            .iter()
            .map(|change| payload_bytes(change).saturating_mul(2))
            .map(|bytes| bytes.saturating_add(Batch::EVENT_OVERHEAD_BYTES))
            .fold(0, usize::saturating_add);
        let revision = commit.revision;
        Batch {
            revision,
            events: commit.changes.into_iter().map(|change| Event::new(change, revision)).collect(),
            bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use retcd_api::mvccpb;

    use super::*;

    fn put(create_revision: i64) -> Change {
        Change {
            key: Bytes::from_static(b"key"),
            kind: ChangeKind::Put {
                create_revision,
                version: 3,
                value: Bytes::from_static(b"value"),
                lease: 7,
            },
        }
    }

    #[test]
    fn body_is_the_event_as_the_generated_code_encodes_it() {
        let event = Event::new(put(4), 9);
        let expected = mvccpb::Event {
            kv: Some(KeyValue {
                key: Bytes::from_static(b"key"),
                create_revision: 4,
                mod_revision: 9,
                version: 3,
                value: Bytes::from_static(b"value"),
                lease: 7,
            }),
            ..mvccpb::Event::default()
        };
        assert_eq!(event.body(), &expected.encode_to_vec());
    }

    #[test]
    fn delete_carries_key_and_revision_only() {
        let change = Change { key: Bytes::from_static(b"key"), kind: ChangeKind::Delete };
        let event = Event::new(change, 9);
        let decoded = mvccpb::Event::decode(event.body().clone()).unwrap();
        assert_eq!(decoded.r#type(), mvccpb::event::EventType::Delete);
        let expected =
            KeyValue { key: Bytes::from_static(b"key"), mod_revision: 9, ..KeyValue::default() };
        assert_eq!(decoded.kv, Some(expected));
    }

    #[test]
    fn creation_has_no_previous_pair_from_the_start() {
        assert_eq!(Event::new(put(9), 9).previous().get(), Some(None));
        assert_eq!(Event::new(put(8), 9).previous().get(), None);
    }
}
