//! HTTP/1.1 requests to other members, each on a connection of its own.

use crate::flags::{Scheme, Url};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Most bytes of an answer that is read as a whole.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// An answer that was read as a whole.
pub(crate) struct Call {
    /// Its head.
    pub(crate) head: http::response::Parts,
    /// Its content.
    pub(crate) content: Bytes,
}

/// Connects to where `url` leads.
pub(super) async fn connect<B>(url: &Url) -> io::Result<SendRequest<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if url.scheme != Scheme::Http {
        let what = format!("{url}: only http is available between members in this version");
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    let connecting = TcpStream::connect(url.host_port());
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the sender and the answer's body; why, those are told.
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends a request over a connection; the answer's content is still to be read.
pub(super) async fn send<B: Body + 'static>(
    sender: &mut SendRequest<B>,
    url: &Url,
    mut request: Request<B>,
) -> io::Result<Response<Incoming>> {
    let host = http::HeaderValue::from_str(&url.authority).map_err(io::Error::other)?;
    request.headers_mut().insert(header::HOST, host);
    sender.ready().await.map_err(io::Error::other)?;
    sender.send_request(request).await.map_err(io::Error::other)
}

/// Sends one request and reads the answer, within `limit` of time.
///
/// # Errors
///
/// Of the network, and if the answer is too long.
pub(crate) async fn call(
    url: &Url,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> io::Result<Call> {
    let whole = async {
        let mut sender = connect(url).await?;
        let answer = send(&mut sender, url, request).await?;
        read(answer).await
    };
    tokio::time::timeout(limit, whole).await?
}

/// Reads the answer's content.
pub(super) async fn read(answer: Response<Incoming>) -> io::Result<Call> {
    let (head, body) = answer.into_parts();
    let content = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let content = content.map_err(io::Error::other)?.to_bytes();
    Ok(Call { head, content })
}
