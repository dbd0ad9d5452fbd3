//! Whether another member may be talked to: what it says in the headers of a request.

use crate::version;
use http::{HeaderMap, HeaderValue};

/// The sender's id, hexadecimal.
pub(super) const SERVER_FROM: &str = "x-server-from";
/// The sender's version.
pub(super) const SERVER_VERSION: &str = "x-server-version";
/// The oldest version that the sender works with.
pub(super) const MIN_CLUSTER_VERSION: &str = "x-min-cluster-version";
/// The cluster's id, hexadecimal.
pub(super) const CLUSTER_ID: &str = "x-etcd-cluster-id";
/// The receiver's id, hexadecimal.
pub(super) const RAFT_TO: &str = "x-raft-to";
/// Where the sender's peers reach it, separated by commas.
pub(super) const PEER_URLS: &str = "x-peerurls";

/// The oldest version that this one works with.
pub(super) const OLDEST: &str = "3.0.0";

/// Why a request is refused with "precondition failed". The texts are etcd's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    Version,
    Cluster,
}

impl Mismatch {
    pub(super) fn text(self) -> &'static str {
        match self {
            Mismatch::Version => "incompatible version",
            Mismatch::Cluster => "cluster ID mismatch",
        }
    }
}

/// Checks a request of a member: versions first, then the cluster.
pub(super) fn check(headers: &HeaderMap, cluster: u64) -> Result<(), Mismatch> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // A member that doesn't say it is of a time before it was said.
    let version = minor_of(text(SERVER_VERSION).unwrap_or("2.0.0"));
    let oldest = minor_of(text(MIN_CLUSTER_VERSION).unwrap_or("2.0.0"));
    let (Some(version), Some(oldest)) = (version, oldest) else {
        return Err(Mismatch::Version);
    };
    if Some(version) < minor_of(OLDEST) || Some(oldest) > minor_of(version::ETCD) {
        return Err(Mismatch::Version);
    }
    match text(CLUSTER_ID) {
        Some(id) if u64::from_str_radix(id, 16) != Ok(cluster) => Err(Mismatch::Cluster),
        _ => Ok(()),
    }
}

/// Major and minor version.
fn minor_of(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: u64 = 0xabc;

    fn checked(headers: &[(&'static str, &'static str)]) -> Result<(), Mismatch> {
        let headers = headers.iter().map(|&(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        check(&headers.collect(), OURS)
    }

    #[test]
    fn members_of_this_cluster_and_of_near_versions_may_talk() {
        let good = [(SERVER_VERSION, "3.5.1"), (MIN_CLUSTER_VERSION, "3.0.0")];
        assert_eq!(checked(&good), Ok(()));
        assert_eq!(checked(&[good[0], good[1], (CLUSTER_ID, "abc")]), Ok(()));
        assert_eq!(checked(&[good[0], good[1], (CLUSTER_ID, "1")]), Err(Mismatch::Cluster));
        assert_eq!(checked(&[good[0], good[1], (CLUSTER_ID, "")]), Err(Mismatch::Cluster));
        assert_eq!(checked(&[]), Err(Mismatch::Version));
        let newer = [(SERVER_VERSION, "4.1.0"), (MIN_CLUSTER_VERSION, "4.0.0")];
        assert_eq!(checked(&newer), Err(Mismatch::Version));
        let old = [(SERVER_VERSION, "2.3.8"), (MIN_CLUSTER_VERSION, "2.1.0")];
        assert_eq!(checked(&old), Err(Mismatch::Version));
        let odd = [(SERVER_VERSION, "three"), (MIN_CLUSTER_VERSION, "3.0.0")];
        assert_eq!(checked(&odd), Err(Mismatch::Version));
    }
}
