//! `member remove`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::MemberRemoveRequest;

use super::member_id;
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::output::{HasHeader, Told};

/// Remove a member: it stops, and can't come back under this id
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member remove MEMBER")]
#[command(after_help = "Example:\n  etcdctl member remove 8211f1d0f64f3269")]
pub(super) struct Remove {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Remove {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let id = member_id(&self.args)?;
        let mut session = app.session().await?;
        let response = session
            .client
            .call(MemberRemoveRequest { id }, session.deadline())
            .await
            .map_err(Failure::error)?;
        let cluster = response.header().cluster_id;
        let text = format!("Member {id:16x} removed from cluster {cluster:16x}");
        session.printer.print(&Told::new(text, response).without_fields())
    }
}
