//! What clients ask, how it is encoded, and what answers say.

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, RangeRequest, RequestHeader, RequestOp, TxnRequest, request_op,
    response_op,
};
use retcd_api::mvccpb::KeyValue;
use retcd_mvcc::{Response, Store};

/// Longest padding of a value, in bytes: enough to fill tiny memtables.
const PADDING_BYTES_MAX: u64 = 160;

/// Which keys a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    One(Bytes),
    /// All whose names begin so.
    Prefix(Bytes),
}

impl Keys {
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        match self {
            Keys::One(one) => one == key,
            Keys::Prefix(prefix) => key.starts_with(prefix),
        }
    }

    /// As start and end of a range.
    pub(crate) fn range(&self) -> (Bytes, Bytes) {
        match self {
            Keys::One(one) => (one.clone(), Bytes::new()),
            Keys::Prefix(prefix) => {
                let mut end = prefix.to_vec();
                *end.last_mut().expect("no prefix is empty") += 1;
                (prefix.clone(), end.into())
            }
        }
    }
}

/// A request to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Get {
        keys: Keys,
    },
    Put {
        key: Bytes,
        value: Bytes,
        lease: i64,
    },
    Delete {
        keys: Keys,
    },
    /// Sets a key that has a value, or that is absent.
    Swap {
        key: Bytes,
        expected: Option<Bytes>,
        value: Bytes,
    },
    /// If `from` is there, deletes it and puts `to`; else reads `to`.
    Move {
        from: Bytes,
        to: Bytes,
        value: Bytes,
    },
    Compact {
        revision: i64,
    },
    Grant {
        lease: i64,
        ttl: i64,
    },
    Revoke {
        lease: i64,
    },
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) version: i64,
    pub(crate) lease: i64,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done {
        /// The revision in the answer's header.
        revision: i64,
        /// Whether a transaction's comparison held; true of everything else.
        succeeded: bool,
        /// Pairs that were read, or that were there before.
        pairs: Vec<Pair>,
    },
    Refused(String),
}

/// Prefix of the keys that only clients change.
pub(crate) const ALL_KEYS: &str = "key-";

/// Prefix of the keys that go with their leases.
pub(crate) const LEASED_KEYS: &str = "leased-";

/// The key of this number.
pub(crate) fn key(number: u64) -> Bytes {
    format!("{ALL_KEYS}{number}").into()
}

/// The key of this number that has a lease.
pub(crate) fn leased_key(number: u64) -> Bytes {
    format!("{LEASED_KEYS}{number}").into()
}

/// A value that no other number has; its length varies.
pub(crate) fn value(number: u64) -> Bytes {
    let padding = number.wrapping_mul(0x9e37_79b9) % PADDING_BYTES_MAX;
    format!("{number}{:.<1$}", "", padding as usize).into()
}

impl Request {
    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Request::Get { .. })
    }

    /// As the payload of an entry. Reads have none.
    pub(crate) fn encode(&self, id: u64) -> Bytes {
        let header = Some(RequestHeader { id, ..RequestHeader::default() });
        let mut entry = InternalRaftRequest { header, ..InternalRaftRequest::default() };
        match self.clone() {
            Request::Get { .. } => unreachable!("reads aren't proposed"),
            Request::Put { key, value, lease } => entry.put = Some(put(key, value, lease)),
            Request::Delete { keys } => entry.delete_range = Some(delete(&keys)),
            Request::Swap { key, expected, value } => {
                entry.txn = Some(TxnRequest {
                    compare: vec![compare(key.clone(), expected)],
                    success: vec![op(request_op::Request::RequestPut(put(key.clone(), value, 0)))],
                    failure: vec![read_op(key)],
                });
            }
            Request::Move { from, to, value } => {
                let delete = delete(&Keys::One(from.clone()));
                entry.txn = Some(TxnRequest {
                    compare: vec![Compare {
                        result: CompareResult::NotEqual.into(),
                        ..compare(from, None)
                    }],
                    success: vec![
                        op(request_op::Request::RequestPut(put(to.clone(), value, 0))),
                        op(request_op::Request::RequestDeleteRange(delete)),
                    ],
                    failure: vec![read_op(to)],
                });
            }
            Request::Compact { revision } => {
                entry.compaction = Some(CompactionRequest { revision, physical: false });
            }
            Request::Grant { lease: id, ttl } => {
                entry.lease_grant = Some(LeaseGrantRequest { id, ttl });
            }
            Request::Revoke { lease: id } => entry.lease_revoke = Some(LeaseRevokeRequest { id }),
        }
        entry.encode_to_vec().into()
    }
}

