//! The KV service: ranges, puts, deletes, transactions, compactions.

use super::place::Place;
use super::{check, decode, encode};
use crate::member::{Carries, Member};
use crate::metrics::Ops;
use bytes::{Bytes, BytesMut};
use retcd_api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, PutRequest, RangeRequest, ResponseHeader, TxnRequest,
};
use retcd_api::{Error, Result};
use retcd_mvcc::{QuotaCost, Response};

/// Room for the answer to a get of a small pair, so that it needn't grow on the way.
const RESPONSE_BYTES: usize = 512;

pub(super) async fn range(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: RangeRequest = decode(message)?;
    check::range(&request)?;
    if !request.serializable {
        member.linearizable().await?;
    }
    let place = Place::of_range(&request, || member.store.key_count());
    let header = member.current_header();
    let read = place.read(&member.store, move |store| {
        let mut response = BytesMut::with_capacity(RESPONSE_BYTES);
        store.range_into(&request, &header, &mut response).map(|()| response.freeze())
    });
    let response = member.checked(read.await?)?;
    member.metrics.executed(Ops::RANGE);
    Ok(response)
}

pub(super) async fn put(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: PutRequest = decode(message.clone())?;
    check::put(&request)?;
    admit(member, request.quota_cost())?;
    match member.propose(Carries::Put, &message).await? {
        Response::Put(mut response) => {
            complete(member, &mut response.header);
            Ok(encode(&response))
        }
        other => Err(mismatch(&other)),
    }
}

pub(super) async fn delete_range(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: DeleteRangeRequest = decode(message.clone())?;
    check::delete_range(&request)?;
    match member.propose(Carries::DeleteRange, &message).await? {
        Response::DeleteRange(mut response) => {
            complete(member, &mut response.header);
            Ok(encode(&response))
        }
        other => Err(mismatch(&other)),
    }
}

pub(super) async fn txn(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: TxnRequest = decode(message.clone())?;
    check::txn(&request, member.limits.txn_ops_max)?;
    let mut response = if retcd_mvcc::is_read_only(&request) {
        if !retcd_mvcc::is_serializable(&request) {
            member.linearizable().await?;
        }
        let place = Place::of_txn(&request);
        let read = place.read(&member.store, move |store| store.read_txn(&request));
        let response = member.checked(read.await?)?;
        member.metrics.executed(Ops::of_txn(&response));
        response
    } else {
        admit(member, request.quota_cost())?;
        match member.propose(Carries::Txn, &message).await? {
            Response::Txn(response) => response,
            other => return Err(mismatch(&other)),
        }
    };
    complete(member, &mut response.header);
    Ok(encode(&response))
}

pub(super) async fn compact(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: CompactionRequest = decode(message.clone())?;
    let mut response = match member.propose(Carries::Compaction, &message).await? {
        Response::Compaction(response) => response,
        other => return Err(mismatch(&other)),
    };
    if request.physical {
        member.compacted_physically().await?;
    }
    complete(member, &mut response.header);
    Ok(encode(&response))
}

/// Refuses what would grow the data beyond the quota, and tells the cluster, which then stops
/// taking writes. What costs nothing always passes.
pub(super) fn admit(member: &Member, cost: u64) -> Result<()> {
    if member.store.quota_admits(cost) {
        return Ok(());
    }
    member.raise_no_space();
    Err(Error::NoSpace)
}

/// Fills in what the replicated state doesn't know of: who answers, and in which term.
pub(super) fn complete(member: &Member, header: &mut Option<ResponseHeader>) {
    let revision = header.as_ref().map_or_else(|| member.store.revision(), |h| h.revision);
    *header = Some(member.header(revision));
}

/// An entry was answered with another request's response: a bug of ours.
pub(super) fn mismatch(response: &Response) -> Error {
    unreachable!("an entry's answer isn't of its request's kind: {response:?}")
}
