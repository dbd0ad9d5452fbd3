//! `lease revoke`.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::LeaseRevokeRequest;

use super::lease_id;
use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::output::Told;

/// End a lease and delete its keys
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl lease revoke LEASE")]
#[command(after_help = "Example:\n  etcdctl lease revoke 694d5765fc71500b")]
pub(super) struct Revoke {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl Revoke {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let id = lease_id(&self.args, "lease revoke command needs 1 argument")?;
        let mut session = app.session().await?;
        let response = session
            .client
            .call(LeaseRevokeRequest { id }, session.deadline())
            .await
            .map_err(|error| Failure::error(format!("failed to revoke lease ({error})")))?;
        session.printer.print(&Told::new(format!("lease {id:016x} revoked"), response))
    }
}
