//! One stream of watches to one member.

use retcd_api::Error;
use retcd_api::etcdserverpb::watch_request::RequestUnion;
use retcd_api::etcdserverpb::{
    WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::client::{CallError, Client, Deadline};

/// Requests go in at one end, responses come out at the other.
pub(in crate::command) struct Stream {
    requests: UnboundedSender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Stream {
    /// Opens a stream with a first watch: a member says nothing before it has one.
    pub(in crate::command) async fn open(
        client: &Client,
        first: WatchCreateRequest,
    ) -> Result<Self, CallError> {
        let (requests, receiver) = unbounded_channel();
        let stream = UnboundedReceiverStream::new(receiver);
        send(&requests, RequestUnion::CreateRequest(first));
        let responses = client.open(stream, Deadline::NEVER).await?;
        Ok(Self { requests, responses })
    }

    /// Asks for one more watch.
    pub(in crate::command) fn create(&self, watch: WatchCreateRequest) {
        send(&self.requests, RequestUnion::CreateRequest(watch));
    }

    /// Asks up to which revision everything was sent.
    pub(in crate::command) fn ask_progress(&self) {
        send(&self.requests, RequestUnion::ProgressRequest(WatchProgressRequest {}));
    }

    /// Waits for a response. Whoever stops waiting loses none.
    pub(in crate::command) async fn next(&mut self) -> Result<WatchResponse, CallError> {
        let response = self.responses.message().await?;
        response.ok_or_else(|| CallError::Status(Status::unavailable("the stream ended")))
    }
}

/// A stream that is closed shows it where responses are awaited.
fn send(requests: &UnboundedSender<WatchRequest>, request: RequestUnion) {
    let _ = requests.send(WatchRequest { request_union: Some(request) });
}

/// Whether another stream may succeed where this one broke.
pub(in crate::command) fn is_worth_retrying(error: &CallError) -> bool {
    let CallError::Status(status) = error else { return false };
    [Code::Unavailable, Code::Internal].contains(&status.code()) && !error.is(&Error::NoLeader)
}
