//! gRPC health: the server as a whole, under the empty service name.

use super::{Responses, decode, encode};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::health::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};
use retcd_api::{Code, Error, Result};
use std::sync::Arc;

fn serving(member: &Member) -> ServingStatus {
    match member.status.is_stopped() {
        true => ServingStatus::NotServing,
        false => ServingStatus::Serving,
    }
}

fn response(status: ServingStatus) -> Bytes {
    encode(&HealthCheckResponse { status: status as i32 })
}

/// The status now.
pub(super) fn check(member: &Member, message: Bytes) -> Result<Bytes> {
    let request: HealthCheckRequest = decode(message)?;
    match request.service.is_empty() {
        true => Ok(response(serving(member))),
        false => Err(Error::Other(Code::NotFound, "unknown service".into())),
    }
}

/// The status now, and again when the member stops.
pub(super) fn watch(member: Arc<Member>, message: Bytes) -> Result<Responses> {
    let request: HealthCheckRequest = decode(message)?;
    if !request.service.is_empty() {
        let unknown = response(ServingStatus::ServiceUnknown);
        return Ok(Box::pin(tokio_stream::StreamExt::chain(
            tokio_stream::once(Ok(unknown)),
            tokio_stream::pending(),
        )));
    }
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        if sender.send(Ok(response(serving(&member)))).await.is_err() {
            return;
        }
        tokio::select! {
            () = sender.closed() => {}
            _ = member.status.wait_until(|status| status.is_stopped()) => {
                // The client may be gone; then nobody needs to know.
                let _ = sender.send(Ok(response(ServingStatus::NotServing))).await;
            }
        }
    });
    Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver)))
}
