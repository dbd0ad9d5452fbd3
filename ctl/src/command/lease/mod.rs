//! `lease`: times after which keys go, unless somebody prolongs them.

mod grant;
mod keep_alive;
mod list;
mod revoke;
mod time_to_live;

use std::ffi::OsString;

pub(super) use keep_alive::renew;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::number;

const LEASE_EXAMPLES: &str = "Examples:
  etcdctl lease grant 60
  etcdctl put session/1 up --lease=694d5765fc71500b
  etcdctl lease keep-alive 694d5765fc71500b";

/// Leases: grant, prolong, look at and revoke them
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = LEASE_EXAMPLES)]
pub(crate) struct Lease {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Grant(grant::Grant),
    Revoke(revoke::Revoke),
    Timetolive(time_to_live::TimeToLive),
    List(list::List),
    KeepAlive(keep_alive::KeepAlive),
}

impl Lease {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        match self.action {
            Action::Grant(action) => action.run(app).await,
            Action::Revoke(action) => action.run(app).await,
            Action::Timetolive(action) => action.run(app).await,
            Action::List(action) => action.run(app).await,
            Action::KeepAlive(action) => action.run(app).await,
        }
    }
}

/// The lease that the only argument names. `usage` is said if there isn't one argument.
fn lease_id(args: &[OsString], usage: &str) -> Outcome<i64> {
    let [id] = args else { return Err(Failure::bad_arguments(usage)) };
    number::parse_int(&id.to_string_lossy(), 16).map_err(|error| {
        Failure::bad_arguments(format!("bad lease ID arg ({error}), expecting ID in Hex"))
    })
}
