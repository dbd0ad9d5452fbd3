//! `user get`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::{AuthRoleGetRequest, AuthUserGetRequest};

use super::user_name;
use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Named;

/// Print a user's roles
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user get [OPTIONS] NAME")]
#[command(after_help = "Example:\n  etcdctl user get alice --detail")]
pub(super) struct Get {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Print what these roles may do, too
    #[arg(long)]
    detail: bool,
}

impl Get {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let name = user_name(&self.args, "get")?;
        let mut session = app.session().await?;
        let request = AuthUserGetRequest { name: name.clone() };
        let response = session.client.call(request, Deadline::NEVER).await;
        let response = response.map_err(Failure::error)?;
        if !self.detail {
            return session.printer.print(&Named { name, response });
        }
        session.printer.say(&format!("User: {name}"))?;
        for role in response.roles {
            session.printer.say("")?;
            let request = AuthRoleGetRequest { role: role.clone() };
            let response = session.client.call(request, Deadline::NEVER).await;
            let response = response.map_err(Failure::error)?;
            session.printer.print(&Named { name: role, response })?;
        }
        Ok(())
    }
}
