//! A small database of a member's, made without one: entries are applied by hand, and flushed when
//! a scenario says so.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::*;
use prost::Message;
use retcd_api::etcdserverpb::{
    AlarmRequest, CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    PutRequest,
};
use retcd_engine::sort::Sorter;
use retcd_engine::table::{Compression, TableOptions};
use retcd_engine::{Btree, Engine, Lsm, Options, Step, btree};
use retcd_mvcc::{Applier, CommittedEntry, Config, DatabaseOrigin, Store};
use retcd_vfs::{MemVfs, Vfs};
use sha2::{Digest, Sha256};
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

/// A member's state on an engine.
pub(crate) struct Database<E = Lsm> {
    pub(crate) engine: Arc<E>,
    applier: Applier,
    store: Arc<Store>,
}

impl Database {
    /// An empty one in `dir`.
    pub(crate) fn create(vfs: &(impl Vfs + Clone), dir: &Path) -> Database {
        Database::on(Lsm::open(shared(vfs), dir, options()).unwrap())
    }

    /// One with pods, events, a lease and an alarm, compacted in between; in two flushes.
    pub(crate) fn small(vfs: &(impl Vfs + Clone), dir: &Path) -> Database {
        let mut database = Database::create(vfs, dir);
        database.fill();
        database
    }
}

impl Database<Btree> {
    /// The same in a tree.
    pub(crate) fn small_tree(vfs: &(impl Vfs + Clone), dir: &Path) -> Database<Btree> {
        let options = btree::Options::default();
        let mut database = Database::on(Btree::open(shared(vfs), dir, options).unwrap());
        database.fill();
        database
    }
}

impl<E: Engine + 'static> Database<E> {
    fn on(engine: E) -> Database<E> {
        let engine = Arc::new(engine);
        let config = Config { cluster_id: 0xc, member_id: 0xa, ..Config::default() };
        let shared = Arc::clone(&engine) as Arc<dyn Engine>;
        let (store, applier) = Store::open(shared, config).unwrap();
        Database { engine, applier, store }
    }

    fn fill(&mut self) {
        self.grant(0x1a2b);
        for pod in 0..12 {
            self.put(&format!("/registry/pods/default/pod-{pod}"), &"spec, ".repeat(12), 0);
        }
        for event in 0..6 {
            self.put(&format!("/registry/events/event-{event}"), "it happened", 0x1a2b);
        }
        self.put("single", "value", 0);
        self.flush();
        for pod in 3..9 {
            self.put(&format!("/registry/pods/default/pod-{pod}"), &"status, ".repeat(9), 0);
        }
        self.compact(23);
        self.delete("/registry/events/event-1");
        self.delete("/registry/pods/default/pod-5");
        let alarm = AlarmRequest { action: 1, member_id: 0xa, alarm: 1 };
        self.apply(InternalRaftRequest { alarm: Some(alarm), ..Default::default() });
        self.flush();
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

    /// The database that clients are sent, with the hash behind.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let vfs = MemVfs::new();
        vfs.create_dir_all(Path::new("sort")).unwrap();
        let sorter = Sorter::new(Arc::new(vfs), Path::new("sort"), 1 << 20);
        let conf_state_json = &|_: &bytes::Bytes| Some(b"{\"voters\":[10]}".to_vec());
        let origin = DatabaseOrigin { term: 1, conf_state_json, is_wanted: &|| true };
        let mut file = Vec::new();
        self.store.etcd_database(sorter, &origin).unwrap().write(&mut file).unwrap();
        let hash = Sha256::digest(&file);
        file.extend_from_slice(&hash);
        file
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

/// Holds all `views` against the golden files of this name, as text and as JSON.
pub(crate) fn assert_golden_views<'a>(
    vfs: &dyn Vfs,
    views: impl Iterator<Item = &'a [&'a str]>,
    name: &str,
) {
    let (mut text, mut json) = (String::new(), String::new());
    for view in views {
        let ran = db(vfs, view);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{view:?}: {}", ran.out);
        let command = [&["etcd-dump", "db", "data"], view].concat().join(" ");
        text.push_str(&format!("$ {command}\n{}\n", ran.out));
        let ran = db(vfs, &[view, &["-w", "json"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{view:?}: {}", ran.out);
        for line in ran.out.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("a JSON line");
        }
        json.push_str(&ran.out);
    }
    assert_golden(&format!("{name}.txt"), &text);
    assert_golden(&format!("{name}.jsonl"), &json);
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

/// Those of them that a tree has too.
pub(crate) fn tree_views() -> impl Iterator<Item = &'static [&'static str]> {
    let of_tables = |view: &&[&str]| view.contains(&"--manifest") || view.contains(&"--tables");
    VIEWS.into_iter().filter(move |view| !of_tables(view))
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
