//! What a request did, as etcd counts it: operations, not keys.

use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{ResponseOp, TxnResponse};

/// A kind of replicated request, as `etcd_server_apply_duration_seconds` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Kinds with a name in etcd.
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
