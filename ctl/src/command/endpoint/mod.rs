//! `endpoint`: asks members one by one how they are.

mod hash_kv;
mod health;
mod status;

use clap::{Args, Subcommand};

use super::targets::Targets;
use crate::app::App;
use crate::failure::Outcome;

const EXAMPLES: &str = "Examples:
  etcdctl endpoint health --cluster              does every member serve?
  etcdctl endpoint status --cluster -w table     who leads, how large they are, how far behind
  etcdctl endpoint hashkv --cluster              do they have the same data?";

/// Members one by one: health, status, hash of the data
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Endpoint {
    /// Ask all endpoints of all members, not those of --endpoints
    #[arg(long, global = true)]
    cluster: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Health(health::Health),
    Status(status::Status),
    Hashkv(hash_kv::HashKv),
}

impl Endpoint {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let targets = Targets::new(self.cluster);
        match self.action {
            Action::Health(action) => action.run(app, targets).await,
            Action::Status(action) => action.run(app, targets).await,
            Action::Hashkv(action) => action.run(app, targets).await,
        }
    }
}
