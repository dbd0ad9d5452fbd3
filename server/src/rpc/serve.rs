//! From an HTTP/2 request to the method that answers it.

use super::codec::RawCodec;
use super::limit::Limited;
use super::{Kind, Method, Responses};
use super::{auth, cluster, election, health, keep_alive, kv, lease, lock, maintenance};
use super::{range_stream, snapshot, status, watch};
use crate::member::Member;
use crate::metrics::Metrics;
use crate::peers::Peers;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use prost::Message as _;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::{Code, Error, Result};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::watch as watch_channel;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Status, Streaming};

/// What a message may be larger than the largest request, as in etcd.
pub(super) const GRPC_OVERHEAD_BYTES: usize = 512 * 1024;

/// Serves the client API.
pub(crate) struct Rpc {
    /// The member that answers.
    pub(crate) member: Arc<Member>,
    /// The other members.
    pub(crate) peers: Arc<Peers>,
    /// Where calls are counted.
    pub(crate) metrics: Arc<Metrics>,
    /// How often an idle watch is told its progress.
    pub(crate) progress_interval: Duration,
    /// Turns true when the server stops: streams end then.
    pub(crate) closing: watch_channel::Receiver<bool>,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;

struct Call {
    rpc: Arc<Rpc>,
    method: Method,
    started: Instant,
}

impl Rpc {
    /// Answers one gRPC request.
    pub(crate) async fn serve(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let Some(method) = Method::find(request.uri().path()) else {
            return unknown(request.uri().path()).into_http();
        };
        self.metrics.rpc_started(method, client_version(request.headers()));
        let started = Instant::now();
        if request.headers().get("hasleader").is_some_and(|v| v == "true")
            && self.member.status.leader() == 0
        {
            self.metrics.rpc_done(method, tonic::Code::Unavailable, started.elapsed());
            return status(&Error::NoLeader).into_http();
        }
        let limit = self.member.limits.request_bytes_max + GRPC_OVERHEAD_BYTES;
        // The body refuses what is too large, in etcd's words; tonic's own limit would use others.
        let request = request.map(|body| Limited::new(body, limit));
        let mut grpc = Grpc::new(RawCodec).max_decoding_message_size(usize::MAX);
        let call = Call { rpc: Arc::clone(self), method, started };
        match method.kind() {
            Kind::Unary => grpc.unary(call, request).await,
            Kind::ServerStream => grpc.server_streaming(call, request).await,
            Kind::Bidi => grpc.streaming(call, request).await,
        }
    }

    async fn unary(&self, method: Method, message: Bytes) -> Result<Bytes> {
        let (member, peers) = (&self.member, &self.peers);
        if member.is_learner() && !learner_serves(method, &message) {
            return Err(Error::NotSupportedForLearner);
        }
        match method {
            Method::Range => kv::range(member, message).await,
            Method::Put => kv::put(member, message).await,
            Method::DeleteRange => kv::delete_range(member, message).await,
            Method::Txn => kv::txn(member, message).await,
            Method::Compact => kv::compact(member, message).await,
            Method::LeaseGrant => lease::grant(member, message).await,
            Method::LeaseRevoke => lease::revoke(member, message).await,
            Method::LeaseTimeToLive => lease::time_to_live(member, peers, message).await,
            Method::LeaseLeases => lease::leases(member),
            Method::MemberList => cluster::member_list(member, message).await,
            Method::MemberAdd => cluster::member_add(member, peers, message).await,
            Method::MemberRemove => cluster::member_remove(member, peers, message).await,
            Method::MemberUpdate => cluster::member_update(member, message).await,
            Method::MemberPromote => cluster::member_promote(member, peers, message).await,
            Method::Alarm => maintenance::alarm(member, message).await,
            Method::Status => maintenance::status(member),
            Method::Defragment => maintenance::defragment(member).await,
            Method::Hash => maintenance::hash(member).await,
            Method::HashKv => maintenance::hash_kv(member, message).await,
            Method::MoveLeader => maintenance::move_leader(member, message).await,
            Method::AuthStatus | Method::AuthDisable | Method::Authenticate => {
                auth::answer(member, method)
            }
            Method::Lock => lock::lock(member, message).await,
            Method::Unlock => lock::unlock(member, message).await,
            Method::Campaign => election::campaign(member, message).await,
            Method::Proclaim => election::proclaim(member, message).await,
            Method::Leader => election::leader(member, message).await,
            Method::Resign => election::resign(member, message).await,
            Method::HealthCheck => health::check(member, message),
            _ => Err(not_available(method)),
        }
    }

    fn server_stream(&self, method: Method, message: Bytes) -> Result<Responses> {
        let member = self.member.clone();
        if member.is_learner() && method != Method::Snapshot {
            return Err(Error::NotSupportedForLearner);
        }
        match method {
            Method::RangeStream => range_stream::range_stream(member, message),
            Method::Snapshot => snapshot::snapshot(member),
            Method::Observe => election::observe(member, message),
            Method::HealthWatch => health::watch(member, message),
            _ => Err(not_available(method)),
        }
    }

