//! The watch service: one gRPC stream carries any number of watches.

use super::serve::GRPC_OVERHEAD_BYTES;
use super::{Method, Responses, Rpc, decode, status};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::etcdserverpb::{WatchRequest, watch_request::RequestUnion};
use retcd_api::{Error, Result};
use retcd_mvcc::watch::{Identity, Job, Need, Readers, StreamConfig, WatchStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_stream::Stream;
use tonic::{Code, Status, Streaming};

/// Answers that may wait for a client before its further requests wait, too.
const ANSWERS_MAX: usize = 1024;

/// Runs a stream's blocking reads on the pool of readers.
struct ReaderPool(Handle);

impl Readers for ReaderPool {
    fn run(&self, need: Need, job: Job) {
        match need {
            // Few pairs that were just written: they are in memory.
            Need::PreviousPairs => job(),
            Need::Past => drop(self.0.spawn_blocking(job)),
        }
    }
}

/// A watch stream on the member's hub. Its reads run on the calling thread's runtime.
pub(super) fn open(member: &Member) -> WatchStream {
    member.store.hub().stream(StreamConfig {
        identity: Identity {
            cluster_id: member.identity.cluster,
            member_id: member.identity.member,
            term: member.status.shared_term(),
        },
        history: member.store.clone(),
        readers: Arc::new(ReaderPool(Handle::current())),
        fragment_bytes: member.limits.request_bytes_max + GRPC_OVERHEAD_BYTES,
    })
}

/// Serves one stream.
pub(super) fn watch(rpc: &Arc<Rpc>, requests: Streaming<Bytes>) -> Result<Responses> {
    let period = rpc.progress_interval;
    let mut progress = interval_at(Instant::now() + period, period);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(Box::pin(Watch {
        stream: open(&rpc.member),
        rpc: rpc.clone(),
        requests: Some(requests),
        progress,
        ended: false,
    }))
}

struct Watch {
    rpc: Arc<Rpc>,
    /// `None` after the client's half of the stream ended: its watches go on.
    requests: Option<Streaming<Bytes>>,
    stream: WatchStream,
    progress: Interval,
    ended: bool,
}

impl Watch {
    /// Takes over what the client asked for so far. One that doesn't take its answers isn't asked
    /// for more: there is an answer to be sent, so this is called again.
    fn take_requests(&mut self, cx: &mut Context<'_>) -> std::result::Result<(), Status> {
        while self.stream.backlog() < ANSWERS_MAX
            && let Some(requests) = self.requests.as_mut()
        {
            match Pin::new(requests).poll_next(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(None) => self.requests = None,
                Poll::Ready(Some(Err(status))) if status.code() == Code::ResourceExhausted => {
                    return Err(status);
                }
                Poll::Ready(Some(Err(_))) => return Err(status(&Error::WatchCanceled)),
                Poll::Ready(Some(Ok(message))) => self.take(message)?,
            }
        }
        Ok(())
    }

    /// The hub ended the stream: the server stops, or reading the past failed.
    fn end(&mut self) -> Option<std::result::Result<Bytes, Status>> {
        self.ended = true;
        self.rpc.member.watch_failed(self.stream.failure()?);
        Some(Err(status(&Error::Stopped)))
    }

    fn take(&mut self, message: Bytes) -> std::result::Result<(), Status> {
        self.rpc.metrics.message_received(Method::Watch, message.len());
        let request: WatchRequest = decode(message).map_err(|error| status(&error))?;
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => self.stream.create(&create),
            Some(RequestUnion::CancelRequest(cancel)) => self.stream.cancel(cancel.watch_id),
            Some(RequestUnion::ProgressRequest(_)) => self.stream.request_progress(),
            // etcd ignores a request of no kind.
            None => {}
        }
        Ok(())
    }
}

impl Stream for Watch {
    type Item = std::result::Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Err(status) = this.take_requests(cx) {
            this.ended = true;
            return Poll::Ready(Some(Err(status)));
        }
        while this.progress.poll_tick(cx).is_ready() {
            this.stream.progress_tick();
        }
        this.stream.poll_next(cx).map(|response| match response {
            Some(response) => {
                this.rpc.metrics.watch_events(response.events);
                Some(Ok(response.bytes))
            }
            None => this.end(),
        })
    }
}
