//! `lease list`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::LeaseLeasesRequest;

use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome, code};
use crate::output::Leases;

/// Print all leases
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease list")]
#[command(after_help = "Example:\n  etcdctl lease list")]
pub(super) struct List {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl List {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let mut session = app.session().await?;
        let response = session
            .client
            .call(LeaseLeasesRequest {}, Deadline::NEVER)
            .await
            .map_err(|error| Failure::new(code::BAD_CONNECTION, error))?;
        session.printer.print(&Leases::from(response))
    }
}
