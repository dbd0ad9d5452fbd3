//! The cluster that a snapshot is restored for: names and peer URLs, checked as etcd checks them.

use super::failure::Failure;
use retcd_raft_glue::{Founders, FoundingMember};
use std::collections::{BTreeMap, BTreeSet};

/// Derives the cluster from the flags `--name`, `--initial-cluster`,
/// `--initial-advertise-peer-urls` and `--initial-cluster-token`.
pub(super) fn founders(
    name: &str,
    cluster: &str,
    advertised: &str,
    token: &str,
) -> Result<Founders, Failure> {
    let advertised: BTreeSet<String> =
        advertised.split(',').map(url).collect::<Result<_, _>>().map_err(Failure::Refused)?;
    let members = members(cluster).map_err(Failure::Refused)?;
    let Some(listed) = members.get(name) else {
        return Err(Failure::Refused(format!(
            "couldn't find local name {name:?} in the initial cluster configuration"
        )));
    };
    let listed: BTreeSet<String> = listed.iter().cloned().collect();
    if listed != advertised {
        return Err(Failure::Refused(difference(name, &listed, &advertised)));
    }
    let urls = || members.values().flatten();
    if urls().collect::<BTreeSet<_>>().len() < urls().count() {
        return Err(Failure::Refused(format!("initial cluster {cluster} has duplicate url")));
    }
    let members = members.into_iter().map(|(name, peer_urls)| FoundingMember { name, peer_urls });
    let members: Vec<FoundingMember> = members.collect();
    Ok(Founders::new(name, &members, token)?)
}

/// Reads `name=url,name=url,…`: a name may come more than once, empty parts are skipped.
fn members(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, address) = part.split_once('=').unwrap_or((part, ""));
        members.entry(name.to_owned()).or_default().push(url(address)?);
    }
    for urls in members.values_mut() {
        urls.sort_unstable();
    }
    Ok(members)
}

fn difference(name: &str, listed: &BTreeSet<String>, advertised: &BTreeSet<String>) -> String {
    let pairs = |urls: &mut dyn Iterator<Item = &String>| {
        let pairs: Vec<String> = urls.map(|url| format!("{name}={url}")).collect();
        pairs.join(",")
    };
    let join = |urls: &BTreeSet<String>| urls.iter().cloned().collect::<Vec<_>>().join(",");
    if listed.is_subset(advertised) {
        let missing: Vec<&str> = advertised.difference(listed).map(String::as_str).collect();
        return format!(
            "--initial-advertise-peer-urls has {} but missing from --initial-cluster={}",
            missing.join(","),
            pairs(&mut listed.iter())
        );
    }
    format!(
        "--initial-cluster has {} but missing from --initial-advertise-peer-urls={}",
        pairs(&mut listed.difference(advertised)),
        join(advertised)
    )
}

/// A peer's URL as etcd takes it: a scheme that it knows, then host and port and nothing else, or
/// for sockets in the file system a path.
fn url(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    match scheme.to_ascii_lowercase().as_str() {
        "unix" | "unixs" => return Ok(text.to_owned()),
        "http" | "https" => {}
        _ => return Err(format!("URL scheme must be http, https, unix, or unixs: {text}")),
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "none"));
    let is_ipv6 = host.starts_with('[') && host.ends_with(']');
    let is_host = is_ipv6 || !host.contains([':', '[', ']', ' ', '@']);
    if !is_host || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("URL address does not have the form \"host:port\": {text}"));
    }
    if !path.is_empty() {
        return Err(format!("URL must not contain a path: {text}"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, cluster: &str, advertised: &str) -> String {
        founders(name, cluster, advertised, "t").expect_err("it doesn't fit").to_string()
    }

    #[test]
    fn ids_are_those_of_etcds_restore() {
        let alone = "default=http://localhost:2380";
        let founders = founders("default", alone, "http://localhost:2380", "etcd-cluster");
        let founders = founders.expect("etcd's defaults");
        assert_eq!(founders.identity.cluster, 0xcdf8_1819_4e3a_8c32);
        assert_eq!(founders.identity.member, 0x8e9e_05c5_2164_694d);
        let two = "m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2381";
        let founders = super::founders("m1", two, "http://127.0.0.1:2380", "tk").expect("two");
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
             --initial-advertise-peer-urls=http://h:2"
        );
        assert_eq!(
            refusal("a", "a=http://h:1", "http://h:1,http://h:2"),
            "--initial-advertise-peer-urls has http://h:2 but missing from \
             --initial-cluster=a=http://h:1"
        );
        assert_eq!(
            refusal("a", "a=http://h:1,b=http://h:1", "http://h:1"),
            "initial cluster a=http://h:1,b=http://h:1 has duplicate url"
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
            refusal("a", "a=http://h:1/", "http://h:1"),
            "URL must not contain a path: http://h:1/"
        );
    }

    #[test]
    fn hosts_may_be_addresses_of_any_kind() {
        for text in ["http://[::1]:2380", "https://a.b:1", "http://:2380", "unix://a/b:1"] {
            assert_eq!(url(text).as_deref(), Ok(text));
        }
        assert!(url("http://::1:2380").is_err());
    }
}
