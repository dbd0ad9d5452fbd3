//! `member update`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::MemberUpdateRequest;

use super::{member_id, urls};
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::output::{HasHeader, Told};

const UPDATE_EXAMPLES: &str = "Example:
  etcdctl member update 8211f1d0f64f3269 --peer-urls=http://10.0.0.4:2380";

/// Tell members where to find one of them from now on
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl member update [OPTIONS] MEMBER")]
#[command(after_help = UPDATE_EXAMPLES)]
pub(super) struct Update {
    #[arg(hide = true)]
    args: Vec<OsString>,
    /// Where members find it, separated by commas
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URLS")]
    peer_urls: String,
}

impl Update {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let id = member_id(&self.args)?;
        let peer_ur_ls = urls::split(&self.peer_urls)?;
        let mut session = app.session().await?;
        urls::check(&peer_ur_ls)?;
        let response = session
            .client
            .call(MemberUpdateRequest { id, peer_ur_ls }, session.deadline())
            .await
            .map_err(Failure::error)?;
        let cluster = response.header().cluster_id;
        let text = format!("Member {id:16x} updated in cluster {cluster:16x}");
        session.printer.print(&Told::new(text, response).without_fields())
    }
}
