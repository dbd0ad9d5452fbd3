//! Streams that this member dials: what a peer has to say comes as the body of an answer.

use super::client::{connect, read, send};
use super::compatible::RAFT_TO;
use super::peer::{Peer, Stream};
use super::registry::Shared;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use retcd_api::raftpb::Message;
use retcd_raft_glue::wire::{AppendDecoder, MessageDecoder, WireError};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A stream on which nothing comes for so long is dead. etcd's number.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may take to answer that a stream begins.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt. etcd's number.
const RETRY: Duration = Duration::from_millis(100);

enum Decoder {
    Append(AppendDecoder),
    Message(MessageDecoder),
}

impl Decoder {
    fn new(stream: Stream, from: u64, to: u64) -> Decoder {
        match stream {
            Stream::Append => Decoder::Append(AppendDecoder::new(from, to)),
            Stream::Message => Decoder::Message(MessageDecoder::default()),
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        match self {
            Decoder::Append(decoder) => decoder.feed(bytes),
            Decoder::Message(decoder) => decoder.feed(bytes),
        }
    }

    fn take(&mut self) -> Result<Option<Message>, WireError> {
        match self {
            Decoder::Append(decoder) => decoder.take(),
            Decoder::Message(decoder) => decoder.take(),
        }
    }
}

/// Dials a stream again and again, and hands what comes to raft.
pub(super) async fn listen(shared: Arc<Shared>, peer: Arc<Peer>, stream: Stream) {
    loop {
        if let Some(url) = peer.url() {
            let listened = async {
                let answer = dial(&shared, &peer, &url, stream).await?;
                peer.is_heard();
                hear(&shared, &peer, answer, stream).await
            };
            if let Err(error) = listened.await {
                peer.metrics.receive_failures.inc();
                peer.is_lost(&error.to_string());
                peer.avoid(&url);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn dial(
    shared: &Shared,
    peer: &Peer,
    url: &crate::flags::Url,
    stream: Stream,
) -> io::Result<Response<Incoming>> {
    let mut request = Request::new(Full::<Bytes>::default());
    let path = format!("/raft/stream/{}/{:x}", stream.name(), shared.local.member);
    *request.uri_mut() = path.parse().map_err(io::Error::other)?;
    shared.local.sign(request.headers_mut());
    let to = HeaderValue::from_str(&format!("{:x}", peer.id)).map_err(io::Error::other)?;
    request.headers_mut().insert(RAFT_TO, to);
    let mut sender = connect(url).await?;
    let sent = send(&mut sender, url, request);
    let answer = tokio::time::timeout(HEAD_TIMEOUT, sent).await??;
    match answer.status() {
        StatusCode::OK => Ok(answer),
        StatusCode::GONE => {
            shared.removed();
            Err(io::Error::other("this member was removed from the cluster"))
        }
        status => {
            let content = tokio::time::timeout(HEAD_TIMEOUT, read(answer)).await??.content;
            let text = String::from_utf8_lossy(&content).trim().to_owned();
            Err(io::Error::other(format!("{status}: {text}")))
        }
    }
}

/// Reads until the stream ends or breaks; an end is an error too.
async fn hear(
    shared: &Shared,
    peer: &Peer,
    answer: Response<Incoming>,
    stream: Stream,
) -> io::Result<()> {
    let mut body = answer.into_body();
    let mut decoder = Decoder::new(stream, peer.id, shared.local.member);
    loop {
        let frame = tokio::time::timeout(READ_TIMEOUT, body.frame()).await?;
        let Some(frame) = frame else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended"));
        };
        let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() else {
            continue;
        };
        peer.metrics.received.inc_by(bytes.len() as u64);
        decoder.feed(&bytes);
        while let Some(message) = decoder.take().map_err(io::Error::other)? {
            shared.mailbox.deliver(message).await;
        }
    }
}
