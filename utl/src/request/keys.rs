//! Which keys a request is about.
//!
//! A pair of key and range end means what it means to etcd: no end is the key alone, an end of one
//! zero byte is everything from the key on, any other end is left out itself.

use bytes::Bytes;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{InternalRaftRequest, RequestOp, TxnRequest};

/// Some keys: one, or a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    start: Bytes,
    /// The first key behind; `None` if there is none.
    end: Option<Bytes>,
}

impl Keys {
    /// What key and range end mean.
    pub(crate) fn of(key: &Bytes, range_end: &Bytes) -> Keys {
        let end = match &range_end[..] {
            // The next key in order has one more byte.
            [] => Some([key, &b"\0"[..]].concat().into()),
            [0] => None,
            _ => Some(range_end.clone()),
        };
        Keys { start: key.clone(), end }
    }

    /// All keys that begin with `prefix`.
    pub(crate) fn with_prefix(prefix: Bytes) -> Keys {
        let kept = prefix.iter().rposition(|&byte| byte < u8::MAX);
        let end = kept.map(|last| {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bytes::from(end)
        });
        Keys { start: prefix, end }
    }

    /// Whether some key is in both.
    fn meets(&self, other: &Keys) -> bool {
        let begins_before_the_end_of =
            |one: &Keys, other: &Keys| other.end.as_ref().is_none_or(|end| one.start < end);
        begins_before_the_end_of(self, other) && begins_before_the_end_of(other, self)
    }

    /// Whether the request reads, compares, writes or deletes one of the keys.
    pub(crate) fn are_touched_by(&self, request: &InternalRaftRequest) -> bool {
        let InternalRaftRequest { range, put, delete_range, txn, .. } = request;
        let meets = |key: &Bytes, range_end: &Bytes| self.meets(&Keys::of(key, range_end));
        range.as_ref().is_some_and(|range| meets(&range.key, &range.range_end))
            || put.as_ref().is_some_and(|put| meets(&put.key, &Bytes::new()))
            || delete_range.as_ref().is_some_and(|delete| meets(&delete.key, &delete.range_end))
            || txn.as_ref().is_some_and(|txn| self.are_touched_by_txn(txn))
    }

    fn are_touched_by_txn(&self, txn: &TxnRequest) -> bool {
        let TxnRequest { compare, success, failure } = txn;
        compare.iter().any(|compare| self.meets(&Keys::of(&compare.key, &compare.range_end)))
            || success.iter().chain(failure).any(|operation| self.are_touched_by_op(operation))
    }

    fn are_touched_by_op(&self, operation: &RequestOp) -> bool {
        match &operation.request {
            None => false,
            Some(Request::RequestRange(range)) => {
                self.meets(&Keys::of(&range.key, &range.range_end))
            }
            Some(Request::RequestPut(put)) => self.meets(&Keys::of(&put.key, &Bytes::new())),
            Some(Request::RequestDeleteRange(delete)) => {
                self.meets(&Keys::of(&delete.key, &delete.range_end))
            }
            Some(Request::RequestTxn(txn)) => self.are_touched_by_txn(txn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::etcdserverpb::{Compare, DeleteRangeRequest, PutRequest, RangeRequest};

    fn one(key: &'static str) -> Keys {
        Keys::of(&key.into(), &Bytes::new())
    }

    fn range(key: &'static str, end: &'static str) -> Keys {
        Keys::of(&key.into(), &end.into())
    }

    #[test]
    fn ranges_meet_where_they_share_a_key() {
        assert!(one("b").meets(&range("a", "c")) && range("a", "c").meets(&one("b")));
        assert!(one("b").meets(&one("b")) && !one("b").meets(&one("b\0")));
        assert!(!one("c").meets(&range("a", "c")) && one("a").meets(&range("a", "c")));
        assert!(one("z").meets(&range("b", "\0")) && !one("a").meets(&range("b", "\0")));
        assert!(
            range("a", "c").meets(&range("b", "d")) && !range("a", "b").meets(&range("b", "c"))
        );
    }

    #[test]
    fn a_prefix_is_the_range_of_what_begins_with_it() {
        let prefix = |bytes: &'static [u8]| Keys::with_prefix(Bytes::from_static(bytes));
        assert_eq!(prefix(b"ab"), range("ab", "ac"));
        assert_eq!(prefix(b"a\xff\xff").end.as_deref(), Some(&b"b"[..]));
        assert_eq!(prefix(b"\xff").end, None);
        assert!(prefix(b"").meets(&one("anything")));
    }

    #[test]
    fn every_place_of_a_key_counts() {
        let touches = |request: &InternalRaftRequest| {
            (one("k").are_touched_by(request), one("other").are_touched_by(request))
        };
        let none = InternalRaftRequest::default;
        let put = PutRequest { key: "k".into(), ..Default::default() };
        let range = RangeRequest { key: "k".into(), ..Default::default() };
        let delete = DeleteRangeRequest { key: "k".into(), ..Default::default() };
        let compare = Compare { key: "k".into(), ..Default::default() };
        let mut cases = vec![
            InternalRaftRequest { put: Some(put.clone()), ..none() },
            InternalRaftRequest { range: Some(range.clone()), ..none() },
            InternalRaftRequest { delete_range: Some(delete.clone()), ..none() },
        ];
        let mut in_txn = vec![TxnRequest { compare: vec![compare], ..Default::default() }];
        let inner = TxnRequest {
            success: vec![RequestOp { request: Some(Request::RequestPut(put.clone())) }],
            ..Default::default()
        };
        for request in [
            Request::RequestPut(put),
            Request::RequestRange(range),
            Request::RequestDeleteRange(delete),
            Request::RequestTxn(inner),
        ] {
            let failure = vec![RequestOp { request: None }, RequestOp { request: Some(request) }];
            in_txn.push(TxnRequest { failure, ..Default::default() });
        }
        cases
            .extend(in_txn.into_iter().map(|txn| InternalRaftRequest { txn: Some(txn), ..none() }));
        for request in &cases {
            assert_eq!(touches(request), (true, false), "{request:?}");
        }
        assert_eq!(touches(&none()), (false, false));
    }
}