fn range(keys: &Keys) -> RangeRequest {
    let (key, range_end) = keys.range();
    RangeRequest { key, range_end, ..RangeRequest::default() }
}

/// Reads what a member has.
pub(crate) fn read(store: &Store, request: &Request) -> retcd_mvcc::Result<Answer> {
    let Request::Get { keys } = request else {
        panic!("{request:?} isn't a read");
    };
    let answer = store.range(&range(keys))?;
    Ok(Answer::of(&Ok(Response::Range(answer))))
}

fn put(key: Bytes, value: Bytes, lease: i64) -> PutRequest {
    PutRequest { key, value, lease, prev_kv: true, ..PutRequest::default() }
}

fn delete(keys: &Keys) -> DeleteRangeRequest {
    let (key, range_end) = keys.range();
    DeleteRangeRequest { key, range_end, prev_kv: true }
}

/// Holds if the key has this value, or, for `None`, if it is absent.
fn compare(key: Bytes, value: Option<Bytes>) -> Compare {
    let (target, union) = match value {
        Some(value) => (CompareTarget::Value, TargetUnion::Value(value)),
        None => (CompareTarget::Version, TargetUnion::Version(0)),
    };
    Compare {
        result: CompareResult::Equal.into(),
        target: target.into(),
        key,
        target_union: Some(union),
        ..Compare::default()
    }
}

fn op(request: request_op::Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

fn read_op(key: Bytes) -> RequestOp {
    op(request_op::Request::RequestRange(range(&Keys::One(key))))
}

impl Answer {
    /// What an executed entry, or a read, was answered.
    pub(crate) fn of(result: &retcd_api::Result<Response>) -> Answer {
        let mut succeeded = true;
        let mut pairs = Vec::new();
        let header = match result {
            Err(error) => return Answer::Refused(error.to_string()),
            Ok(Response::Range(answer)) => {
                pairs.extend(answer.kvs.iter().map(Pair::of));
                &answer.header
            }
            Ok(Response::Put(answer)) => {
                pairs.extend(answer.prev_kv.iter().map(Pair::of));
                &answer.header
            }
            Ok(Response::DeleteRange(answer)) => {
                assert_eq!(answer.deleted, answer.prev_kvs.len() as i64, "what was deleted");
                pairs.extend(answer.prev_kvs.iter().map(Pair::of));
                &answer.header
            }
            Ok(Response::Txn(answer)) => {
                succeeded = answer.succeeded;
                for response in answer.responses.iter().filter_map(|op| op.response.as_ref()) {
                    pairs.extend(pairs_of(response));
                }
                &answer.header
            }
            Ok(Response::Compaction(answer)) => &answer.header,
            Ok(Response::LeaseGrant(answer)) => &answer.header,
            Ok(Response::LeaseRevoke(answer)) => &answer.header,
            Ok(other) => return Answer::Refused(format!("by {other:?}")),
        };
        let revision = header.as_ref().map_or(0, |header| header.revision);
        Answer::Done { revision, succeeded, pairs }
    }
}

fn pairs_of(response: &response_op::Response) -> Vec<Pair> {
    let kvs = match response {
        response_op::Response::ResponseRange(answer) => answer.kvs.iter(),
        response_op::Response::ResponseDeleteRange(answer) => answer.prev_kvs.iter(),
        response_op::Response::ResponsePut(answer) => answer.prev_kv.as_slice().iter(),
        response_op::Response::ResponseTxn(_) => panic!("nobody nests transactions"),
    };
    kvs.map(Pair::of).collect()
}

impl Pair {
    pub(crate) fn of(pair: &KeyValue) -> Pair {
        Pair {
            key: pair.key.clone(),
            value: pair.value.clone(),
            created: pair.create_revision,
            modified: pair.mod_revision,
            version: pair.version,
            lease: pair.lease,
        }
    }
}
