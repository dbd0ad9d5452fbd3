//! `downgrade`: prepares a cluster for members of an older version.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use retcd_api::etcdserverpb::DowngradeRequest;
use retcd_api::etcdserverpb::downgrade_request::DowngradeAction;

use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

const DOWNGRADE_EXAMPLES: &str = "Examples:
  etcdctl downgrade validate 3.5
  etcdctl downgrade enable 3.5";

/// Going back to an older version: ask whether it can be, begin it, give it up
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = DOWNGRADE_EXAMPLES)]
pub(crate) struct Downgrade {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Validate(Validate),
    Enable(Enable),
    Cancel(Cancel),
}

/// Print whether the cluster can go back to a version
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl downgrade validate VERSION")]
#[command(after_help = "Example:\n  etcdctl downgrade validate 3.5")]
struct Validate {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

/// Begin to go back to a version
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl downgrade enable VERSION")]
#[command(after_help = "Example:\n  etcdctl downgrade enable 3.5")]
struct Enable {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

/// Give it up again
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl downgrade cancel")]
#[command(after_help = "Example:\n  etcdctl downgrade cancel")]
struct Cancel {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Downgrade {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let (name, action, version) = match &self.action {
            Action::Validate(of) => ("validate", DowngradeAction::Validate, version(&of.args)?),
            Action::Enable(of) => ("enable", DowngradeAction::Enable, version(&of.args)?),
            Action::Cancel(_) => ("cancel", DowngradeAction::Cancel, String::new()),
        };
        let mut session = app.session().await?;
        let request = DowngradeRequest { action: action.into(), version };
        let response = session.client.call(request, session.deadline()).await;
        let response = response.map_err(Failure::error)?;
        let version = &response.version;
        let text = format!("Downgrade {name} success, cluster version {version}");
        session.printer.print(&Told::new(text, response).without_fields())
    }
}

fn version(args: &[OsString]) -> Outcome<String> {
    match args {
        [] => Err(Failure::bad_arguments("TARGET_VERSION not provided")),
        [version] if version.is_empty() => {
            Err(Failure::bad_arguments("target version not provided"))
        }
        [version] => Ok(version.to_string_lossy().into_owned()),
        _ => Err(Failure::bad_arguments("too many arguments")),
    }
}
