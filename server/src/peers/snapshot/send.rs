//! The sender's side: one snapshot at a time, on a thread of its own.
//!
//! 1. What is committed is flushed, and a checkpoint is made: its tables are links, so neither
//!    readers nor writers wait.
//! 2. Its files go out in chunks, not faster than [`SEND_BYTES_PER_SECOND`]. If the connection
//!    breaks, the receiver is asked what it has.
//! 3. Raft is told how it went, however that was. If it failed, that waits: raft would order the
//!    next one at once. See [`super::refusals`].
//!
//! Meanwhile the log keeps what comes behind the snapshot, or it would be of no use when it is
//! there; if that becomes too much, [`Sender::abort`] ends the transfer.

use super::super::client::{connect, read, send};
use super::super::registry::Peers;
use super::manifest::Manifest;
use super::receive::remove_folder;
use super::refusals::{Pause, Refusals};
use super::to_etcd::send_database;
use super::{CHECKSUM, CHUNK_BYTES, FILE, OFFSET, STEP};
use crate::flags::Url;
use crate::member::Member;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use parking_lot::Mutex;
use retcd_api::raftpb;
use retcd_engine::Applied;
use retcd_raft_glue::{SnapshotOrder, SnapshotOutcome, snapshot_message};
use retcd_vfs::Vfs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Bytes that leave in a second, at most.
pub(super) const SEND_BYTES_PER_SECOND: u64 = 100 << 20;

/// How long one request may take, its answer included. The last one waits until the receiver has
/// read everything again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const FINISH_TIMEOUT: Duration = Duration::from_secs(600);

/// How often a transfer is begun again without having got any further, and after which time.
const ATTEMPTS_MAX: u32 = 10;
const RETRY: Duration = Duration::from_millis(500);

/// How long to wait before looking again whether everything is flushed, ...
const FLUSH_POLL: Duration = Duration::from_millis(5);

/// ... and whether the transfer is still wanted.
const WANTED_POLL: Duration = Duration::from_millis(100);

/// What a member of etcd's says of a manifest.
const ETCDS_REFUSAL: &str = "failed to decode raft message";

/// See the module's text.
pub(crate) struct Sender {
    vfs: Arc<dyn Vfs>,
    /// Where the checkpoint is made.
    dir: PathBuf,
    engine: &'static str,
    is_busy: AtomicBool,
    is_aborted: AtomicBool,
    refusals: Mutex<Refusals>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sender {
    /// Nothing is sent; what is left of an earlier life is removed.
    pub(crate) fn open(vfs: Arc<dyn Vfs>, dir: &Path, engine: &'static str) -> io::Result<Sender> {
        let sender = Sender {
            vfs,
            dir: dir.to_owned(),
            engine,
            is_busy: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
            refusals: Mutex::default(),
            thread: Mutex::new(None),
        };
        sender.clear()?;
        Ok(sender)
    }

    /// Whether a snapshot is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    /// Gives up the snapshot that is on its way.
    pub(crate) fn abort(&self) {
        self.is_aborted.store(true, Ordering::Release);
    }

    /// Gives up what is on its way and waits until its files are let go.
    pub(crate) fn stop(&self) {
        self.abort();
        if let Some(thread) = self.thread.lock().take() {
            // A panic was printed when it happened; raft isn't told any more.
            let _ = thread.join();
        }
    }

    /// Begins to send a snapshot. One that can't be sent now has failed: raft orders it again.
    pub(crate) fn start(&self, member: &Arc<Member>, peers: &Arc<Peers>, order: SnapshotOrder) {
        let to = order.to;
        if self.is_busy.swap(true, Ordering::AcqRel) {
            member.report_snapshot(to, SnapshotOutcome::Failed);
            return;
        }
        self.is_aborted.store(false, Ordering::Release);
        let (member, peers) = (member.clone(), peers.clone());
        let reporter = member.clone();
        let run = move || {
            let sender = &member.snapshots.sender;
            let term = order.message.term;
            let pause = sender.run(&member, &peers, order);
            sender.is_busy.store(false, Ordering::Release);
            let outcome = match pause {
                None => SnapshotOutcome::Sent,
                Some(pause) => {
                    sender.pause(&member, &peers, to, term, pause);
                    SnapshotOutcome::Failed
                }
            };
            member.report_snapshot(to, outcome);
        };
        match std::thread::Builder::new().name("snapshot".into()).spawn(run) {
            Ok(thread) => *self.thread.lock() = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for sending a snapshot");
                self.is_busy.store(false, Ordering::Release);
                reporter.report_snapshot(to, SnapshotOutcome::Failed);
            }
        }
    }

