//! A store that is nothing but a list of commits, and a client that polls a stream only when woken.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use retcd_api::mvccpb::KeyValue;
use retcd_mvcc::watch::{
    History, HistoryPiece, Hub, HubLimits, Identity, Job, Need, PieceLimit, Readers, StreamConfig,
    WatchStream,
};
use retcd_mvcc::{Change, ChangeKind, Commit};

pub(crate) const CLUSTER_ID: u64 = 0xc1;
pub(crate) const MEMBER_ID: u64 = 0x4e;
pub(crate) const TERM: u64 = 5;

/// Limits so small that everything overflows.
pub(crate) const TINY: HubLimits = HubLimits {
    ring_revisions: 6,
    ring_bytes: 6_000,
    queue_revisions: 2,
    queue_bytes: 1_500,
    previous_bytes: 100,
    piece: PieceLimit { revisions: 3, scanned: 7, bytes: 400 },
};

/// The past as a list.
#[derive(Default)]
pub(crate) struct Model {
    commits: Mutex<Vec<Commit>>,
    compacted: AtomicI64,
}

impl Model {
    pub(crate) fn new() -> Arc<Model> {
        Arc::new(Model { commits: Mutex::default(), compacted: AtomicI64::new(-1) })
    }

    /// Makes one revision of puts (`Some`) and deletes (`None`).
    pub(crate) fn write(&self, changes: &[(&str, Option<&str>)]) -> Commit {
        let revision = self.current_revision() + 1;
        let mut commit = Commit { revision, changes: Vec::new() };
        for (key, value) in changes {
            let kind = match value {
                None => ChangeKind::Delete,
                Some(value) => {
                    let own = commit.changes.iter().rev().find(|change| change.key == *key);
                    let previous = match own {
                        Some(change) => pair_of(change, revision),
                        None => self.pair(key.as_bytes(), revision - 1),
                    };
                    ChangeKind::Put {
                        create_revision: previous
                            .as_ref()
                            .map_or(revision, |pair| pair.create_revision),
                        version: previous.map_or(1, |pair| pair.version + 1),
                        value: Bytes::copy_from_slice(value.as_bytes()),
                        lease: 0,
                    }
                }
            };
            commit.changes.push(Change { key: Bytes::copy_from_slice(key.as_bytes()), kind });
        }
        self.commits.lock().push(commit.clone());
        commit
    }

    pub(crate) fn compact(&self, revision: i64) {
        self.compacted.store(revision, Ordering::SeqCst);
    }

    pub(crate) fn commits(&self) -> Vec<Commit> {
        self.commits.lock().clone()
    }

    /// The pair at a revision, compacted or not.
    pub(crate) fn pair(&self, key: &[u8], revision: i64) -> Option<KeyValue> {
        let commits = self.commits.lock();
        let (at, change) = commits
            .iter()
            .rev()
            .filter(|commit| commit.revision <= revision)
            .flat_map(|commit| commit.changes.iter().rev().map(|c| (commit.revision, c)))
            .find(|(_, change)| change.key == key)?;
        pair_of(change, at)
    }
}

fn pair_of(change: &Change, revision: i64) -> Option<KeyValue> {
    match &change.kind {
        ChangeKind::Delete => None,
        ChangeKind::Put { create_revision, version, value, lease } => Some(KeyValue {
            key: change.key.clone(),
            create_revision: *create_revision,
            mod_revision: revision,
            version: *version,
            value: value.clone(),
            lease: *lease,
        }),
    }
}

impl History for Model {
    fn current_revision(&self) -> i64 {
        let commits = self.commits.lock();
        commits.last().map_or(1, |commit| commit.revision)
    }

    fn compacted_revision(&self) -> i64 {
        self.compacted.load(Ordering::SeqCst)
    }

