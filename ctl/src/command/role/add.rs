//! `role add`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthRoleAddRequest;

use super::role_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

/// Add a role, which may do nothing yet
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl role add NAME")]
#[command(after_help = "Example:\n  etcdctl role add reader")]
pub(super) struct Add {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Add {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let name = role_name(&self.args, "add")?;
        let mut session = app.session().await?;
        let request = AuthRoleAddRequest { name: name.clone() };
        let response = session.client.call(request, Deadline::NEVER).await;
        let response = response.map_err(Failure::error)?;
        session.printer.print(&Told::new(format!("Role {name} created"), response))
    }
}
