//! A snapshot that a member of etcd's sends: one post with a message and a whole database.
//!
//! ```text
//! POST /raft/snapshot   u64 BE length, raftpb.Message, a database in bbolt's format  ─▶ 204
//! ```
//!
//! 1. The database goes into a file beside the engine.
//! 2. Its pages are checked, and it is imported into an engine of this member's kind, in the folder
//!    where checkpoints are received. From then on it is as one of these.
//! 3. Raft is offered the message.
//!
//! etcd sends no hash and doesn't go on where a transfer broke: it begins again.

use super::super::site::{Answer, PeerSite};
use super::receive::Refusal;
use super::site::apart;
use crate::member::Member;
use crate::metrics::SnapshotMetrics;
use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message as _;
use retcd_api::raftpb::{Message, MessageType, SnapshotMetadata};
use retcd_mvcc::{IMPORT_BATCH_RECORDS, ImportAs, ImportMembers, import};
use retcd_vfs::AppendFile;
use std::sync::Arc;
use std::time::Instant;

/// Most bytes of the message: it has etcd's older store in it, which is small.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of the database that are written at once.
const PIECE_BYTES: usize = 1 << 20;

impl PeerSite {
    /// Takes what a member of etcd's sends.
    pub(super) async fn take_database(&self, body: Incoming) -> Answer {
        let taken = self.try_take(body).await;
        let refusal = match taken {
            Ok(()) => return self.answer_with(StatusCode::NO_CONTENT, Bytes::new()),
            Err(refusal) => refusal,
        };
        tracing::warn!(error = %refusal, "a database snapshot of etcd's was refused");
        let (status, text) = match &refusal {
            Refusal::Unusable(why) => (StatusCode::BAD_REQUEST, why.clone()),
            Refusal::Busy | Refusal::OutOfStep => (
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("failed to save KV snapshot ({refusal})"),
            ),
            Refusal::Io(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to save KV snapshot ({error})"))
            }
        };
        self.error(status, &text)
    }

    async fn try_take(&self, mut body: Incoming) -> Result<(), Refusal> {
        let mut buffer = BytesMut::new();
        let message = loop {
            if let Some(message) = split_message(&mut buffer)? {
                break message;
            }
            let more = next(&mut body).await?;
            buffer.extend_from_slice(&more.ok_or_else(|| undecodable("unexpected EOF"))?);
        };
        self.check(&message)?;
        let member = self.member.clone();
        let mut reception = apart(move || Reception::begin(member, message)).await?;
        loop {
            let more = next(&mut body).await?;
            let is_last = more.is_none();
            buffer.extend_from_slice(&more.unwrap_or_default());
            if is_last || buffer.len() >= PIECE_BYTES {
                let piece = buffer.split().freeze();
                reception = apart(move || reception.take(&piece)).await?;
            }
            if is_last {
                break;
            }
        }
        apart(move || reception.end()).await
    }

    fn check(&self, message: &Message) -> Result<(), Refusal> {
        let unusable = |why: &str| Err(Refusal::Unusable(why.into()));
        if message.r#type() != MessageType::MsgSnap {
            return unusable("wrong raft message type");
        }
        if message.to != self.member.identity.member {
            return unusable("cannot process message to mismatch member");
        }
        if self.member.store.is_removed_member(message.from) {
            return unusable("cannot process message from removed member");
        }
        let SnapshotMetadata { index, term, .. } = message.snapshot.metadata;
        match index > 0 && term > 0 {
            true => Ok(()),
            false => unusable("a snapshot of nothing"),
        }
    }
}

fn undecodable(why: &str) -> Refusal {
    Refusal::Unusable(format!("failed to decode raft message ({why})"))
}

/// The next bytes of the body; `None` at its end.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        let Some(frame) = body.frame().await else {
            return Ok(None);
        };
        let frame = frame.map_err(|error| Refusal::Io(std::io::Error::other(error)))?;
        // Trailers say nothing here.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Takes the message off the front, once all of it is there.
