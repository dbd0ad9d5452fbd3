//! One connection, HTTP/1.1 or HTTP/2, until it ends or the server does.

use super::cork::cork;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::body::Body;

/// Bytes that a client may send on one stream before it waits for us.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// How long a client may take for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How connections are kept.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionOptions {
    /// Most HTTP/2 streams of one connection.
    pub(crate) streams_max: u32,
    /// How often an idle HTTP/2 connection is pinged; `None` for never.
    pub(crate) ping_interval: Option<Duration>,
    /// How long a ping's answer may take.
    pub(crate) ping_timeout: Duration,
    /// How long requests under way may take once the server stops.
    pub(crate) grace: Duration,
}

/// Answers requests. All connections of a listener share one.
pub(crate) trait Answerer: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves a connection until it ends, breaks, or `closing` turns true and the grace is over.
pub(super) async fn serve(
    stream: TcpStream,
    answerer: Arc<impl Answerer>,
    options: ConnectionOptions,
    mut closing: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let answerer = Arc::clone(&answerer);
        async move { Ok::<_, Infallible>(answerer.answer(request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        // gRPC has none, and it would be written, sent and read with each answer.
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(options.streams_max)
        .keep_alive_interval(options.ping_interval)
        .keep_alive_timeout(options.ping_timeout);
    let (stream, cork) = cork(stream);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // A connection that breaks is the client's business.
        _ = poll_fn(|context| cork.poll(connection.as_mut(), context)) => return,
        _ = closing.wait_for(|&closing| closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let rest = poll_fn(|context| cork.poll(connection.as_mut(), context));
    let _ = tokio::time::timeout(options.grace, rest).await;
}
