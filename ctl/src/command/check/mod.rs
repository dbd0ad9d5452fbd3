//! `check`: loads a cluster for a while and says whether it is good enough.

mod after;
mod datascale;
mod load;
mod perf;
mod random;
mod stats;
mod workers;

use clap::{Args, Subcommand};
use retcd_api::etcdserverpb::RangeRequest;

use super::keys::prefix;
use crate::app::App;
use crate::client::{Client, Deadline};
use crate::failure::{Failure, Outcome, code};
use crate::go::quote;

const CHECK_EXAMPLES: &str = "Examples:
  etcdctl check perf --load=m
  etcdctl check datascale --load=s --auto-compact";

/// Whether a cluster is fast enough, and how much memory data takes
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Perf(perf::Perf),
    Datascale(datascale::Datascale),
}

impl Check {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        match self.action {
            Action::Perf(action) => action.run(app).await,
            Action::Datascale(action) => action.run(app).await,
        }
    }
}

/// Refuses to go on if there are keys that the check would delete. `hint` is how they are deleted.
async fn expect_no_keys(client: &Client, key_prefix: &str, hint: &str) -> Outcome {
    let range = prefix(key_prefix.to_owned().into());
    let request =
        RangeRequest { key: range.key, range_end: range.end, limit: 1, ..RangeRequest::default() };
    let response = client.call(request, Deadline::NEVER).await.map_err(Failure::error)?;
    if response.kvs.is_empty() {
        return Ok(());
    }
    let quoted = quote(key_prefix.as_bytes());
    let message = format!("prefix {quoted} has keys. Delete with {hint} first");
    Err(Failure::new(code::INVALID_INPUT, message))
}