    /// Waits until the pause is over or void, or this member doesn't lead any more.
    fn pause(&self, member: &Member, peers: &Peers, to: u64, term: u64, pause: Pause) {
        let began = Instant::now();
        while !pause.is_over(began.elapsed()) {
            if pause.is_void(began.elapsed(), peers.dials(to)) || !leads(member, term) {
                self.forget_refusal(member, to);
                return;
            }
            std::thread::sleep(WANTED_POLL);
        }
    }

    fn forget_refusal(&self, member: &Member, to: u64) {
        self.refusals.lock().forget(to);
        member.metrics.network().snapshots_refused(to).set(0);
    }

    /// Sends one. If that fails, answers how long to wait with the next.
    fn run(&self, member: &Member, peers: &Peers, order: SnapshotOrder) -> Option<Pause> {
        let to = order.to;
        let id = format!("{to:x}");
        let metrics = member.metrics.network().sending(to);
        let began = Instant::now();
        let sent = self.try_run(member, peers, order);
        if let Err(error) = self.clear() {
            tracing::warn!(%error, "files of a snapshot that was sent stay behind");
        }
        let dials = peers.dials(to).unwrap_or(0);
        match sent {
            Ok(bytes) => {
                self.forget_refusal(member, to);
                metrics.succeeded(began.elapsed());
                let took = began.elapsed();
                tracing::info!("remote-peer-id" = %id, bytes, ?took, "sent database snapshot");
                None
            }
            Err(Failure::Failed(error)) => {
                metrics.failed();
                tracing::warn!("remote-peer-id" = %id, %error, "failed to send database snapshot");
                Some(Pause::short(dials))
            }
            Err(Failure::Unusable(error)) => {
                metrics.failed();
                member.metrics.network().snapshots_refused(to).set(1);
                let (pause, is_new) = self.refusals.lock().note(to, &error.to_string(), dials);
                if is_new {
                    tracing::warn!("remote-peer-id" = %id, %error, "peer refuses snapshots");
                }
                Some(pause)
            }
        }
    }

    fn try_run(
        &self,
        member: &Member,
        peers: &Peers,
        order: SnapshotOrder,
    ) -> Result<u64, Failure> {
        let least = order.message.snapshot.metadata.index;
        let term = order.message.term;
        let is_wanted = || self.is_wanted(member, term);
        let applied = self.checkpoint(member, least, &is_wanted)?;
        let to = order.to;
        let message = snapshot_message(order.message, &applied).map_err(io::Error::other)?;
        let manifest = Manifest::of(&*self.vfs, &self.dir, self.engine, &message)?;
        let bytes = manifest.bytes();
        let id = format!("{to:x}");
        tracing::info!("remote-peer-id" = %id, index = applied.index, bytes, "sending snapshot");
        Transfer {
            vfs: &*self.vfs,
            dir: &self.dir,
            member,
            message: &message,
            peers,
            to,
            manifest: &manifest,
            // Of its own, so that it ends by itself when the program does.
            runtime: Builder::new_current_thread().enable_all().build()?,
            is_wanted: &is_wanted,
            confirmed: 0,
        }
        .run()?;
        Ok(bytes)
    }

    fn is_wanted(&self, member: &Member, term: u64) -> bool {
        !self.is_aborted.load(Ordering::Acquire) && leads(member, term)
    }

