//! Whether the members have the same content at the last compaction: etcd's `CompactHashCheck`.
//!
//! All members compact at the same revision, and what a compaction leaves there doesn't change
//! until the next one. So members that are behind can be compared, too, and each compaction once:
//! while it leads, a member asks every other one for the hash at its compacted revision until all
//! have answered.
//!
//! If hashes differ, those are corrupt that don't have what more than half of all members have. If
//! no hash is that of so many, nobody knows who: then the alarm is about member 0, which is the
//! whole cluster. Both are etcd's rules, from 3.6 on.

use crate::corruption::{ask, hash_here, passes};
use crate::member::Member;
use retcd_mvcc::KvHash;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Who an alarm is about that is about everybody.
const WHOLE_CLUSTER: u64 = 0;

/// What is known of one compaction.
struct Compaction {
    revision: i64,
    /// Hashes by member.
    hashes: BTreeMap<u64, u32>,
    is_settled: bool,
}

/// Compares every `period` while this member leads, until the server stops.
pub(crate) async fn watch(
    member: Arc<Member>,
    period: Duration,
    mut closing: watch::Receiver<bool>,
) {
    let mut last = None;
    while passes(period, &mut closing).await {
        if !member.is_leader() {
            last = None;
            continue;
        }
        // What can't be read now is read the next time.
        if let Ok(compaction) = look(&member, last.take()).await {
            last = compaction;
        }
    }
}

/// Goes on with the last compaction. `None` if there is none.
async fn look(
    member: &Arc<Member>,
    last: Option<Compaction>,
) -> retcd_api::Result<Option<Compaction>> {
    let revision = member.store.compacted_revision();
    if revision < 1 {
        return Ok(None);
    }
    let mut compaction = match last.filter(|last| last.revision == revision) {
        Some(last) if last.is_settled => return Ok(Some(last)),
        Some(last) => last,
        None => {
            let KvHash { hash, .. } = hash_here(member, revision).await?;
            let hashes = BTreeMap::from([(member.identity.member, hash)]);
            Compaction { revision, hashes, is_settled: false }
        }
    };
    let members = member.store.members();
    compaction.hashes.retain(|id, _| members.iter().any(|member| member.id == *id));
    for other in &members {
        if compaction.hashes.contains_key(&other.id) {
            continue;
        }
        let theirs = ask(other, member.identity.cluster, revision).await;
        if let Some(theirs) = theirs.filter(|theirs| theirs.compact_revision == revision) {
            compaction.hashes.insert(other.id, theirs.hash);
        }
    }
    let corrupt = corrupt_members(&compaction.hashes, members.len());
    if !corrupt.is_empty() {
        let hashes = hashes_text(&compaction.hashes);
        tracing::error!(revision, hashes, "Detected compaction hash mismatch");
        corrupt.into_iter().for_each(|id| member.raise_corrupt(id));
        // An operator may have cleared the alarm: all is asked again the next time.
        return Ok(None);
    }
    compaction.is_settled = compaction.hashes.len() == members.len();
    match compaction.is_settled {
        true => tracing::info!(revision, "successfully checked hash on whole cluster"),
        false => tracing::warn!(
            revision,
            "number-of-peers-checked" = compaction.hashes.len() - 1,
            "number-of-peers" = members.len() - 1,
            "skipped revision in compaction hash check; was not able to check all peers"
        ),
    }
    Ok(Some(compaction))
}

/// Who is to be told of as corrupt, of `members`, of which these have answered.
fn corrupt_members(hashes: &BTreeMap<u64, u32>, members: usize) -> Vec<u64> {
    let mut by_hash: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for (&id, &hash) in hashes {
        by_hash.entry(hash).or_default().push(id);
    }
    if by_hash.len() < 2 {
        return Vec::new();
    }
    let quorum = members / 2 + 1;
    let Some(sound) = by_hash.values().find(|ids| ids.len() >= quorum) else {
        return vec![WHOLE_CLUSTER];
    };
    hashes.keys().copied().filter(|id| !sound.contains(id)).collect()
}

fn hashes_text(hashes: &BTreeMap<u64, u32>) -> String {
    let text = |(id, hash): (&u64, &u32)| format!("{id:x}: {hash}");
    hashes.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_is_right_or_nobody_is() {
        let corrupt = |hashes: &[(u64, u32)], members| {
            corrupt_members(&hashes.iter().copied().collect(), members)
        };
        assert_eq!(corrupt(&[(1, 7), (2, 7), (3, 7)], 3), [0_u64; 0]);
        assert_eq!(corrupt(&[(1, 7)], 3), [0_u64; 0], "nobody has answered");
        assert_eq!(corrupt(&[(1, 7), (2, 7), (3, 8)], 3), [3]);
        assert_eq!(corrupt(&[(1, 8), (2, 7), (3, 7)], 3), [1], "the one that asks");
        assert_eq!(corrupt(&[(1, 7), (2, 8)], 3), [0], "one hasn't answered");
        assert_eq!(corrupt(&[(1, 7), (2, 8), (3, 9)], 3), [0]);
        assert_eq!(corrupt(&[(1, 7), (2, 8)], 2), [0]);
        assert_eq!(corrupt(&[(1, 7), (2, 8), (3, 7), (4, 9), (5, 7)], 5), [2, 4]);
    }
}
