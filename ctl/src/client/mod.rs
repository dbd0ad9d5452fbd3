//! A client of a cluster: one connection at a time, to the first endpoint that answers.
//!
//! A request waits until some endpoint can be reached, or its deadline is over. If the member that
//! was reached can't serve it, a request that may be repeated goes to the next one; others are
//! answered with the error, because they may have been carried out.

mod call_error;
mod deadline;
mod dial;
mod discovery;
mod endpoint;
mod methods;
mod one;
mod pool;
mod settings;
mod tls;
mod web;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::AuthenticateRequest;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::failure::{Failure, Outcome, code};
use crate::go::log;

pub(crate) use call_error::CallError;
pub(crate) use deadline::Deadline;
pub(crate) use methods::Unary;
use methods::{BothWays, Downstream};
pub(crate) use settings::Settings;

/// How long to wait before a request is repeated.
const RETRY_DELAY: Duration = Duration::from_millis(25);

/// Where the token stands in a request's metadata.
const TOKEN: &str = "token";

/// A handle, cheap to copy.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    pool: pool::Pool,
    /// What the member gave for name and password.
    token: Mutex<Option<String>>,
}

impl Client {
    /// Logs in if the settings have a user. Otherwise nothing is sent before the first request.
    pub(crate) async fn connect(settings: Settings) -> Outcome<Self> {
        if settings.endpoints.is_empty() {
            return Err(Failure::new(code::BAD_CONNECTION, "etcdclient: no available endpoints"));
        }
        let pool = pool::Pool::new(&settings);
        let token = Mutex::new(settings.token.clone());
        let client = Self(Arc::new(Inner { settings, pool, token }));
        client
            .log_in(Deadline::after(client.0.settings.dial_timeout))
            .await
            .map_err(|error| Failure::new(code::BAD_CONNECTION, error))?;
        Ok(client)
    }

    /// The settings that it was made of.
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Sends a request and waits for its response.
    pub(crate) async fn call<R: Unary>(
        &self,
        request: R,
        deadline: Deadline,
    ) -> Result<R::Response, CallError> {
        let mut has_renewed = false;
        loop {
            let error = match self.call_once(&request, deadline).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if !has_renewed && self.can_log_in() && error.asks_for_token() {
                has_renewed = true;
                self.log_in(deadline).await?;
            } else if R::IS_REPEATABLE && error.is_unavailable() {
                // Out of time here means the same as when waiting for the response.
                deadline.limit(tokio::time::sleep(RETRY_DELAY)).await?;
            } else {
                return Err(error);
            }
        }
    }

    async fn call_once<R: Unary>(
        &self,
        request: &R,
        deadline: Deadline,
    ) -> Result<R::Response, CallError> {
        self.check_size(request)?;
        let request = self.with_token(Request::new(request.clone()));
        let (number, mut grpc) = self.reach(deadline).await?;
        let answer = deadline
            .limit(async {
                grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
                grpc.unary(request, path(R::PATH), ProstCodec::<R, R::Response>::default()).await
            })
            .await?;
        let response = answer.map_err(|status| self.judge(number, status, deadline))?;
        Ok(response.into_inner())
    }

    /// Sends one request and returns a stream of responses.
    pub(crate) async fn download<R: Downstream>(
        &self,
        request: R,
        deadline: Deadline,
    ) -> Result<Streaming<R::Response>, CallError> {
        let request = self.with_token(Request::new(request));
        let (number, mut grpc) = self.reach(deadline).await?;
        let answer = deadline
            .limit(async {
                grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
                let codec = ProstCodec::<R, R::Response>::default();
                grpc.server_streaming(request, path(R::PATH), codec).await
            })
            .await?;
        let response = answer.map_err(|status| self.judge(number, status, deadline))?;
        Ok(response.into_inner())
    }

    /// Opens a stream in both directions. The member must have a leader, and answers only once it
    /// has got a first request.
    pub(crate) async fn open<R: BothWays>(
        &self,
        requests: impl Stream<Item = R> + Send + 'static,
        deadline: Deadline,
    ) -> Result<Streaming<R::Response>, CallError> {
        let mut request = self.with_token(Request::new(requests));
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let (number, mut grpc) = self.reach(deadline).await?;
        let answer = deadline
            .limit(async {
                grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
                let codec = ProstCodec::<R, R::Response>::default();
                grpc.streaming(request, path(R::PATH), codec).await
            })
            .await?;
        let response = answer.map_err(|status| self.judge(number, status, deadline))?;
        Ok(response.into_inner())
    }

    /// Gets a token for name and password, if there are any and the cluster wants them.
    async fn log_in(&self, deadline: Deadline) -> Result<(), CallError> {
        let Some((name, password)) = self.0.settings.credentials.clone() else { return Ok(()) };
        self.keep_token(None);
        let request = AuthenticateRequest { name, password };
        match self.call_once(&request, deadline).await {
            Ok(response) => self.keep_token(Some(response.token)),
            Err(error) if error.is(&Error::AuthNotEnabled) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn can_log_in(&self) -> bool {
        self.0.settings.credentials.is_some()
    }

    fn keep_token(&self, token: Option<String>) {
        *self.0.token.lock().expect("nothing panics while it holds the token") = token;
    }

    fn with_token<T>(&self, mut request: Request<T>) -> Request<T> {
        let token = self.0.token.lock().expect("nothing panics while it holds the token").clone();
        if let Some(token) = token.and_then(|token| token.parse().ok()) {
            request.metadata_mut().insert(TOKEN, token);
        }
        request
    }

    fn check_size(&self, request: &impl Message) -> Result<(), CallError> {
        let (length, most) = (request.encoded_len(), self.0.settings.request_bytes_max);
        if length <= most {
            return Ok(());
        }
        let text = format!("trying to send message larger than max ({length} vs. {most})");
        Err(CallError::Status(Status::resource_exhausted(text)))
    }

    /// A connection, waited for as long as the deadline lets.
    async fn reach(&self, deadline: Deadline) -> Result<(usize, Grpc<Channel>), CallError> {
        let reached = deadline.limit(self.0.pool.connection()).await;
        let (number, channel) = reached.inspect_err(|_| {
            if let Some(error) = self.0.pool.last_error() {
                log::write("warn", "no endpoint can be reached", &[("error", &error)]);
            }
        })?;
        let grpc = Grpc::new(channel)
            .max_decoding_message_size(self.0.settings.response_bytes_max)
            .max_encoding_message_size(usize::MAX);
        Ok((number, grpc))
    }

    /// An endpoint that can't serve makes room for the next one.
    fn judge(&self, number: usize, status: Status, deadline: Deadline) -> CallError {
        if status.code() == Code::DeadlineExceeded && deadline.is_over() {
            return CallError::Deadline;
        }
        let error = CallError::from(status);
        if error.is_unavailable() {
            self.0.pool.leave(number);
        }
        error
    }
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}
