//! Executes committed entries, in order, on the one thread that writes.
//!
//! 1. [`Applier::apply`] executes an entry: its records are collected, its answer is made, but
//!    nobody sees it yet. Checks come before writes, so a refused entry leaves no trace.
//! 2. [`Applier::publish`] ends a batch of entries: the records go to the engine and are committed,
//!    then readers see the new revision, and watchers are told.
//!
//! An entry makes at most one main revision. Its changes get the sub revisions 0, 1, 2 … in the
//! order of execution; a range in between reads the revision in the making. Lease and meta records
//! are versioned by raft index and their position in the entry.
//!
//! The result of an entry depends on nothing but the entries before it. The quota is the exception
//! by design: it depends on this member's files, so it never changes what is executed, only the
//! answer.

mod cluster;
mod dispatch;
mod kv;
mod lease;
pub(crate) mod writer;

use std::sync::Arc;

use bytes::Bytes;
use retcd_api::etcdserverpb::{
    AlarmRequest, AlarmResponse, AuthDisableResponse, AuthStatusResponse, CompactionResponse,
    DeleteRangeResponse, LeaseCheckpointResponse, LeaseGrantResponse, LeaseRevokeResponse, Member,
    PutResponse, RangeResponse, TxnResponse,
};
use retcd_engine::{Applied, Engine, Header, Keyspace, Projection, Record, Version, View};

use crate::read::Reader;
use crate::resident::Resident;
use crate::state::State;
use crate::store::Published;
use crate::{Change, Commit, Result, Store};
use writer::Writer;

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedEntry {
    /// Its raft index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// An encoded `InternalRaftRequest`, or nothing in a new leader's first entry.
    pub data: Bytes,
}

/// What an entry led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Under which id the request was proposed; zero if it has none.
    pub request_id: u64,
    /// The answer.
    pub result: retcd_api::Result<Response>,
    /// An alarm that is to be proposed.
    pub raise: Option<AlarmRequest>,
}

/// An answer. Headers in it carry only the revision.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are those of the messages")]
pub enum Response {
    /// Nobody waits for an answer to such an entry.
    None,
    Range(RangeResponse),
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
    Compaction(CompactionResponse),
    LeaseGrant(LeaseGrantResponse),
    LeaseRevoke(LeaseRevokeResponse),
    LeaseCheckpoint(LeaseCheckpointResponse),
    Alarm(AlarmResponse),
    AuthStatus(AuthStatusResponse),
    AuthDisable(AuthDisableResponse),
    /// The members after a change of the membership.
    Members(Vec<Member>),
}

/// The writing half of a store.
pub struct Applier {
    store: Arc<Store>,
    writer: Writer,
    /// What is executed; published up to an earlier entry.
    state: State,
    index: u64,
    term: u64,
    /// Changes of the entry that is being executed, in the order of their sub revisions.
    changes: Vec<Change>,
    /// Executed revisions that watchers don't know of yet.
    commits: Vec<Commit>,
    flush_wanted: bool,
    /// Lease and meta records of the entry so far.
    records: u64,
    /// Space in use, as estimated since the batch began; `None` until somebody asks.
    used_bytes: Option<u64>,
}

impl Applier {
    pub(crate) fn new(store: Arc<Store>, state: State, applied: &Applied) -> Applier {
        Applier {
            writer: Writer::new(Arc::clone(store.engine())),
            store,
            state,
            index: applied.index,
            term: applied.term,
            changes: Vec::new(),
            commits: Vec::new(),
            flush_wanted: false,
            records: 0,
            used_bytes: None,
        }
    }

    /// Raft index of the last executed entry.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Ends a batch: commits it to the engine, shows it to readers and tells watchers.
    pub fn publish(&mut self) -> Result<()> {
        self.writer.write()?;
        if self.state.compacted > self.store.compacted_revision() {
            self.store.publish_compacted(self.state.compacted);
        }
        let engine = self.store.engine();
        engine.commit(Applied {
            index: self.index,
            term: self.term,
            watermark: self.state.compacted.max(0).cast_unsigned(),
            state: self.state.encode(),
        })?;
        if std::mem::take(&mut self.flush_wanted) {
            engine.request_flush()?;
        }
        let published = Published { index: self.index, state: self.state.clone() };
        self.store.publish(published, &self.commits);
        self.used_bytes = None;
        self.store.hub().publish(std::mem::take(&mut self.commits));
        Ok(())
    }

    /// Goes on from another member's state, which lies in the engine `next` and becomes that of
    /// this store's engine when `switch` is called. What isn't published is given up: `next` has
    /// it.
    ///
    /// Readers see the old state or the new one. Watchers go on from where they are, in the past
    /// that the new state keeps; those whose next revision is compacted there are told so.
    ///
    /// # Errors
    ///
    /// If `next` fails, or its records can't be read; then nothing has changed.
    ///
    /// # Panics
    ///
    /// If `next` is behind what was executed here.
    pub fn replace(&mut self, next: &dyn Engine, switch: impl FnOnce()) -> Result<()> {
        let applied = next.applied();
        assert!(self.index <= applied.index, "the applied index goes back");
        let state = State::decode(&applied.state)?;
        let resident = Resident::load(&*next.view(), self.store.config())?;
        *self = Applier::new(Arc::clone(&self.store), state.clone(), &applied);
        let published = Published { index: applied.index, state };
        self.store.replace(published, resident, switch);
        Ok(())
    }

    fn resident(&self) -> &Resident {
        self.store.resident()
    }

    /// Whether the entry is new.
    fn begin_entry(&mut self, index: u64, term: u64) -> bool {
        if index <= self.index {
            return false;
        }
        self.index = index;
        self.term = term;
        self.records = 0;
        true
    }

    /// Closes the main revision, if the entry changed something.
    fn end_entry(&mut self) {
        if !self.changes.is_empty() {
            self.state.revision = self.next_revision();
            self.commits.push(Commit {
                revision: self.state.revision,
                changes: std::mem::take(&mut self.changes),
            });
        }
    }

    /// The revision that the entry's changes have.
    fn next_revision(&self) -> i64 {
        self.state.revision.checked_add(1).expect("2^63 writes don't happen")
    }

    /// Adds a record of [`Keyspace::Lease`] or [`Keyspace::Meta`]; `None` deletes what is there.
    fn push_record(&mut self, keyspace: Keyspace, key: Bytes, value: Option<Bytes>) {
        let version = Version { main: self.index, sub: self.records };
        self.records += 1;
        let record = Record {
            key,
            version,
            tombstone: value.is_none(),
            header: Header::default(),
            value: value.unwrap_or_default(),
            keys_added: None,
        };
        self.writer.push(keyspace, record);
    }
}

/// The executing entry reads its own writes: what it changed has the revision in the making.
impl Reader for Applier {
    fn revision(&self) -> i64 {
        if self.changes.is_empty() { self.state.revision } else { self.next_revision() }
    }

    fn compacted(&self) -> i64 {
        self.state.compacted
    }

    fn view(&mut self) -> Result<&dyn View> {
        self.writer.view()
    }

    fn newest(&mut self, key: &[u8], projection: Projection) -> Result<Option<Record>> {
        self.writer.newest(key, projection)
    }
}
