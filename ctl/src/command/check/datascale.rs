//! `check datascale`: writes many keys and looks how much more memory the member has then.

use std::ffi::OsString;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;

use super::after::After;
use super::expect_no_keys;
use super::load::{DatascaleLoad, Size};
use super::random::Keys;
use super::workers::Workers;
use crate::app::App;
use crate::client::{Client, Deadline};
use crate::failure::{Failure, Outcome, code};
use crate::interrupt::Interrupt;

/// A key without its prefix, and a value, in bytes each.
const LENGTH: usize = 512;

/// The metric that tells a member's memory, in bytes.
const MEMORY: &str = "process_resident_memory_bytes";

/// How long a member may take to tell it.
const MEMORY_TIME: Duration = Duration::from_secs(10);

const LOADS: &str = "Loads, with keys and values of 512 bytes:
  s     10,000 keys, 50 clients
  m     100,000 keys, 200 clients
  l     1,000,000 keys, 500 clients
  xl    3,000,000 keys, 1,000 clients

Example:
  etcdctl check datascale --load=s --auto-compact --auto-defrag";

/// Write many keys and print how much more memory the member has then
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl check datascale [OPTIONS]", after_help = LOADS)]
pub(super) struct Datascale {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// How much to write: s, m, l or xl
    #[arg(long, default_value = "s", value_name = "LOAD")]
    load: String,
    /// What the keys that are written begin with
    #[arg(long, default_value = "/etcdctl-check-datascale/", value_name = "PREFIX")]
    prefix: String,
    #[command(flatten)]
    after: After,
}

impl Datascale {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let DatascaleLoad { clients, keys } = DatascaleLoad::new(Size::parse(&self.load)?);
        let client = app.session().await?.client;
        let hint = format!("etcdctl del --prefix {}", self.prefix);
        expect_no_keys(&client, &self.prefix, &hint).await?;
        let before = memory(&client, "before").await?;
        let pair = 2 * LENGTH;
        println!(
            "Start data scale check for work load [{keys} key-value pairs, {pair} bytes per \
             key-value, {clients} concurrent clients]."
        );
        let mut interrupt = Interrupt::listen()?;
        let random = Keys::new(&self.prefix, LENGTH);
        let value = Bytes::from_static(&[0; LENGTH]);
        let mut workers = Workers::start_all(&client, clients, random, value, keys);
        let shown = workers.show(|count| format!("{count} of {keys} keys"));
        let is_complete = tokio::select! {
            () = workers.wait() => true,
            () = shown => false,
            () = interrupt.wait() => false,
        };
        workers.close();
        workers.wait().await;
        let after = memory(&client, "after").await;
        let revision = After::delete(&client, &self.prefix).await.map_err(Failure::error)?;
        self.after.give_space_back(&client, Some(revision)).await?;
        if !is_complete {
            return Err(Failure::new(code::INTERRUPTED, "context canceled"));
        }
        let after = after?;
        if let Err(errors) = workers.into_stats().tell_errors() {
            println!("{errors}");
            return Err(Failure::silent(code::ERROR));
        }
        let megabytes = (after - before) / f64::from(1 << 20);
        println!("PASS: Approximate system memory used : {megabytes:.2} MB.");
        Ok(())
    }
}

/// How much memory the member has, in bytes.
async fn memory(client: &Client, when: &str) -> Outcome<f64> {
    let failed = |reason: &str| {
        println!("{reason}");
        println!("FAIL: Could not read {MEMORY} {when} the put operations.");
        Failure::silent(code::ERROR)
    };
    let page = client.page("/metrics", Deadline::after(MEMORY_TIME)).await;
    let page = page.map_err(|error| failed(&format!("fetch error: {error}")))?;
    let value = page.lines().find_map(|line| line.strip_prefix(MEMORY));
    let value = value.ok_or_else(|| failed(&format!("could not find: {MEMORY}")))?;
    value.trim().parse().map_err(|error| failed(&format!("parse error: {error}")))
}
