//! The store under test, on any engine, on a disk that can crash.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_api::etcdserverpb::{
    InternalRaftRequest, RangeRequest, RangeResponse, ResponseHeader, TxnRequest, TxnResponse,
};
use retcd_engine::bolt::{Database, Entry};
use retcd_engine::sort::Sorter;
use retcd_engine::{Engine, Step};
use retcd_mvcc::watch::{History, PieceLimit};
use retcd_mvcc::{
    Applier, Commit, CommittedEntry, Config, DatabaseOrigin, ImportAs, ImportMembers, Response,
    Store, import,
};
use retcd_vfs::{CrashVfs, MemVfs, Vfs};

use crate::engines::{Draw, Open};

/// A store, and what it takes to restart it.
pub(crate) struct Member {
    open: Open,
    disk: CrashVfs,
    engine: Arc<dyn Engine>,
    store: Arc<Store>,
    applier: Applier,
    /// Every entry and what it led to, by index from 1 on.
    log: Vec<(CommittedEntry, Result<Response, Error>)>,
}

impl Member {
    pub(crate) fn new(open: Open, draw: Draw) -> Member {
        let disk = CrashVfs::new();
        let (engine, store, applier) = start(open, &disk, draw);
        Member { open, disk, engine, store, applier, log: Vec::new() }
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Executes an entry.
    pub(crate) fn apply(&mut self, request: InternalRaftRequest) -> Result<Response, Error> {
        let index = self.applier.index() + 1;
        let entry = CommittedEntry { index, term: 1, data: request.encode_to_vec().into() };
        let result = self.applier.apply(&entry, Duration::ZERO).expect(NEVER_FAILS).result;
        self.log.push((entry, result.clone()));
        result
    }

    pub(crate) fn publish(&mut self) {
        self.applier.publish().expect(NEVER_FAILS);
    }

    /// The database that etcd would have, as a file in memory.
    fn etcd_database(&self) -> Database {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let folder = Path::new("/outgoing");
        vfs.create_dir_all(folder).expect(NEVER_FAILS);
        let sorter = Sorter::new(Arc::clone(&vfs), folder, 500);
        let conf_state_json = &|_: &Bytes| Some(b"{}".to_vec());
        let origin = DatabaseOrigin { term: 1, conf_state_json, is_wanted: &|| true };
        let database = self.store.etcd_database(sorter, &origin).expect(NEVER_FAILS);
        let mut file = Vec::new();
        database.write(&mut file).expect(NEVER_FAILS);
        assert_eq!(file.len() as u64, database.bytes());
        drop(database);
        assert!(vfs.list(folder).expect(NEVER_FAILS).is_empty(), "scratch files are gone");
        let path = folder.join("db");
        let written = vfs.create_append(&path).and_then(|mut to| to.append(&file));
        written.expect(NEVER_FAILS);
        let database = Database::open(&*vfs, &path).expect(NEVER_FAILS);
        vfs.remove_file(&path).expect(NEVER_FAILS);
        database.verify().expect("each page is used once");
        database
    }

    /// The pairs of that database, as they are in its file.
    pub(crate) fn database_pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let database = self.etcd_database();
        let pairs = database.bucket(b"key").expect(NEVER_FAILS).expect("it is always there");
        let pairs = pairs.entries(&database).expect(NEVER_FAILS);
        let pair = |pair: retcd_engine::Result<(Bytes, Entry)>| match pair.expect(NEVER_FAILS) {
            (key, Entry::Value(value)) => (key.to_vec(), value.to_vec()),
            (_, Entry::Bucket(_)) => panic!("etcd has no buckets within buckets"),
        };
        pairs.map(pair).collect()
    }

    /// What becomes of that database on another machine with an engine of the same kind, flushed
    /// and merged as often as the engine likes.
    pub(crate) fn moved(&self) -> Arc<Store> {
        let engine = (self.open)(Arc::new(CrashVfs::new()), Path::new("/db"), [0; _]);
        let engine = engine.expect(NEVER_FAILS);
        let target = ImportAs {
            index: 7,
            term: 2,
            conf_state: Bytes::new(),
            members: ImportMembers::Kept,
            revision_bump: 0,
            batch_records: 3,
            waiting_memtables_max: 0,
        };
        let imported = import(&self.etcd_database(), &engine, &target, &mut |_| true);
        let imported = imported.expect("what goes out comes in");
        let (store, _) = Store::open(engine, Config::default()).expect("what was imported opens");
        assert_eq!(imported.revision, store.revision());
        assert_eq!(
            (imported.compacted, imported.keys),
            (store.compacted_revision(), store.key_count())
        );
        assert_eq!(store.applied_index(), target.index);
        assert_eq!(store.leases().len(), self.store.leases().len());
        store
    }