fn split_message(buffer: &mut BytesMut) -> Result<Option<Message>, Refusal> {
    let Some(length) = buffer.first_chunk() else {
        return Ok(None);
    };
    let length = u64::from_be_bytes(*length);
    if length > MESSAGE_BYTES_MAX {
        return Err(undecodable("it is too long"));
    }
    let end = size_of::<u64>() + length as usize;
    if buffer.len() < end {
        return Ok(None);
    }
    let mut bytes = buffer.split_to(end).freeze();
    bytes.advance(size_of::<u64>());
    let message = Message::decode(bytes).map_err(|error| undecodable(&error.to_string()))?;
    Ok(Some(message))
}

/// A database on its way to be the state. Dropped before that, it is given up.
struct Reception {
    member: Arc<Member>,
    message: Message,
    file: Box<dyn AppendFile>,
    bytes: u64,
    began: Instant,
    metrics: SnapshotMetrics,
    is_offered: bool,
}

impl Reception {
    fn begin(member: Arc<Member>, mut message: Message) -> Result<Reception, Refusal> {
        let file = member.snapshots.receiver.begin_database()?;
        // What etcd's older store has is in the database too.
        message.snapshot.data = None;
        let metrics = member.metrics.network().receiving(message.from);
        tracing::info!(
            "remote-peer-id" = %format_args!("{:x}", message.from),
            "incoming-snapshot-index" = message.snapshot.metadata.index,
            "receiving database snapshot of etcd's"
        );
        let began = Instant::now();
        Ok(Reception { member, message, file, bytes: 0, began, metrics, is_offered: false })
    }

    fn take(mut self, piece: &[u8]) -> Result<Reception, Refusal> {
        self.file.append(piece)?;
        self.bytes += piece.len() as u64;
        Ok(self)
    }

    /// All is here: makes an engine of it, and offers that to raft.
    fn end(mut self) -> Result<(), Refusal> {
        self.file.sync()?;
        self.import()?;
        let receiver = &self.member.snapshots.receiver;
        receiver.end_database()?;
        self.is_offered = true;
        self.metrics.succeeded(self.began.elapsed());
        let took = self.began.elapsed();
        tracing::info!(bytes = self.bytes, ?took, "received and imported database snapshot");
        self.member.offer_snapshot(self.message.clone());
        Ok(())
    }

    fn import(&self) -> Result<(), Refusal> {
        let member = &self.member;
        let receiver = &member.snapshots.receiver;
        let unusable = |error: &dyn std::fmt::Display| Refusal::Unusable(error.to_string());
        let database = receiver.database().map_err(|error| unusable(&error))?;
        database.verify().map_err(|error| unusable(&error))?;
        let engine = member.snapshots.engine.open_beside(receiver.dir());
        let engine = engine.map_err(|error| unusable(&error))?;
        let SnapshotMetadata { conf_state, index, term } = &self.message.snapshot.metadata;
        let target = ImportAs {
            index: *index,
            term: *term,
            conf_state: conf_state.encode_to_vec().into(),
            members: ImportMembers::Kept,
            revision_bump: 0,
            batch_records: IMPORT_BATCH_RECORDS,
            waiting_memtables_max: 0,
        };
        let is_wanted = &mut |_| !member.status.is_stopped();
        let imported = import(&database, &engine, &target, is_wanted);
        match imported.map_err(|error| unusable(&error))?.auth_enabled {
            true => Err(Refusal::Unusable("authentication is on, which this version lacks".into())),
            false => Ok(()),
        }
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        if !self.is_offered {
            self.metrics.failed();
            self.member.snapshots.receiver.give_up_database();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_split_off_when_all_of_it_is_there() {
        let message = Message { to: 7, ..Message::default() };
        let bytes = message.encode_to_vec();
        let whole = [&(bytes.len() as u64).to_be_bytes()[..], &bytes, b"database"].concat();
        for length in 0..size_of::<u64>() + bytes.len() {
            let mut buffer = BytesMut::from(&whole[..length]);
            assert!(split_message(&mut buffer).expect("nothing is wrong yet").is_none());
            assert_eq!(buffer.len(), length);
        }
        let mut buffer = BytesMut::from(&whole[..]);
        assert_eq!(split_message(&mut buffer).expect("it decodes"), Some(message));
        assert_eq!(&buffer[..], b"database");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [&b"{\"engine\":"[..], &[0, 0, 0, 0, 0, 0, 0, 1, 0xff]] {
            let refused = split_message(&mut BytesMut::from(bytes)).expect_err("no message");
            assert!(refused.to_string().starts_with("failed to decode raft message ("));
        }
    }
}
