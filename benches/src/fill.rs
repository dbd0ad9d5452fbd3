//! Many keys: how long they take to write, what they occupy, how soon the server is back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse, RequestOp, TxnRequest};
use retcd_testkit::random::Random;
use retcd_testkit::{Server, ServerOptions, procfs};
use tokio::task::JoinSet;

use crate::Error;
use crate::client::{Connection, frame};
use crate::workload;

/// Puts per transaction, below the limit of 128.
const PUTS_PER_TXN: u64 = 64;
/// Transactions under way.
const WRITERS: u64 = 16;

/// What a filled server shows.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// From the first to the last put.
    pub fill_time: Duration,
    /// Resident memory after the last put.
    pub resident_after_fill: u64,
    /// Size of the data directory.
    pub disk_bytes: u64,
    /// From the start of the process to its first answer to a linearizable read.
    pub start_time: Duration,
    /// Resident memory after that answer.
    pub resident_after_start: u64,
}

/// Writes `keys` keys into a fresh server, stops it, starts it again.
pub fn run(options: &ServerOptions, keys: u64) -> Result<Filled, Error> {
    let server = Server::start(options)?;
    let started_at = Instant::now();
    write(&server, keys)?;
    let fill_time = started_at.elapsed();
    let resident_after_fill = procfs::resident_bytes(server.pid())?;
    server.terminate()?;
    let disk_bytes = disk_usage(&options.data_dir)?;

    let started_at = Instant::now();
    let server = Server::start(options)?;
    let count = runtime()?.block_on(first_read(&server))?;
    let start_time = started_at.elapsed();
    if count != 1 {
        return Err("the last key is missing after the restart".into());
    }
    let resident_after_start = procfs::resident_bytes(server.pid())?;
    Ok(Filled { fill_time, resident_after_fill, disk_bytes, start_time, resident_after_start })
}

/// Writes the keys with the numbers below `keys`, in transactions.
pub fn write(server: &Server, keys: u64) -> Result<(), Error> {
    runtime()?.block_on(fill(server, keys))
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn fill(server: &Server, keys: u64) -> Result<(), Error> {
    let connection = Connection::open(server.client_address()).await?;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let mut call = connection.method("/etcdserverpb.KV/Txn")?;
        writers.spawn(async move {
            let mut random = Random::new(writer);
            let mut first = writer * PUTS_PER_TXN;
            while first < keys {
                let last = (first + PUTS_PER_TXN).min(keys);
                let puts = (first..last).map(|number| put(number, &mut random)).collect();
                let txn = TxnRequest { success: puts, ..TxnRequest::default() };
                call.send_bytes(frame(&txn)).await?;
                first += WRITERS * PUTS_PER_TXN;
            }
            Ok::<(), Error>(())
        });
    }
    while let Some(outcome) = writers.join_next().await {
        outcome??;
    }
    Ok(())
}

fn put(number: u64, random: &mut Random) -> RequestOp {
    let mut put = workload::put(random, 1);
    put.key = workload::key(number);
    RequestOp { request: Some(Request::RequestPut(put)) }
}

async fn first_read(server: &Server) -> Result<i64, Error> {
    let connection = Connection::open(server.client_address()).await?;
    let request = RangeRequest { key: workload::key(0), ..RangeRequest::default() };
    let answer: RangeResponse = connection.method("/etcdserverpb.KV/Range")?.send(&request).await?;
    Ok(answer.count)
}

/// Allocated bytes of all files below a directory: zero-filled or sparse files count as they lie.
fn disk_usage(folder: &Path) -> Result<u64, Error> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes +=
            if metadata.is_dir() { disk_usage(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
