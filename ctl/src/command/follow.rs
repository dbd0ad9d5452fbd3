//! One watch that outlives its streams: if one breaks, another is opened where it stopped, so that
//! no event is lost or seen twice.

use std::time::Duration;

use retcd_api::Error;
use retcd_api::etcdserverpb::{WatchCreateRequest, WatchResponse};
use tonic::Status;

use super::watch::{Stream, is_worth_retrying};
use crate::client::{CallError, Client};

/// How long to wait before another stream is opened.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// A watch and where it is.
pub(super) struct Follow {
    client: Client,
    /// Begins where the next stream has to go on. Its revision isn't 0.
    request: WatchCreateRequest,
    stream: Option<Stream>,
}

impl Follow {
    /// Begins at the request's revision, which must be given.
    pub(super) fn new(client: &Client, request: WatchCreateRequest) -> Self {
        assert!(request.start_revision > 0, "a watch that begins now would miss events");
        Self { client: client.clone(), request, stream: None }
    }

    /// Waits for a response with events. Whoever stops waiting loses none.
    ///
    /// # Errors
    ///
    /// The member refuses the watch, or what it is to see is compacted.
    pub(super) async fn next(&mut self) -> Result<WatchResponse, CallError> {
        loop {
            let response = match self.receive().await {
                // A member that has just come back may have no leader yet.
                Err(error) if is_worth_retrying(&error) || error.is(&Error::NoLeader) => {
                    self.stream = None;
                    tokio::time::sleep(RETRY_DELAY).await;
                    continue;
                }
                received => received?,
            };
            if response.compact_revision != 0 {
                let error = Error::Compacted;
                return Err(CallError::Status(Status::out_of_range(error.message())));
            }
            if response.canceled {
                return Err(CallError::Status(Status::cancelled(response.cancel_reason)));
            }
            let last = response.events.last().and_then(|event| event.kv.as_ref());
            if let Some(pair) = last {
                self.request.start_revision = pair.mod_revision + 1;
                return Ok(response);
            }
        }
    }

    async fn receive(&mut self) -> Result<WatchResponse, CallError> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => Stream::open(&self.client, self.request.clone()).await?,
        };
        self.stream.insert(stream).next().await
    }
}
