//! A store on the in-memory engine, and shorthands for the requests that scenarios are made of.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{
    AlarmRequest, CompactionRequest, DeleteRangeRequest, DeleteRangeResponse, InternalRaftRequest,
    LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse,
};
use retcd_engine::Engine;
use retcd_engine::oracle::Oracle;
use retcd_mvcc::{Applier, CommittedEntry, Config, Outcome, Response, Store};

/// A member's state, with the log that led to it reduced to an index.
pub(crate) struct Member {
    pub(crate) engine: Arc<Oracle>,
    pub(crate) store: Arc<Store>,
    pub(crate) applier: Applier,
    pub(crate) now: Duration,
}

pub(crate) fn config() -> Config {
    Config { cluster_id: 0xc, member_id: 0xa, ..Config::default() }
}

impl Member {
    pub(crate) fn new() -> Member {
        Member::with_config(config())
    }

    pub(crate) fn with_config(config: Config) -> Member {
        let engine = Arc::new(Oracle::new());
        let (store, applier) = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, config)
            .expect("an empty engine opens");
        Member { engine, store, applier, now: Duration::ZERO }
    }

    /// Opens what the engine holds again, as after a restart.
    pub(crate) fn reopen(self) -> Member {
        let config = self.store.config().clone();
        let engine = Arc::clone(&self.engine);
        drop(self.applier);
        let (store, applier) = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, config)
            .expect("what was written opens");
        Member { engine, store, applier, now: self.now }
    }

    /// Executes one request without publishing it.
    pub(crate) fn apply(&mut self, request: InternalRaftRequest) -> Outcome {
        let entry = CommittedEntry {
            index: self.applier.index() + 1,
            term: 1,
            data: request.encode_to_vec().into(),
        };
        self.applier.apply(&entry, self.now).expect("the in-memory engine doesn't fail")
    }

    /// Executes and publishes one request.
    pub(crate) fn execute(&mut self, request: InternalRaftRequest) -> Result<Response, Error> {
        let outcome = self.apply(request);
        self.applier.publish().expect("the in-memory engine doesn't fail");
        outcome.result
    }

    pub(crate) fn try_put(&mut self, request: PutRequest) -> Result<PutResponse, Error> {
        match self.execute(request.into_entry())? {
            Response::Put(response) => Ok(response),
            other => panic!("a put answered {other:?}"),
        }
    }

    /// Puts a pair and returns its revision.
    pub(crate) fn put(&mut self, key: &str, value: &str) -> i64 {
        let response = self.try_put(put(key, value)).expect("a put is accepted");
        response.header.expect("a put has a header").revision
    }

    pub(crate) fn delete(&mut self, request: DeleteRangeRequest) -> DeleteRangeResponse {
        match self.execute(request.into_entry()) {
            Ok(Response::DeleteRange(response)) => response,
            other => panic!("a delete answered {other:?}"),
        }
    }

    pub(crate) fn try_txn(&mut self, request: TxnRequest) -> Result<TxnResponse, Error> {
        match self.execute(request.into_entry())? {
            Response::Txn(response) => Ok(response),
            other => panic!("a transaction answered {other:?}"),
        }
    }

    pub(crate) fn txn(&mut self, request: TxnRequest) -> TxnResponse {
        self.try_txn(request).expect("the transaction is accepted")
    }

    /// Grants a lease of a minute.
    pub(crate) fn grant(&mut self, id: i64) {
        self.execute(LeaseGrantRequest { id, ttl: 60 }.into_entry()).expect("the id is free");
    }

    pub(crate) fn try_compact(&mut self, revision: i64) -> Result<i64, Error> {
        let request = CompactionRequest { revision, physical: false };
        match self.execute(request.into_entry())? {
            Response::Compaction(response) => Ok(response.header.expect("it has one").revision),
            other => panic!("a compaction answered {other:?}"),
        }
    }

    pub(crate) fn try_range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        self.store.range(request).map_err(refused)
    }

    pub(crate) fn range(&self, request: &RangeRequest) -> RangeResponse {
        self.try_range(request).expect("the range is accepted")
    }

    /// The value under `key` as of `revision`; 0 is now.
    pub(crate) fn value(&self, key: &str, revision: i64) -> Option<Bytes> {
        let request = RangeRequest { revision, ..get(key) };
        let mut response = self.range(&request);
        response.kvs.pop().map(|pair| pair.value)
    }
}

/// The refusal in an error; anything else is a failure of the test.
pub(crate) fn refused(error: retcd_mvcc::Error) -> Error {
    match error {
        retcd_mvcc::Error::Refused(error) => error,
        other => panic!("storage failed: {other}"),
    }
}

/// A request that goes into an entry.
pub(crate) trait IntoEntry {
    fn into_entry(self) -> InternalRaftRequest;
}

macro_rules! into_entry {
    ($($request:ident: $field:ident),* $(,)?) => {$(
        impl IntoEntry for $request {
            fn into_entry(self) -> InternalRaftRequest {
                InternalRaftRequest {
                    $field: Some(self),
                    ..InternalRaftRequest::default()
                }
            }
        }
    )*};
}

into_entry! {
    RangeRequest: range,
    PutRequest: put,
    DeleteRangeRequest: delete_range,
    TxnRequest: txn,
    CompactionRequest: compaction,
    LeaseGrantRequest: lease_grant,
    LeaseRevokeRequest: lease_revoke,
    LeaseCheckpointRequest: lease_checkpoint,
    AlarmRequest: alarm,
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn put(key: &str, value: &str) -> PutRequest {
    PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }
}

pub(crate) fn get(key: &str) -> RangeRequest {
    RangeRequest { key: bytes(key), ..RangeRequest::default() }
}

pub(crate) fn list(key: &str, range_end: &str) -> RangeRequest {
    RangeRequest { range_end: bytes(range_end), ..get(key) }
}

pub(crate) fn delete(key: &str, range_end: &str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: bytes(key), range_end: bytes(range_end), prev_kv: false }
}

pub(crate) fn op(request: impl Into<Op>) -> RequestOp {
    RequestOp { request: Some(request.into().0) }
}

/// Wraps a request as an operation of a transaction.
pub(crate) struct Op(Request);

macro_rules! into_op {
    ($($request:ident: $variant:ident),* $(,)?) => {$(
        impl From<$request> for Op {
            fn from(request: $request) -> Op {
                Op(Request::$variant(request))
            }
        }
    )*};
}

into_op! {
    RangeRequest: RequestRange,
    PutRequest: RequestPut,
    DeleteRangeRequest: RequestDeleteRange,
    TxnRequest: RequestTxn,
}

/// A transaction without comparisons.
pub(crate) fn ops(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..TxnRequest::default() }
}

/// Keys of a response, in its order.
pub(crate) fn keys(response: &RangeResponse) -> Vec<String> {
    response.kvs.iter().map(|pair| String::from_utf8_lossy(&pair.key).into_owned()).collect()
}

pub(crate) fn revision(header: &Option<retcd_api::etcdserverpb::ResponseHeader>) -> i64 {
    header.as_ref().expect("the response has a header").revision
}
