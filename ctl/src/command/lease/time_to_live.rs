//! `lease timetolive`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::LeaseTimeToLiveRequest;

use super::lease_id;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome, code};
use crate::output;

/// Print how much of a lease is left
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease timetolive LEASE [OPTIONS]")]
#[command(after_help = "Example:\n  etcdctl lease timetolive 694d5765fc71500b --keys")]
pub(super) struct TimeToLive {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Print the keys that are attached to it, too
    #[arg(long)]
    keys: bool,
}

impl TimeToLive {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        const USAGE: &str = "lease timetolive command needs lease ID as argument";
        let id = lease_id(&self.args, USAGE)?;
        let mut session = app.session().await?;
        let request = LeaseTimeToLiveRequest { id, keys: self.keys };
        let response = session
            .client
            .call(request, Deadline::NEVER)
            .await
            .map_err(|error| Failure::new(code::BAD_CONNECTION, error))?;
        session.printer.print(&output::TimeToLive::new(response, self.keys))
    }
}
