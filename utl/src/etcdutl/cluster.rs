//! The cluster that a snapshot is restored for: names and peer URLs, checked as etcd checks them.

use super::failure::Failure;
use retcd_api::initial_cluster::{ClusterState, InitialCluster, Resolve, member_names};
use retcd_api::url::{self, Url};
use retcd_raft_glue::{Founders, FoundingMember};

/// Derives the cluster from the flags `--name`, `--initial-cluster`,
/// `--initial-advertise-peer-urls` and `--initial-cluster-token`. Names of hosts are looked up
/// only where the URLs of this member aren't the same texts.
pub(super) fn founders(
    name: &str,
    cluster: &str,
    advertised: &str,
    token: &str,
    resolve: Resolve<'_>,
) -> Result<Founders, Failure> {
    let advertised = url::parse_list(advertised).map_err(Failure::Refused)?;
    // Without the words that a server puts before what is wrong with a URL.
    member_names(cluster).map_err(Failure::Refused)?;
    let cluster = InitialCluster {
        members: cluster.to_owned(),
        state: ClusterState::New,
        token: token.to_owned(),
    };
    let founding = cluster.found(name, &advertised, resolve).map_err(Failure::Refused)?;
    let texts = |urls: Vec<Url>| urls.iter().map(Url::to_string).collect();
    let members: Vec<FoundingMember> = founding
        .members
        .into_iter()
        .map(|(name, urls)| FoundingMember { name, peer_urls: texts(urls) })
        .collect();
    Ok(Founders::new(name, &members, token)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, cluster: &str, advertised: &str, token: &str) -> Result<Founders, Failure> {
        let resolve = |authority: &str| {
            let numeric = authority.replace("h:", "10.0.0.1:").replace("same:", "10.0.0.1:");
            numeric
                .parse()
                .map(|address| vec![address])
                .map_err(|_| std::io::Error::other("no such host"))
        };
        founders(name, cluster, advertised, token, &resolve)
    }

    fn refusal(name: &str, cluster: &str, advertised: &str) -> String {
        of(name, cluster, advertised, "t").expect_err("it doesn't fit").to_string()
    }

    #[test]
    fn ids_are_those_of_etcds_restore() {
        let alone = "default=http://localhost:2380";
        let founders = of("default", alone, "http://localhost:2380", "etcd-cluster");
        let founders = founders.expect("etcd's defaults");
        assert_eq!(founders.identity.cluster, 0xcdf8_1819_4e3a_8c32);
        assert_eq!(founders.identity.member, 0x8e9e_05c5_2164_694d);
        let two = "m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2381";
        let founders = of("m1", two, "http://127.0.0.1:2380", "tk").expect("two");
        assert_eq!(founders.identity.cluster, 0x941a_24a1_0f6a_e284);
        let ids: Vec<u64> = founders.members.iter().map(|member| member.id).collect();
        assert_eq!(ids, [0x7f_eb4b_ee73_b3f5, 0x6ce0_63f6_96cb_ce3c]);
        assert_eq!(founders.identity.member, 0x6ce0_63f6_96cb_ce3c);
    }

    #[test]
    fn refusals_are_etcds() {
        assert_eq!(
            refusal("m1", "default=http://localhost:2380", "http://localhost:2380"),
            "couldn't find local name \"m1\" in the initial cluster configuration"
        );
        assert_eq!(
            refusal("a", "a=http://h:1", "http://h:2"),
            "--initial-cluster has a=http://h:1 but missing from \
             --initial-advertise-peer-urls=http://h:2 \
             (resolved urls: \"http://10.0.0.1:2\" != \"http://10.0.0.1:1\")"
        );
        assert_eq!(
            refusal("a", "a=h:1", "http://h:1"),
            "URL scheme must be http, https, unix, or unixs: h:1"
        );
        assert_eq!(
            refusal("a", "a=http://h", "http://h:1"),
            "URL address does not have the form \"host:port\": http://h"
        );
        assert_eq!(
            refusal("a", "a=http://h:1,b=http://h:1", "http://h:1"),
            "initial cluster a=http://h:1,b=http://h:1 has duplicate url"
        );
    }

    #[test]
    fn other_names_of_the_same_addresses_fit() {
        let founders = of("a", "a=http://h:1", "http://same:1", "t").expect("one host");
        assert_eq!(founders.members[0].peer_urls, ["http://h:1"]);
    }
}
