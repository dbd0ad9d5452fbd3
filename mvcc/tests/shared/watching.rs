//! A watch of everything that is opened, heard out and closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use prost::Message;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use retcd_api::mvccpb::Event;
use retcd_mvcc::Store;
use retcd_mvcc::watch::{Identity, InlineReaders, StreamConfig, WatchStream};

/// What a watch of everything from `revision` on gets so far, or the compacted revision.
pub(crate) fn heard(store: &Arc<Store>, revision: i64) -> Result<Vec<Event>, i64> {
    hear(&mut watch(store, revision))
}

/// A watch of everything from `revision` on.
pub(crate) fn watch(store: &Arc<Store>, revision: i64) -> WatchStream {
    let term = Arc::new(AtomicU64::new(1));
    let mut stream = store.hub().stream(StreamConfig {
        identity: Identity { cluster_id: 1, member_id: 1, term },
        history: store.clone(),
        readers: Arc::new(InlineReaders),
        fragment_bytes: 1 << 20,
    });
    stream.create(&WatchCreateRequest {
        key: "\0".into(),
        range_end: "\0".into(),
        start_revision: revision,
        ..WatchCreateRequest::default()
    });
    stream
}

/// What has come for it, or the compacted revision.
pub(crate) fn hear(stream: &mut WatchStream) -> Result<Vec<Event>, i64> {
    let mut events = Vec::new();
    while let Some(response) = next(stream) {
        events.extend(response.events);
        if response.compact_revision != 0 {
            assert!(events.is_empty(), "a watch that gets anything isn't compacted");
            return Err(response.compact_revision);
        }
    }
    Ok(events)
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The next response, unless the stream waits for something to happen.
fn next(stream: &mut WatchStream) -> Option<WatchResponse> {
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    while flag.0.swap(false, Ordering::SeqCst) {
        if let Poll::Ready(response) = stream.poll_next(&mut Context::from_waker(&waker)) {
            let response = response.expect("the hub isn't closed");
            return Some(WatchResponse::decode(response.bytes).expect("it is a response"));
        }
    }
    None
}