    /// Makes a checkpoint that has the entry `least`.
    fn checkpoint(
        &self,
        member: &Member,
        least: u64,
        is_wanted: &dyn Fn() -> bool,
    ) -> io::Result<Applied> {
        member.engine.request_flush().map_err(io::Error::other)?;
        while member.engine.flushed().index < least {
            wanted(is_wanted)?;
            member.ring_for_maintenance();
            std::thread::sleep(FLUSH_POLL);
        }
        let mut checkpoint = member.engine.checkpoint(&self.dir).map_err(io::Error::other)?;
        loop {
            wanted(is_wanted)?;
            if let Some(applied) = checkpoint.step().map_err(io::Error::other)? {
                return Ok(applied);
            }
        }
    }

    /// Removes the checkpoint, whole or half made.
    fn clear(&self) -> io::Result<()> {
        let mut half = self.dir.clone().into_os_string();
        half.push(".tmp");
        remove_folder(&*self.vfs, half.as_ref())?;
        remove_folder(&*self.vfs, &self.dir)
    }
}

/// Whether this member still leads in the term in which a snapshot was ordered.
fn leads(member: &Member, term: u64) -> bool {
    !member.status.is_stopped() && member.is_leader() && member.status.term() == term
}

fn wanted(is_wanted: &dyn Fn() -> bool) -> io::Result<()> {
    match is_wanted() {
        true => Ok(()),
        false => Err(io::Error::other("it was given up")),
    }
}

/// Why a snapshot wasn't sent.
enum Failure {
    /// The next one may have more luck.
    Failed(io::Error),
    /// The receiver says that it can't use what it is sent.
    Unusable(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Failed(error)
    }
}

/// How an attempt ended.
pub(super) enum Ended {
    /// The receiver has everything.
    Done,
    /// It may be worth another attempt.
    Broken(io::Error),
    /// It isn't.
    Refused(io::Error),
    /// Nor is another snapshot.
    Unusable(io::Error),
}

/// The files on their way.
struct Transfer<'a> {
    vfs: &'a dyn Vfs,
    dir: &'a Path,
    member: &'a Member,
    message: &'a raftpb::Message,
    peers: &'a Peers,
    to: u64,
    manifest: &'a Manifest,
    runtime: Runtime,
    is_wanted: &'a dyn Fn() -> bool,
    /// Bytes that the receiver has taken in all attempts.
    confirmed: u64,
}

