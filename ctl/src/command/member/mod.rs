//! `member`: who belongs to the cluster.

mod add;
mod list;
mod promote;
mod remove;
mod update;
mod urls;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::go::number;

const MEMBER_EXAMPLES: &str = "Examples:
  etcdctl member list -w table
  etcdctl member add m4 --learner --peer-urls=http://10.0.0.4:2380
  etcdctl member promote 8211f1d0f64f3269";

/// Members of the cluster: list, add, change, promote and remove them
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = MEMBER_EXAMPLES)]
pub(crate) struct Member {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Add(add::Add),
    Update(update::Update),
    Promote(promote::Promote),
    Remove(remove::Remove),
}

impl Member {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        match self.action {
            Action::List(action) => action.run(app).await,
            Action::Add(action) => action.run(app).await,
            Action::Update(action) => action.run(app).await,
            Action::Promote(action) => action.run(app).await,
            Action::Remove(action) => action.run(app).await,
        }
    }
}

/// The member that the only argument names.
fn member_id(args: &[OsString]) -> Outcome<u64> {
    let [id] = args else { return Err(Failure::bad_arguments("member ID is not provided")) };
    number::parse_uint(&id.to_string_lossy(), 16).map_err(|error| {
        Failure::bad_arguments(format!("bad member ID arg ({error}), expecting ID in Hex"))
    })
}
