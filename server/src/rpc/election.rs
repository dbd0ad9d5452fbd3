//! The election service.

use super::concurrency::{
    Changes, Queued, created_at, get, key_of, lease_or_new, oldest, prefix_of, prefix_range,
    put_op, range_op, resignation, txn, wait_for_older,
};
use super::{Responses, decode, encode, status};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::etcdserverpb::{
    RangeRequest, ResponseHeader, TxnRequest, WatchCreateRequest,
    response_op::Response as OpResponse, watch_create_request::FilterType,
};
use retcd_api::mvccpb::{self, event::EventType};
use retcd_api::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest,
    ProclaimResponse, ResignRequest, ResignResponse,
};
use retcd_api::{Code, Error, Result};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Leaders that an observer may be behind before the election's watch waits for it.
const OBSERVED_MAX: usize = 16;

fn no_leader() -> Error {
    Error::Other(Code::Unknown, "election: no leader".into())
}

fn not_leader() -> Error {
    Error::Other(Code::Unknown, "election: not leader".into())
}

fn observe_closed() -> Error {
    Error::Other(Code::Unknown, "election: observe closed early".into())
}

fn leader_missing() -> Error {
    Error::Other(Code::Unknown, "\"leader\" field must be provided".into())
}

/// Waits until the caller leads.
pub(super) async fn campaign(member: &Arc<Member>, message: Bytes) -> Result<Bytes> {
    let request: CampaignRequest = decode(message)?;
    let lease = lease_or_new(member, request.lease).await?;
    let prefix = prefix_of(&request.name);
    let key = key_of(&prefix, lease);
    let enter = TxnRequest {
        compare: vec![created_at(&key, 0)],
        success: vec![put_op(&key, &request.value, lease)],
        failure: vec![range_op(RangeRequest { key: key.clone(), ..Default::default() })],
    };
    let entered = txn(member, &enter).await?;
    let mut rev = entered.header.as_ref().map_or(0, |header| header.revision);
    if let Some(Some(OpResponse::ResponseRange(range))) =
        entered.responses.first().map(|op| &op.response)
        && let Some(mine) = range.kvs.first()
    {
        rev = mine.create_revision;
        if mine.value != request.value {
            put_as_leader(member, &key, rev, &request.value, lease).await?;
        }
    }
    let queued = Queued::new(member, key.clone(), rev);
    wait_for_older(member, &prefix, rev).await?;
    queued.keep();
    let leader = Some(LeaderKey { name: request.name, key, rev, lease });
    Ok(encode(&CampaignResponse { header: entered.header, leader }))
}

/// Replaces the value that the leader is known by.
pub(super) async fn proclaim(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: ProclaimRequest = decode(message)?;
    let leader = request.leader.ok_or_else(leader_missing)?;
    let header =
        put_as_leader(member, &leader.key, leader.rev, &request.value, leader.lease).await?;
    Ok(encode(&ProclaimResponse { header }))
}

async fn put_as_leader(
    member: &Member,
    key: &Bytes,
    rev: i64,
    value: &Bytes,
    lease: i64,
) -> Result<Option<ResponseHeader>> {
    let request = TxnRequest {
        compare: vec![created_at(key, rev)],
        success: vec![put_op(key, value, lease)],
        failure: vec![],
    };
    super::check::txn(&request, member.limits.txn_ops_max)?;
    let response = txn(member, &request).await?;
    match response.succeeded {
        true => Ok(response.header),
        false => Err(not_leader()),
    }
}

/// Who leads now.
pub(super) async fn leader(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: LeaderRequest = decode(message)?;
    let response = get(member, &oldest(&prefix_of(&request.name))).await?;
    let kv = response.kvs.into_iter().next().ok_or_else(no_leader)?;
    Ok(encode(&LeaderResponse { header: response.header, kv: Some(kv) }))
}

/// Gives up leadership or candidacy.
pub(super) async fn resign(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: ResignRequest = decode(message)?;
    let leader = request.leader.ok_or_else(leader_missing)?;
    let request = resignation(&leader.key, leader.rev);
    super::check::txn(&request, member.limits.txn_ops_max)?;
    let response = txn(member, &request).await?;
    Ok(encode(&ResignResponse { header: response.header }))
}

/// Each leader and each of its proclamations, from now on.
pub(super) fn observe(member: Arc<Member>, message: Bytes) -> Result<Responses> {
    let request: LeaderRequest = decode(message)?;
    let prefix = prefix_of(&request.name);
    let (sender, receiver) = mpsc::channel(OBSERVED_MAX);
    tokio::spawn(async move {
        let gone = sender.closed();
        let watch = observe_until_error(&member, &prefix, &sender);
        let end = tokio::select! {
            () = gone => return,
            end = watch => end,
        };
        if let Err(error) = end {
            let error = if error == Error::Stopped { error } else { observe_closed() };
            // The observer may be gone; then nobody needs to know.
            let _ = sender.send(Err(status(&error))).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

type Observer = mpsc::Sender<std::result::Result<Bytes, tonic::Status>>;

async fn observe_until_error(member: &Member, prefix: &Bytes, observer: &Observer) -> Result<()> {
    loop {
        let (mut revision, leader) = current_or_next_leader(member, prefix).await?;
        let key = leader.key.clone();
        if !tell(member, observer, revision, leader).await {
            return Ok(());
        }
        let mut changes = Changes::of_key(member, key, revision + 1, &[])?;
        'leads: loop {
            let (at, events) = changes.next().await?;
            revision = at;
            for event in events {
                if event.r#type == EventType::Delete as i32 {
                    break 'leads;
                }
                let Some(kv) = event.kv else { continue };
                if !tell(member, observer, revision, kv).await {
                    return Ok(());
                }
            }
        }
    }
}

async fn current_or_next_leader(
    member: &Member,
    prefix: &Bytes,
) -> Result<(i64, mvccpb::KeyValue)> {
    let response = get(member, &oldest(prefix)).await?;
    let revision = response.header.map_or(0, |header| header.revision);
    if let Some(leader) = response.kvs.into_iter().next() {
        return Ok((revision, leader));
    }
    let range = prefix_range(prefix);
    let watch = WatchCreateRequest {
        key: range.key,
        range_end: range.range_end,
        start_revision: revision + 1,
        filters: vec![FilterType::Nodelete as i32],
        ..Default::default()
    };
    let mut changes = Changes::of(member, watch)?;
    loop {
        let (_, events) = changes.next().await?;
        if let Some(kv) = events.into_iter().find_map(|event| event.kv) {
            return Ok((kv.mod_revision, kv));
        }
    }
}

async fn tell(member: &Member, observer: &Observer, revision: i64, kv: mvccpb::KeyValue) -> bool {
    let header = Some(member.header(revision));
    observer.send(Ok(encode(&LeaderResponse { header, kv: Some(kv) }))).await.is_ok()
}
