//! `user list`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthUserListRequest;

use crate::app::App;
use crate::command::listing;
use crate::failure::Outcome;

/// Print all users
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user list")]
#[command(after_help = "Example:\n  etcdctl user list")]
pub(super) struct List {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl List {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        listing::print(app, "user list", &self.args, AuthUserListRequest {}).await
    }
}
