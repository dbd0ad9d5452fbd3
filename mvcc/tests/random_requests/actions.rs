//! What random requests are made of: few keys, so that they meet, and revisions relative to the
//! current and the compacted one.

use bytes::Bytes;
use proptest::prelude::*;
use retcd_api::etcdserverpb::compare::TargetUnion;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};

use crate::engines::{Draw, draws};

/// All leases that there can be.
pub(crate) const LEASES: [i64; 3] = [1, 2, -3];

/// A revision in a request, before it is [`resolved`]: far below it stands for the compacted one
/// and its neighbours, and otherwise for a distance from the current one.
const NEAR_COMPACTED: i64 = -1000;

/// One step of a test.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Write(Write),
    Read(RangeRequest),
    ReadTxn(TxnRequest),
    Past {
        back: i64,
        length: i64,
        scanned: usize,
    },
    /// A watch that begins here, or resumes.
    Watch {
        from: i64,
    },
    /// A reader holds on to what it sees at this revision; all readers are asked.
    Pin {
        at: i64,
    },
    AskPinned,
    Publish,
    Flush,
    Defragment,
    Work {
        steps: usize,
    },
    /// Stops cleanly and goes on under what is drawn.
    Restart {
        draw: Draw,
    },
    /// Stops at once; the disk is left as the seed decides.
    Crash {
        seed: u64,
        draw: Draw,
    },
    Check,
}

/// A request that goes through the log.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Txn(TxnRequest),
    Compact(i64),
    Grant(i64),
    Revoke(i64),
}

impl Write {
    /// The entry, with revisions resolved.
    pub(crate) fn at(self, revision: i64, compacted: i64) -> InternalRaftRequest {
        let mut entry = InternalRaftRequest::default();
        match self {
            Write::Put(request) => entry.put = Some(request),
            Write::Delete(request) => entry.delete_range = Some(request),
            Write::Txn(request) => entry.txn = Some(resolved_txn(&request, revision, compacted)),
            Write::Compact(at) => {
                let revision = resolve(at, revision, compacted);
                entry.compaction = Some(CompactionRequest { revision, physical: false });
            }
            Write::Grant(id) => entry.lease_grant = Some(LeaseGrantRequest { id, ttl: 60 }),
            Write::Revoke(id) => entry.lease_revoke = Some(LeaseRevokeRequest { id }),
        }
        entry
    }
}

pub(crate) fn resolve(relative: i64, revision: i64, compacted: i64) -> i64 {
    if relative < NEAR_COMPACTED / 2 {
        compacted + relative - NEAR_COMPACTED
    } else {
        revision + relative
    }
}

/// The request with absolute revisions; zero and one stay, as "now" and the first revision.
pub(crate) fn resolved(request: &RangeRequest, revision: i64, compacted: i64) -> RangeRequest {
    let absolute =
        |relative| if relative == 0 { 0 } else { resolve(relative, revision, compacted) };
    RangeRequest {
        revision: absolute(request.revision),
        min_mod_revision: absolute(request.min_mod_revision),
        max_mod_revision: absolute(request.max_mod_revision),
        min_create_revision: absolute(request.min_create_revision),
        max_create_revision: absolute(request.max_create_revision),
        ..request.clone()
    }
}

/// The transaction with absolute revisions in its ranges.
pub(crate) fn resolved_txn(request: &TxnRequest, revision: i64, compacted: i64) -> TxnRequest {
    let resolve_op = |op: &RequestOp| RequestOp {
        request: op.request.as_ref().map(|request| match request {
            Request::RequestRange(range) => {
                Request::RequestRange(resolved(range, revision, compacted))
            }
            Request::RequestTxn(txn) => Request::RequestTxn(resolved_txn(txn, revision, compacted)),
            other => other.clone(),
        }),
    };
    TxnRequest {
        compare: request.compare.clone(),
        success: request.success.iter().map(resolve_op).collect(),
        failure: request.failure.iter().map(resolve_op).collect(),
    }
}

pub(crate) fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        30 => writes().prop_map(Action::Write),
        15 => ranges().prop_map(Action::Read),
        4 => read_txns().prop_map(Action::ReadTxn),
        3 => (0..12i64, 0..12i64, 1..6usize)
            .prop_map(|(back, length, scanned)| Action::Past { back, length, scanned }),
        3 => revisions().prop_map(|from| Action::Watch { from }),
        2 => revisions().prop_map(|at| Action::Pin { at }),
        1 => Just(Action::AskPinned),
        5 => Just(Action::Publish),
        1 => Just(Action::Flush),
        1 => Just(Action::Defragment),
        4 => prop_oneof![1..4usize, Just(1000)].prop_map(|steps| Action::Work { steps }),
        1 => draws().prop_map(|draw| Action::Restart { draw }),
        1 => (any::<u64>(), draws()).prop_map(|(seed, draw)| Action::Crash { seed, draw }),
        1 => Just(Action::Check),
    ]
}

fn writes() -> impl Strategy<Value = Write> {
    prop_oneof![
        10 => puts().prop_map(Write::Put),
        4 => deletes().prop_map(Write::Delete),
        10 => txns().prop_map(Write::Txn),
        2 => revisions().prop_map(Write::Compact),
        2 => prop::sample::select(&LEASES[..]).prop_map(Write::Grant),
        1 => prop::sample::select(&LEASES[..]).prop_map(Write::Revoke),
    ]
}

