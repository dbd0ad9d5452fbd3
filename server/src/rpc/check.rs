//! Checks at the door: what is refused before it costs anything.
//!
//! The rules and their order are etcd's, exceptions included: clients see which of two faults is
//! reported first.

use retcd_api::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    range_request::{SortOrder, SortTarget},
    request_op::Request,
};
use retcd_api::{Error, Result};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

/// How deep transactions may nest. Messages are decoded to a depth of 100; a level of nesting takes
/// two of them, and the entry around the request one more. What passes here must be decodable when
/// it is applied, so the limit stays clear of that. etcd takes up to `--max-txn-ops` levels.
const NESTING_MAX: usize = 40;

/// A range needs a key and a known sort order.
pub(crate) fn range(request: &RangeRequest) -> Result<()> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    let order = SortOrder::try_from(request.sort_order);
    let target = SortTarget::try_from(request.sort_target);
    if order.is_err() || target.is_err() {
        return Err(Error::InvalidSortOption);
    }
    Ok(())
}

/// A put needs a key, and nothing that it asks to ignore.
pub(crate) fn put(request: &PutRequest) -> Result<()> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(Error::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Error::LeaseProvided);
    }
    Ok(())
}

/// A delete needs a key.
pub(crate) fn delete_range(request: &DeleteRangeRequest) -> Result<()> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    Ok(())
}

/// A transaction's size, each of its operations, and that no key is written twice.
pub(crate) fn txn(request: &TxnRequest, ops_max: usize) -> Result<()> {
    txn_level(request, ops_max, NESTING_MAX)?;
    writes(&request.success)?;
    writes(&request.failure)?;
    Ok(())
}

fn txn_level(request: &TxnRequest, ops_max: usize, depth_max: usize) -> Result<()> {
    let ops = request.compare.len().max(request.success.len()).max(request.failure.len());
    if ops > ops_max || depth_max == 0 {
        return Err(Error::TooManyOps);
    }
    if request.compare.iter().any(|compare: &Compare| compare.key.is_empty()) {
        return Err(Error::EmptyKey);
    }
    for op in request.success.iter().chain(&request.failure) {
        match &op.request {
            Some(Request::RequestRange(op)) => range(op)?,
            Some(Request::RequestPut(op)) => put(op)?,
            Some(Request::RequestDeleteRange(op)) => delete_range(op)?,
            Some(Request::RequestTxn(op)) => txn_level(op, ops_max - ops, depth_max - 1)?,
            None => return Err(Error::KeyNotFound),
        }
    }
    Ok(())
}

/// Keys that a list of operations puts and ranges that it deletes, nested ones included.
#[derive(Default)]
struct Writes<'a> {
    puts: HashSet<&'a [u8]>,
    /// Disjoint ranges, end by start; sorted, because a request may have thousands.
    deletes: BTreeMap<Cow<'a, [u8]>, Cow<'a, [u8]>>,
}

impl<'a> Writes<'a> {
    fn put(&mut self, key: &'a [u8]) -> Result<()> {
        if self.is_deleted(key) || !self.puts.insert(key) {
            return Err(Error::DuplicateKey);
        }
        Ok(())
    }

    fn is_deleted(&self, key: &[u8]) -> bool {
        let up_to = (Bound::Unbounded, Bound::Included(key));
        self.deletes.range::<[u8], _>(up_to).next_back().is_some_and(|(_, end)| key < &**end)
    }

    /// etcd compares `range_end` as a plain key here, also where `\0` means "everything from key
    /// on": such a delete covers nothing, which lets it stand beside a put.
    fn delete(&mut self, request: &'a DeleteRangeRequest) {
        let start = Cow::Borrowed(&*request.key);
        let end = match request.range_end.is_empty() {
            true => Cow::Owned([&request.key, &b"\0"[..]].concat()),
            false => Cow::Borrowed(&*request.range_end),
        };
        self.delete_range(start, end);
    }

    fn delete_range(&mut self, mut start: Cow<'a, [u8]>, mut end: Cow<'a, [u8]>) {
        if start >= end {
            return;
        }
        // Ranges that begin at or before the new one's end and reach its start become one with it.
        while let Some((before, until)) = self.deletes.range(..=end.clone()).next_back()
            && *until >= start
        {
            let before = before.clone();
            if let Some(until) = self.deletes.remove(&before) {
                end = end.max(until);
            }
            start = start.min(before);
        }
        self.deletes.insert(start, end);
    }
}

