//! `endpoint status`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::StatusRequest;

use crate::app::App;
use crate::command::targets::Targets;
use crate::failure::{Failure, Outcome, code};
use crate::output::{self, Statuses};

const COLUMNS: &str = "\
In the simple format: endpoint, id, version, size of the database, whether it leads, whether it is
a learner, raft's term, raft's index, the index that is applied, errors.

Example:
  etcdctl endpoint status --cluster -w table";

/// Print what endpoints say about themselves
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl endpoint status [OPTIONS]", after_help = COLUMNS)]
pub(super) struct Status {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Status {
    pub(super) async fn run(self, app: &mut App, targets: Targets) -> Outcome {
        let mut session = app.session().await?;
        let endpoints = targets.resolve(session.client.settings(), session.deadline()).await?;
        let mut statuses = Vec::new();
        let mut has_failed = false;
        for endpoint in endpoints {
            let client = session.client.at(&endpoint);
            match client.call(StatusRequest {}, session.deadline()).await {
                Ok(response) => statuses.push(output::Status { endpoint, response }),
                Err(error) => {
                    eprintln!("Failed to get the status of endpoint {endpoint} ({error})");
                    has_failed = true;
                }
            }
        }
        session.printer.print(&Statuses(statuses))?;
        if has_failed { Err(Failure::silent(code::ERROR)) } else { Ok(()) }
    }
}