    fn bidi(self: &Arc<Self>, method: Method, requests: Streaming<Bytes>) -> Result<Responses> {
        if self.member.is_learner() {
            return Err(Error::NotSupportedForLearner);
        }
        match method {
            Method::Watch => watch::watch(self, requests),
            Method::LeaseKeepAlive => Ok(keep_alive::keep_alive(Arc::clone(self), requests)),
            _ => Err(not_available(method)),
        }
    }
}

/// What a learner answers: it may be far behind, and says so by answering nothing else.
fn learner_serves(method: Method, message: &Bytes) -> bool {
    match method {
        Method::Status | Method::HealthCheck => true,
        Method::Range => {
            RangeRequest::decode(message.clone()).is_ok_and(|request| request.serializable)
        }
        _ => false,
    }
}

impl UnaryService<Bytes> for Call {
    type Response = Bytes;
    type Future = Answer<Bytes>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (rpc, method, started) = (Arc::clone(&self.rpc), self.method, self.started);
        Box::pin(async move {
            let deadline = deadline(request.metadata());
            let message = request.into_inner();
            rpc.metrics.message_received(method, message.len());
            let work = rpc.unary(method, message);
            let answer = match deadline {
                Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                    let text = "context deadline exceeded";
                    Err(Error::Other(Code::DeadlineExceeded, text.into()))
                }),
                None => work.await,
            };
            match answer {
                Ok(message) => {
                    rpc.metrics.message_sent(method, message.len());
                    rpc.metrics.rpc_done(method, tonic::Code::Ok, started.elapsed());
                    Ok(tonic::Response::new(message))
                }
                Err(error) => {
                    let status = status(&error);
                    rpc.metrics.rpc_done(method, status.code(), started.elapsed());
                    Err(status)
                }
            }
        })
    }
}

impl ServerStreamingService<Bytes> for Call {
    type Response = Bytes;
    type ResponseStream = Counted;
    type Future = Answer<Counted>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let message = request.into_inner();
        self.rpc.metrics.message_received(self.method, message.len());
        let responses = self.rpc.server_stream(self.method, message);
        let answer = self.counted(responses);
        Box::pin(async move { answer })
    }
}

impl StreamingService<Bytes> for Call {
    type Response = Bytes;
    type ResponseStream = Counted;
    type Future = Answer<Counted>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let responses = self.rpc.bidi(self.method, request.into_inner());
        let answer = self.counted(responses);
        Box::pin(async move { answer })
    }
}

impl Call {
    fn counted(&self, responses: Result<Responses>) -> Result<tonic::Response<Counted>, Status> {
        let (rpc, method, started) = (Arc::clone(&self.rpc), self.method, self.started);
        match responses {
            Ok(responses) => {
                let mut closing = rpc.closing.clone();
                let closing = Box::pin(async move {
                    // An error means that nobody will close it any more, because it is closed.
                    let _ = closing.wait_for(|&closing| closing).await;
                });
                let done = false;
                Ok(tonic::Response::new(Counted { responses, closing, rpc, method, started, done }))
            }
            Err(error) => {
                let status = status(&error);
                rpc.metrics.rpc_done(method, status.code(), started.elapsed());
                Err(status)
            }
        }
    }
}

/// A response stream that counts its messages and its end, also when the client goes away. It ends
/// when the server stops.
struct Counted {
    responses: Responses,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    rpc: Arc<Rpc>,
    method: Method,
    started: Instant,
    done: bool,
}

impl Stream for Counted {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        if self.closing.as_mut().poll(cx).is_ready() {
            self.end(tonic::Code::Unavailable);
            return Poll::Ready(Some(Err(status(&Error::Stopped))));
        }
        let item = std::task::ready!(self.responses.as_mut().poll_next(cx));
        match &item {
            Some(Ok(message)) => self.rpc.metrics.message_sent(self.method, message.len()),
            Some(Err(status)) => self.end(status.code()),
            None => self.end(tonic::Code::Ok),
        }
        Poll::Ready(item)
    }
}

impl Counted {
    fn end(&mut self, code: tonic::Code) {
        if !std::mem::replace(&mut self.done, true) {
            self.rpc.metrics.rpc_done(self.method, code, self.started.elapsed());
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.end(tonic::Code::Cancelled);
    }
}

/// The next request of a stream; `None` at its end and when the connection broke.
pub(super) async fn next_request(
    rpc: &Rpc,
    method: Method,
    s: &mut Streaming<Bytes>,
) -> Option<Bytes> {
    let message = s.next().await?.ok()?;
    rpc.metrics.message_received(method, message.len());
    Some(message)
}

/// The time that the client gives the call, if it says so.
fn deadline(metadata: &tonic::metadata::MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(count.saturating_mul(60))),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

fn client_version(headers: &HeaderMap) -> &str {
    headers.get("client-api-version").and_then(|v| v.to_str().ok()).unwrap_or("unknown")
}

/// A method that etcd has and this server doesn't yet.
fn not_available(method: Method) -> Error {
    let text = format!("{}/{} isn't available yet", method.service(), method.name());
    Error::Other(Code::Unimplemented, text.into())
}

/// grpc-go's answer to a path that it doesn't know.
fn unknown(path: &str) -> Status {
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (service, method) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    match Method::ALL.iter().any(|known| known.service() == service) {
        true => Status::unimplemented(format!("unknown method {method} for service {service}")),
        false => Status::unimplemented(format!("unknown service {service}")),
    }
}
