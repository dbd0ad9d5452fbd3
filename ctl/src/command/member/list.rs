//! `member list`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::MemberListRequest;

use crate::app::App;
use crate::command::get::is_serializable;
use crate::failure::{Failure, Outcome};
use crate::output::Members;

const COLUMNS: &str = "\
In the simple format: id, started or not, name, URLs for members, URLs for clients, whether it is
a learner.

Example:
  etcdctl member list -w table";

/// Print all members
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member list [OPTIONS]", after_help = COLUMNS)]
pub(super) struct List {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Ask the leader whether this is the newest (l), or answer from the member's own state (s)
    #[arg(long, default_value = "l", value_name = "l|s")]
    consistency: String,
}

impl List {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let linearizable = !is_serializable(&self.consistency)?;
        let mut session = app.session().await?;
        let response = session
            .client
            .call(MemberListRequest { linearizable }, session.deadline())
            .await
            .map_err(Failure::error)?;
        let is_hex = app.global().hex;
        session.printer.print(&Members::new(response, is_hex))
    }
}
