//! `Snapshot`: a database of etcd's with the whole state, and its SHA-256.
//!
//! Making it and sending it happens on a thread of the readers' pool, which waits for a slow
//! client. Messages are as etcd's: 32 KiB of the file each, with how much remains, then the hash.

use super::{Responses, encode, status};
use crate::member::{Member, OutgoingFolder};
use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::SnapshotResponse;
use retcd_api::raftpb::ConfState;
use retcd_api::{Code, Error, Result};
use retcd_engine::sort::Sorter;
use retcd_mvcc::{DatabaseOrigin, EtcdDatabase};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Bytes of the file in a message; etcd's number.
const BLOB_BYTES: usize = 32 << 10;

/// Messages that may wait for a slow client.
const BLOBS_WAITING_MAX: usize = 8;

/// Bytes of pairs that are sorted in memory before a scratch file is made of them.
const SORTED_IN_MEMORY_BYTES: usize = 64 << 20;

type Client = mpsc::Sender<std::result::Result<Bytes, Status>>;

/// Streams a snapshot.
pub(super) fn snapshot(member: Arc<Member>) -> Result<Responses> {
    let folder = member.outgoing.folder().ok_or(Error::RequestTooManyRequests)?;
    let folder = folder.map_err(|error| own_failure(&error))?;
    let (sender, receiver) = mpsc::channel(BLOBS_WAITING_MAX);
    tokio::task::spawn_blocking(move || send(&member, folder, &sender));
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

fn send(member: &Member, folder: OutgoingFolder, client: &Client) {
    let started = Instant::now();
    let sent = database(member, &folder, client).and_then(|database| {
        let remaining = database.bytes();
        tracing::info!(bytes = remaining, "sending database snapshot to client");
        let mut file =
            Sending { client, sha256: Sha256::new(), remaining, blob: Vec::new(), is_gone: false };
        let written = database.write(&mut file);
        match file.is_gone {
            // Nobody is left to be told.
            true => Ok(()),
            false => member.checked(own_or(written))?.and_then(|()| file.finish()),
        }
    });
    if let Err(error) = sent {
        tracing::warn!(%error, "a snapshot was given up");
        // The client may be gone; then nobody needs to know.
        let _ = client.blocking_send(Err(status(&error)));
    }
    member.metrics.snapshot_taken(started.elapsed());
}

/// A client that is gone, or a member that stops, ends it: sorting a large state takes a while.
fn database(member: &Member, folder: &OutgoingFolder, client: &Client) -> Result<EtcdDatabase> {
    let sorter = Sorter::new(folder.vfs().clone(), folder.path(), SORTED_IN_MEMORY_BYTES);
    let term = member.status.term();
    let is_wanted = || !client.is_closed() && !member.status.is_stopped();
    let origin = DatabaseOrigin { term, conf_state_json: &conf_state_json, is_wanted: &is_wanted };
    member.checked(own_or(member.store.etcd_database(sorter, &origin)))?
}

/// Takes what fails this call alone out of what would stop the member.
fn own_or<T>(result: retcd_mvcc::Result<T>) -> retcd_mvcc::Result<Result<T>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error @ (retcd_mvcc::Error::Scratch(_) | retcd_mvcc::Error::Output(_))) => {
            Ok(Err(own_failure(&error)))
        }
        Err(error) => Err(error),
    }
}

fn own_failure(error: &dyn std::error::Error) -> Error {
    Error::Other(Code::Unknown, format!("etcdserver: snapshot: {error}").into())
}

/// raft's configuration as etcd keeps it.
pub(crate) fn conf_state_json(encoded: &Bytes) -> Option<Vec<u8>> {
    let state = ConfState::decode(encoded.clone()).ok()?;
    let lists = [
        ("voters", &state.voters),
        ("learners", &state.learners),
        ("voters_outgoing", &state.voters_outgoing),
        ("learners_next", &state.learners_next),
    ];
    let mut json = String::from("{");
    for (name, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let ids: Vec<_> = ids.iter().map(u64::to_string).collect();
        json.push_str(&format!("\"{name}\":[{}],", ids.join(",")));
    }
    json.push_str(&format!("\"auto_leave\":{}}}", state.auto_leave));
    Some(json.into_bytes())
}

/// The file on its way to a client.
struct Sending<'a> {
    client: &'a Client,
    sha256: Sha256,
    remaining: u64,
    /// What isn't a message yet.
    blob: Vec<u8>,
    is_gone: bool,
}

impl Sending<'_> {
    fn send_blob(&mut self) -> io::Result<()> {
        let blob = std::mem::take(&mut self.blob);
        self.remaining = self.remaining.saturating_sub(blob.len() as u64);
        self.sha256.update(&blob);
        self.send(blob)
    }

    fn send(&mut self, blob: Vec<u8>) -> io::Result<()> {
        let response = SnapshotResponse {
            remaining_bytes: self.remaining,
            blob: blob.into(),
            ..SnapshotResponse::default()
        };
        self.client.blocking_send(Ok(encode(&response))).map_err(|_| {
            self.is_gone = true;
            io::ErrorKind::BrokenPipe.into()
        })
    }

    /// Sends the hash of everything before.
    fn finish(mut self) -> Result<()> {
        let hash = std::mem::take(&mut self.sha256).finalize().to_vec();
        // Only a client that is gone doesn't take it.
        let _ = self.send(hash);
        Ok(())
    }
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOB_BYTES - self.blob.len());
        self.blob.extend_from_slice(&bytes[..taken]);
        if self.blob.len() == BLOB_BYTES {
            self.send_blob()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.blob.is_empty() {
            true => Ok(()),
            false => self.send_blob(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_written_as_etcd_writes_it() {
        let json = |state: ConfState| {
            let json = conf_state_json(&state.encode_to_vec().into()).expect("it decodes");
            String::from_utf8(json).expect("it is ASCII")
        };
        let one = ConfState { voters: vec![10276657743932975437], ..ConfState::default() };
        assert_eq!(json(one), r#"{"voters":[10276657743932975437],"auto_leave":false}"#);
        let both = ConfState { voters: vec![1, 2], learners: vec![3], ..ConfState::default() };
        assert_eq!(json(both), r#"{"voters":[1,2],"learners":[3],"auto_leave":false}"#);
        assert_eq!(conf_state_json(&Bytes::from_static(&[0xff])), None);
    }
}
