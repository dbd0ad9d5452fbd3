//! `user list`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::AuthUserListRequest;

use crate::app::App;
use crate::client::Deadline;
use crate::failure::{Failure, Outcome};

/// Print all users
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl user list")]
pub(super) struct List {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl List {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        if !self.args.is_empty() {
            return Err(Failure::bad_arguments("user list command requires no arguments"));
        }
        let mut session = app.session().await?;
        let response = session.client.call(AuthUserListRequest {}, Deadline::NEVER).await;
        session.printer.print(&response.map_err(Failure::error)?)
    }
}