/// Collects a branch's writes: its own deletes first, then each nested transaction's puts against
/// what was collected so far, then its own puts. A nested delete is therefore not held against puts
/// of transactions before it: etcd accepts a put and a later delete of one key in siblings.
fn writes(ops: &[RequestOp]) -> Result<Writes<'_>> {
    let mut all = Writes::default();
    for op in ops {
        if let Some(Request::RequestDeleteRange(op)) = &op.request {
            all.delete(op);
        }
    }
    for op in ops {
        let Some(Request::RequestTxn(op)) = &op.request else { continue };
        let then = writes(&op.success)?;
        let otherwise = writes(&op.failure)?;
        for key in &then.puts {
            all.put(key)?;
        }
        // Only one of the branches runs: they may put the same key.
        for key in otherwise.puts.difference(&then.puts) {
            all.put(key)?;
        }
        for (start, end) in then.deletes.into_iter().chain(otherwise.deletes) {
            all.delete_range(start, end);
        }
    }
    for op in ops {
        if let Some(Request::RequestPut(op)) = &op.request {
            all.put(&op.key)?;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn op_put(key: &'static str) -> RequestOp {
        let put = PutRequest { key: Bytes::from_static(key.as_bytes()), ..Default::default() };
        RequestOp { request: Some(Request::RequestPut(put)) }
    }

    fn op_delete(key: &'static str, range_end: &'static str) -> RequestOp {
        let delete = DeleteRangeRequest {
            key: Bytes::from_static(key.as_bytes()),
            range_end: Bytes::from_static(range_end.as_bytes()),
            prev_kv: false,
        };
        RequestOp { request: Some(Request::RequestDeleteRange(delete)) }
    }

    fn op_txn(success: Vec<RequestOp>, failure: Vec<RequestOp>) -> RequestOp {
        let txn = TxnRequest { compare: vec![], success, failure };
        RequestOp { request: Some(Request::RequestTxn(txn)) }
    }

    fn checked(success: Vec<RequestOp>) -> Result<()> {
        txn(&TxnRequest { compare: vec![], success, failure: vec![] }, 128)
    }

    #[test]
    fn a_key_is_put_once() {
        assert_eq!(checked(vec![op_put("a"), op_put("b")]), Ok(()));
        assert_eq!(checked(vec![op_put("a"), op_put("a")]), Err(Error::DuplicateKey));
        let nested = op_txn(vec![op_put("a")], vec![]);
        assert_eq!(checked(vec![op_put("a"), nested]), Err(Error::DuplicateKey));
    }

    #[test]
    fn a_deleted_range_is_not_put_into() {
        assert_eq!(checked(vec![op_delete("a", "c"), op_put("b")]), Err(Error::DuplicateKey));
        assert_eq!(checked(vec![op_put("b"), op_delete("b", "")]), Err(Error::DuplicateKey));
        assert_eq!(checked(vec![op_put("c"), op_delete("a", "c")]), Ok(()));
        assert_eq!(checked(vec![op_delete("a", "c"), op_delete("b", "d")]), Ok(()));
    }

    #[test]
    fn a_delete_from_a_key_on_stands_beside_a_put() {
        assert_eq!(checked(vec![op_delete("a", "\0"), op_put("b")]), Ok(()));
        assert_eq!(checked(vec![op_put("b"), op_delete("a", "\0")]), Ok(()));
    }

    #[test]
    fn siblings_may_put_and_then_delete_a_key() {
        let put = || op_txn(vec![op_put("a")], vec![]);
        let delete = || op_txn(vec![op_delete("a", "")], vec![]);
        assert_eq!(checked(vec![put(), delete()]), Ok(()));
        assert_eq!(checked(vec![delete(), put()]), Err(Error::DuplicateKey));
    }

    #[test]
    fn deleted_ranges_become_one_where_they_touch() {
        let mut writes = Writes::default();
        let bytes = |text: &'static str| Cow::Borrowed(text.as_bytes());
        for (start, end) in [("b", "d"), ("h", "k"), ("d", "e"), ("x", "x"), ("c", "i"), ("a", "b")]
        {
            writes.delete_range(bytes(start), bytes(end));
        }
        assert_eq!(writes.deletes.into_iter().collect::<Vec<_>>(), [(bytes("a"), bytes("k"))]);
    }

    #[test]
    fn branches_exclude_each_other() {
        assert_eq!(checked(vec![op_txn(vec![op_put("a")], vec![op_put("a")])]), Ok(()));
    }

    #[test]
    fn nested_operations_count_against_the_same_limit() {
        let ops = |n| vec![op_put("a"); n];
        let one_level = TxnRequest { success: ops(129), ..Default::default() };
        assert_eq!(txn(&one_level, 128), Err(Error::TooManyOps));
        let nested = TxnRequest { success: vec![op_txn(ops(128), vec![])], ..Default::default() };
        assert_eq!(txn(&nested, 128), Err(Error::TooManyOps));
    }

    #[test]
    fn what_passes_can_be_decoded_within_an_entry() {
        use prost::Message;
        use retcd_api::etcdserverpb::InternalRaftRequest;
        let nested = |levels: usize| {
            let mut txn = TxnRequest { success: vec![op_put("a")], ..Default::default() };
            for _ in 1..levels {
                let op = RequestOp { request: Some(Request::RequestTxn(txn)) };
                txn = TxnRequest { success: vec![op], ..Default::default() };
            }
            txn
        };
        let deepest = nested(NESTING_MAX);
        assert_eq!(txn(&deepest, 128), Ok(()));
        let entry = InternalRaftRequest { txn: Some(deepest), ..Default::default() };
        assert!(InternalRaftRequest::decode(&*entry.encode_to_vec()).is_ok());
        assert_eq!(txn(&nested(NESTING_MAX + 1), 128), Err(Error::TooManyOps));
    }

    #[test]
    fn an_empty_operation_is_refused_with_etcds_text() {
        assert_eq!(checked(vec![RequestOp { request: None }]), Err(Error::KeyNotFound));
    }
}
