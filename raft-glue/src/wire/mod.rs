//! How messages travel on etcd's streams between peers: bytes in, messages out, and back.
//!
//! Two streams lead from each member to each peer. The *message* stream carries whole messages,
//! each behind its length. The *append* stream (etcd's `msgappv2`) leaves out of an append what
//! follows from the one before. Numbers are big-endian; a heartbeat of the link goes where nothing
//! else has gone for a while, so that a dead connection is noticed.
//!
//! A decoder takes pieces as they come, in any lengths, and holds one frame at most, of which no
//! more is kept in memory than has come. After an error the stream is of no use.

mod append;
mod buffer;
mod message;

pub use append::{AppendDecoder, AppendEncoder};
pub use buffer::WireError;
pub use message::{MessageDecoder, encode_message, encode_message_heartbeat};

/// Longest frame that is taken, in bytes. A single entry may be as long as a group of the log.
pub const FRAME_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests;
