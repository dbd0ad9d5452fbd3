//! `move-leader`: asks the leader to let another member lead.

use std::ffi::OsString;

use clap::Args;
use retcd_api::etcdserverpb::{MoveLeaderRequest, StatusRequest};

use crate::app::App;
use crate::client::{CallError, Client, Deadline};
use crate::failure::{Failure, Outcome};
use crate::go::number;
use crate::output::{HasHeader, Told};

const EXAMPLES: &str =
    "The leader's endpoint must be among --endpoints: only the leader can be asked.

Example:
  etcdctl --endpoints=node1:2379,node2:2379,node3:2379 move-leader 599de7774412011f";

/// Let another member lead
#[derive(Args, Debug)]
#[command(override_usage = "etcdctl move-leader MEMBER", after_help = EXAMPLES)]
pub(crate) struct MoveLeader {
    #[arg(hide = true)]
    args: Vec<OsString>,
}

impl MoveLeader {
    pub(super) async fn run(self, app: &mut App) -> Outcome {
        let [target] = &self.args[..] else {
            return Err(Failure::bad_arguments("move-leader command needs 1 argument"));
        };
        let target = number::parse_uint(&target.to_string_lossy(), 16);
        let target_id = target.map_err(Failure::bad_arguments)?;
        let mut session = app.session().await?;
        let deadline = session.deadline();
        let found = find_leader(&session.client, deadline).await.map_err(Failure::error)?;
        let Some((leader, leader_id)) = found else {
            let endpoints = session.client.settings().endpoints.iter();
            let endpoints: Vec<_> = endpoints.map(|endpoint| endpoint.text.as_str()).collect();
            let endpoints = endpoints.join(" ");
            let message = format!("no leader endpoint given at [{endpoints}]");
            return Err(Failure::bad_arguments(message));
        };
        let request = MoveLeaderRequest { target_id };
        let response = leader.call(request, deadline).await.map_err(Failure::error)?;
        let text = format!("Leadership transferred from {leader_id:x} to {target_id:x}");
        session.printer.print(&Told::new(text, response).without_fields())
    }
}

/// A client of the endpoint whose member says that it leads, and that member's id.
async fn find_leader(
    client: &Client,
    deadline: Deadline,
) -> Result<Option<(Client, u64)>, CallError> {
    for endpoint in &client.settings().endpoints {
        let client = client.at(&endpoint.text);
        let status = client.call(StatusRequest {}, deadline).await?;
        if status.header().member_id == status.leader {
            return Ok(Some((client, status.leader)));
        }
    }
    Ok(None)
}
