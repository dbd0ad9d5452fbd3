//! `member promote`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::MemberPromoteRequest;

use super::member_id;
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::output::{HasHeader, Told};

/// Give a learner a vote, once it has the data
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member promote MEMBER")]
#[command(after_help = "Example:\n  etcdctl member promote 8211f1d0f64f3269")]
pub(super) struct Promote {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Promote {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let id = member_id(&self.args)?;
        let mut session = app.session().await?;
        let response = session
            .client
            .call(MemberPromoteRequest { id }, session.deadline())
            .await
            .map_err(Failure::error)?;
        let cluster = response.header().cluster_id;
        let text = format!("Member {id:16x} promoted in cluster {cluster:16x}");
        session.printer.print(&Told::new(text, response).without_fields())
    }
}
