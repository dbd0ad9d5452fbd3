//! A session's place in a queue.

use std::time::Duration;

use bytes::Bytes;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::range_request::SortOrder;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, ResponseOp,
    TxnRequest, WatchCreateRequest,
};
use retcd_api::mvccpb::event::EventType;

use super::{first, key_prefix, one_by_creation};
use crate::client::{CallError, Client, Deadline};
use crate::command::follow::Follow;
use crate::output::HasHeader;

/// How long to wait before a request is sent again.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// A key in the queue.
pub(in crate::command) struct Place {
    client: Client,
    queue: String,
    pub(in crate::command) key: String,
    /// The revision at which the key was created.
    created: i64,
    /// The revision of the answer that said that it is this one's turn, once there was one.
    pub(in crate::command) turn_revision: Option<i64>,
}

impl Place {
    /// Takes a place at the end of the queue called `name`.
    pub(in crate::command) async fn take(
        client: &Client,
        name: &str,
        lease: i64,
        value: &str,
    ) -> Result<Self, CallError> {
        let queue = key_prefix(name);
        let key = format!("{queue}{lease:x}");
        let put = PutRequest {
            key: key.clone().into(),
            value: Bytes::copy_from_slice(value.as_bytes()),
            lease,
            ..PutRequest::default()
        };
        let holder = || Request::RequestRange(first(&queue));
        let own = RangeRequest { key: key.clone().into(), ..RangeRequest::default() };
        let request = TxnRequest {
            compare: vec![created(&key, 0)],
            success: operations([Request::RequestPut(put), holder()]),
            failure: operations([Request::RequestRange(own), holder()]),
        };
        let response = client.call(request, Deadline::NEVER).await?;
        let revision = response.header().revision;
        let mut answers = response.responses.into_iter().map(create_revision);
        // Where the key was there already the answer is its revision, else there is none.
        let created = answers.next().flatten().unwrap_or(revision);
        let is_first = answers.next().flatten().is_none_or(|first| first == created);
        let turn_revision = is_first.then_some(revision);
        Ok(Self { client: client.clone(), queue, key, created, turn_revision })
    }

    /// Waits until nobody in the queue is before this one.
    pub(in crate::command) async fn wait(&mut self) -> Result<(), CallError> {
        if self.turn_revision.is_some() {
            return Ok(());
        }
        loop {
            let request = RangeRequest {
                max_create_revision: self.created - 1,
                ..one_by_creation(&self.queue, SortOrder::Descend)
            };
            let response = self.client.call(request, Deadline::NEVER).await?;
            let Some(before) = response.kvs.first() else { return Ok(()) };
            let key = before.key.clone();
            self.wait_for_deletion(key, response.header().revision).await?;
        }
    }

    async fn wait_for_deletion(&self, key: Bytes, revision: i64) -> Result<(), CallError> {
        let start_revision = revision;
        let watch = WatchCreateRequest { key, start_revision, ..WatchCreateRequest::default() };
        let mut watch = Follow::new(&self.client, watch);
        loop {
            let response = watch.next().await?;
            if response.events.iter().any(|event| event.r#type() == EventType::Delete) {
                return Ok(());
            }
        }
    }

    /// The key as it is now; there is none if the lease has ended.
    pub(in crate::command) async fn look(&self) -> Result<RangeResponse, CallError> {
        let request = RangeRequest { key: self.key.clone().into(), ..RangeRequest::default() };
        self.client.call(request, Deadline::NEVER).await
    }

    /// Leaves the queue, if the place is still this one's. Asks again while nobody can answer: to
    /// leave twice does no harm.
    pub(in crate::command) async fn leave(&self, deadline: Deadline) -> Result<(), CallError> {
        let key = self.key.clone().into();
        let delete = DeleteRangeRequest { key, ..DeleteRangeRequest::default() };
        let request = TxnRequest {
            compare: vec![created(&self.key, self.created)],
            success: operations([Request::RequestDeleteRange(delete)]),
            failure: Vec::new(),
        };
        loop {
            match self.client.call(request.clone(), deadline).await {
                Err(error) if error.is_unavailable() => {
                    deadline.limit(tokio::time::sleep(RETRY_DELAY)).await?;
                }
                answer => return answer.map(|_| ()),
            }
        }
    }
}

/// Holds if the key was created at this revision; at 0 if it isn't there.
fn created(key: &str, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        target_union: Some(TargetUnion::CreateRevision(revision)),
        ..Compare::default()
    }
}

fn operations<const N: usize>(requests: [Request; N]) -> Vec<RequestOp> {
    requests.into_iter().map(|request| RequestOp { request: Some(request) }).collect()
}

/// When the first pair of an answer was created.
fn create_revision(answer: ResponseOp) -> Option<i64> {
    match answer.response {
        Some(Response::ResponseRange(range)) => range.kvs.first().map(|pair| pair.create_revision),
        _ => None,
    }
}
