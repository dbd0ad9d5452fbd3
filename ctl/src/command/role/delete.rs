//! `role delete`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthRoleDeleteRequest;

use super::role_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

/// Delete a role, and take it from all users
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl role delete NAME")]
#[command(after_help = "Example:\n  etcdctl role delete reader")]
pub(super) struct Delete {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Delete {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let role = role_name(&self.args, "delete")?;
        let mut session = app.session().await?;
        let text = format!("Role {role} deleted");
        let response = session.client.call(AuthRoleDeleteRequest { role }, Deadline::NEVER).await;
        session.printer.print(&Told::new(text, response.map_err(Failure::error)?))
    }
}
