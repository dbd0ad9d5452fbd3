//! What a request did, as etcd counts it: operations, not keys.

use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{ResponseOp, TxnResponse};

/// A kind of replicated request, as `etcd_server_apply_duration_seconds` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A put.
    Put,
    /// A range through the log.
    Range,
    /// A deletion.
    DeleteRange,
    /// A transaction.
    Txn,
    /// A compaction.
    Compaction,
    /// A lease's grant.
    LeaseGrant,
    /// A lease's end.
    LeaseRevoke,
    /// What leases have left.
    LeaseCheckpoint,
    /// An alarm.
    Alarm,
}

impl Request {
    /// All kinds, in the order of their discriminants.
    pub(super) const ALL: [Request; 9] = [
        Request::Put,
        Request::Range,
        Request::DeleteRange,
        Request::Txn,
        Request::Compaction,
        Request::LeaseGrant,
        Request::LeaseRevoke,
        Request::LeaseCheckpoint,
        Request::Alarm,
    ];

    /// What an encoded `InternalRaftRequest` carries, told from its first field: requests come
    /// before the header there. `None` for what etcd doesn't name in metrics either.
    pub(crate) fn of_entry(mut entry: &[u8]) -> Option<Request> {
        let (field, _) = prost::encoding::decode_key(&mut entry).ok()?;
        match field {
            3 => Some(Request::Range),
            4 => Some(Request::Put),
            5 => Some(Request::DeleteRange),
            6 => Some(Request::Txn),
            7 => Some(Request::Compaction),
            8 => Some(Request::LeaseGrant),
            9 => Some(Request::LeaseRevoke),
            10 => Some(Request::Alarm),
            11 => Some(Request::LeaseCheckpoint),
            _ => None,
        }
    }

    /// The label `op`.
    pub(super) fn label(self) -> &'static str {
        match self {
            Request::Put => "Put",
            Request::Range => "Range",
            Request::DeleteRange => "DeleteRange",
            Request::Txn => "Txn",
            Request::Compaction => "Compaction",
            Request::LeaseGrant => "LeaseGrant",
            Request::LeaseRevoke => "LeaseRevoke",
            Request::LeaseCheckpoint => "LeaseCheckpoint",
            Request::Alarm => "Alarm",
        }
    }
}

/// Operations that one request executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ops {
    /// Puts.
    pub(crate) puts: u64,
    /// Deletions, however many keys went.
    pub(crate) deletes: u64,
    /// Ranges.
    pub(crate) ranges: u64,
}

impl Ops {
    /// One put.
    pub(crate) const PUT: Ops = Ops { puts: 1, deletes: 0, ranges: 0 };
    /// One deletion.
    pub(crate) const DELETE: Ops = Ops { puts: 0, deletes: 1, ranges: 0 };
    /// One range.
    pub(crate) const RANGE: Ops = Ops { puts: 0, deletes: 0, ranges: 1 };

    /// What a transaction did, nested ones included. Transactions nest no deeper than the check at
    /// the door allows.
    pub(crate) fn of_txn(response: &TxnResponse) -> Ops {
        let mut sum = Ops::default();
        for op in &response.responses {
            sum.add(Ops::of(op));
        }
        sum
    }

    fn of(op: &ResponseOp) -> Ops {
        match &op.response {
            Some(Response::ResponsePut(_)) => Ops::PUT,
            Some(Response::ResponseDeleteRange(_)) => Ops::DELETE,
            Some(Response::ResponseRange(_)) => Ops::RANGE,
            Some(Response::ResponseTxn(response)) => Ops::of_txn(response),
            None => Ops::default(),
        }
    }

    fn add(&mut self, other: Ops) {
        self.puts += other.puts;
        self.deletes += other.deletes;
        self.ranges += other.ranges;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_their_entries() {
        use prost::Message;
        use retcd_api::etcdserverpb::{InternalRaftRequest, LeaseCheckpointRequest, RequestHeader};

        let header = Some(RequestHeader { id: 7, ..Default::default() });
        let put = Some(Default::default());
        let entry = InternalRaftRequest { header: header.clone(), put, ..Default::default() };
        assert_eq!(Request::of_entry(&entry.encode_to_vec()), Some(Request::Put));
        let lease_checkpoint = Some(LeaseCheckpointRequest::default());
        let entry = InternalRaftRequest { header, lease_checkpoint, ..Default::default() };
        assert_eq!(Request::of_entry(&entry.encode_to_vec()), Some(Request::LeaseCheckpoint));
        assert_eq!(Request::of_entry(&[]), None);
        assert_eq!(Request::of_entry(&[0xff; 20]), None);
        for (number, request) in Request::ALL.into_iter().enumerate() {
            assert_eq!(request as usize, number);
        }
    }

    #[test]
    fn nested_transactions_count_with_their_operations() {
        let op = |response| ResponseOp { response: Some(response) };
        let inner = TxnResponse {
            responses: vec![op(Response::ResponsePut(Default::default()))],
            ..Default::default()
        };
        let outer = TxnResponse {
            responses: vec![
                op(Response::ResponseTxn(inner)),
                op(Response::ResponseRange(Default::default())),
                op(Response::ResponseDeleteRange(Default::default())),
            ],
            ..Default::default()
        };
        assert_eq!(Ops::of_txn(&outer), Ops { puts: 1, deletes: 1, ranges: 1 });
    }
}
