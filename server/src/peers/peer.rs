//! One other member: where it is reached, what waits for it, and whether it answers.

use super::line::{Enter, Leave, Refused, line};
use crate::flags::Url;
use crate::metrics::PeerMetrics;
use parking_lot::Mutex;
use retcd_api::raftpb::{Message, MessageType};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// A stream that the peer may dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// For appends.
    Append,
    /// For all messages.
    Message,
}

impl Stream {
    /// Its name in the path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Stream::Append => "msgapp",
            Stream::Message => "message",
        }
    }
}

/// See the module's text.
pub(super) struct Peer {
    pub(super) id: u64,
    pub(super) metrics: PeerMetrics,
    urls: Mutex<Urls>,
    append: Mutex<Option<Enter>>,
    message: Mutex<Option<Enter>>,
    /// How often the peer has dialled the stream for all messages.
    dials: AtomicU64,
    posts: Enter,
    activity: Mutex<Activity>,
    tasks: Mutex<Vec<AbortHandle>>,
}

struct Urls {
    all: Vec<Url>,
    /// The one that answered last.
    current: usize,
}

/// Whether the peer answers, and why not.
#[derive(Default)]
struct Activity {
    since: Option<Instant>,
    /// What was logged last: it isn't said again until something changes.
    failure: String,
}

impl Peer {
    /// A peer, and the line of what is to be posted to it.
    pub(super) fn new(id: u64, urls: Vec<Url>, metrics: PeerMetrics) -> (Arc<Peer>, Leave) {
        let (posts, posted) = line();
        let peer = Peer {
            id,
            metrics,
            urls: Mutex::new(Urls { all: urls, current: 0 }),
            append: Mutex::new(None),
            message: Mutex::new(None),
            dials: AtomicU64::new(0),
            posts,
            activity: Mutex::default(),
            tasks: Mutex::default(),
        };
        (Arc::new(peer), posted)
    }

    /// Puts a message where it leaves soonest. `false` if there is no room for it.
    pub(super) fn send(&self, message: Message) -> bool {
        let mut message = Box::new(message);
        let is_append = message.r#type() == MessageType::MsgApp;
        let lines = [is_append.then_some(&self.append), Some(&self.message)];
        for place in lines.into_iter().flatten() {
            let mut place = place.lock();
            if let Some(enter) = &*place {
                match enter.add(*message) {
                    Ok(()) => return true,
                    Err(Refused::Full) => return self.failed_to_send(),
                    Err(Refused::Closed(back)) => message = back,
                }
                *place = None;
            }
        }
        match self.posts.add(*message) {
            Ok(()) => true,
            Err(_) => self.failed_to_send(),
        }
    }

    fn failed_to_send(&self) -> bool {
        self.metrics.send_failures.inc();
        false
    }

    /// The peer has dialled a stream; the one before it ends.
    pub(super) fn attach(&self, stream: Stream) -> Leave {
        let (enter, leave) = line();
        let place = match stream {
            Stream::Append => &self.append,
            Stream::Message => {
                self.dials.fetch_add(1, Ordering::Relaxed);
                &self.message
            }
        };
        *place.lock() = Some(enter);
        leave
    }

    /// How often it has connected to this member: it does so at each of its starts.
    pub(super) fn dials(&self) -> u64 {
        self.dials.load(Ordering::Relaxed)
    }

    /// Where to try to reach it.
    pub(super) fn url(&self) -> Option<Url> {
        let urls = self.urls.lock();
        urls.all.get(urls.current).cloned()
    }

    /// All places where it may be reached.
    pub(super) fn urls(&self) -> Vec<Url> {
        self.urls.lock().all.clone()
    }

    /// It can't be reached there: another place is next.
    pub(super) fn avoid(&self, url: &Url) {
        let mut urls = self.urls.lock();
        if urls.all.get(urls.current) == Some(url) {
            urls.current = (urls.current + 1) % urls.all.len();
        }
    }

    /// It is reached elsewhere from now on.
    pub(super) fn move_to(&self, all: Vec<Url>) {
        let mut urls = self.urls.lock();
        if urls.all != all {
            *urls = Urls { all, current: 0 };
        }
    }

    /// It answers.
    pub(super) fn is_heard(&self) {
        let mut activity = self.activity.lock();
        if activity.since.is_none() {
            *activity = Activity { since: Some(Instant::now()), failure: String::new() };
            self.metrics.connected();
            tracing::info!("peer-id" = %format_args!("{:x}", self.id), "peer became active");
        }
    }

    /// It doesn't. Says so once.
    pub(super) fn is_lost(&self, why: &str) {
        let mut activity = self.activity.lock();
        if activity.since.take().is_some() {
            self.metrics.disconnected();
        } else if activity.failure == why {
            return;
        }
        activity.failure = why.to_owned();
        let id = format!("{:x}", self.id);
        tracing::warn!("peer-id" = %id, error = why, "peer became inactive");
    }

    /// For how long it has answered.
    pub(super) fn active_for(&self) -> Option<Duration> {
        self.activity.lock().since.map(|since| since.elapsed())
    }

    /// Has a task end with the peer.
    pub(super) fn own(&self, task: AbortHandle) {
        self.tasks.lock().push(task);
    }

    /// Ends its tasks and streams.
    pub(super) fn close(&self) {
        self.tasks.lock().drain(..).for_each(|task| task.abort());
        self.append.lock().take();
        self.message.lock().take();
        if self.activity.lock().since.take().is_some() {
            self.metrics.disconnected();
        }
    }
}
