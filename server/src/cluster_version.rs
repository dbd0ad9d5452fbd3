//! The cluster's version: the lowest that its members have. Clients choose features by it, and so
//! do members of other versions. The leader keeps it up to date.

use crate::flags::Url;
use crate::member::{Carries, Member};
use crate::peers::version_of;
use crate::version;
use prost::Message;
use retcd_api::membershippb::ClusterVersionSetRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the members are asked. etcd's number.
const PERIOD: Duration = Duration::from_secs(4);

/// How long one may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The version of a cluster of which some members' versions aren't known. etcd's number.
const UNKNOWN: Minor = Minor(3, 0);

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Minor(u64, u64);

impl Minor {
    fn parse(text: &str) -> Option<Minor> {
        let mut parts = text.split('.').map(str::parse);
        Some(Minor(parts.next()?.ok()?, parts.next()?.ok()?))
    }
}

/// Raises the cluster's version while this member leads, until the server stops.
pub(crate) async fn keep(member: Arc<Member>, mut closing: watch::Receiver<bool>) {
    loop {
        if !member.status.wait_until(|status| status.leader() != 0).await {
            return;
        }
        if member.is_leader() {
            look(&member).await;
        }
        let closed = closing.wait_for(|&closing| closing);
        if tokio::time::timeout(PERIOD, closed).await.is_ok() {
            return;
        }
    }
}

async fn look(member: &Member) {
    let decided = member.store.cluster_version().and_then(|text| Minor::parse(&text));
    let Some(wanted) = wanted(decided, lowest(member).await) else {
        return;
    };
    let Minor(major, minor) = wanted;
    let request = ClusterVersionSetRequest { ver: format!("{major}.{minor}.0") };
    let request = request.encode_to_vec();
    match member.propose(Carries::ClusterVersionSet, &request).await {
        Ok(_) => tracing::info!("cluster-version" = %format_args!("{major}.{minor}"), "decided"),
        Err(error) => {
            tracing::warn!(error = error.message(), "failed to update cluster version");
        }
    }
}

/// The version to set, if one is to be set: it only rises.
fn wanted(decided: Option<Minor>, lowest: Option<Minor>) -> Option<Minor> {
    match (decided, lowest) {
        (None, lowest) => Some(lowest.unwrap_or(UNKNOWN)),
        (Some(decided), Some(lowest)) if lowest > decided => Some(lowest),
        (Some(_), _) => None,
    }
}

/// The lowest version among the members, if all are known.
async fn lowest(member: &Member) -> Option<Minor> {
    let own = member.identity.member;
    let mut lowest = Minor::parse(version::ETCD)?;
    for other in member.store.members().iter().filter(|other| other.id != own) {
        let mut found = None;
        for url in other.peer_ur_ls.iter().filter_map(|url| Url::parse(url).ok()) {
            if let Ok(version) = version_of(&url, ANSWER_TIMEOUT).await {
                found = Minor::parse(&version);
                break;
            }
        }
        lowest = lowest.min(found?);
    }
    Some(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_only_rises_and_is_the_oldest_one_while_some_are_unknown() {
        let (old, new) = (Minor(3, 4), Minor(3, 5));
        assert_eq!(wanted(None, Some(new)), Some(new));
        assert_eq!(wanted(None, None), Some(UNKNOWN));
        assert_eq!(wanted(Some(old), Some(new)), Some(new));
        assert_eq!(wanted(Some(new), Some(old)), None);
        assert_eq!(wanted(Some(new), Some(new)), None);
        assert_eq!(wanted(Some(new), None), None);
        assert_eq!(Minor::parse("3.5.33"), Some(new));
        assert_eq!(Minor::parse("3"), None);
    }
}
