//! `role list`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthRoleListRequest;

use crate::app::App;
use crate::command::listing;
use crate::failure::Outcome;

/// Print all roles
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl role list")]
#[command(after_help = "Example:\n  etcdctl role list")]
pub(super) struct List {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl List {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        listing::print(app, "role list", &self.args, AuthRoleListRequest {}).await
    }
}
