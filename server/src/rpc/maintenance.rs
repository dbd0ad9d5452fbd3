//! The maintenance service.

use super::kv::{complete, mismatch};
use super::{decode, encode};
use crate::member::{Carries, Member};
use bytes::Bytes;
use retcd_api::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmType, DefragmentResponse, HashKvRequest, HashKvResponse,
    HashResponse, MoveLeaderRequest, MoveLeaderResponse, StatusResponse,
};
use retcd_api::{Error, Result};
use retcd_mvcc::Response;
use std::time::Instant;

pub(super) async fn alarm(member: &Member, message: Bytes) -> Result<Bytes> {
    let _: AlarmRequest = decode(message.clone())?;
    match member.propose(Carries::Alarm, &message).await? {
        Response::Alarm(mut response) => {
            complete(member, &mut response.header);
            Ok(encode(&response))
        }
        other => Err(mismatch(&other)),
    }
}

/// What this member knows, without asking others.
pub(super) fn status(member: &Member) -> Result<Bytes> {
    let stats = member.engine.stats();
    let mut errors: Vec<String> = member.store.alarms().iter().map(alarm_text).collect();
    if member.status.leader() == 0 {
        errors.push(Error::NoLeader.to_string());
    }
    let response = StatusResponse {
        header: Some(member.current_header()),
        version: crate::version::ETCD.into(),
        db_size: (stats.file_bytes + stats.memtable_bytes) as i64,
        leader: member.status.leader(),
        raft_index: member.status.committed(),
        raft_term: member.status.term(),
        raft_applied_index: member.status.applied(),
        errors,
        db_size_in_use: member.store.used_bytes() as i64,
        is_learner: member.is_learner(),
        ..Default::default()
    };
    Ok(encode(&response))
}

/// The protobuf text form, which etcd puts here.
fn alarm_text(alarm: &AlarmMember) -> String {
    let kind = AlarmType::try_from(alarm.alarm).map_or("UNKNOWN", |kind| kind.as_str_name());
    format!("memberID:{} alarm:{kind} ", alarm.member_id)
}

/// Merges everything into its last form. Nothing is locked meanwhile.
pub(super) async fn defragment(member: &Member) -> Result<Bytes> {
    member.defragment().await?;
    Ok(encode(&DefragmentResponse::default()))
}

/// Hands leadership over. The answer has no header, as in etcd.
pub(super) async fn move_leader(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: MoveLeaderRequest = decode(message)?;
    member.transfer_leadership(request.target_id).await?;
    Ok(encode(&MoveLeaderResponse::default()))
}

pub(super) async fn hash(member: &Member) -> Result<Bytes> {
    let store = member.store.clone();
    let started = Instant::now();
    let hash = member.checked(blocking(move || store.hash()).await?)?;
    member.metrics.hashed(started.elapsed());
    Ok(encode(&HashResponse { header: Some(member.current_header()), hash }))
}

pub(super) async fn hash_kv(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: HashKvRequest = decode(message)?;
    let store = member.store.clone();
    let started = Instant::now();
    let hash = member.checked(blocking(move || store.hash_kv(request.revision)).await?)?;
    member.metrics.hashed_at_revision(started.elapsed());
    Ok(encode(&HashKvResponse {
        header: Some(member.current_header()),
        hash: hash.hash,
        compact_revision: hash.compact_revision,
        hash_revision: hash.hash_revision,
    }))
}

/// Runs long work on the pool of readers instead of a network thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result),
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => Err(Error::Stopped),
    }
}
