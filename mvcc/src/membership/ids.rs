//! The ids of members and of the cluster, derived as etcd derives them.

use sha1::{Digest, Sha1};

/// A member's id: the first 8 bytes, big-endian, of the SHA-1 of its sorted peer URLs, the cluster
/// token, and, for a member that is added to a running cluster, the Unix time of that in decimal
/// seconds. Such a member has an empty token.
pub fn member_id(peer_urls: &[String], token: &str, unix_seconds: Option<i64>) -> u64 {
    let mut sorted: Vec<&str> = peer_urls.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut hash = Sha1::new();
    for url in sorted {
        hash.update(url);
    }
    hash.update(token);
    if let Some(seconds) = unix_seconds {
        hash.update(seconds.to_string());
    }
    first_eight_bytes(hash)
}

/// The cluster's id: the first 8 bytes, big-endian, of the SHA-1 of the initial members' ids, each
/// in 8 bytes big-endian, ascending.
pub fn cluster_id(member_ids: &[u64]) -> u64 {
    let mut sorted = member_ids.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha1::new();
    for id in sorted {
        hash.update(id.to_be_bytes());
    }
    first_eight_bytes(hash)
}

fn first_eight_bytes(hash: Sha1) -> u64 {
    let digest: [u8; 20] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk().expect("a SHA-1 digest has 20 bytes");
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn ids_are_those_of_an_etcd_that_was_asked() {
        let member = member_id(&urls(&["http://127.0.0.1:12380"]), "etcd-cluster", None);
        assert_eq!(member, 0xddd6_7b31_2462_fd7b);
        assert_eq!(cluster_id(&[member]), 0xa7ef_944b_9571_1739);
        let member = member_id(&urls(&["http://127.0.0.1:2380"]), "", Some(1_700_000_000));
        assert_ne!(member, member_id(&urls(&["http://127.0.0.1:2380"]), "", Some(1_700_000_001)));
    }

    #[test]
    fn order_does_not_matter() {
        assert_eq!(
            member_id(&urls(&["http://a:1", "http://b:1"]), "t", None),
            member_id(&urls(&["http://b:1", "http://a:1"]), "t", None)
        );
        assert_eq!(cluster_id(&[1, 2, 3]), cluster_id(&[3, 1, 2]));
    }
}
