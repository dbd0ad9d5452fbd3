//! `user grant-role` and `user revoke-role`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::{AuthUserGrantRoleRequest, AuthUserRevokeRoleRequest};

use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

/// Give a role to a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user grant-role NAME ROLE")]
#[command(after_help = "Example:\n  etcdctl user grant-role alice reader")]
pub(super) struct GrantRole {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

/// Take a role from a user
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user revoke-role NAME ROLE")]
#[command(after_help = "Example:\n  etcdctl user revoke-role alice reader")]
pub(super) struct RevokeRole {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl GrantRole {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let usage = "user grant command requires user name and role name as its argument";
        let (user, role) = user_and_role(&self.args, usage)?;
        let mut session = app.session().await?;
        let text = format!("Role {role} is granted to user {user}");
        let request = AuthUserGrantRoleRequest { user, role };
        let response = session.client.call(request, Deadline::NEVER).await;
        session.printer.print(&Told::new(text, response.map_err(Failure::error)?))
    }
}

impl RevokeRole {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let usage = "user revoke-role requires user name and role name as its argument";
        let (name, role) = user_and_role(&self.args, usage)?;
        let mut session = app.session().await?;
        let text = format!("Role {role} is revoked from user {name}");
        let request = AuthUserRevokeRoleRequest { name, role };
        let response = session.client.call(request, Deadline::NEVER).await;
        session.printer.print(&Told::new(text, response.map_err(Failure::error)?))
    }
}

/// The two arguments. `usage` is said if there are others.
fn user_and_role(args: &[OsString], usage: &str) -> Outcome<(String, String)> {
    let [user, role] = args else { return Err(Failure::bad_arguments(usage)) };
    Ok((user.to_string_lossy().into_owned(), role.to_string_lossy().into_owned()))
}
