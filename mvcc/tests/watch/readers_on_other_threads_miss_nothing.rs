//! One thread writes as fast as it can while others read: each on its own stream, which overflows,
//! catches up, is cancelled and created again, and sleeps until it is woken. A lost wake-up hangs
//! the test, a lost event fails it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use prost::Message;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use retcd_mvcc::watch::{Hub, Identity, InlineReaders, StreamConfig, WatchStream};

use crate::model::{Model, TINY};

const REVISIONS: i64 = 3_000;
const READERS: usize = 3;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn next(stream: &mut WatchStream) -> WatchResponse {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match stream.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(response) => {
                return WatchResponse::decode(response.unwrap().bytes).unwrap();
            }
            Poll::Pending => thread::park(),
        }
    }
}

/// Watches everything, and anew from where it was after every `renew_after` responses.
fn read_all(mut stream: WatchStream, renew_after: usize) {
    let mut request = WatchCreateRequest {
        range_end: "\0".into(),
        start_revision: 2,
        watch_id: 7,
        ..WatchCreateRequest::default()
    };
    stream.create(&request);
    let mut responses = 0;
    let mut promised = 0;
    while request.start_revision <= REVISIONS {
        let response = next(&mut stream);
        for event in &response.events {
            let revision = event.kv.as_ref().unwrap().mod_revision;
            assert_eq!(revision, request.start_revision);
            assert!(revision > promised);
            request.start_revision += 1;
        }
        if response.watch_id == -1 {
            promised = response.header.unwrap().revision;
            assert!(promised < request.start_revision);
        }
        responses += 1;
        if responses % renew_after == 0 {
            stream.cancel(7);
            stream.create(&request);
        }
        stream.request_progress();
    }
}

#[test]
fn readers_on_other_threads_miss_nothing() {
    let model = Model::new();
    let hub = Arc::new(Hub::new(1, TINY));
    let term = Arc::new(AtomicU64::new(1));
    thread::scope(|scope| {
        for reader in 0..READERS {
            let stream = hub.stream(StreamConfig {
                identity: Identity { cluster_id: 1, member_id: 1, term: Arc::clone(&term) },
                history: model.clone(),
                readers: Arc::new(InlineReaders),
                fragment_bytes: 2_000,
            });
            let renew_after = [5, 50, usize::MAX][reader];
            scope.spawn(move || read_all(stream, renew_after));
        }
        while hub.stats().watchers < READERS {
            thread::yield_now();
        }
        while term.load(Ordering::Relaxed) < REVISIONS.cast_unsigned() {
            let commit = model.write(&[("key", Some("value"))]);
            term.store(commit.revision.cast_unsigned(), Ordering::Relaxed);
            hub.publish(vec![commit]);
        }
    });
    assert_eq!(hub.stats().pending_events, 0);
}
