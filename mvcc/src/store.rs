//! What all readers share: the engine, and how far it is published.
//!
//! A reader takes its picture in an order that makes it safe without holding a lock: the published
//! revision first, then the view, then the compacted revision. The view has all of the revision,
//! because revisions are published after they are written; and what the view may lack was
//! compacted, because compactions are published before the engine may act on them. Where the whole
//! state is replaced meanwhile, the reader takes another picture.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::RwLock;
use retcd_api::etcdserverpb::{
    RangeRequest, RangeResponse, ResponseHeader, TxnRequest, TxnResponse,
};
use retcd_engine::Engine;

use crate::range::{CountMemo, RangeStream, range, range_into};
use crate::read::{Snapshot, resolve_revision};
use crate::resident::Resident;
use crate::state::State;
use crate::watch::{Hub, HubLimits};
use crate::{Applier, Commit, Result, txn};

/// What a store has to know about its member and the limits that it enforces.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's id.
    pub cluster_id: u64,
    /// This member's id; alarms are raised in its name.
    pub member_id: u64,
    /// Space after which puts are answered with `database space exceeded`; `None` for no limit.
    pub quota_bytes: Option<u64>,
    /// Shortest time to live of a lease; shorter ones are raised to it.
    pub min_lease_ttl_seconds: i64,
    /// How often the leader checkpoints what a long lease has left; `None` for never.
    pub lease_checkpoint_interval: Option<Duration>,
    /// Most members without a vote.
    pub learners_max: usize,
    /// What watches may hold in memory.
    pub watch_limits: HubLimits,
    /// Counts of ranges that have at least this many keys are remembered.
    pub remembered_counts_min: u64,
}

/// etcd's defaults, without a quota, for a member without a name.
impl Default for Config {
    fn default() -> Config {
        Config {
            cluster_id: 0,
            member_id: 0,
            quota_bytes: None,
            min_lease_ttl_seconds: 2,
            lease_checkpoint_interval: None,
            learners_max: 1,
            watch_limits: HubLimits::default(),
            remembered_counts_min: 1024,
        }
    }
}

/// The published state, shared by everyone who reads.
pub struct Store {
    config: Config,
    engine: Arc<dyn Engine>,
    published: RwLock<Published>,
    /// How often the whole state was replaced. Changes while `published` is locked.
    replaced: AtomicU64,
    resident: Resident,
    hub: Arc<Hub>,
    counts: Arc<CountMemo>,
}

/// What readers have been told of.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// Raft index of the last entry whose changes are visible.
    pub(crate) index: u64,
    pub(crate) state: State,
}

impl Store {
    /// Opens the state that lies in `engine`.
    ///
    /// # Errors
    ///
    /// If the engine fails, or its records weren't written by this version or an earlier one.
    pub fn open(engine: Arc<dyn Engine>, config: Config) -> Result<(Arc<Store>, Applier)> {
        let applied = engine.applied();
        let state = State::decode(&applied.state)?;
        let resident = Resident::load(&*engine.view(), &config)?;
        let store = Arc::new(Store {
            resident,
            counts: Arc::new(CountMemo::new(
                state.revision,
                state.key_count,
                config.remembered_counts_min,
            )),
            hub: Arc::new(Hub::new(state.revision, config.watch_limits)),
            config,
            engine,
            published: RwLock::new(Published { index: applied.index, state: state.clone() }),
            replaced: AtomicU64::new(0),
        });
        let applier = Applier::new(Arc::clone(&store), state, &applied);
        Ok((store, applier))
    }

    /// What the store was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Main revision of the last published change; 1 on an empty store.
    pub fn revision(&self) -> i64 {
        self.published.read().state.revision
    }

    /// The compacted revision: reads below it are refused. -1 before any compaction.
    pub fn compacted_revision(&self) -> i64 {
        self.published.read().state.compacted
    }

    /// Keys that exist now.
    pub fn key_count(&self) -> u64 {
        self.published.read().state.key_count
    }

    /// Raft index of the last entry whose effects readers see.
    pub fn applied_index(&self) -> u64 {
        self.published.read().index
    }

