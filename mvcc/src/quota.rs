//! What a request costs against the space quota.
//!
//! The numbers are etcd's: an estimate of what a change adds, beside its key and value.

use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{InternalRaftRequest, PutRequest, RequestOp, TxnRequest};

/// What a pair costs beside its key and value, in bytes.
const PAIR_OVERHEAD_BYTES: u64 = 256;

/// What a lease costs, in bytes.
const LEASE_BYTES: u64 = 64;

/// What a request may add to the store, in bytes. Zero is always admitted.
pub trait QuotaCost {
    /// The estimate.
    fn quota_cost(&self) -> u64;
}

impl QuotaCost for PutRequest {
    fn quota_cost(&self) -> u64 {
        PAIR_OVERHEAD_BYTES + (self.key.len() + self.value.len()) as u64
    }
}

/// The dearer of both branches, nested transactions included.
impl QuotaCost for TxnRequest {
    fn quota_cost(&self) -> u64 {
        let branch_cost = |ops: &[RequestOp]| {
            ops.iter().fold(0u64, |sum, op| {
                let cost = match &op.request {
                    Some(Request::RequestPut(put)) => put.quota_cost(),
                    Some(Request::RequestTxn(nested)) => nested.quota_cost(),
                    _ => 0,
                };
                sum.saturating_add(cost)
            })
        };
        branch_cost(&self.success).max(branch_cost(&self.failure))
    }
}

/// The cost of what the entry holds; only puts, transactions and lease grants have one.
impl QuotaCost for InternalRaftRequest {
    fn quota_cost(&self) -> u64 {
        if let Some(put) = &self.put {
            put.quota_cost()
        } else if let Some(txn) = &self.txn {
            txn.quota_cost()
        } else if self.lease_grant.is_some() {
            LEASE_BYTES
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value_bytes: usize) -> RequestOp {
        RequestOp {
            request: Some(Request::RequestPut(PutRequest {
                key: b"key".as_slice().into(),
                value: vec![0; value_bytes].into(),
                ..PutRequest::default()
            })),
        }
    }

    #[test]
    fn a_transaction_costs_its_dearer_branch() {
        let nested = RequestOp {
            request: Some(Request::RequestTxn(TxnRequest {
                success: vec![put(100)],
                ..TxnRequest::default()
            })),
        };
        let txn = TxnRequest {
            success: vec![put(1), put(2)],
            failure: vec![put(1000), nested],
            ..TxnRequest::default()
        };
        assert_eq!(txn.quota_cost(), 2 * (256 + 3) + 1100);
        assert_eq!(TxnRequest::default().quota_cost(), 0);
    }
}
