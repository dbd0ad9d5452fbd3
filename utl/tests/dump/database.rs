//! A small database of a member's, made without one: entries are applied by hand, and flushed when
//! a scenario says so.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::*;
use prost::Message;
use retcd_api::etcdserverpb::{
    AlarmRequest, CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    PutRequest,
};
use retcd_engine::table::{Compression, TableOptions};
use retcd_engine::{Engine, Lsm, Options, Step};
use retcd_mvcc::{Applier, CommittedEntry, Config, Store};
use retcd_vfs::Vfs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the engine lies.
pub(crate) fn folder() -> &'static Path {
    Path::new("data/member/snap/db")
}

/// Small blocks, so that there are several.
fn options() -> Options {
    let table = TableOptions {
        key_block_bytes: 256,
        value_block_bytes: 512,
        compression: Compression::Zstd(1),
        ..TableOptions::default()
    };
    Options { table, ..Options::default() }
}

/// A member's state on an LSM.
pub(crate) struct Database {
    pub(crate) engine: Arc<Lsm>,
    applier: Applier,
    _store: Arc<Store>,
}

impl Database {
    /// An empty one in `dir`.
    pub(crate) fn create(vfs: &(impl Vfs + Clone), dir: &Path) -> Database {
        let engine = Arc::new(Lsm::open(shared(vfs), dir, options()).unwrap());
        let config = Config { cluster_id: 0xc, member_id: 0xa, ..Config::default() };
        let shared = Arc::clone(&engine) as Arc<dyn Engine>;
        let (store, applier) = Store::open(shared, config).unwrap();
        Database { engine, applier, _store: store }
    }

    /// One with pods, events, a lease and an alarm, compacted in between; in two flushes.
    pub(crate) fn small(vfs: &(impl Vfs + Clone), dir: &Path) -> Database {
        let mut database = Database::create(vfs, dir);
        database.grant(0x1a2b);
        for pod in 0..12 {
            database.put(&format!("/registry/pods/default/pod-{pod}"), &"spec, ".repeat(12), 0);
        }
        for event in 0..6 {
            database.put(&format!("/registry/events/event-{event}"), "it happened", 0x1a2b);
        }
        database.put("single", "value", 0);
        database.flush();
        for pod in 3..9 {
            database.put(&format!("/registry/pods/default/pod-{pod}"), &"status, ".repeat(9), 0);
        }
        database.compact(23);
        database.delete("/registry/events/event-1");
        database.delete("/registry/pods/default/pod-5");
        let alarm = AlarmRequest { action: 1, member_id: 0xa, alarm: 1 };
        database.apply(InternalRaftRequest { alarm: Some(alarm), ..Default::default() });
        database.flush();
        database
    }

    pub(crate) fn apply(&mut self, request: InternalRaftRequest) {
        let index = self.applier.index() + 1;
        let entry = CommittedEntry { index, term: 1, data: request.encode_to_vec().into() };
        self.applier.apply(&entry, Duration::ZERO).unwrap().result.unwrap();
        self.applier.publish().unwrap();
    }

    pub(crate) fn put(&mut self, key: &str, value: &str, lease: i64) {
        let (key, value) = (key.to_owned().into(), value.to_owned().into());
        let put = PutRequest { key, value, lease, ..Default::default() };
        self.apply(InternalRaftRequest { put: Some(put), ..Default::default() });
    }

    pub(crate) fn delete(&mut self, key: &str) {
        let delete = DeleteRangeRequest { key: key.to_owned().into(), ..Default::default() };
        self.apply(InternalRaftRequest { delete_range: Some(delete), ..Default::default() });
    }

    pub(crate) fn grant(&mut self, id: i64) {
        let grant = LeaseGrantRequest { id, ttl: 60 };
        self.apply(InternalRaftRequest { lease_grant: Some(grant), ..Default::default() });
    }

    pub(crate) fn compact(&mut self, revision: i64) {
        let compaction = CompactionRequest { revision, physical: false };
        self.apply(InternalRaftRequest { compaction: Some(compaction), ..Default::default() });
    }

    pub(crate) fn flush(&self) {
        self.engine.request_flush().unwrap();
        self.work();
    }

    /// Works until nothing is due.
    pub(crate) fn work(&self) {
        while self.engine.step().unwrap() != Step::Idle {}
    }
}

/// Runs `etcd-dump db data` with more arguments.
pub(crate) fn db(vfs: &dyn Vfs, arguments: &[&str]) -> Ran {
    etcd_dump(vfs, &[&["db", "data"], arguments].concat())
}

/// The files of the engine whose names end so, by name.
pub(crate) fn files(vfs: &dyn Vfs, end: &str) -> Vec<PathBuf> {
    let names = vfs.list(folder()).unwrap();
    let fits = |name: &PathBuf| name.to_string_lossy().ends_with(end);
    names.into_iter().filter(fits).map(|name| folder().join(name)).collect()
}

/// The manifest.
pub(crate) fn manifest(vfs: &dyn Vfs) -> PathBuf {
    let all = files(vfs, "");
    all.into_iter().find(|path| path.to_string_lossy().contains("MANIFEST-")).unwrap()
}

/// Puts other bytes in the place of a file.
pub(crate) fn replace(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) {
    vfs.remove_file(path).unwrap();
    write(vfs, path, bytes);
}

/// The views that take no argument of their own.
pub(crate) const VIEWS: [&[&str]; 13] = [
    &[],
    &["--manifest"],
    &["--tables"],
    &["--keys"],
    &["--keys", "--values"],
    &["--keys", "--all-versions", "--full"],
    &["--keyspace", "kv", "--all-versions"],
    &["--keyspace", "rev"],
    &["--keyspace", "lease"],
    &["--keyspace", "meta", "--all-versions"],
    &["--space"],
    &["--space", "--depth", "1", "--limit", "1"],
    &["--verify"],
];
