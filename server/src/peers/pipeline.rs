//! Posts to a peer: what goes before it has dialled its streams, and to members that never will.

use super::client::{connect, read, send};
use super::line::Leave;
use super::peer::Peer;
use super::registry::Shared;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use prost::Message as _;
use retcd_api::raftpb::Message;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long a post may take, its answer included.
const POST_TIMEOUT: Duration = Duration::from_secs(5);

/// Posts what comes, one after the other over one connection. Whoever can't be reached is told of
/// to raft, and what it should have got is gone.
pub(super) async fn post_all(shared: Arc<Shared>, peer: Arc<Peer>, mut line: Leave) {
    let mut connection = None;
    while let Some(message) = line.next().await {
        let posted = post(&shared, &peer, &mut connection, &message);
        let result = match tokio::time::timeout(POST_TIMEOUT, posted).await {
            Ok(result) => result,
            Err(elapsed) => Err(elapsed.into()),
        };
        match result {
            Ok(()) => peer.is_heard(),
            Err(error) => {
                connection = None;
                peer.metrics.send_failures.inc();
                peer.is_lost(&error.to_string());
                shared.mailbox.unreachable(peer.id);
            }
        }
    }
}

async fn post(
    shared: &Shared,
    peer: &Peer,
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    message: &Message,
) -> io::Result<()> {
    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "it has no peer URL");
    let url = peer.url().ok_or_else(none)?;
    let content = Bytes::from(message.encode_to_vec());
    let len = content.len() as u64;
    let mut request = Request::new(Full::new(content));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static("/raft");
    shared.local.sign(request.headers_mut());
    let protobuf = http::HeaderValue::from_static("application/protobuf");
    request.headers_mut().insert(header::CONTENT_TYPE, protobuf);
    let sender = match connection {
        Some(sender) if !sender.is_closed() => sender,
        _ => match connect(&url).await {
            Ok(sender) => connection.insert(sender),
            Err(error) => {
                peer.avoid(&url);
                return Err(error);
            }
        },
    };
    let answer = read(send(sender, &url, request).await?).await?;
    peer.metrics.sent.inc_by(len);
    match answer.head.status {
        StatusCode::NO_CONTENT => Ok(()),
        status => {
            let text = String::from_utf8_lossy(&answer.content).trim().to_owned();
            Err(io::Error::other(format!("{status}: {text}")))
        }
    }
}
