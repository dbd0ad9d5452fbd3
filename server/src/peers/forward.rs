//! What only the leader can answer: a member that is asked asks the leader, as etcd's members do.

use super::client::Call;
use super::registry::Peers;
use super::remote::post;
use crate::member::Member;
use bytes::Bytes;
use http::StatusCode;
use retcd_api::{Code, Error, Result};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to wait before the leader is asked again. etcd's number.
const RETRY: Duration = Duration::from_millis(50);

/// What came of asking the leader about a lease.
pub(crate) enum LeaseAnswer {
    /// This member leads by now, and knows itself.
    Here,
    /// The leader's answer, encoded.
    Content(Bytes),
}

/// Whether the error says that only the leader knows.
pub(crate) fn is_not_primary(error: &Error) -> bool {
    matches!(error, Error::Other(Code::Unknown, text) if text == "not a primary lessor")
}

/// Posts a request about a lease to whoever leads, until somebody answers or time is up.
///
/// # Errors
///
/// `LeaseNotFound`, and that time is up.
pub(crate) async fn ask_leader(
    member: &Member,
    peers: &Peers,
    path: &str,
    request: Bytes,
) -> Result<LeaseAnswer> {
    let ends = Instant::now() + member.limits.request_timeout;
    while Instant::now() < ends {
        if member.is_leader() {
            return Ok(LeaseAnswer::Here);
        }
        for url in peers.urls(member.status.leader()) {
            let limit = ends - Instant::now();
            let kind = "application/protobuf";
            let Ok(answer) = post(&url, path, kind, request.clone(), limit).await else {
                continue;
            };
            let Call { head, content } = answer;
            match head.status {
                StatusCode::OK => return Ok(LeaseAnswer::Content(content)),
                StatusCode::NOT_FOUND => return Err(Error::LeaseNotFound),
                // It isn't the leader any more, or doesn't know yet that it is.
                _ => {}
            }
        }
        if member.status.is_stopped() {
            return Err(Error::Stopped);
        }
        sleep(RETRY).await;
    }
    Err(Error::Timeout)
}
