//! Who founds the cluster. Looked at only by a member that has no data yet: then the local name
//! must be in `--initial-cluster`, with the URLs that it advertises.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs};

use crate::go::quote;
use crate::url::{self, Scheme, Url};

/// `--initial-cluster-state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// The cluster is made now.
    New,
    /// The cluster exists and has been told of this member.
    Existing,
}

/// The settings about the founding of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialCluster {
    /// `--initial-cluster`, as written.
    pub members: String,
    /// `--initial-cluster-state`.
    pub state: ClusterState,
    /// `--initial-cluster-token`.
    pub token: String,
}

/// A founding that passed all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// This member's name.
    pub name: String,
    /// All members' names and peer URLs, which are sorted.
    pub members: BTreeMap<String, Vec<Url>>,
    /// The token from which ids are derived.
    pub token: String,
}

/// Finds the addresses of a `host:port`.
pub type Resolve<'a> = &'a dyn Fn(&str) -> std::io::Result<Vec<SocketAddr>>;

/// Asks the system's resolver.
pub fn system_resolver(authority: &str) -> std::io::Result<Vec<SocketAddr>> {
    Ok(authority.to_socket_addrs()?.collect())
}

impl InitialCluster {
    /// Checks that `name`, which advertises `advertised`, may found a cluster. The errors are
    /// etcd's, save for what isn't available yet.
    pub fn found(
        &self,
        name: &str,
        advertised: &[Url],
        resolve: Resolve<'_>,
    ) -> Result<Founding, String> {
        let members = parse_members(&self.members)
            .map_err(|what| format!("error setting up initial cluster: {what}"))?;
        let Some(listed) = members.get(name) else {
            let name = quote(name.as_bytes());
            return Err(format!(
                "couldn't find local name {name} in the initial cluster configuration"
            ));
        };
        let count: usize = members.values().map(Vec::len).sum();
        let distinct: BTreeSet<String> = members.values().flatten().map(Url::to_string).collect();
        check_advertised(name, listed, advertised, resolve)?;
        if self.state == ClusterState::New && distinct.len() < count {
            let cluster = join_members(&members);
            return Err(format!("initial cluster {cluster} has duplicate url"));
        }
        Ok(Founding { name: name.to_owned(), members, token: self.token.clone() })
    }
}

/// The names in a text like `--initial-cluster`.
///
/// # Errors
///
/// etcd's text, of a URL that isn't one.
pub fn member_names(text: &str) -> Result<BTreeSet<String>, String> {
    Ok(parse_members(text)?.into_keys().collect())
}

/// Reads `name=url,name=url,…`: a name may come more than once, empty parts are skipped.
fn parse_members(text: &str) -> Result<BTreeMap<String, Vec<Url>>, String> {
    let mut members: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, url) = part.split_once('=').unwrap_or((part, ""));
        members.entry(name.to_owned()).or_default().push(Url::parse(url)?);
    }
    for urls in members.values_mut() {
        urls.sort_by_key(Url::to_string);
    }
    Ok(members)
}

fn join_members(members: &BTreeMap<String, Vec<Url>>) -> String {
    let mut pairs: Vec<String> = members
        .iter()
        .flat_map(|(name, urls)| urls.iter().map(move |url| format!("{name}={url}")))
        .collect();
    pairs.sort();
    pairs.join(",")
}

/// The URLs must be the same, or lead to the same addresses.
fn check_advertised(
    name: &str,
    listed: &[Url],
    advertised: &[Url],
    resolve: Resolve<'_>,
) -> Result<(), String> {
    let texts = |urls: &[Url]| urls.iter().map(Url::to_string).collect::<BTreeSet<_>>();
    let (listed_texts, advertised_texts) = (texts(listed), texts(advertised));
    let difference = match unequal(advertised, listed, resolve) {
        None => return Ok(()),
        Some(difference) => difference,
    };
    let advertised_text = url::join(advertised);
    let missing: Vec<String> =
        listed_texts.difference(&advertised_texts).map(|url| format!("{name}={url}")).collect();
    if !missing.is_empty() {
        let missing = missing.join(",");
        return Err(format!(
            "--initial-cluster has {missing} but missing from \
             --initial-advertise-peer-urls={advertised_text} ({difference})"
        ));
    }
    let pairs: Vec<String> = advertised.iter().map(|url| format!("{name}={url}")).collect();
    let pairs = pairs.join(",");
    let missing: Vec<&str> =
        advertised_texts.difference(&listed_texts).map(String::as_str).collect();
    if missing.is_empty() {
        return Err(format!(
            "failed to resolve {advertised_text} to match --initial-cluster={pairs} ({difference})"
        ));
    }
    let missing = missing.join(",");
    Err(format!(
        "--initial-advertise-peer-urls has {missing} but missing from --initial-cluster={pairs}"
    ))
}

/// What tells two lists of URLs apart, as the system resolves them; `None` if they lead to the same
/// addresses. Both are sorted.
pub fn unequal_urls(left: &[Url], right: &[Url]) -> Option<String> {
    unequal(left, right, &system_resolver)
}

