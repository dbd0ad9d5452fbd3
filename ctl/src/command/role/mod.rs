//! `role`: what those who have it may read and write.

mod add;
mod delete;
mod get;
mod list;
mod permission;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::failure::{Failure, Outcome};

const ROLE_EXAMPLES: &str = "Examples:
  etcdctl role add reader
  etcdctl role grant-permission reader read app/ --prefix
  etcdctl role get reader";

/// Roles: add, look at and delete them, say what they may do
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = ROLE_EXAMPLES)]
pub(crate) struct Role {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(add::Add),
    Delete(delete::Delete),
    Get(get::Get),
    List(list::List),
    GrantPermission(permission::Grant),
    RevokePermission(permission::Revoke),
}

impl Role {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        match self.action {
            Action::Add(action) => action.run(app).await,
            Action::Delete(action) => action.run(app).await,
            Action::Get(action) => action.run(app).await,
            Action::List(action) => action.run(app).await,
            Action::GrantPermission(action) => action.run(app).await,
            Action::RevokePermission(action) => action.run(app).await,
        }
    }
}

/// The only argument of `role COMMAND`.
fn role_name(args: &[OsString], command: &str) -> Outcome<String> {
    let [name] = args else {
        let message = format!("role {command} command requires role name as its argument");
        return Err(Failure::bad_arguments(message));
    };
    Ok(name.to_string_lossy().into_owned())
}
