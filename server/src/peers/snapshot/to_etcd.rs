//! A snapshot for a member of etcd's: one post with a message and a whole database, in the form in
//! which it would send one itself. See [`super::from_etcd`] for the bytes.
//!
//! The database is made of the checkpoint, not of the running store: so it is as of the index and
//! term that the message names. The message also has etcd's older store, in which it keeps the
//! members once more.

use super::super::client::{connect, read, send};
use super::super::registry::Peers;
use super::send::{Ended, SEND_BYTES_PER_SECOND, given_up, refusal};
use crate::flags::Url;
use crate::member::Member;
use crate::rpc::conf_state_json;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use prost::Message as _;
use retcd_api::raftpb;
use retcd_engine::sort::Sorter;
use retcd_mvcc::{Config, DatabaseOrigin, EtcdDatabase, Store};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes of a piece of the body.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for the network.
const PIECES_WAITING_MAX: usize = 16;
/// Bytes of pairs that are sorted in memory before a scratch file is made of them.
const SORTED_IN_MEMORY_BYTES: usize = 64 << 20;

/// Sends the checkpoint in `dir` to where `url` leads, as a database.
pub(super) fn send_database(
    member: &Member,
    peers: &Peers,
    runtime: &Runtime,
    url: &Url,
    (dir, message): (&Path, &raftpb::Message),
    is_wanted: &dyn Fn() -> bool,
) -> Result<(), Ended> {
    let failed =
        |error: &dyn std::fmt::Display| Ended::Refused(io::Error::other(error.to_string()));
    let engine = member.snapshots.engine.open_beside(dir).map_err(|error| failed(&error))?;
    let (store, _) = Store::open(engine, Config::default()).map_err(|error| failed(&error))?;
    let folder = member.outgoing.folder().ok_or_else(|| failed(&"too many snapshots at once"))?;
    let folder = folder.map_err(Ended::Refused)?;
    let sorter = Sorter::new(folder.vfs().clone(), folder.path(), SORTED_IN_MEMORY_BYTES);
    let term = message.snapshot.metadata.term;
    let origin = DatabaseOrigin { term, conf_state_json: &conf_state_json, is_wanted };
    let database = store.etcd_database(sorter, &origin).map_err(|error| failed(&error))?;
    let mut message = message.clone();
    message.snapshot.data = Some(older_store(&store, message.snapshot.metadata.index).into());
    let message = message.encode_to_vec();
    let head = [&(message.len() as u64).to_be_bytes()[..], &message].concat();
    let exchange = Exchange { peers, runtime, url, is_wanted };
    exchange.run(head, &database)
}

struct Exchange<'a> {
    peers: &'a Peers,
    runtime: &'a Runtime,
    url: &'a Url,
    is_wanted: &'a dyn Fn() -> bool,
}

impl Exchange<'_> {
    /// The database is written on a thread of its own, which waits for the network.
    fn run(&self, head: Vec<u8>, database: &EtcdDatabase) -> Result<(), Ended> {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                let mut body =
                    BodyWriter { sender, piece: Vec::new(), began: Instant::now(), sent: 0 };
                body.write_all(&head)?;
                database.write(&mut body).map_err(io::Error::other)
            });
            let answered = self.post(receiver);
            let written = writing.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            answered.and(written.map_err(Ended::Broken))
        })
    }

    fn post(&self, pieces: mpsc::Receiver<Bytes>) -> Result<(), Ended> {
        let frames = ReceiverStream::new(pieces);
        let frames = frames.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let mut request = Request::new(StreamBody::new(frames));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/raft/snapshot");
        self.peers.local().sign(request.headers_mut());
        let kind = HeaderValue::from_static("application/octet-stream");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        let exchange = async {
            let mut connection = connect(self.url).await?;
            read(send(&mut connection, self.url, request).await?).await
        };
        let watched = async {
            tokio::select! {
                answer = exchange => answer,
                () = given_up(self.is_wanted) => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        let answer = self.runtime.block_on(watched).map_err(Ended::Broken)?;
        match answer.head.status {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(refusal(status, &answer.content)),
        }
    }
}

/// Writes into the body of a request, not faster than snapshots may leave.
struct BodyWriter {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
    began: Instant,
    sent: u64,
}

impl BodyWriter {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        self.sent += piece.len() as u64;
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(piece.into()).map_err(gone)?;
        let least = Duration::from_secs_f64(self.sent as f64 / SEND_BYTES_PER_SECOND as f64);
        std::thread::sleep(least.saturating_sub(self.began.elapsed()));
        Ok(())
    }
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.piece.is_empty() {
            true => Ok(()),
            false => self.send(),
        }
    }
}

/// What etcd's older store has of the members and the cluster's version, as JSON. What isn't said
/// stays there as it is.
fn older_store(store: &Arc<Store>, index: u64) -> Vec<u8> {
    let (mut members, mut removed) = (Map::new(), Map::new());
    store.with_members(|known| {
        for member in known.iter() {
            let path = format!("/0/members/{:x}", member.id);
            let mut raft = json!({ "peerURLs": member.peer_urls });
            if member.is_learner {
                raft["isLearner"] = true.into();
            }
            let attributes = json!({ "name": member.name, "clientURLs": member.client_urls });
            let leaves = [("raftAttributes", raft), ("attributes", attributes)];
            let leaves = leaves.map(|(name, value)| {
                (name.to_owned(), leaf(&format!("{path}/{name}"), &value.to_string(), index))
            });
            members.insert(format!("{:x}", member.id), folder(&path, leaves, index));
        }
        for id in known.removed() {
            let path = format!("/0/removed_members/{id:x}");
            removed.insert(format!("{id:x}"), leaf(&path, "removed", index));
        }
    });
    let mut cluster = Map::new();
    cluster.insert("members".into(), folder("/0/members", members, index));
    cluster.insert("removed_members".into(), folder("/0/removed_members", removed, index));
    if let Some(version) = store.cluster_version() {
        cluster.insert("version".into(), leaf("/0/version", &version, index));
    }
    let top = [
        ("0".to_owned(), folder("/0", cluster, index)),
        ("1".to_owned(), folder("/1", Map::new(), index)),
    ];
    let root = folder("/", top, index);
    json!({ "Root": root, "CurrentIndex": index, "CurrentVersion": 2 }).to_string().into_bytes()
}

fn folder(path: &str, children: impl IntoIterator<Item = (String, Value)>, index: u64) -> Value {
    let children: Map<String, Value> = children.into_iter().collect();
    node(path, "", index, children.into())
}

fn leaf(path: &str, value: &str, index: u64) -> Value {
    node(path, value, index, Value::Null)
}

fn node(path: &str, value: &str, index: u64, children: Value) -> Value {
    json!({
        "Path": path,
        "CreatedIndex": index,
        "ModifiedIndex": index,
        "ExpireTime": "0001-01-01T00:00:00Z",
        "Value": value,
        "Children": children,
    })
}