/// What tells two lists of URLs apart, in etcd's words; `None` if they lead to the same addresses.
/// Both are sorted.
fn unequal(left: &[Url], right: &[Url], resolve: Resolve<'_>) -> Option<String> {
    if left.len() != right.len() {
        let quoted = |urls: &[Url]| {
            let texts: Vec<String> =
                urls.iter().map(|url| quote(url.to_string().as_bytes())).collect();
            texts.join(" ")
        };
        let (left, right) = (quoted(left), quoted(right));
        return Some(format!("len([{left}]) != len([{right}])"));
    }
    if left == right {
        return None;
    }
    let (left, right) = match (resolved(left, resolve), resolved(right, resolve)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(what), _) | (_, Err(what)) => return Some(what),
    };
    let (left, right) = left.iter().zip(&right).find(|(left, right)| left != right)?;
    let (left, right) = (quote(left.as_bytes()), quote(right.as_bytes()));
    Some(format!("resolved urls: {left} != {right}"))
}

/// The URLs with their hosts' first addresses, sorted. `localhost` stays: etcd doesn't resolve it.
fn resolved(urls: &[Url], resolve: Resolve<'_>) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for url in urls {
        let by_tcp = matches!(url.scheme, Scheme::Http | Scheme::Https);
        if !by_tcp || url.host() == "localhost" {
            texts.push(url.to_string());
            continue;
        }
        let failure = |what: &dyn std::fmt::Display| {
            let url = quote(url.to_string().as_bytes());
            format!("failed to resolve {url} ({what})")
        };
        let addresses = resolve(&url.authority).map_err(|error| failure(&error))?;
        let address = addresses.first().ok_or_else(|| failure(&"no such host"))?;
        texts.push(format!("{}://{address}", url.scheme.as_str()));
    }
    texts.sort();
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(members: &str, name: &str, advertised: &str) -> Result<Founding, String> {
        let cluster = InitialCluster {
            members: members.to_owned(),
            state: ClusterState::New,
            token: "t".to_owned(),
        };
        let resolve = |authority: &str| {
            let numeric = authority.replace("my.host", "127.0.0.1");
            numeric
                .parse()
                .map(|address| vec![address])
                .map_err(|_| std::io::Error::other("no such host"))
        };
        found_with(&cluster, name, advertised, &resolve)
    }

    fn found_with(
        cluster: &InitialCluster,
        name: &str,
        advertised: &str,
        resolve: Resolve<'_>,
    ) -> Result<Founding, String> {
        cluster.found(name, &url::parse_list(advertised).expect("valid"), resolve)
    }

    #[test]
    fn one_member_founds_a_cluster() {
        let founding = found("a=http://127.0.0.1:2380", "a", "http://127.0.0.1:2380");
        let founding = founding.expect("valid");
        assert_eq!(founding.name, "a");
        assert_eq!(url::join(&founding.members["a"]), "http://127.0.0.1:2380");
        // The same addresses under other names.
        assert!(found("a=http://my.host:2380", "a", "http://127.0.0.1:2380").is_ok());
        // One name with several URLs.
        let two = found(
            "a=http://1.1.1.1:2,a=http://1.1.1.1:1",
            "a",
            "http://1.1.1.1:1,http://1.1.1.1:2",
        );
        assert_eq!(two.expect("valid").members["a"].len(), 2);
    }

    #[test]
    fn errors_read_as_in_etcd() {
        let error = |members, name, advertised| found(members, name, advertised).expect_err("no");
        assert_eq!(
            error("a=http://127.0.0.1:2380", "zz", "http://127.0.0.1:2380"),
            "couldn't find local name \"zz\" in the initial cluster configuration"
        );
        assert_eq!(
            error("", "a", "http://127.0.0.1:2380"),
            "couldn't find local name \"a\" in the initial cluster configuration"
        );
        assert_eq!(
            error("a=b", "a", "http://127.0.0.1:2380"),
            "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: b"
        );
        assert_eq!(
            error("a=http://127.0.0.1:2380,b=http://127.0.0.1:2380", "a", "http://127.0.0.1:2380"),
            "initial cluster a=http://127.0.0.1:2380,b=http://127.0.0.1:2380 has duplicate url"
        );
        assert_eq!(
            error("default=http://localhost:2380", "default", "http://127.0.0.1:1"),
            "--initial-cluster has default=http://localhost:2380 but missing from \
             --initial-advertise-peer-urls=http://127.0.0.1:1 \
             (resolved urls: \"http://127.0.0.1:1\" != \"http://localhost:2380\")"
        );
        assert_eq!(
            error("a=http://localhost:1,a=http://localhost:1", "a", "http://localhost:1"),
            "failed to resolve http://localhost:1 to match --initial-cluster=a=http://localhost:1 \
             (len([\"http://localhost:1\"]) != \
             len([\"http://localhost:1\" \"http://localhost:1\"]))"
        );
        assert_eq!(
            error("a=http://127.0.0.1:1", "a", "http://127.0.0.1:1,http://127.0.0.1:2"),
            "--initial-advertise-peer-urls has http://127.0.0.1:2 but missing from \
             --initial-cluster=a=http://127.0.0.1:1,a=http://127.0.0.1:2"
        );
    }

    #[test]
    fn several_members_found_a_cluster_or_join_one() {
        let members = "a=http://127.0.0.1:2380,b=http://127.0.0.1:2382";
        let founding = found(members, "a", "http://127.0.0.1:2380").expect("valid");
        assert_eq!(founding.members.len(), 2);
        let joining = InitialCluster {
            members: members.to_owned(),
            state: ClusterState::Existing,
            token: String::new(),
        };
        let joining = found_with(&joining, "a", "http://127.0.0.1:2380", &system_resolver);
        assert_eq!(joining.expect("valid").members.len(), 2);
    }
}
