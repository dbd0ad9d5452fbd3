//! The store under test, on the in-memory engine.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_api::etcdserverpb::{
    InternalRaftRequest, RangeRequest, RangeResponse, ResponseHeader, TxnRequest, TxnResponse,
};
use retcd_engine::Engine;
use retcd_engine::oracle::Oracle;
use retcd_mvcc::watch::{History, PieceLimit};
use retcd_mvcc::{Applier, Commit, CommittedEntry, Config, Response, Store};

/// A store, and what it takes to restart it.
pub(crate) struct Member {
    engine: Arc<dyn Engine>,
    store: Arc<Store>,
    applier: Applier,
}

impl Member {
    pub(crate) fn new() -> Member {
        let engine: Arc<dyn Engine> = Arc::new(Oracle::new());
        let (store, applier) = open(&engine);
        Member { engine, store, applier }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Executes an entry.
    pub(crate) fn apply(&mut self, request: InternalRaftRequest) -> Result<Response, Error> {
        let entry = CommittedEntry {
            index: self.applier.index() + 1,
            term: 1,
            data: request.encode_to_vec().into(),
        };
        self.applier.apply(&entry, Duration::ZERO).expect(NEVER_FAILS).result
    }

    pub(crate) fn publish(&mut self) {
        self.applier.publish().expect(NEVER_FAILS);
    }

    /// Opens the engine again, as after an orderly stop.
    pub(crate) fn restart(&mut self) {
        self.publish();
        (self.store, self.applier) = open(&self.engine);
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

const NEVER_FAILS: &str = "the in-memory engine doesn't fail";

fn open(engine: &Arc<dyn Engine>) -> (Arc<Store>, Applier) {
    Store::open(Arc::clone(engine), Config::default()).expect("what was written opens")
}

fn refused(error: retcd_mvcc::Error) -> Error {
    match error {
        retcd_mvcc::Error::Refused(error) => error,
        other => panic!("storage failed: {other}"),
    }
}
