//! How long one client's puts wait while the server compacts, defragments and sends a snapshot.
//!
//! The client has a thread and a connection of its own and puts random keys one after the other,
//! all the time. The snapshot is received and thrown away by another client.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use retcd_api::etcdserverpb::PutRequest;
use retcd_testkit::random::Random;

use super::member::Member;
use super::suite::Findings;
use crate::Error;
use crate::client::{Connection, frame};
use crate::corpus::Corpus;
use crate::fill::{self, Pairs};
use crate::wal::latency::Latencies;

pub(super) fn measure(
    member: &mut Member,
    findings: &mut Findings<'_>,
    dead_revisions: u64,
    quiet: Duration,
) -> Result<(), Error> {
    member.ensure_started()?;
    during(member, findings, "nothing", || {
        thread::sleep(quiet);
        Ok(())
    })?;
    let pairs = Pairs::Again { keys: member.keys, puts: dead_revisions, seed: 1 };
    fill::write(member.address()?, member.corpus, pairs)?;
    during(member, findings, "compaction", || member.compact(true))?;
    during(member, findings, "defragmentation", || member.defragment())?;
    during(member, findings, "snapshot", || member.snapshot().map(drop))
}

/// Puts while `work` goes on.
fn during(
    member: &Member,
    findings: &mut Findings<'_>,
    what: &str,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let (address, corpus, keys) = (member.address()?, member.corpus, member.keys);
    let is_over = AtomicBool::new(false);
    let (took, mut latencies) = thread::scope(|scope| {
        let client = scope.spawn(|| put_until(address, corpus, keys, &is_over));
        let began = Instant::now();
        let outcome = work();
        let took = began.elapsed();
        is_over.store(true, Ordering::Relaxed);
        let latencies = client.join().map_err(|_| "the client has panicked")??;
        outcome?;
        Ok::<_, Error>((took, latencies))
    })?;
    if what != "nothing" {
        findings.add(&format!("{what}: seconds, with one client putting"), took.as_secs_f64());
    }
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
        let millis = latencies.micros(share) / 1e3;
        findings.add(&format!("put during {what}: {name} ms"), millis);
    }
    Ok(())
}

fn put_until(
    address: SocketAddr,
    corpus: Corpus,
    keys: u64,
    is_over: &AtomicBool,
) -> Result<Latencies, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut call = Connection::open(address).await?.method("/etcdserverpb.KV/Put")?;
        let mut random = Random::new(corpus.seed ^ 3);
        let mut latencies = Latencies::default();
        // One put at least, however short the work is.
        loop {
            let number = random.below(keys);
            let (key, value) = (corpus.key(number), corpus.value(number, random.number()));
            let put = frame(&PutRequest { key, value, ..PutRequest::default() });
            let began = Instant::now();
            fill::persist(&mut call, put).await?;
            latencies.add(began.elapsed());
            if is_over.load(Ordering::Relaxed) {
                return Ok(latencies);
            }
        }
    })
}
