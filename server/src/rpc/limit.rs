//! The largest message that a client may send, refused with grpc-go's code and text.

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;

/// Bytes before each message: whether it is compressed, then its length, big-endian.
const PREFIX_BYTES: usize = 5;

/// A request's body that fails at the first message above the limit, before it is read.
pub(super) struct Limited {
    body: Incoming,
    messages: Messages,
}

/// Follows the messages in a body.
struct Messages {
    limit: usize,
    prefix: [u8; PREFIX_BYTES],
    /// Of the prefix under way.
    prefix_read: usize,
    /// Of the message under way.
    message_left: usize,
}

impl Limited {
    /// Limits the messages of `body` to `limit` bytes each.
    pub(super) fn new(body: Incoming, limit: usize) -> Limited {
        Limited { body, messages: Messages::new(limit) }
    }
}

impl Messages {
    fn new(limit: usize) -> Messages {
        Messages { limit, prefix: [0; PREFIX_BYTES], prefix_read: 0, message_left: 0 }
    }

    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            if self.message_left > 0 {
                let read = self.message_left.min(bytes.len());
                bytes.advance(read);
                self.message_left -= read;
                continue;
            }
            let read = (PREFIX_BYTES - self.prefix_read).min(bytes.len());
            bytes.copy_to_slice(&mut self.prefix[self.prefix_read..self.prefix_read + read]);
            self.prefix_read += read;
            if self.prefix_read == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                self.message_left = u32::from_be_bytes(length) as usize;
                self.prefix_read = 0;
                if self.message_left > self.limit {
                    let (length, limit) = (self.message_left, self.limit);
                    return Err(Status::resource_exhausted(format!(
                        "grpc: received message larger than max ({length} vs. {limit})"
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                return Poll::Ready(Some(Err(Status::from_error(Box::new(error)))));
            }
            None => return Poll::Ready(None),
        };
        if let Some(bytes) = frame.data_ref()
            && let Err(status) = self.messages.follow(bytes)
        {
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.extend(std::iter::repeat_n(7, length as usize));
        bytes
    }

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let bytes = [message(3), message(0), message(10)].concat();
        for piece in 1..=bytes.len() {
            let mut messages = Messages::new(10);
            for chunk in bytes.chunks(piece) {
                messages.follow(chunk).expect("none is above the limit");
            }
        }
    }

    #[test]
    fn the_first_message_above_the_limit_is_refused() {
        let bytes = [message(10), message(11)].concat();
        for piece in 1..=bytes.len() {
            let mut messages = Messages::new(10);
            let refused = bytes.chunks(piece).find_map(|chunk| messages.follow(chunk).err());
            let refused = refused.expect("eleven is above ten");
            assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
            assert_eq!(refused.message(), "grpc: received message larger than max (11 vs. 10)");
        }
    }
}
