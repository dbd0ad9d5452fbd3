//! Which endpoints a command asks one by one: those of the flag, or those of all members.

use retcd_api::etcdserverpb::MemberListRequest;

use crate::client::{Client, Deadline, Settings};
use crate::failure::{Failure, Outcome};

/// Where a command goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Targets {
    /// To the endpoints that the flag names.
    Named,
    /// To all endpoints of all members.
    Cluster,
}

impl Targets {
    /// What `--cluster` says.
    pub(super) fn new(is_cluster: bool) -> Self {
        if is_cluster { Self::Cluster } else { Self::Named }
    }

    /// The endpoints, as the user or the members wrote them. The list of members needs no login.
    pub(super) async fn resolve(
        self,
        settings: &Settings,
        deadline: Deadline,
    ) -> Outcome<Vec<String>> {
        if let Self::Named = self {
            return Ok(settings.endpoints.iter().map(|endpoint| endpoint.text.clone()).collect());
        }
        let client = Client::connect(settings.without_user()).await?;
        let response = client.call(MemberListRequest { linearizable: true }, deadline).await;
        let response = response.map_err(|error| {
            let text = "failed to fetch endpoints from etcd cluster member list";
            Failure::error(format!("{text}: {error}"))
        })?;
        Ok(response.members.into_iter().flat_map(|member| member.client_ur_ls).collect())
    }
}
