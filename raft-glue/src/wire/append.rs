//! The append stream.
//!
//! A frame's first byte is its kind:
//!
//! * 0, a heartbeat of the link: nothing follows.
//! * 1, an append that goes on where the last one ended: the number of entries, of each its length
//!   and it, then the commit index.
//! * 2, a whole message: its length and it.
//!
//! An append goes on if its index and log term are those of the last entry that went, and its own
//! term is that log term too. Both ends keep that place.

use super::buffer::{Buffer, Frame, Stop, WireError};
use bytes::{BufMut, BytesMut};
use prost::Message as _;
use retcd_api::raftpb::{Entry, Message, MessageType};

const HEARTBEAT: u8 = 0;
const ENTRIES: u8 = 1;
const MESSAGE: u8 = 2;

/// Entries for which room is made before they are there.
const ENTRIES_RESERVED: u64 = 1024;

/// Where the last append of a stream ended.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    term: u64,
    index: u64,
}

impl Place {
    fn after(message: &Message) -> Place {
        let index = message.entries.last().map_or(message.index, |entry| entry.index);
        Place { term: message.term, index }
    }

    fn is_continued_by(self, message: &Message) -> bool {
        self.index == message.index
            && self.term == message.log_term
            && message.log_term == message.term
    }
}

/// Writes an append stream.
#[derive(Default)]
pub struct AppendEncoder {
    place: Place,
}

impl AppendEncoder {
    /// Writes an append.
    pub fn encode(&mut self, message: &Message, to: &mut BytesMut) {
        if !self.place.is_continued_by(message) {
            to.put_u8(MESSAGE);
            super::encode_message(message, to);
            self.place = Place::after(message);
            return;
        }
        to.put_u8(ENTRIES);
        to.put_u64(message.entries.len() as u64);
        for entry in &message.entries {
            let len = entry.encoded_len();
            to.reserve(len + 8);
            to.put_u64(len as u64);
            entry.encode(to).expect("memory grows");
            self.place.index = entry.index;
        }
        to.put_u64(message.commit);
    }

    /// Writes a heartbeat of the link.
    pub fn heartbeat(&self, to: &mut BytesMut) {
        to.put_u8(HEARTBEAT);
    }
}

/// Reads an append stream.
pub struct AppendDecoder {
    buffer: Buffer,
    from: u64,
    to: u64,
    place: Place,
}

enum Read {
    Heartbeat,
    Message(Box<Message>),
}

impl AppendDecoder {
    /// Reads what `from` sends to `to`.
    pub fn new(from: u64, to: u64) -> AppendDecoder {
        AppendDecoder { buffer: Buffer::default(), from, to, place: Place::default() }
    }

    /// Takes the next piece of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.feed(bytes);
    }

    /// The next append that is whole.
    ///
    /// # Errors
    ///
    /// [`WireError`]; the stream is of no use then.
    pub fn take(&mut self) -> Result<Option<Message>, WireError> {
        let (from, to, place) = (self.from, self.to, self.place);
        while let Some(read) = self.buffer.frame(|frame| read(frame, from, to, place))? {
            if let Read::Message(message) = read {
                self.place = Place::after(&message);
                return Ok(Some(*message));
            }
        }
        Ok(None)
    }
}

fn read(frame: &mut Frame<'_>, from: u64, to: u64, place: Place) -> Result<Read, Stop> {
    match frame.byte()? {
        HEARTBEAT => Ok(Read::Heartbeat),
        MESSAGE => {
            let message: Message = frame.message()?;
            match message.r#type() {
                MessageType::MsgApp => Ok(Read::Message(Box::new(message))),
                _ => Err(WireError::Malformed("no append is on the append stream").into()),
            }
        }
        ENTRIES => {
            let count = frame.number()?;
            let mut entries = Vec::with_capacity(count.min(ENTRIES_RESERVED) as usize);
            for _ in 0..count {
                entries.push(frame.message::<Entry>()?);
            }
            Ok(Read::Message(Box::new(Message {
                r#type: MessageType::MsgApp.into(),
                from,
                to,
                term: place.term,
                log_term: place.term,
                index: place.index,
                commit: frame.number()?,
                entries,
                ..Message::default()
            })))
        }
        _ => Err(WireError::Malformed("an unknown kind of frame").into()),
    }
}