    fn events(
        &self,
        revisions: RangeInclusive<i64>,
        limit: PieceLimit,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> retcd_mvcc::Result<HistoryPiece> {
        if *revisions.start() < self.compacted_revision() {
            return Err(retcd_api::Error::Compacted.into());
        }
        let mut piece = HistoryPiece { commits: Vec::new(), next: revisions.end() + 1 };
        let (mut scanned, mut bytes) = (0, 0);
        for commit in self.commits.lock().iter() {
            if !revisions.contains(&commit.revision) {
                continue;
            }
            let is_full = piece.commits.len() >= limit.revisions
                || scanned >= limit.scanned
                || bytes >= limit.bytes;
            if is_full {
                piece.next = commit.revision;
                break;
            }
            scanned += commit.changes.len();
            let mut commit = commit.clone();
            commit.changes.retain(|change| wanted(&change.key));
            bytes += commit.changes.len() * 100;
            if !commit.changes.is_empty() {
                piece.commits.push(commit);
            }
        }
        Ok(piece)
    }

    fn pair_at(&self, key: &[u8], revision: i64) -> retcd_mvcc::Result<Option<KeyValue>> {
        if revision < self.compacted_revision() {
            return Ok(None);
        }
        Ok(self.pair(key, revision))
    }
}

/// Readers whose jobs run when the test says so.
#[derive(Default)]
pub(crate) struct ManualReaders {
    jobs: Mutex<Vec<Job>>,
}

impl ManualReaders {
    /// Runs the job at this place, if there is one; says whether there was.
    pub(crate) fn run_one(&self, index: usize) -> bool {
        let job = {
            let mut jobs = self.jobs.lock();
            if jobs.is_empty() {
                return false;
            }
            let index = index % jobs.len();
            jobs.swap_remove(index)
        };
        job();
        true
    }

    pub(crate) fn drop_all(&self) {
        let jobs = std::mem::take(&mut *self.jobs.lock());
        drop(jobs);
    }
}

impl Readers for ManualReaders {
    fn run(&self, _need: Need, job: Job) {
        self.jobs.lock().push(job);
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A stream with a task that polls it only after it was woken or used.
pub(crate) struct Client {
    pub(crate) stream: WatchStream,
    is_ready: Arc<Flag>,
    pub(crate) has_ended: bool,
}

impl Client {
    pub(crate) fn new(
        hub: &Arc<Hub>,
        history: Arc<dyn History>,
        readers: Arc<dyn Readers>,
        fragment_bytes: usize,
    ) -> Client {
        let identity = Identity {
            cluster_id: CLUSTER_ID,
            member_id: MEMBER_ID,
            term: Arc::new(AtomicU64::new(TERM)),
        };
        Client {
            stream: hub.stream(StreamConfig { identity, history, readers, fragment_bytes }),
            is_ready: Arc::new(Flag(AtomicBool::new(true))),
            has_ended: false,
        }
    }

    /// Uses the stream, which makes it worth polling.
    pub(crate) fn with<T>(&mut self, call: impl FnOnce(&mut WatchStream) -> T) -> T {
        self.is_ready.0.store(true, Ordering::SeqCst);
        call(&mut self.stream)
    }

    pub(crate) fn create(&mut self, request: WatchCreateRequest) {
        self.with(|stream| stream.create(&request));
    }

    /// The next response, if the task is awake and there is one.
    pub(crate) fn next(&mut self) -> Option<WatchResponse> {
        let waker = Waker::from(Arc::clone(&self.is_ready));
        while self.is_ready.0.swap(false, Ordering::SeqCst) {
            match self.stream.poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(response)) => {
                    self.is_ready.0.store(true, Ordering::SeqCst);
                    let decoded = WatchResponse::decode(response.bytes).unwrap();
                    assert_eq!(decoded.events.len(), response.events);
                    return Some(decoded);
                }
                Poll::Ready(None) => self.has_ended = true,
                Poll::Pending => {}
            }
        }
        None
    }

    /// Everything that comes until the stream waits.
    pub(crate) fn drain(&mut self) -> Vec<WatchResponse> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
