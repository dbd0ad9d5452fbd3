//! A member without data asks the others before it begins: one that joins learns who it is, and one
//! that founds a cluster makes sure that there is none yet.

use crate::flags::{Founding, Url, unequal_urls};
use crate::peers::{RemoteCluster, RemoteMember, cluster_of};
use retcd_wal::Identity;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long the others may take to answer one that joins.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one that founds a cluster waits for an answer. Founders that start together all wait
/// for each other, so this is how long they are late.
const FOUNDER_TIMEOUT: Duration = Duration::from_millis(500);

/// Who this member is in the cluster that exists.
///
/// # Errors
///
/// etcd's texts, if nobody answers or the flags don't fit what they say.
pub(crate) fn join(founding: &Founding) -> Result<Identity, String> {
    let found = run(ask_others(founding, ANSWER_TIMEOUT))?;
    let Some(cluster) = found else {
        return Err("cannot fetch cluster info from peer urls: could not retrieve cluster \
                    information from the given URLs"
            .to_owned());
    };
    let member = find(founding, &cluster).map_err(|what| {
        format!("error validating peerURLs {{{}}}: {what}", cluster_text(&cluster))
    })?;
    Ok(Identity { cluster: cluster.id, member })
}

/// Refuses to found a cluster in which this member has taken part already.
///
/// # Errors
///
/// etcd's text.
pub(crate) fn check_new(founding: &Founding, own_id: u64) -> Result<(), String> {
    if founding.members.len() < 2 {
        return Ok(());
    }
    let Some(cluster) = run(ask_others(founding, FOUNDER_TIMEOUT))? else {
        return Ok(());
    };
    let own = cluster.members.iter().find(|member| member.id == own_id);
    match own.is_some_and(|own| !own.client_urls.is_empty()) {
        true => Err(format!("member {own_id:x} has already been bootstrapped")),
        false => Ok(()),
    }
}

fn run<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("asking the other members: {error}"))?;
    Ok(runtime.block_on(work))
}

/// The cluster as the first of the others that answers tells of it.
async fn ask_others(founding: &Founding, limit: Duration) -> Option<RemoteCluster> {
    let mut asked = JoinSet::new();
    let others = founding.members.iter().filter(|(name, _)| **name != founding.name);
    for url in others.flat_map(|(_, urls)| urls).cloned() {
        asked.spawn(async move { (cluster_of(&url, limit).await, url) });
    }
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok((Ok(cluster), _)) => return Some(cluster),
            Ok((Err(error), url)) => {
                tracing::info!(address = %url, %error, "failed to get cluster response");
            }
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    None
}

/// Each member that the flags name must be one of the cluster's, with the same peer URLs.
fn find(founding: &Founding, cluster: &RemoteCluster) -> Result<u64, String> {
    if founding.members.len() != cluster.members.len() {
        return Err("member count is unequal".to_owned());
    }
    let mut ids = BTreeMap::new();
    for (name, urls) in &founding.members {
        let is_same = |member: &&RemoteMember| {
            let theirs: Result<Vec<Url>, _> =
                member.peer_urls.iter().map(|url| Url::parse(url)).collect();
            theirs.is_ok_and(|mut theirs| {
                theirs.sort_by_key(Url::to_string);
                unequal_urls(urls, &theirs).is_none()
            })
        };
        let Some(member) = cluster.members.iter().find(is_same) else {
            let urls: Vec<String> = urls.iter().map(Url::to_string).collect();
            let urls = urls.join(" ");
            return Err(format!("unmatched member while checking PeerURLs ([{urls}])"));
        };
        ids.insert(name, member.id);
    }
    ids.get(&founding.name).copied().ok_or_else(|| "this member isn't named".to_owned())
}

fn cluster_text(cluster: &RemoteCluster) -> String {
    let member = |member: &RemoteMember| format!("{:x} {:?}", member.id, member.peer_urls);
    let members: Vec<String> = cluster.members.iter().map(member).collect();
    format!("ClusterID:{:x} Members:[{}]", cluster.id, members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, urls: &[&str]) -> RemoteMember {
        let peer_urls = urls.iter().map(|&url| url.to_owned()).collect();
        RemoteMember { id, peer_urls, ..RemoteMember::default() }
    }

    fn founding(members: &[(&str, &str)]) -> Founding {
        let url = |text: &str| Url::parse(text).expect("a URL");
        Founding {
            name: "b".to_owned(),
            members: members.iter().map(|(n, u)| ((*n).to_owned(), vec![url(u)])).collect(),
            token: String::new(),
        }
    }

    #[test]
    fn a_member_that_joins_finds_itself_by_its_urls() {
        let members = vec![member(7, &["http://127.0.0.1:2"]), member(9, &["http://127.0.0.1:1"])];
        let cluster = RemoteCluster { id: 5, members };
        let named = founding(&[("a", "http://127.0.0.1:1"), ("b", "http://127.0.0.1:2")]);
        assert_eq!(find(&named, &cluster), Ok(7));
        let fewer = founding(&[("b", "http://127.0.0.1:2")]);
        assert_eq!(find(&fewer, &cluster), Err("member count is unequal".to_owned()));
        let others = founding(&[("a", "http://127.0.0.1:1"), ("b", "http://127.0.0.1:3")]);
        let error = find(&others, &cluster).expect_err("nobody has that URL");
        assert_eq!(error, "unmatched member while checking PeerURLs ([http://127.0.0.1:3])");
    }
}
