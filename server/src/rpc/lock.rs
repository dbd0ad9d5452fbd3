//! The lock service.

use super::concurrency::{
    Queued, created_at, get, key_of, lease_or_new, oldest, prefix_of, put_op, range_op, txn,
    wait_for_older,
};
use super::kv::{complete, mismatch};
use super::{decode, encode};
use crate::member::{Carries, Member};
use bytes::Bytes;
use retcd_api::etcdserverpb::{
    DeleteRangeRequest, RangeRequest, TxnRequest, response_op::Response as OpResponse,
};
use retcd_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use retcd_api::{Code, Error, Result};
use retcd_mvcc::Response;
use std::sync::Arc;

/// Waits until the caller holds the lock.
pub(super) async fn lock(member: &Arc<Member>, message: Bytes) -> Result<Bytes> {
    let request: LockRequest = decode(message)?;
    let lease = lease_or_new(member, request.lease).await?;
    let prefix = prefix_of(&request.name);
    let key = key_of(&prefix, lease);

    let enter = TxnRequest {
        compare: vec![created_at(&key, 0)],
        success: vec![put_op(&key, &Bytes::new(), lease), range_op(oldest(&prefix))],
        failure: vec![
            range_op(RangeRequest { key: key.clone(), ..Default::default() }),
            range_op(oldest(&prefix)),
        ],
    };
    let entered = txn(member, &enter).await?;
    let created = |op: usize| match entered.responses.get(op).map(|op| &op.response) {
        Some(Some(OpResponse::ResponseRange(range))) => {
            range.kvs.first().map(|kv| kv.create_revision)
        }
        _ => None,
    };
    let mut header = entered.header;
    let mine = match entered.succeeded {
        true => header.as_ref().map_or(0, |header| header.revision),
        false => created(0).unwrap_or(0),
    };
    if created(1) != Some(mine) {
        let queued = Queued::new(member, key.clone(), mine);
        wait_for_older(member, &prefix, mine).await?;
        let still = get(member, &RangeRequest { key: key.clone(), ..Default::default() }).await?;
        if still.kvs.is_empty() {
            return Err(Error::Other(Code::Unknown, "mutex: session is expired".into()));
        }
        header = still.header;
        queued.keep();
    }
    Ok(encode(&LockResponse { header, key }))
}

/// Deletes a lock's key.
pub(super) async fn unlock(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: UnlockRequest = decode(message)?;
    let delete = DeleteRangeRequest { key: request.key, ..Default::default() };
    super::check::delete_range(&delete)?;
    match member.propose(Carries::DeleteRange, &encode(&delete)).await? {
        Response::DeleteRange(mut response) => {
            complete(member, &mut response.header);
            Ok(encode(&UnlockResponse { header: response.header }))
        }
        other => Err(mismatch(&other)),
    }
}
