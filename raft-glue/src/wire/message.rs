//! The message stream.

use super::buffer::{Buffer, WireError};
use bytes::{BufMut, BytesMut};
use prost::Message as _;
use retcd_api::raftpb::{Message, MessageType};

/// Writes a message behind its length.
pub fn encode_message(message: &Message, to: &mut BytesMut) {
    let len = message.encoded_len();
    to.reserve(len + 8);
    to.put_u64(len as u64);
    message.encode(to).expect("memory grows");
}

/// Writes the heartbeat of the link: one of raft's, from nobody to nobody.
pub fn encode_message_heartbeat(to: &mut BytesMut) {
    let kind = MessageType::MsgHeartbeat.into();
    encode_message(&Message { r#type: kind, ..Message::default() }, to);
}

/// Reads a message stream.
#[derive(Default)]
pub struct MessageDecoder {
    buffer: Buffer,
}

impl MessageDecoder {
    /// Takes the next piece of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.feed(bytes);
    }

    /// The next message that is whole. Heartbeats of the link aren't shown.
    ///
    /// # Errors
    ///
    /// [`WireError`]; the stream is of no use then.
    pub fn take(&mut self) -> Result<Option<Message>, WireError> {
        while let Some(message) = self.buffer.frame(|frame| frame.message::<Message>())? {
            if !is_link_heartbeat(&message) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

fn is_link_heartbeat(message: &Message) -> bool {
    message.r#type() == MessageType::MsgHeartbeat && message.from == 0 && message.to == 0
}
