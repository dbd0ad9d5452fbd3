//! A line of messages that wait for a connection: bounded in number and bytes, never waited for.

use retcd_api::raftpb::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Messages that may wait. etcd's number for a stream.
const MESSAGES_MAX: usize = 4096;

/// Bytes of entries that may wait.
const BYTES_MAX: usize = 64 << 20;

/// What a message takes besides its entries.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// Makes a line.
pub(super) fn line() -> (Enter, Leave) {
    let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Enter { sender, bytes: bytes.clone() }, Leave { receiver, bytes })
}

/// The end where messages come in.
pub(super) struct Enter {
    sender: mpsc::Sender<Message>,
    bytes: Arc<AtomicUsize>,
}

/// Why a message isn't taken.
pub(super) enum Refused {
    /// The line is too long.
    Full,
    /// Nobody takes from it any more.
    Closed(Box<Message>),
}

impl Enter {
    pub(super) fn add(&self, message: Message) -> Result<(), Refused> {
        let bytes = weight(&message);
        // One message goes in, however large it is.
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let refused = if before > 0 && before + bytes > BYTES_MAX {
            Refused::Full
        } else {
            match self.sender.try_send(message) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => Refused::Full,
                Err(mpsc::error::TrySendError::Closed(message)) => {
                    Refused::Closed(Box::new(message))
                }
            }
        };
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(refused)
    }
}

/// The end where they go out.
pub(super) struct Leave {
    receiver: mpsc::Receiver<Message>,
    bytes: Arc<AtomicUsize>,
}

impl Leave {
    /// The next message; `None` when nothing comes any more.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let message = self.receiver.recv().await?;
        self.left(&message);
        Some(message)
    }

    /// As [`Leave::next`], for who is polled.
    pub(super) fn poll_next(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Message>> {
        let polled = self.receiver.poll_recv(context);
        if let std::task::Poll::Ready(Some(message)) = &polled {
            self.left(message);
        }
        polled
    }

    fn left(&self, message: &Message) {
        self.bytes.fetch_sub(weight(message), Ordering::Relaxed);
    }
}

fn weight(message: &Message) -> usize {
    let payload = |data: &Option<bytes::Bytes>| data.as_ref().map_or(0, bytes::Bytes::len);
    let entries: usize = message.entries.iter().map(|entry| payload(&entry.data) + 32).sum();
    entries + MESSAGE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use retcd_api::raftpb::Entry;

    fn message(bytes: usize) -> Message {
        let data = Some(Bytes::from(vec![0; bytes]));
        Message { entries: vec![Entry { data, ..Entry::default() }], ..Message::default() }
    }

    #[test]
    fn a_line_is_bounded_in_bytes_and_in_number() {
        let (enter, mut leave) = line();
        assert!(enter.add(message(BYTES_MAX)).is_ok(), "one goes in however large");
        assert!(matches!(enter.add(message(1)), Err(Refused::Full)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(leave.poll_next(&mut context).is_ready());
        for _ in 0..MESSAGES_MAX {
            assert!(enter.add(message(1)).is_ok());
        }
        assert!(matches!(enter.add(message(1)), Err(Refused::Full)));
        drop(leave);
        assert!(matches!(enter.add(message(1)), Err(Refused::Closed(_))));
    }
}
