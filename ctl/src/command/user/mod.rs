//! `user`: who may log in.

mod add;
mod delete;
mod get;
mod list;
mod password;
mod roles;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::failure::{Failure, Outcome};

const USER_EXAMPLES: &str = "Examples:
  etcdctl user add alice
  etcdctl user grant-role alice reader
  etcdctl user get alice --detail";

/// Users: add, look at and delete them, give them roles and passwords
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = USER_EXAMPLES)]
pub(crate) struct User {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(add::Add),
    Delete(delete::Delete),
    Get(get::Get),
    List(list::List),
    Passwd(password::Passwd),
    GrantRole(roles::GrantRole),
    RevokeRole(roles::RevokeRole),
}

impl User {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        match self.action {
            Action::Add(action) => action.run(app).await,
            Action::Delete(action) => action.run(app).await,
            Action::Get(action) => action.run(app).await,
            Action::List(action) => action.run(app).await,
            Action::Passwd(action) => action.run(app).await,
            Action::GrantRole(action) => action.run(app).await,
            Action::RevokeRole(action) => action.run(app).await,
        }
    }
}

/// The only argument of `user COMMAND`.
fn user_name(args: &[OsString], command: &str) -> Outcome<String> {
    let [name] = args else {
        let message = format!("user {command} command requires user name as its argument");
        return Err(Failure::bad_arguments(message));
    };
    Ok(name.to_string_lossy().into_owned())
}
