//! Lease keep-alive: one stream renews any number of leases.

use super::serve::next_request;
use super::{Method, Responses, Rpc, decode, encode, status};
use crate::member::Member;
use crate::peers::{LeaseAnswer, ask_leader, is_not_primary};
use bytes::Bytes;
use retcd_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use retcd_api::{Error, Result};
use retcd_mvcc::lease::Renewal;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// Answers renewals one after the other, as they come.
pub(super) fn keep_alive(rpc: Arc<Rpc>, requests: Streaming<Bytes>) -> Responses {
    Box::pin(KeepAlive { renewal: Some(Box::pin(renew_next(rpc, requests))) })
}

type NextRenewal =
    Pin<Box<dyn Future<Output = Option<(Result<Bytes>, Arc<Rpc>, Streaming<Bytes>)>> + Send>>;

struct KeepAlive {
    renewal: Option<NextRenewal>,
}

impl Stream for KeepAlive {
    type Item = std::result::Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(renewal) = self.renewal.as_mut() else { return Poll::Ready(None) };
        match std::task::ready!(renewal.as_mut().poll(cx)) {
            None => {
                self.renewal = None;
                Poll::Ready(None)
            }
            Some((Ok(response), rpc, requests)) => {
                self.renewal = Some(Box::pin(renew_next(rpc, requests)));
                Poll::Ready(Some(Ok(response)))
            }
            Some((Err(error), _, _)) => {
                self.renewal = None;
                Poll::Ready(Some(Err(status(&error))))
            }
        }
    }
}

async fn renew_next(
    rpc: Arc<Rpc>,
    mut requests: Streaming<Bytes>,
) -> Option<(Result<Bytes>, Arc<Rpc>, Streaming<Bytes>)> {
    let message = next_request(&rpc, Method::LeaseKeepAlive, &mut requests).await?;
    Some((renew(&rpc, message).await, rpc, requests))
}

/// An unknown or expired lease has time 0, and the stream goes on. The header is older than the
/// renewal: a client that sees a revision in it knows that the lease lived then.
async fn renew(rpc: &Rpc, message: Bytes) -> Result<Bytes> {
    let member = &rpc.member;
    let request: LeaseKeepAliveRequest = decode(message)?;
    let header = Some(member.current_header());
    member.linearizable().await?;
    let ttl = match renew_here(member, request.id) {
        Err(error) if is_not_primary(&error) => match forward(rpc, request.id).await {
            Err(Error::LeaseNotFound) => 0,
            forwarded => forwarded?,
        },
        Err(Error::LeaseNotFound) => 0,
        renewed => renewed?,
    };
    Ok(encode(&LeaseKeepAliveResponse { header, id: request.id, ttl }))
}

/// Renews a lease on the leader, and tells its time.
pub(crate) fn renew_here(member: &Member, id: i64) -> Result<i64> {
    match member.store.lease_renew(id, member.now())? {
        Renewal::Renewed { ttl, has_checkpoint } => {
            if has_checkpoint {
                member.forget_checkpoint(id);
            }
            member.metrics.lease_renewed();
            Ok(ttl)
        }
        Renewal::Expired => Err(Error::LeaseNotFound),
    }
}

/// Has the leader renew it.
async fn forward(rpc: &Rpc, id: i64) -> Result<i64> {
    let request = encode(&LeaseKeepAliveRequest { id });
    match ask_leader(&rpc.member, &rpc.peers, "/leases", request).await? {
        LeaseAnswer::Here => renew_here(&rpc.member, id),
        LeaseAnswer::Content(content) => {
            let response: LeaseKeepAliveResponse = decode(content)?;
            Ok(response.ttl)
        }
    }
}