fn keys() -> impl Strategy<Value = Bytes> {
    let keys: [&[u8]; 7] = [b"a", b"aa", b"b", b"c", b"\0", b"\xff", b"\xff\xff"];
    prop::sample::select(keys.map(Bytes::from_static).to_vec())
}

fn ends() -> impl Strategy<Value = Bytes> {
    let ends: [&[u8]; 6] = [b"", b"", b"\0", b"b", b"c", b"\xff"];
    prop::sample::select(ends.map(Bytes::from_static).to_vec())
}

fn values() -> impl Strategy<Value = Bytes> {
    let values: [&[u8]; 4] = [b"", b"1", b"2", b"a longer value"];
    prop::sample::select(values.map(Bytes::from_static).to_vec())
}

fn leases() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0), 2 => prop::sample::select(&LEASES[..])]
}

fn revisions() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -8..=1i64, 2 => NEAR_COMPACTED - 1..=NEAR_COMPACTED + 1]
}

fn bounds() -> impl Strategy<Value = i64> {
    prop_oneof![9 => Just(0), 1 => -5..=0i64]
}

fn ranges() -> impl Strategy<Value = RangeRequest> {
    let options = (-1..5i64, prop_oneof![2 => Just(0), 1 => revisions()], 0..3i32, 0..5i32);
    let filters = (bounds(), bounds(), bounds(), bounds());
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    (keys(), ends(), options, flags, filters).prop_map(
        |(key, range_end, options, (keys_only, count_only), filters)| {
            let (limit, revision, sort_order, sort_target) = options;
            RangeRequest {
                key,
                range_end,
                limit,
                revision,
                sort_order,
                sort_target,
                serializable: false,
                keys_only,
                count_only,
                min_mod_revision: filters.0,
                max_mod_revision: filters.1,
                min_create_revision: filters.2,
                max_create_revision: filters.3,
            }
        },
    )
}

fn puts() -> impl Strategy<Value = PutRequest> {
    let flags = (any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (keys(), values(), leases(), flags).prop_map(
        |(key, value, lease, (prev_kv, ignore_value, ignore_lease))| PutRequest {
            key,
            value: if ignore_value { Bytes::new() } else { value },
            lease: if ignore_lease { 0 } else { lease },
            prev_kv,
            ignore_value,
            ignore_lease,
        },
    )
}

fn deletes() -> impl Strategy<Value = DeleteRangeRequest> {
    (keys(), ends(), any::<bool>()).prop_map(|(key, range_end, prev_kv)| DeleteRangeRequest {
        key,
        range_end,
        prev_kv,
    })
}

fn compares() -> impl Strategy<Value = Compare> {
    let union = prop_oneof![
        (0..3i64).prop_map(TargetUnion::Version),
        (0..12i64).prop_map(TargetUnion::CreateRevision),
        (0..12i64).prop_map(TargetUnion::ModRevision),
        values().prop_map(TargetUnion::Value),
        leases().prop_map(TargetUnion::Lease),
    ];
    (keys(), ends(), 0..4i32, 0..5i32, prop::option::weighted(0.9, union)).prop_map(
        |(key, range_end, result, other_target, target_union)| {
            let target = match &target_union {
                Some(TargetUnion::Version(_)) => 0,
                Some(TargetUnion::CreateRevision(_)) => 1,
                Some(TargetUnion::ModRevision(_)) => 2,
                Some(TargetUnion::Value(_)) => 3,
                Some(TargetUnion::Lease(_)) => 4,
                None => other_target,
            };
            Compare { result, target, key, range_end, target_union }
        },
    )
}

fn ops() -> impl Strategy<Value = RequestOp> {
    let plain = prop_oneof![
        3 => ranges().prop_map(Request::RequestRange),
        4 => puts().prop_map(Request::RequestPut),
        2 => deletes().prop_map(Request::RequestDeleteRange),
    ];
    plain
        .prop_recursive(2, 8, 3, |inner| {
            let op = inner.prop_map(|request| RequestOp { request: Some(request) });
            let list = || prop::collection::vec(op.clone(), 0..3);
            (prop::collection::vec(compares(), 0..2), list(), list())
                .prop_map(|(compare, success, failure)| {
                    Request::RequestTxn(TxnRequest { compare, success, failure })
                })
                .boxed()
        })
        .prop_map(|request| RequestOp { request: Some(request) })
}

fn txns() -> impl Strategy<Value = TxnRequest> {
    let list = || prop::collection::vec(ops(), 0..4);
    (prop::collection::vec(compares(), 0..3), list(), list())
        .prop_map(|(compare, success, failure)| TxnRequest { compare, success, failure })
}

fn read_txns() -> impl Strategy<Value = TxnRequest> {
    let range = ranges()
        .prop_map(|request| RequestOp { request: Some(Request::RequestRange(request)) })
        .boxed();
    let list = || prop::collection::vec(range.clone(), 0..3);
    (prop::collection::vec(compares(), 0..3), list(), list())
        .prop_map(|(compare, success, failure)| TxnRequest { compare, success, failure })
}
