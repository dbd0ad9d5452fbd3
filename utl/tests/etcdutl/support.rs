//! What the scenarios share: a snapshot of a small history, the program run on files in memory, and
//! a member that is opened on what it made.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use prost::Message;
use retcd_api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest, PutRequest,
};
use retcd_api::raftpb::ConfState;
use retcd_engine::sort::Sorter;
use retcd_engine::{Engine, Lsm, Options, Oracle};
use retcd_mvcc::{Applier, CommittedEntry, Config, DatabaseOrigin, Store};
use retcd_raft_glue::{BootstrapOptions, DataDir, Parts, bootstrap};
use retcd_utl::etcdutl::{Surroundings, run};
use retcd_vfs::{MemVfs, Vfs};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The lease in the snapshot.
pub(crate) const LEASE: i64 = 0x1a2b;

/// Short segments, which cost little in memory.
fn log_options() -> retcd_wal::Options {
    let segment_bytes = retcd_wal::SEGMENT_BYTES_MIN;
    retcd_wal::Options { segment_bytes, salt: 7, ..retcd_wal::Options::default() }
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `etcdutl` with these arguments.
pub(crate) fn etcdutl(vfs: &(impl Vfs + Clone), arguments: &[&str]) -> Ran {
    let arguments = ["etcdutl"].iter().chain(arguments).map(OsString::from);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut surroundings = Surroundings {
        vfs: Arc::new(vfs.clone()),
        out: &mut out,
        err: &mut err,
        shows_progress: false,
        resolve: &|_| Ok(Vec::new()),
        scratch: "scratch".into(),
        log: log_options(),
    };
    let code = run(arguments, &mut surroundings);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code, out: text(out), err: text(err) }
}

/// A request to write a key.
pub(crate) fn put(key: &str, value: &str, lease: i64) -> InternalRaftRequest {
    InternalRaftRequest {
        put: Some(PutRequest {
            key: key.to_owned().into(),
            value: value.to_owned().into(),
            lease,
            ..PutRequest::default()
        }),
        ..InternalRaftRequest::default()
    }
}

/// A store with keys that were put, changed, deleted, leased and compacted.
pub(crate) fn store() -> Arc<Store> {
    let engine: Arc<dyn Engine> = Arc::new(Oracle::new());
    let (store, mut applier) = Store::open(engine, Config::default()).unwrap();
    let mut history = vec![InternalRaftRequest {
        lease_grant: Some(LeaseGrantRequest { id: LEASE, ttl: 600 }),
        ..InternalRaftRequest::default()
    }];
    history.extend((0..50).map(|n| put(&format!("key{}", n % 20), &format!("value{n}"), 0)));
    history.push(put("leased", "x", LEASE));
    history.push(InternalRaftRequest {
        delete_range: Some(DeleteRangeRequest {
            key: "key1".into(),
            range_end: "key2".into(),
            ..DeleteRangeRequest::default()
        }),
        ..InternalRaftRequest::default()
    });
    history.push(InternalRaftRequest {
        compaction: Some(CompactionRequest { revision: 30, physical: false }),
        ..InternalRaftRequest::default()
    });
    for request in history {
        apply(&mut applier, &request);
    }
    applier.publish().unwrap();
    store
}

pub(crate) fn apply(applier: &mut Applier, request: &InternalRaftRequest) {
    let index = applier.index() + 1;
    let entry = CommittedEntry { index, term: 1, data: request.encode_to_vec().into() };
    applier.apply(&entry, Duration::ZERO).unwrap().result.unwrap();
}

/// The store's database, as a client that saves a snapshot gets it, with the hash behind.
pub(crate) fn snapshot(store: &Store) -> Vec<u8> {
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("sort")).unwrap();
    let sorter = Sorter::new(Arc::new(vfs), Path::new("sort"), 1 << 20);
    let conf_state_json = &|_: &bytes::Bytes| Some(b"{\"voters\":[1]}".to_vec());
    let origin = DatabaseOrigin { term: 1, conf_state_json, is_wanted: &|| true };
    let mut file = Vec::new();
    store.etcd_database(sorter, &origin).unwrap().write(&mut file).unwrap();
    let hash = Sha256::digest(&file);
    file.extend_from_slice(&hash);
    file
}

/// Writes a file.
pub(crate) fn write(vfs: &impl Vfs, path: &str, bytes: &[u8]) {
    vfs.create_append(Path::new(path)).and_then(|mut file| file.append(bytes)).unwrap();
}

/// A file system with a snapshot in it.
pub(crate) fn with_snapshot() -> (MemVfs, Arc<Store>) {
    let (vfs, store) = (MemVfs::new(), store());
    write(&vfs, "snap.db", &snapshot(&store));
    (vfs, store)
}

/// Opens the member in the data directory `data`.
pub(crate) fn open(vfs: &(impl Vfs + Clone), log_dir: Option<&str>) -> Parts {
    try_open(vfs, log_dir).unwrap()
}

pub(crate) fn try_open(
    vfs: &(impl Vfs + Clone),
    log_dir: Option<&str>,
) -> retcd_raft_glue::Result<Parts> {
    try_open_in(vfs, "data", log_dir)
}

/// Opens the member in a data directory.
pub(crate) fn try_open_in(
    vfs: &(impl Vfs + Clone),
    data_dir: &str,
    log_dir: Option<&str>,
) -> retcd_raft_glue::Result<Parts> {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let data_dir = DataDir::open(shared.clone(), Path::new(data_dir), log_dir.map(Path::new))?;
    assert!(!data_dir.may_be_new()?, "it doesn't look as if a member had to be founded");
    let options = bootstrap_options();
    bootstrap(data_dir, options, move |dir| {
        let lsm = Lsm::open(shared.clone(), dir, Options::default())?;
        Ok(Arc::new(lsm) as Arc<dyn Engine>)
    })
}

/// What a member is opened with that exists.
pub(crate) fn bootstrap_options() -> BootstrapOptions {
    BootstrapOptions {
        name: String::new(),
        initial_cluster: Vec::new(),
        initial_cluster_token: String::new(),
        joins: None,
        stands_alone: None,
        log: log_options(),
        store: Config::default(),
        election_ticks: 10,
        pre_vote: true,
        seed: 1,
    }
}

/// The voters of an opened member.
pub(crate) fn voters(parts: &Parts) -> Vec<u64> {
    ConfState::decode(parts.store.conf_state()).unwrap().voters
}
