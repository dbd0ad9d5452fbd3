//! A member with tiny limits, the requests that it is sent, and what the world knows about it.

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::{InternalRaftRequest, PutRequest, RequestHeader};
use retcd_engine::Engine;
use retcd_engine::btree::{Btree, Options as BtreeOptions};
use retcd_engine::lsm::{Lsm, Options as LsmOptions};
use retcd_engine::oracle::Oracle;
use retcd_mvcc::{Applier, CommittedEntry, Config, Outcome, Store};
use retcd_raft_glue::{
    BootstrapOptions, DataDir, FoundingMember, Inline, KIND_NORMAL, Result, Told,
    apply_conf_change, bootstrap,
};
use retcd_vfs::Vfs;
use retcd_wal::LogEntry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const DATA: &str = "data";

pub(crate) fn options() -> BootstrapOptions {
    let peer_urls = vec!["http://127.0.0.1:2380".to_owned()];
    BootstrapOptions {
        name: "default".into(),
        initial_cluster: vec![FoundingMember { name: "default".into(), peer_urls }],
        initial_cluster_token: "etcd-cluster".into(),
        joins: None,
        stands_alone: None,
        log: retcd_wal::Options {
            segment_bytes: 32 << 10,
            compress_from_bytes: 4 << 10,
            salt: 7,
            ..Default::default()
        },
        store: Config::default(),
        election_ticks: 10,
        pre_vote: true,
        seed: 1,
    }
}

fn lsm_options() -> LsmOptions {
    LsmOptions {
        memtable_bytes: 2 << 10,
        replay_entries_max: 16,
        table_bytes: 2 << 10,
        concatenated_bytes: 4 << 10,
        slice_bytes: 4 << 10,
        manifest_bytes: 2 << 10,
        ..LsmOptions::default()
    }
}

fn btree_options() -> BtreeOptions {
    BtreeOptions {
        batch_operations: 24,
        memtable_bytes: 2 << 10,
        replay_entries_max: 16,
        slice_bytes: 4 << 10,
        ..BtreeOptions::default()
    }
}

/// The engine under a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lsm,
    Btree,
}

impl Kind {
    /// Opens the engine in `dir`.
    pub(crate) fn open(
        self,
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
    ) -> retcd_engine::Result<Arc<dyn Engine>> {
        Ok(match self {
            Kind::Lsm => Arc::new(Lsm::open(vfs.clone(), dir, lsm_options())?),
            Kind::Btree => Arc::new(Btree::open(vfs.clone(), dir, btree_options())?),
        })
    }
}

/// Opens the member on the log-structured engine, or founds it.
pub(crate) fn open(vfs: &Arc<dyn Vfs>) -> Result<Inline> {
    open_on(Kind::Lsm, vfs)
}

/// Opens the member, or founds it.
pub(crate) fn open_on(kind: Kind, vfs: &Arc<dyn Vfs>) -> Result<Inline> {
    open_at(kind, vfs, Path::new(DATA))
}

pub(crate) fn open_at(kind: Kind, vfs: &Arc<dyn Vfs>, dir: &Path) -> Result<Inline> {
    let data_dir = DataDir::open(vfs.clone(), dir, None)?;
    let mut options = options();
    if !data_dir.may_be_new()? {
        options.initial_cluster.clear();
    }
    let files = vfs.clone();
    let parts = bootstrap(data_dir, options, move |dir| kind.open(&files, dir))?;
    Ok(Inline::new(parts))
}

/// Opens the member on an empty oracle: everything in the log is applied again.
pub(crate) fn open_on_oracle(vfs: &Arc<dyn Vfs>) -> Result<Inline> {
    let data_dir = DataDir::open(vfs.clone(), Path::new(DATA), None)?;
    let parts = bootstrap(data_dir, options(), |_| Ok(Arc::new(Oracle::new())))?;
    Ok(Inline::new(parts))
}

pub(crate) fn encode(id: u64, request: InternalRaftRequest) -> Bytes {
    let header = Some(RequestHeader { id, ..RequestHeader::default() });
    InternalRaftRequest { header, ..request }.encode_to_vec().into()
}

pub(crate) fn put(id: u64, key: &[u8], value: &[u8]) -> Bytes {
    let put = PutRequest {
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
        ..PutRequest::default()
    };
    encode(id, InternalRaftRequest { put: Some(put), ..InternalRaftRequest::default() })
}

