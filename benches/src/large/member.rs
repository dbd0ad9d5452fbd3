//! A server of one member under measurement: started and stopped, asked and told, one request at a
//! time.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::{
    CompactionRequest, CompactionResponse, DefragmentRequest, DefragmentResponse, RangeRequest,
    RangeResponse, SnapshotRequest,
};
use retcd_testkit::{Server, ServerOptions, procfs};
use tokio::runtime::Runtime;

use crate::Error;
use crate::client::{Connection, frame};
use crate::corpus::Corpus;
use crate::engine::measure::{device_bytes_written, store_bytes};

const RANGE: &str = "/etcdserverpb.KV/Range";

/// See the module's text.
pub(super) struct Member {
    pub(super) corpus: Corpus,
    pub(super) keys: u64,
    how: ServerOptions,
    runtime: Runtime,
    running: Option<(Server, Connection)>,
}

impl Member {
    pub(super) fn new(how: ServerOptions, corpus: Corpus, keys: u64) -> Result<Member, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Member { corpus, keys, how, runtime, running: None })
    }

    /// Starts the process, and returns how long it took until it had answered a linearizable read.
    pub(super) fn start(&mut self) -> Result<Duration, Error> {
        let began = Instant::now();
        let server = Server::start(&self.how)?;
        let connection = self.runtime.block_on(Connection::open(server.client_address()))?;
        self.running = Some((server, connection));
        self.range(&RangeRequest { key: self.corpus.key(0), ..RangeRequest::default() })?;
        Ok(began.elapsed())
    }

    /// Starts it with an empty data directory, whatever was in it.
    pub(super) fn start_empty(&mut self) -> Result<(), Error> {
        self.stop()?;
        if self.how.data_dir.exists() {
            fs::remove_dir_all(&self.how.data_dir)?;
        }
        self.start().map(drop)
    }

    /// Starts it if it doesn't run.
    pub(super) fn ensure_started(&mut self) -> Result<(), Error> {
        match self.running {
            Some(_) => Ok(()),
            None => self.start().map(drop),
        }
    }

    /// Ends the process with SIGTERM, if it runs.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        if let Some((server, _)) = self.running.take() {
            server.terminate()?;
        }
        Ok(())
    }

    /// Ends it with SIGKILL.
    pub(super) fn kill(&mut self) -> Result<(), Error> {
        let (server, _) = self.running.take().ok_or("the server doesn't run")?;
        server.kill()?;
        Ok(())
    }

    pub(super) fn address(&self) -> Result<SocketAddr, Error> {
        Ok(self.server()?.client_address())
    }

    pub(super) fn resident_mebibytes(&self) -> Result<f64, Error> {
        let bytes = procfs::resident_bytes(self.server()?.pid())?;
        Ok(bytes as f64 / f64::from(1 << 20))
    }

    /// CPU time that the process has used.
    pub(super) fn cpu_time(&self) -> Result<Duration, Error> {
        Ok(procfs::cpu_time(self.server()?.pid())?)
    }

    /// Bytes that the machine has written to the disk; 0 where it doesn't tell.
    pub(super) fn bytes_written(&self) -> Result<u64, Error> {
        Ok(device_bytes_written(&self.how.data_dir)?.unwrap_or(0))
    }

    pub(super) fn data_dir(&self) -> &PathBuf {
        &self.how.data_dir
    }

    /// Bytes on the disk besides the log.
    pub(super) fn database_bytes(&self) -> Result<u64, Error> {
        store_bytes(&self.how.data_dir.join("member/snap"))
    }

    pub(super) fn log_bytes(&self) -> Result<u64, Error> {
        store_bytes(&self.how.data_dir.join("member/wal"))
    }

    pub(super) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        self.ask(RANGE, request)
    }

    /// The same without looking into the answer, as a client would measure it: how long it took.
    pub(super) fn time_range(&self, request: &RangeRequest) -> Result<Duration, Error> {
        let frame = frame(request);
        let mut call = self.connection()?.method(RANGE)?;
        let began = Instant::now();
        self.runtime.block_on(call.send_bytes(frame))?;
        Ok(began.elapsed())
    }

    /// The revision that the server is at.
    pub(super) fn revision(&self) -> Result<i64, Error> {
        let key = Bytes::from_static(b"\0");
        let answer = self.range(&RangeRequest { key, ..RangeRequest::default() })?;
        Ok(answer.header.map_or(0, |header| header.revision))
    }

    /// Gives up the past; `physical` waits until it is gone.
    pub(super) fn compact(&self, physical: bool) -> Result<(), Error> {
        let request = CompactionRequest { revision: self.revision()?, physical };
        self.ask::<CompactionResponse>("/etcdserverpb.KV/Compact", &request).map(drop)
    }

    pub(super) fn defragment(&self) -> Result<(), Error> {
        let path = "/etcdserverpb.Maintenance/Defragment";
        self.ask::<DefragmentResponse>(path, &DefragmentRequest::default()).map(drop)
    }

    /// Receives a snapshot; says how many bytes it had.
    pub(super) fn snapshot(&self) -> Result<u64, Error> {
        let mut call = self.connection()?.method("/etcdserverpb.Maintenance/Snapshot")?;
        self.runtime.block_on(call.count_bytes(frame(&SnapshotRequest::default())))
    }

    fn ask<T: Message + Default>(&self, path: &str, request: &impl Message) -> Result<T, Error> {
        let mut call = self.connection()?.method(path)?;
        self.runtime.block_on(call.send(request))
    }

    fn server(&self) -> Result<&Server, Error> {
        self.running.as_ref().map(|(server, _)| server).ok_or_else(|| "it doesn't run".into())
    }

    fn connection(&self) -> Result<&Connection, Error> {
        let connection = self.running.as_ref().map(|(_, connection)| connection);
        connection.ok_or_else(|| "the server doesn't run".into())
    }
}
