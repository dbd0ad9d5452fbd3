//! `snapshot`: all that a member has, as one file.

mod checksum;
mod save;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::failure::{Failure, Outcome};

/// Snapshots of a member
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  etcdctl snapshot save backup.db")]
pub(crate) struct Snapshot {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Save(save::Save),
    Status(Status),
    Restore(Restore),
}

/// Moved: see 'etcdutl snapshot status'
#[derive(Args, Debug)]
#[command(override_usage = "etcdutl snapshot status FILE")]
#[command(after_help = "Example:\n  etcdutl snapshot status backup.db -w table")]
struct Status {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Moved: see 'etcdutl snapshot restore'
#[derive(Args, Debug)]
#[command(override_usage = "etcdutl snapshot restore FILE --data-dir DIR")]
#[command(after_help = "Example:\n  etcdutl snapshot restore backup.db --data-dir default.etcd")]
struct Restore {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Snapshot {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        match self.action {
            Action::Save(action) => action.run(app).await,
            Action::Status(Status { args }) => Err(moved("status", &args)),
            Action::Restore(Restore { args }) => Err(moved("restore", &args)),
        }
    }
}

/// Files are etcdutl's; the line to type instead.
fn moved(name: &str, args: &[OsString]) -> Failure {
    let args: String = args.iter().map(|arg| format!(" {}", arg.to_string_lossy())).collect();
    let line = format!("etcdutl snapshot {name}{args}");
    Failure::bad_arguments(format!(
        "`snapshot {name}` is etcdutl's, which needs no server: `{line}`"
    ))
}
