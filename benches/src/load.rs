//! One short run: some clients, one kind of request, a fixed time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use retcd_api::health::HealthCheckRequest;
use retcd_testkit::random::Random;
use retcd_testkit::{Server, procfs, scrape};
use tokio::task::LocalSet;

use crate::Error;
use crate::client::{Connection, frame};
use crate::stats::percentile;
use crate::workload;

/// How many different keys a load touches.
pub const KEYS: u64 = 100_000;

/// What the clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Puts of random keys.
    Put,
    /// Linearizable reads of single random keys.
    Get,
    /// A call that does nothing: the floor of the RPC stack.
    Nothing,
}

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What is asked for.
    pub kind: Kind,
    /// Tasks with one request under way each.
    pub clients: usize,
    /// Connections that they share.
    pub connections: usize,
    /// How long they go on.
    pub duration: Duration,
}

/// What one run has shown.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Answers per second.
    pub per_second: f64,
    /// Half of the answers came within this time.
    pub p50: Duration,
    /// All but one in a hundred did.
    pub p99: Duration,
    /// CPU time of all servers per answer.
    pub cpu_per_answer: Duration,
    /// Syncs of all servers' logs per answer; zero where it doesn't tell.
    pub syncs_per_answer: f64,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Put => "/etcdserverpb.KV/Put",
            Self::Get => "/etcdserverpb.KV/Range",
            Self::Nothing => "/grpc.health.v1.Health/Check",
        }
    }

    fn request(self, random: &mut Random) -> Bytes {
        match self {
            Self::Put => frame(&workload::put(random, KEYS)),
            Self::Get => frame(&workload::get(random, KEYS)),
            Self::Nothing => frame(&HealthCheckRequest::default()),
        }
    }
}

/// Runs the load against the servers, which take the connections in turn.
pub fn run(servers: &[&Server], load: Load, seed: u64) -> Result<Measurement, Error> {
    run_until(servers, load, seed, &Arc::default())
}

/// As [`run`], and ends earlier when it is told to.
pub fn run_until(
    servers: &[&Server],
    load: Load,
    seed: u64,
    is_over: &Arc<AtomicBool>,
) -> Result<Measurement, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(measure(servers, load, seed, is_over)))
}

async fn measure(
    servers: &[&Server],
    load: Load,
    seed: u64,
    is_over: &Arc<AtomicBool>,
) -> Result<Measurement, Error> {
    let mut calls = Vec::new();
    let connections = load.connections.min(load.clients);
    for server in servers.iter().cycle().take(connections) {
        let connection = Connection::open(server.client_address()).await?;
        calls.push(connection.method(load.kind.path())?);
    }
    let latencies = Rc::new(RefCell::new(Vec::<u32>::with_capacity(1 << 20)));
    let (syncs_before, cpu_before) = (log_syncs(servers)?, cpu_time(servers)?);
    let started_at = Instant::now();
    let end = started_at + load.duration;
    let mut clients = Vec::new();
    for number in 0..load.clients {
        let mut call = calls[number % calls.len()].clone();
        let latencies = Rc::clone(&latencies);
        let mut random = Random::new(seed ^ ((number as u64) << 32));
        let is_over = Arc::clone(is_over);
        clients.push(tokio::task::spawn_local(async move {
            while Instant::now() < end && !is_over.load(Ordering::Relaxed) {
                let request = load.kind.request(&mut random);
                let sent_at = Instant::now();
                call.send_bytes(request).await?;
                let micros = u32::try_from(sent_at.elapsed().as_micros()).unwrap_or(u32::MAX);
                latencies.borrow_mut().push(micros);
            }
            Ok::<(), Error>(())
        }));
    }
    for client in clients {
        client.await??;
    }
    let elapsed = started_at.elapsed();
    let cpu = cpu_time(servers)?.saturating_sub(cpu_before);
    let syncs = log_syncs(servers)? - syncs_before;
    let mut latencies = latencies.borrow_mut();
    latencies.sort_unstable();
    if latencies.is_empty() {
        return Err("no answer within the time of a run".into());
    }
    let answers = latencies.len() as f64;
    Ok(Measurement {
        per_second: answers / elapsed.as_secs_f64(),
        p50: percentile(&latencies, 0.5),
        p99: percentile(&latencies, 0.99),
        cpu_per_answer: cpu.div_f64(answers),
        syncs_per_answer: syncs / answers,
    })
}

fn cpu_time(servers: &[&Server]) -> Result<Duration, Error> {
    let mut sum = Duration::ZERO;
    for server in servers {
        sum += procfs::cpu_time(server.pid())?;
    }
    Ok(sum)
}

fn log_syncs(servers: &[&Server]) -> Result<f64, Error> {
    let mut sum = 0.0;
    for server in servers {
        let metrics = scrape::get(server.client_address(), "/metrics")?.body;
        let name = "etcd_disk_wal_fsync_duration_seconds_count";
        sum += scrape::metric(&metrics, name).unwrap_or(0.0);
    }
    Ok(sum)
}
