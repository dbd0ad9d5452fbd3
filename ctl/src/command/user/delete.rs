//! `user delete`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthUserDeleteRequest;

use super::user_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

/// Delete a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user delete NAME")]
#[command(after_help = "Example:\n  etcdctl user delete alice")]
pub(super) struct Delete {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Delete {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let name = user_name(&self.args, "delete")?;
        let mut session = app.session().await?;
        let request = AuthUserDeleteRequest { name: name.clone() };
        let response = session.client.call(request, Deadline::NEVER).await;
        let response = response.map_err(Failure::error)?;
        session.printer.print(&Told::new(format!("User {name} deleted"), response))
    }
}
