//! `role get`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthRoleGetRequest;

use super::role_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Named;

/// Print what a role may do
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl role get NAME")]
#[command(after_help = "Example:\n  etcdctl role get reader")]
pub(super) struct Get {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Get {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let name = role_name(&self.args, "get")?;
        let mut session = app.session().await?;
        let request = AuthRoleGetRequest { role: name.clone() };
        let response = session.client.call(request, Deadline::NEVER).await;
        session.printer.print(&Named { name, response: response.map_err(Failure::error)? })
    }
}
