//! Where reads run: short ones on the network thread, long ones on the pool of readers.
//!
//! Handing a read over costs two wake-ups, as much as a short read; a long one in place would hold
//! up every connection of its thread. How long a read takes is estimated from what it asks for and
//! from how many keys there are, because a limit bounds the pairs that are answered, but neither
//! those that are counted nor those that are sorted.

use super::maintenance::blocking;
use retcd_api::Result;
use retcd_api::etcdserverpb::{RangeRequest, TxnRequest, request_op::Request};
use retcd_mvcc::Store;
use std::sync::Arc;

/// Most pairs that a range answers in place.
const PAIRS_IN_PLACE_MAX: u64 = 64;

/// Most keys of a store whose ranges are read in place.
const KEYS_IN_PLACE_MAX: u64 = 4096;

/// Where a read runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the network thread.
    Here,
    /// On the pool of readers.
    Pool,
}

impl Place {
    /// Where to read a range of a store that has `keys` keys now.
    pub(super) fn of_range(request: &RangeRequest, keys: impl FnOnce() -> u64) -> Place {
        if request.range_end.is_empty() {
            return Place::Here;
        }
        // What there was at an earlier revision, nobody knows.
        if request.revision > 0 {
            return Place::Pool;
        }
        let keys = keys();
        let limit = u64::try_from(request.limit).ok().filter(|limit| *limit > 0);
        let answered = match request.count_only {
            true => 0,
            false => limit.unwrap_or(u64::MAX).min(keys),
        };
        match keys <= KEYS_IN_PLACE_MAX && answered <= PAIRS_IN_PLACE_MAX {
            true => Place::Here,
            false => Place::Pool,
        }
    }

    /// Where to read a transaction: single keys in place, however many it may name.
    pub(super) fn of_txn(request: &TxnRequest) -> Place {
        let is_key = |op: &Option<Request>| match op {
            Some(Request::RequestRange(range)) => range.range_end.is_empty(),
            _ => false,
        };
        let compares_keys = request.compare.iter().all(|compare| compare.range_end.is_empty());
        let mut ops = request.success.iter().chain(&request.failure);
        match compares_keys && ops.all(|op| is_key(&op.request)) {
            true => Place::Here,
            false => Place::Pool,
        }
    }

    /// Reads there.
    pub(super) async fn read<T: Send + 'static>(
        self,
        store: &Arc<Store>,
        read: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T> {
        match self {
            Place::Here => Ok(read(store)),
            Place::Pool => {
                let store = store.clone();
                blocking(move || read(&store)).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::etcdserverpb::{Compare, RequestOp};

    fn all() -> RangeRequest {
        RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() }
    }

    fn one() -> RangeRequest {
        RangeRequest { key: "a".into(), revision: 7, ..Default::default() }
    }

    #[test]
    fn only_what_is_surely_short_is_read_in_place() {
        let few = || PAIRS_IN_PLACE_MAX;
        let many = || KEYS_IN_PLACE_MAX;
        let too_many = || KEYS_IN_PLACE_MAX + 1;
        assert_eq!(Place::of_range(&one(), || unreachable!()), Place::Here);
        assert_eq!(Place::of_range(&all(), few), Place::Here);
        assert_eq!(Place::of_range(&all(), many), Place::Pool);
        let page = RangeRequest { limit: PAIRS_IN_PLACE_MAX as i64, ..all() };
        assert_eq!(Place::of_range(&page, many), Place::Here);
        assert_eq!(Place::of_range(&page, too_many), Place::Pool);
        let count = RangeRequest { count_only: true, ..all() };
        assert_eq!(Place::of_range(&count, many), Place::Here);
        assert_eq!(Place::of_range(&count, too_many), Place::Pool);
        let past = RangeRequest { revision: 2, ..page };
        assert_eq!(Place::of_range(&past, few), Place::Pool);
    }

    #[test]
    fn a_transaction_on_single_keys_is_read_in_place() {
        let op = |range| RequestOp { request: Some(Request::RequestRange(range)) };
        let key = Compare { key: "a".into(), ..Default::default() };
        let range = Compare { range_end: "b".into(), ..key.clone() };
        let txn =
            |compare, ops| TxnRequest { compare: vec![compare], success: ops, failure: vec![] };
        assert_eq!(Place::of_txn(&txn(key.clone(), vec![op(one()), op(one())])), Place::Here);
        assert_eq!(Place::of_txn(&txn(key, vec![op(one()), op(all())])), Place::Pool);
        assert_eq!(Place::of_txn(&txn(range, vec![op(one())])), Place::Pool);
    }
}