    /// Lets the engine flush and merge, as far as `steps` go.
    pub(crate) fn work(&self, steps: usize) {
        for _ in 0..steps {
            if self.engine.step().expect(NEVER_FAILS) == Step::Idle {
                break;
            }
        }
    }

    /// Merges everything that there is.
    pub(crate) fn defragment(&self) {
        self.engine.request_merge().expect(NEVER_FAILS);
        self.work(usize::MAX);
    }

    /// Opens what the engine has kept, and applies what it lacks: to the same effect.
    pub(crate) fn restart(&mut self, draw: Draw) {
        (self.engine, self.store, self.applier) = start(self.open, &self.disk, draw);
        for (entry, result) in &self.log {
            if entry.index > self.engine.applied().index {
                let outcome = self.applier.apply(entry, Duration::ZERO).expect(NEVER_FAILS);
                assert_eq!(outcome.result, *result, "entry {} has another effect", entry.index);
            }
        }
        self.publish();
    }

    /// The same on what a crash leaves.
    pub(crate) fn crash(&mut self, seed: u64, draw: Draw) {
        self.disk = self.disk.crash(seed);
        self.restart(draw);
    }

    pub(crate) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        self.store.range(request).map_err(refused)
    }

    /// The answer by way of its bytes.
    pub(crate) fn range_as_bytes(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let mut bytes = BytesMut::new();
        let header = ResponseHeader::default();
        self.store.range_into(request, &header, &mut bytes).map_err(refused)?;
        let response = RangeResponse::decode(bytes.clone()).expect("the bytes are a response");
        assert_eq!(bytes, response.encode_to_vec());
        Ok(response)
    }

    /// The answer put together from pieces; `None` if it can't be had in pieces.
    pub(crate) fn streamed(&self, request: &RangeRequest) -> Option<RangeResponse> {
        let plain = request.sort_order() == SortOrder::None
            || request.sort_order() == SortOrder::Ascend
                && request.sort_target() == SortTarget::Key;
        if !plain || request.sort_target() != SortTarget::Key {
            return None;
        }
        let mut stream = Arc::clone(&self.store).range_stream(request.clone(), 64).ok()?;
        let mut whole = RangeResponse::default();
        while let Some(piece) = stream.next_piece().expect("it was answered at once before") {
            whole.kvs.extend(piece.kvs);
            whole.header = piece.header;
            whole.more = piece.more;
            whole.count = piece.count;
        }
        Some(whole)
    }

    pub(crate) fn read_txn(&self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        self.store.read_txn(request).map_err(refused)
    }

    /// Reads the past in as many pieces as it takes.
    pub(crate) fn past(
        &self,
        revisions: RangeInclusive<i64>,
        scanned: usize,
    ) -> Result<Vec<Commit>, Error> {
        let limit = PieceLimit { revisions: usize::MAX, scanned, bytes: usize::MAX };
        let mut commits = Vec::new();
        let (mut next, end) = revisions.into_inner();
        while next <= end {
            let piece = self.store.events(next..=end, limit, &|_| true).map_err(refused)?;
            commits.extend(piece.commits);
            if piece.next <= next {
                break;
            }
            next = piece.next;
        }
        Ok(commits)
    }
}

const NEVER_FAILS: &str = "files in memory don't fail";

fn start(open: Open, disk: &CrashVfs, draw: Draw) -> (Arc<dyn Engine>, Arc<Store>, Applier) {
    let engine = open(Arc::new(disk.clone()), Path::new("/db"), draw);
    let engine = engine.expect("what was written opens");
    let config = Config { remembered_counts_min: 1, ..Config::default() };
    let opened = Store::open(Arc::clone(&engine), config);
    let (store, applier) = opened.expect("what was written opens");
    (engine, store, applier)
}

pub(crate) fn refused(error: retcd_mvcc::Error) -> Error {
    match error {
        retcd_mvcc::Error::Refused(error) => error,
        other => panic!("storage failed: {other}"),
    }
}