/// What the world knows, over all lives of one member.
#[derive(Clone, Default)]
pub(crate) struct World {
    /// Every request that was ever sent, by its id.
    pub(crate) sent: HashMap<u64, Bytes>,
    /// Every entry that was ever executed, by its index.
    executed: BTreeMap<u64, LogEntry>,
    /// Every answer, by the request's id.
    acknowledged: HashMap<u64, Outcome>,
    /// Index of the last entry that was answered.
    pub(crate) acknowledged_index: u64,
    /// The highest revision that a reader has seen.
    revision: i64,
    pub(crate) seen: Seen,
}

/// What a history has led to, to be sure that it is worth something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) flushes: u64,
    pub(crate) merges: u64,
    pub(crate) rotations: u64,
    pub(crate) recycled: u64,
    pub(crate) reads: u64,
    pub(crate) conf_changes: u64,
}

impl World {
    /// Takes in what a member told. Panics if it contradicts what was known.
    pub(crate) fn hear(&mut self, told: Told) {
        for (entry, outcome) in told.executed.iter().zip(told.outcomes) {
            self.acknowledged_index = self.acknowledged_index.max(entry.index);
            if outcome.request_id == 0 {
                continue;
            }
            let id = outcome.request_id;
            if entry.kind != KIND_NORMAL && outcome.result.is_ok() {
                self.seen.conf_changes += 1;
            }
            if let Some(before) = self.acknowledged.insert(id, outcome.clone()) {
                assert_eq!(before.result, outcome.result, "request {id} was answered differently");
            }
        }
        for entry in told.executed {
            // The first entry adds the member itself, a leader's first one is empty.
            if entry.index > 1 && !entry.data.is_empty() {
                let known = self.sent.values().any(|data| *data == entry.data);
                assert!(known, "entry {} was never sent", entry.index);
            }
            let index = entry.index;
            if let Some(before) = self.executed.insert(index, entry.clone()) {
                assert_eq!(before, entry, "entry {index} isn't what it was");
            }
        }
    }

    /// Notes what a reader can see.
    pub(crate) fn look(&mut self, member: &Inline) {
        self.revision = self.revision.max(member.store().revision());
    }

    /// Notes what a member did in the background. Once, before it is closed.
    pub(crate) fn note_work(&mut self, member: &Inline) {
        let (engine, log) = (member.parts().engine.stats(), member.parts().log.stats());
        self.seen.flushes += engine.flushes;
        self.seen.merges += engine.merges;
        self.seen.rotations += log.rotations;
        self.seen.recycled += log.recycled;
    }

    /// Compares a settled member with a replay of the same entries on the oracle engine.
    pub(crate) fn check(&mut self, member: &Inline) {
        let store = member.store();
        assert!(store.revision() >= self.revision, "revisions went back");
        let applied = store.applied_index();
        assert!(applied >= self.acknowledged_index, "acknowledged entries are missing");
        let (replayed, outcomes) = self.replay(applied);
        for (id, acknowledged) in &self.acknowledged {
            let found = outcomes.get(id).unwrap_or_else(|| panic!("request {id} is lost"));
            assert_eq!(found.result, acknowledged.result, "request {id} is another one now");
        }
        assert_eq!(store.revision(), replayed.revision());
        assert_eq!(store.compacted_revision(), replayed.compacted_revision());
        assert_eq!(store.key_count(), replayed.key_count());
        assert_eq!(store.conf_state(), replayed.conf_state());
        let hash = |store: &Store| store.hash_kv(0).expect("readable");
        assert_eq!(hash(store), hash(&replayed), "the state isn't that of its entries");
    }

    /// The state after the first `applied` entries, and what each of them led to.
    fn replay(&self, applied: u64) -> (Arc<Store>, HashMap<u64, Outcome>) {
        let engine: Arc<dyn Engine> = Arc::new(Oracle::new());
        let (store, mut applier) = Store::open(engine, Config::default()).expect("an empty oracle");
        let mut outcomes = HashMap::new();
        for index in 1..=applied {
            let entry = self.executed.get(&index).expect("every applied entry was executed");
            let outcome = execute(&mut applier, entry);
            let before = outcomes.insert(outcome.request_id, outcome);
            let twice = before.is_some_and(|outcome| outcome.request_id != 0);
            assert!(!twice, "the request in entry {index} was executed before");
        }
        applier.publish().expect("the oracle doesn't fail");
        (store, outcomes)
    }
}

fn execute(applier: &mut Applier, entry: &LogEntry) -> Outcome {
    if entry.kind != KIND_NORMAL {
        return apply_conf_change(applier, entry).expect("it was applied before").outcome;
    }
    let LogEntry { index, term, data, .. } = entry.clone();
    let outcome = applier.apply(&CommittedEntry { index, term, data }, Duration::ZERO);
    outcome.expect("it was applied before")
}
