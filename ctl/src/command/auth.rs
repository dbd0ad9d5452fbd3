//! `auth`: whether users have to log in.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use retcd_api::Error;
use retcd_api::etcdserverpb::{
    AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthStatusRequest,
    AuthUserGrantRoleRequest,
};

use crate::app::App;
use crate::client::{CallError, Client, Deadline};
use crate::failure::{Failure, Outcome};

/// The user and the role that may do everything.
const ROOT: &str = "root";

const AUTH_EXAMPLES: &str = "Examples:
  etcdctl user add root
  etcdctl auth enable
  etcdctl --user=root auth disable";

/// Authentication: turn it on and off
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = AUTH_EXAMPLES)]
pub(crate) struct Auth {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Enable(Enable),
    Disable(Disable),
    Status(Status),
}

/// Turn authentication on; there must be a user root, who is given the role root if need be
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl auth enable")]
#[command(after_help = "Example:\n  etcdctl auth enable")]
struct Enable {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

/// Turn authentication off
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl auth disable")]
#[command(after_help = "Example:\n  etcdctl --user=root auth disable")]
struct Disable {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

/// Print whether it is on
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl auth status")]
#[command(after_help = "Example:\n  etcdctl auth status")]
struct Status {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Auth {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let (args, name) = match &self.action {
            Action::Enable(of) => (&of.args, "enable"),
            Action::Disable(of) => (&of.args, "disable"),
            Action::Status(of) => (&of.args, "status"),
        };
        if !args.is_empty() {
            let message = format!("auth {name} command does not accept any arguments");
            return Err(Failure::bad_arguments(message));
        }
        let mut session = app.session().await?;
        let deadline = session.deadline();
        match self.action {
            Action::Enable(_) => {
                enable(&session.client, deadline).await.map_err(Failure::error)?;
                session.printer.say("Authentication Enabled")
            }
            Action::Disable(_) => {
                let answer = session.client.call(AuthDisableRequest {}, deadline).await;
                answer.map_err(Failure::error)?;
                session.printer.say("Authentication Disabled")
            }
            Action::Status(_) => {
                let answer = session.client.call(AuthStatusRequest {}, deadline).await;
                session.printer.print(&answer.map_err(Failure::error)?)
            }
        }
    }
}

/// If the user root doesn't have the role root, makes the role and grants it, and tries again.
async fn enable(client: &Client, deadline: Deadline) -> Result<(), CallError> {
    loop {
        match client.call(AuthEnableRequest {}, deadline).await {
            Err(error) if error.is(&Error::RootRoleNotExist) => {
                client.call(AuthRoleAddRequest { name: ROOT.to_owned() }, deadline).await?;
                let (user, role) = (ROOT.to_owned(), ROOT.to_owned());
                client.call(AuthUserGrantRoleRequest { user, role }, deadline).await?;
            }
            answer => return answer.map(|_| ()),
        }
    }
}
