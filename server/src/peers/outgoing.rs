//! The body of a stream that a peer has dialled: messages as they come, whatever is there at once,
//! and heartbeats of the link where nothing comes.

use super::line::Leave;
use super::peer::{Peer, Stream};
use super::registry::Shared;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use retcd_raft_glue::wire::{AppendEncoder, encode_message, encode_message_heartbeat};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Bytes that are gathered into one frame; a single message may be longer.
const FRAME_BYTES: usize = 256 << 10;

/// How often the link is heard of: a third of etcd's limit for reading.
const HEARTBEAT: Duration = Duration::from_millis(1666);

enum Encoding {
    Append(AppendEncoder),
    Message,
}

/// See the module's text.
pub(super) struct OutgoingBody {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    line: Leave,
    encoding: Encoding,
    heartbeat: Interval,
    /// Ends the stream when the server stops.
    closed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl OutgoingBody {
    pub(super) fn new(
        shared: Arc<Shared>,
        peer: Arc<Peer>,
        stream: Stream,
        line: Leave,
        mut closing: watch::Receiver<bool>,
    ) -> OutgoingBody {
        let encoding = match stream {
            Stream::Append => Encoding::Append(AppendEncoder::default()),
            Stream::Message => Encoding::Message,
        };
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closed = Box::pin(async move {
            // An error means that it was closed and is gone.
            let _ = closing.wait_for(|&closing| closing).await;
        });
        OutgoingBody { shared, peer, line, encoding, heartbeat, closed }
    }
}

/// What was on its way is lost: raft sends again when it hears of that.
impl Drop for OutgoingBody {
    fn drop(&mut self) {
        self.shared.mailbox.unreachable(self.peer.id);
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.closed.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        let mut bytes = BytesMut::new();
        let mut has_ended = false;
        while bytes.len() < FRAME_BYTES {
            match this.line.poll_next(context) {
                Poll::Ready(Some(message)) => match &mut this.encoding {
                    Encoding::Append(encoder) => encoder.encode(&message, &mut bytes),
                    Encoding::Message => encode_message(&message, &mut bytes),
                },
                Poll::Ready(None) => {
                    has_ended = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if this.heartbeat.poll_tick(context).is_ready() && bytes.is_empty() && !has_ended {
            match &this.encoding {
                Encoding::Append(encoder) => encoder.heartbeat(&mut bytes),
                Encoding::Message => encode_message_heartbeat(&mut bytes),
            }
            // The next tick has to wake it.
            let _ = this.heartbeat.poll_tick(context);
        }
        if !bytes.is_empty() {
            this.peer.metrics.sent.inc_by(bytes.len() as u64);
            return Poll::Ready(Some(Ok(Frame::data(bytes.freeze()))));
        }
        if has_ended { Poll::Ready(None) } else { Poll::Pending }
    }
}
