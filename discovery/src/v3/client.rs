//! A client of the cluster that holds the registry: one connection to each endpoint, the next one
//! when one fails.

use super::{Settings, User};
use crate::registry::Error;
use http::uri::PathAndQuery;
use prost::Message;
use retcd_api::etcdserverpb::watch_request::RequestUnion;
use retcd_api::etcdserverpb::{
    AuthenticateRequest, AuthenticateResponse, PutRequest, PutResponse, RangeRequest,
    RangeResponse, WatchCreateRequest, WatchRequest, WatchResponse,
};
use std::time::Duration;
use tokio_stream::StreamExt;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

const RANGE: &str = "/etcdserverpb.KV/Range";
const PUT: &str = "/etcdserverpb.KV/Put";
const WATCH: &str = "/etcdserverpb.Watch/Watch";
const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";

/// Servers hang up on clients that ping more often, so Go's gRPC doesn't.
const PING_INTERVAL_MIN: Duration = Duration::from_secs(10);

/// A watch is asked anew after so long without a change.
const WATCH_TIME_MAX: Duration = Duration::from_secs(300);

/// Where a token goes along with a request.
const TOKEN: &str = "token";

/// What a cluster without authentication answers to who would authenticate.
const NOT_ENABLED: &str = "etcdserver: authentication is not enabled";

pub(super) struct Client {
    channels: Vec<Channel>,
    /// The one that is asked first.
    current: usize,
    request_timeout: Duration,
    user: Option<User>,
    token: Option<MetadataValue<Ascii>>,
}

impl Client {
    /// Connects when it is asked for something.
    pub(super) fn new(settings: &Settings) -> Result<Client, Error> {
        let channel = |endpoint: &String| {
            let url = match endpoint.contains("://") {
                true => endpoint.clone(),
                false => format!("http://{endpoint}"),
            };
            let failure = |error| Error::Refused(format!("{endpoint}: {error}"));
            let endpoint = Endpoint::from_shared(url).map_err(failure)?;
            let endpoint = endpoint.connect_timeout(settings.dial_timeout);
            let endpoint = match settings.keepalive_time.is_zero() {
                true => endpoint,
                false => endpoint
                    .http2_keep_alive_interval(settings.keepalive_time.max(PING_INTERVAL_MIN))
                    .keep_alive_timeout(settings.keepalive_timeout),
            };
            Ok(endpoint.connect_lazy())
        };
        Ok(Client {
            channels: settings.endpoints.iter().map(channel).collect::<Result<_, Error>>()?,
            current: 0,
            request_timeout: settings.request_timeout,
            user: settings.user.clone(),
            token: None,
        })
    }

    /// The pair of `key`, or all pairs whose keys begin with it.
    pub(super) async fn range(&mut self, key: &str, prefix: bool) -> Result<RangeResponse, Status> {
        let key = key.as_bytes().to_vec();
        let range_end = if prefix { prefix_end(&key) } else { Vec::new() };
        let message =
            RangeRequest { key: key.into(), range_end: range_end.into(), ..Default::default() };
        self.ask(async |channel, token| call(channel, RANGE, message.clone(), token).await).await
    }

    /// Puts a pair.
    pub(super) async fn put(&mut self, key: &str, value: &str) -> Result<(), Status> {
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        let message = PutRequest { key: key.into(), value: value.into(), ..Default::default() };
        let put = async |channel, token| {
            call::<_, PutResponse>(channel, PUT, message.clone(), token).await
        };
        self.ask(put).await?;
        Ok(())
    }

