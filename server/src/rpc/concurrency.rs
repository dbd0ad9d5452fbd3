//! What locks and elections share: a queue of keys under a prefix, ordered by creation.
//!
//! 1. Each contender creates `prefix/<lease id in hex>`, bound to its lease.
//! 2. It holds the lock (leads) when no key under the prefix was created before its own.
//! 3. Until then it waits for the newest of the older keys to go, and looks again.
//!
//! A contender that goes away while waiting takes its key with it.

use super::kv::complete;
use super::place::Place;
use super::{decode, encode};
use crate::member::{Carries, Member};
use bytes::{BufMut, Bytes, BytesMut};
use retcd_api::etcdserverpb::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, RangeResponse,
    RequestOp, TxnRequest, TxnResponse, WatchCreateRequest, WatchResponse,
    compare::{CompareResult, CompareTarget, TargetUnion},
    range_request::{SortOrder, SortTarget},
    request_op::Request,
    watch_create_request::FilterType,
};
use retcd_api::{Error, Result, mvccpb};
use retcd_mvcc::Response;
use std::future::poll_fn;
use std::sync::Arc;

/// Seconds that a lock or candidacy lives when the client brings no lease. etcd's number.
const LEASE_SECONDS: i64 = 60;

/// The lease to bind a key to: the client's, or a new one that nobody keeps alive.
pub(super) async fn lease_or_new(member: &Member, lease: i64) -> Result<i64> {
    if lease != 0 {
        return Ok(lease);
    }
    let request = LeaseGrantRequest { ttl: LEASE_SECONDS, id: super::lease::new_id(member) };
    match member.propose(Carries::LeaseGrant, &encode(&request)).await? {
        Response::LeaseGrant(response) => Ok(response.id),
        other => Err(super::kv::mismatch(&other)),
    }
}

/// `name/`, the prefix of a queue.
pub(super) fn prefix_of(name: &[u8]) -> Bytes {
    [name, b"/"].concat().into()
}

/// A contender's key.
pub(super) fn key_of(prefix: &[u8], lease: i64) -> Bytes {
    let mut key = BytesMut::from(prefix);
    // Go's hexadecimal of a negative number is a sign and the absolute value.
    let sign = if lease < 0 { "-" } else { "" };
    key.put_slice(format!("{sign}{:x}", lease.unsigned_abs()).as_bytes());
    key.freeze()
}

/// The range of all keys with a prefix; the prefix isn't empty.
pub(super) fn prefix_range(prefix: &Bytes) -> RangeRequest {
    let mut end = prefix.to_vec();
    // A prefix ends with a slash, which isn't the last byte there is.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    RangeRequest { key: prefix.clone(), range_end: end.into(), ..Default::default() }
}

/// The oldest key under a prefix.
pub(super) fn oldest(prefix: &Bytes) -> RangeRequest {
    RangeRequest {
        sort_order: SortOrder::Ascend as i32,
        sort_target: SortTarget::Create as i32,
        limit: 1,
        ..prefix_range(prefix)
    }
}

/// Holds when `key` was created at `revision`; 0 when it doesn't exist.
pub(super) fn created_at(key: &Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal as i32,
        target: CompareTarget::Create as i32,
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::CreateRevision(revision)),
    }
}

/// The operation that puts a key with a lease.
pub(super) fn put_op(key: &Bytes, value: &Bytes, lease: i64) -> RequestOp {
    let put = PutRequest { key: key.clone(), value: value.clone(), lease, ..Default::default() };
    RequestOp { request: Some(Request::RequestPut(put)) }
}

/// The operation that reads.
pub(super) fn range_op(range: RangeRequest) -> RequestOp {
    RequestOp { request: Some(Request::RequestRange(range)) }
}

/// The operation that deletes one key.
pub(super) fn delete_op(key: &Bytes) -> RequestOp {
    let delete = DeleteRangeRequest { key: key.clone(), ..Default::default() };
    RequestOp { request: Some(Request::RequestDeleteRange(delete)) }
}

/// Runs a transaction through raft.
pub(super) async fn txn(member: &Member, request: &TxnRequest) -> Result<TxnResponse> {
    match member.propose(Carries::Txn, &encode(request)).await? {
        Response::Txn(mut response) => {
            complete(member, &mut response.header);
            Ok(response)
        }
        other => Err(super::kv::mismatch(&other)),
    }
}