impl Transfer<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let mut attempts = 0;
        loop {
            let before = self.confirmed;
            let error = match self.attempt() {
                Ended::Done => return Ok(()),
                Ended::Refused(error) => return Err(Failure::Failed(error)),
                Ended::Unusable(error) => return Err(Failure::Unusable(error)),
                Ended::Broken(error) => error,
            };
            wanted(self.is_wanted)?;
            attempts = if self.confirmed > before { 0 } else { attempts + 1 };
            if attempts >= ATTEMPTS_MAX {
                return Err(error.into());
            }
            std::thread::sleep(RETRY);
        }
    }

    fn attempt(&mut self) -> Ended {
        let urls = self.peers.urls(self.to);
        let mut ended = Ended::Broken(io::Error::other("it has no peer URL"));
        for url in urls {
            ended = match self.send_to(&url) {
                Ok(()) => return Ended::Done,
                Err(ended) => ended,
            };
            if !matches!(ended, Ended::Broken(_)) {
                return ended;
            }
        }
        ended
    }

    fn send_to(&mut self, url: &Url) -> Result<(), Ended> {
        let mut connection = self.runtime.block_on(connect(url)).map_err(Ended::Broken)?;
        let manifest = serde_json::to_vec(self.manifest).map_err(|e| Ended::Refused(e.into()))?;
        let mut call = Call { of: self, url, connection: &mut connection };
        let content = match call.post("begin", &[], manifest.into(), REQUEST_TIMEOUT) {
            // It takes the manifest for a message.
            Err(Ended::Unusable(error)) if error.to_string().contains(ETCDS_REFUSAL) => {
                let what = (self.dir, self.message);
                let (runtime, is_wanted) = (&self.runtime, self.is_wanted);
                return send_database(self.member, self.peers, runtime, url, what, is_wanted);
            }
            begun => begun?,
        };
        let has: Vec<u64> = serde_json::from_slice(&content)
            .map_err(|_| refused(&"the peer takes no snapshots that this program knows"))?;
        for (number, has) in has.into_iter().enumerate().take(self.manifest.files.len()) {
            self.send_file(url, &mut connection, number, has)?;
        }
        let mut call = Call { of: self, url, connection: &mut connection };
        call.post("finish", &[], Bytes::new(), FINISH_TIMEOUT).map(drop)
    }

    fn send_file(
        &mut self,
        url: &Url,
        connection: &mut SendRequest<Full<Bytes>>,
        number: usize,
        has: u64,
    ) -> Result<(), Ended> {
        let manifest = self.manifest;
        let listed = &manifest.files[number];
        let file = self.vfs.open_read(&self.dir.join(&listed.name)).map_err(Ended::Refused)?;
        let mut offset = has;
        while offset < listed.bytes {
            wanted(self.is_wanted).map_err(Ended::Refused)?;
            let began = Instant::now();
            let mut chunk = vec![0; (listed.bytes - offset).min(CHUNK_BYTES) as usize];
            file.read_exact_at(offset, &mut chunk).map_err(Ended::Refused)?;
            let len = chunk.len() as u64;
            let headers = [
                (FILE, number.to_string()),
                (OFFSET, offset.to_string()),
                (CHECKSUM, format!("{:x}", crc32fast::hash(&chunk))),
            ];
            let mut call = Call { of: self, url, connection };
            call.post("chunk", &headers, chunk.into(), REQUEST_TIMEOUT)?;
            offset += len;
            self.confirmed += len;
            let least = Duration::from_secs_f64(len as f64 / SEND_BYTES_PER_SECOND as f64);
            std::thread::sleep(least.saturating_sub(began.elapsed()));
        }
        Ok(())
    }
}

/// A request on a connection.
struct Call<'a, 'b> {
    of: &'a Transfer<'b>,
    url: &'a Url,
    connection: &'a mut SendRequest<Full<Bytes>>,
}

impl Call<'_, '_> {
    fn post(
        &mut self,
        step: &'static str,
        headers: &[(&'static str, String)],
        content: Bytes,
        limit: Duration,
    ) -> Result<Bytes, Ended> {
        let mut request = Request::new(Full::new(content));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/raft/snapshot");
        self.of.peers.local().sign(request.headers_mut());
        request.headers_mut().insert(STEP, HeaderValue::from_static(step));
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|e| refused(&e))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        let exchange = async { read(send(self.connection, self.url, request).await?).await };
        let watched = async {
            tokio::select! {
                answer = tokio::time::timeout(limit, exchange) => answer?,
                () = given_up(self.of.is_wanted) => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        let answer = self.of.runtime.block_on(watched).map_err(Ended::Broken)?;
        match answer.head.status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(answer.content),
            status => Err(refusal(status, &answer.content)),
        }
    }
}

/// What the receiver's answer says about another attempt.
pub(super) fn refusal(status: StatusCode, content: &[u8]) -> Ended {
    let text = String::from_utf8_lossy(content).trim().to_owned();
    let error = io::Error::other(format!("{status}: {text}"));
    match status {
        // It asks to begin again.
        StatusCode::CONFLICT => Ended::Broken(error),
        StatusCode::BAD_REQUEST => Ended::Unusable(error),
        _ => Ended::Refused(error),
    }
}

/// Waits until nobody wants the snapshot any more.
pub(super) async fn given_up(is_wanted: &dyn Fn() -> bool) {
    while is_wanted() {
        tokio::time::sleep(WANTED_POLL).await;
    }
}

fn refused(error: &dyn std::fmt::Display) -> Ended {
    Ended::Refused(io::Error::other(error.to_string()))
}