    /// Waits until something changes under `prefix` at `revision` or later, or a good while has
    /// passed.
    pub(super) async fn wait_for_change(
        &mut self,
        prefix: &str,
        revision: i64,
    ) -> Result<(), Status> {
        let key = prefix.as_bytes().to_vec();
        let create = WatchCreateRequest {
            range_end: prefix_end(&key).into(),
            key: key.into(),
            start_revision: revision,
            ..Default::default()
        };
        let message = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        let watch = async |channel, token| watch(channel, message.clone(), token).await;
        let mut responses = self.ask(watch).await?;
        let change = async {
            while let Some(response) = responses.message().await? {
                if response.canceled {
                    return Err(Status::cancelled(response.cancel_reason));
                }
                if !response.events.is_empty() {
                    return Ok(());
                }
            }
            Err(Status::unavailable("the watch has ended"))
        };
        let changed = tokio::time::timeout(WATCH_TIME_MAX, change).await;
        changed.unwrap_or(Ok(()))
    }

    /// Asks the endpoints one after the other, until one answers.
    async fn ask<T>(
        &mut self,
        question: impl AsyncFn(Channel, Option<MetadataValue<Ascii>>) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let mut failed = Status::unavailable("there are no endpoints");
        for _ in 0..self.channels.len() {
            let channel = self.channels[self.current].clone();
            let limit = self.request_timeout;
            let answer = async {
                let token = self.token(channel.clone()).await?;
                question(channel, token).await
            };
            match tokio::time::timeout(limit, answer).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => failed = with_cause(status),
                Err(_) => failed = Status::deadline_exceeded("context deadline exceeded"),
            }
            if failed.code() == Code::Unauthenticated {
                self.token = None;
            }
            self.current = (self.current + 1) % self.channels.len();
        }
        Err(failed)
    }

    /// A token for the user, if there is one.
    async fn token(&mut self, channel: Channel) -> Result<Option<MetadataValue<Ascii>>, Status> {
        let Some(User { name, password }) = self.user.clone() else { return Ok(None) };
        if self.token.is_none() {
            let request = AuthenticateRequest { name, password };
            let answer: AuthenticateResponse =
                match call(channel, AUTHENTICATE, request, None).await {
                    Err(status) if status.message() == NOT_ENABLED => return Ok(None),
                    answer => answer?,
                };
            let token = answer.token.parse();
            self.token = Some(token.map_err(|_| Status::internal("the token isn't a header"))?);
        }
        Ok(self.token.clone())
    }
}

/// A request with one response.
async fn call<Q, A>(
    channel: Channel,
    path: &'static str,
    message: Q,
    token: Option<MetadataValue<Ascii>>,
) -> Result<A, Status>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut grpc = ready(channel).await?;
    let codec = ProstCodec::<Q, A>::default();
    let path = PathAndQuery::from_static(path);
    let answer = grpc.unary(with_token(message, token), path, codec).await?;
    Ok(answer.into_inner())
}

/// A watch. The stream of requests stays open, or the watch would end with it.
async fn watch(
    channel: Channel,
    message: WatchRequest,
    token: Option<MetadataValue<Ascii>>,
) -> Result<Streaming<WatchResponse>, Status> {
    let mut grpc = ready(channel).await?;
    let codec = ProstCodec::<WatchRequest, WatchResponse>::default();
    let requests = tokio_stream::once(message).chain(tokio_stream::pending());
    let path = PathAndQuery::from_static(WATCH);
    let answer = grpc.streaming(with_token(requests, token), path, codec).await?;
    Ok(answer.into_inner())
}

async fn ready(channel: Channel) -> Result<Grpc<Channel>, Status> {
    let mut grpc = Grpc::new(channel);
    let ready = grpc.ready().await;
    ready.map_err(|error| Status::unavailable(root_cause(&error)))?;
    Ok(grpc)
}

/// The status with the text of what led to it, if the network did.
fn with_cause(status: Status) -> Status {
    match std::error::Error::source(&status) {
        Some(cause) => Status::new(status.code(), root_cause(cause)),
        None => status,
    }
}

/// The innermost of errors, which says what happened.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn with_token<T>(message: T, token: Option<MetadataValue<Ascii>>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert(TOKEN, token);
    }
    request
}

/// The first key behind all that begin with `prefix`, which ends in a slash.
fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