/// A linearizable read.
pub(super) async fn get(member: &Member, request: &RangeRequest) -> Result<RangeResponse> {
    member.linearizable().await?;
    let place = Place::of_range(request, || member.store.key_count());
    let request = request.clone();
    let read = place.read(&member.store, move |store| store.range(&request));
    let mut response = member.checked(read.await?)?;
    complete(member, &mut response.header);
    Ok(response)
}

/// Waits until no key under `prefix` is older than `revision`.
pub(super) async fn wait_for_older(member: &Member, prefix: &Bytes, revision: i64) -> Result<()> {
    loop {
        let newest_older = RangeRequest {
            sort_order: SortOrder::Descend as i32,
            sort_target: SortTarget::Create as i32,
            limit: 1,
            max_create_revision: revision - 1,
            ..prefix_range(prefix)
        };
        let response = get(member, &newest_older).await?;
        let Some(older) = response.kvs.into_iter().next() else { return Ok(()) };
        let from = response.header.map_or(0, |header| header.revision) + 1;
        let mut changes = Changes::of_key(member, older.key, from, &[FilterType::Noput])?;
        changes.next().await?;
    }
}

/// Changes of a key or prefix from a revision on.
pub(super) struct Changes {
    stream: retcd_mvcc::watch::WatchStream,
}

impl Changes {
    /// Changes of one key.
    pub(super) fn of_key(
        member: &Member,
        key: Bytes,
        start_revision: i64,
        filters: &[FilterType],
    ) -> Result<Changes> {
        let filters = filters.iter().map(|&filter| filter as i32).collect();
        Changes::of(
            member,
            WatchCreateRequest { key, start_revision, filters, ..Default::default() },
        )
    }

    /// Changes that a watch request asks for.
    pub(super) fn of(member: &Member, request: WatchCreateRequest) -> Result<Changes> {
        let mut stream = super::watch::open(member);
        stream.create(&request);
        Ok(Changes { stream })
    }

    /// The next response that has events.
    pub(super) async fn next(&mut self) -> Result<(i64, Vec<mvccpb::Event>)> {
        loop {
            let response = poll_fn(|cx| self.stream.poll_next(cx)).await;
            let Some(response) = response else { return Err(Error::WatchCanceled) };
            let response: WatchResponse = decode(response.bytes)?;
            if response.canceled {
                return Err(if response.compact_revision != 0 {
                    Error::Compacted
                } else {
                    Error::WatchCanceled
                });
            }
            if !response.events.is_empty() {
                let revision = response.header.map_or(0, |header| header.revision);
                return Ok((revision, response.events));
            }
        }
    }
}

/// A contender's key that goes away with the contender, unless [`Queued::keep`] is called.
pub(super) struct Queued {
    member: Arc<Member>,
    key: Option<(Bytes, i64)>,
}

impl Queued {
    /// Guards `key`, created at `revision`.
    pub(super) fn new(member: &Arc<Member>, key: Bytes, revision: i64) -> Queued {
        Queued { member: member.clone(), key: Some((key, revision)) }
    }

    /// The contender got what it waited for: the key stays.
    pub(super) fn keep(mut self) {
        self.key = None;
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let Some((key, revision)) = self.key.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let member = self.member.clone();
        runtime.spawn(async move {
            // If this fails, the lease still ends the key.
            let _ = txn(&member, &resignation(&key, revision)).await;
        });
    }
}

/// Deletes a contender's key if it is still the one created at `revision`.
pub(super) fn resignation(key: &Bytes, revision: i64) -> TxnRequest {
    TxnRequest {
        compare: vec![created_at(key, revision)],
        success: vec![delete_op(key)],
        failure: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_go_prints_lease_ids() {
        let prefix = prefix_of(b"name");
        assert_eq!(key_of(&prefix, 0x1f), "name/1f");
        assert_eq!(key_of(&prefix, -1), "name/-1");
        assert_eq!(key_of(&prefix, i64::MIN), "name/-8000000000000000");
    }

    #[test]
    fn a_prefix_range_ends_before_the_next_name() {
        let range = prefix_range(&prefix_of(b"name"));
        assert_eq!((range.key, range.range_end), ("name/".into(), "name0".into()));
    }
}