    /// Raft's membership as of [`Store::applied_index`], as it was given to the applier.
    pub fn conf_state(&self) -> Bytes {
        self.published.read().state.conf_state.clone()
    }

    /// Where watch streams are opened. They read the past through the store itself, which is a
    /// [`History`](crate::watch::History).
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Whether a read at `revision` would be answered.
    ///
    /// # Errors
    ///
    /// Refused if the revision is in the future, or below the compacted one.
    pub fn check_revision(&self, revision: i64) -> Result<()> {
        resolve_revision(&self.snapshot(), revision).map(drop)
    }

    /// Answers a range. The header carries only the current revision.
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse> {
        range(&mut self.snapshot(), request)
    }

    /// Appends the encoded answer to a range to `bytes`, byte for byte what encoding
    /// [`Store::range`]'s answer gives, but without decoding pairs. Of `header`, everything but the
    /// revision is taken over. On an error `bytes` is as before.
    pub fn range_into(
        &self,
        request: &RangeRequest,
        header: &ResponseHeader,
        bytes: &mut BytesMut,
    ) -> Result<()> {
        range_into(&mut self.snapshot(), request, header, bytes)
    }

    /// Answers a range in pieces of about `piece_bytes`.
    ///
    /// # Errors
    ///
    /// Refused if the request wants another order than by key, or filters on revisions.
    pub fn range_stream(
        self: &Arc<Self>,
        request: RangeRequest,
        piece_bytes: usize,
    ) -> Result<RangeStream> {
        RangeStream::new(Arc::clone(self), request, piece_bytes)
    }

    /// Answers a transaction that [`is_read_only`](crate::is_read_only). The headers carry only
    /// revisions.
    pub fn read_txn(&self, request: &TxnRequest) -> Result<TxnResponse> {
        txn::read_txn(&mut self.snapshot(), request)
    }

    /// Whether a request of this cost fits into the quota: always, if it costs nothing. The check
    /// at the door; at apply it only changes the answer.
    pub fn quota_admits(&self, cost: u64) -> bool {
        let Some(quota) = self.config.quota_bytes else {
            return true;
        };
        if cost == 0 {
            return true;
        }
        self.used_bytes().saturating_add(cost) < quota
    }

    /// Bytes that count against the quota: what a complete merge would keep, and what isn't flushed
    /// yet.
    pub fn used_bytes(&self) -> u64 {
        let stats = self.engine.stats();
        stats.live_bytes.saturating_add(stats.memtable_bytes)
    }

    /// Leases, alarms and members.
    pub(crate) fn resident(&self) -> &Resident {
        &self.resident
    }

    /// The engine below.
    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// A picture of the published state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        loop {
            let (index, revision, of) = {
                let published = self.published.read();
                (published.index, published.state.revision, self.replaced.load(Ordering::Acquire))
            };
            let view = self.engine.view();
            let (compacted, now) = {
                let published = self.published.read();
                (published.state.compacted, self.replaced.load(Ordering::Acquire))
            };
            // Otherwise a compaction above the revision came between, and the view may lack some of
            // it; or another state did, and the view may be of that one.
            if compacted <= revision && now == of {
                let counts = Arc::clone(&self.counts);
                return Snapshot { view, index, revision, compacted, counts };
            }
        }
    }

    /// Refuses reads below `compacted` from now on.
    pub(crate) fn publish_compacted(&self, compacted: i64) {
        self.published.write().state.compacted = compacted;
    }

    /// Makes everything up to `published` visible: `commits` is what it adds.
    pub(crate) fn publish(&self, published: Published, commits: &[Commit]) {
        let revision = published.state.revision;
        self.counts.advance(revision, commits, || *self.published.write() = published);
    }

    /// Makes another state visible, in which `switch` has the engine. Nobody sees one half of it
    /// beside the other.
    pub(crate) fn replace(&self, published: Published, resident: Resident, switch: impl FnOnce()) {
        let State { revision, key_count, .. } = published.state;
        self.resident.replace(resident);
        self.counts.reset(revision, key_count, || {
            let mut place = self.published.write();
            switch();
            *place = published;
            self.replaced.fetch_add(1, Ordering::AcqRel);
        });
        self.hub.resync_all(revision);
    }
}
