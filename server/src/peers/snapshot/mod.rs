//! Snapshots for members that the log has nothing for any more.
//!
//! What travels is a checkpoint of the engine, file by file in chunks, so it takes no time to make
//! and the receiver has only to move it into place. The format is this program's own; etcd's is a
//! message with a whole bbolt file. What comes in that form is imported ([`from_etcd`]), and a
//! member that doesn't know the other form is sent it ([`to_etcd`]).
//!
//! ```text
//! POST /raft/snapshot
//! x-retcd-snapshot: begin    a manifest as JSON        ─▶ 200, JSON: bytes that each file has
//! x-retcd-snapshot: chunk    x-retcd-file, x-retcd-offset, x-retcd-checksum (crc32), bytes ─▶ 204
//! x-retcd-snapshot: finish                             ─▶ 204: all is there, verified, offered
//! ```
//!
//! A transfer that breaks is begun again with the same manifest and goes on where it was. A chunk
//! that isn't the next one is answered with 409: begin again. Everything else that is refused ends
//! the transfer, raft is told, and orders another one after a while: after a longer one each time
//! if the receiver has said that it can't use them ([`refusals`]).

mod from_etcd;
mod manifest;
mod receive;
mod refusals;
mod send;
mod site;
mod to_etcd;

pub(crate) use receive::Receiver;
pub(crate) use send::Sender;

/// What a request is about; also says that it is of this format.
const STEP: &str = "x-retcd-snapshot";
/// The file's number in the manifest.
const FILE: &str = "x-retcd-file";
/// Where the chunk begins, in bytes.
const OFFSET: &str = "x-retcd-offset";
/// Of the chunk's bytes, hexadecimal.
const CHECKSUM: &str = "x-retcd-checksum";

/// Bytes in a chunk.
const CHUNK_BYTES: u64 = 1 << 20;

/// Most bytes of a manifest.
const MANIFEST_BYTES_MAX: usize = 16 << 20;
