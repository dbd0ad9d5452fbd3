//! `lease grant`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::LeaseGrantRequest;

use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::number;
use crate::output::Granted;

const EXAMPLES: &str = "Examples:
  etcdctl lease grant 60
  etcdctl put worker/1 up --lease=$(etcdctl lease grant 60 | cut -d' ' -f2)";

/// Begin a lease of so many seconds
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease grant SECONDS", after_help = EXAMPLES)]
pub(super) struct Grant {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Grant {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [seconds] = &self.args[..] else {
            return Err(Failure::bad_arguments("lease grant command needs TTL argument"));
        };
        let ttl = number::parse_int(&seconds.to_string_lossy(), 10)
            .map_err(|error| Failure::bad_arguments(format!("bad TTL ({error})")))?;
        let mut session = app.session().await?;
        let response = session
            .client
            .call(LeaseGrantRequest { ttl, id: 0 }, session.deadline())
            .await
            .map_err(|error| Failure::error(format!("failed to grant lease ({error})")))?;
        session.printer.print(&Granted::from(response))
    }
}
