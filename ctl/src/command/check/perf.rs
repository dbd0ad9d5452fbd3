//! `check perf`: writes at a rate for a minute.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;

use super::after::After;
use super::expect_no_keys;
use super::load::{PerfLoad, Size};
use super::random::Keys;
use super::stats::Stats;
use super::workers::Workers;
use crate::app::App;
use crate::failure::{Failure, Outcome, code};
use crate::interrupt::Interrupt;

/// How long it writes.
const TIME: Duration = Duration::from_secs(60);

/// A key without its prefix, in bytes.
const KEY_LENGTH: usize = 256;

/// A value, in bytes.
const VALUE_LENGTH: usize = 1024;

/// How much of the rate has to be reached.
const RATE_SHARE_MIN: f64 = 0.9;

/// How long the slowest write may take, in seconds.
const SLOWEST_MAX: f64 = 0.5;

/// The largest standard deviation of writes' times, in seconds.
const DEVIATION_MAX: f64 = 0.1;

const LOADS: &str = "Loads:
  s     50 clients, 150 writes a second
  m     200 clients, 1,000 writes a second
  l     500 clients, 8,000 writes a second
  xl    1,000 clients, 15,000 writes a second

Example:
  etcdctl check perf --load=m --auto-compact --auto-defrag";

/// Write for a minute and print whether it was fast enough
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl check perf [OPTIONS]", after_help = LOADS)]
pub(super) struct Perf {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// How much to write: s, m, l or xl
    #[arg(long, default_value = "s", value_name = "LOAD")]
    load: String,
    /// What the keys that are written begin with
    #[arg(long, default_value = "/etcdctl-check-perf/", value_name = "PREFIX")]
    prefix: String,
    #[command(flatten)]
    after: After,
}

impl Perf {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let load = PerfLoad::new(Size::parse(&self.load)?);
        let client = app.session().await?.client;
        let hint = format!("'etcdctl del --prefix {}'", self.prefix);
        expect_no_keys(&client, &self.prefix, &hint).await?;
        let mut interrupt = Interrupt::listen()?;
        let keys = Keys::new(&self.prefix, KEY_LENGTH);
        let value = Bytes::from_static(&[0; VALUE_LENGTH]);
        let mut workers = Workers::start(&client, load.clients, keys, value);
        let begun = Instant::now();
        let shown = workers.show(|count| {
            let (elapsed, all) = (begun.elapsed().as_secs(), TIME.as_secs());
            format!("{elapsed} of {all} s, {count} writes")
        });
        tokio::select! {
            () = workers.pace(load.rate, TIME) => {}
            () = shown => {}
            // What was written so far is judged, and deleted.
            () = interrupt.wait() => {}
        }
        workers.close();
        workers.wait().await;
        let time = begun.elapsed();
        let stats = workers.into_stats();
        let deleted = After::delete(&client, &self.prefix).await.inspect_err(|error| {
            println!("FAIL: Cleanup failed during key deletion: ERROR({error})");
        });
        self.after.give_space_back(&client, deleted.ok()).await?;
        judge(&stats, time, load.rate)
    }
}

/// Prints what was good enough and what wasn't.
fn judge(stats: &Stats, time: Duration, rate: u32) -> Outcome {
    let reached = stats.count() as f64 / time.as_secs_f64();
    // Rounded up, as etcd does.
    let shown = reached as u64 + 1;
    let (slowest, deviation) = (stats.slowest(), stats.deviation());
    let verdicts = [
        stats.tell_errors().map(|()| String::new()),
        if reached / f64::from(rate) > RATE_SHARE_MIN {
            Ok(format!("PASS: Throughput is {shown} writes/s"))
        } else {
            Err(format!("FAIL: Throughput too low: {shown} writes/s"))
        },
        if slowest <= SLOWEST_MAX {
            Ok(format!("PASS: Slowest request took {slowest:.6}s"))
        } else {
            Err(format!("Slowest request took too long: {slowest:.6}s"))
        },
        if deviation <= DEVIATION_MAX {
            Ok(format!("PASS: Stddev is {deviation:.6}s"))
        } else {
            Err(format!("Stddev too high: {deviation:.6}s"))
        },
    ];
    for verdict in &verdicts {
        let (Ok(text) | Err(text)) = verdict;
        if !text.is_empty() {
            println!("{text}");
        }
    }
    if verdicts.iter().all(Result::is_ok) {
        println!("PASS");
        return Ok(());
    }
    println!("FAIL");
    Err(Failure::silent(code::ERROR))
}
