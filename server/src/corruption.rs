//! Whether the members have the same content: hashes of all pairs at one revision, asked of each
//! member and compared. Where they differ although the same was compacted, a member is corrupt.
//!
//! A member may compare before it takes part (`InitialCorruptCheck`), and the leader now and then
//! (`--corrupt-check-time`), which raises the alarm CORRUPT about the member that differs. What is
//! compared at compactions is in `compaction_hash.rs`.

use crate::flags::Url;
use crate::member::Member;
use crate::peers::{RemoteHash, hash_of};
use retcd_api::etcdserverpb;
use retcd_mvcc::{KvHash, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a member may take: it reads everything that it has.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How a member's hash is beside this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Same,
    Differs,
    /// It doesn't answer, is behind, or has compacted something else.
    Unknown,
}

fn compare(own: &KvHash, theirs: Option<&RemoteHash>) -> Comparison {
    match theirs {
        Some(theirs) if theirs.compact_revision == own.compact_revision => {
            match theirs.hash == own.hash {
                true => Comparison::Same,
                false => Comparison::Differs,
            }
        }
        Some(_) | None => Comparison::Unknown,
    }
}

/// Compares with those of the others that answer, before this member takes part.
///
/// # Errors
///
/// Which members differ, or what can't be read.
pub(crate) fn check_initially(store: &Store, cluster: u64, own_id: u64) -> Result<(), String> {
    let own = store.hash_kv(0).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut differing = Vec::new();
    for other in store.members().iter().filter(|other| other.id != own_id) {
        let asked = ask(other, cluster, own.hash_revision);
        match compare(&own, runtime.block_on(asked).as_ref()) {
            Comparison::Differs => differing.push(format!("{:x}", other.id)),
            Comparison::Same => {
                let id = format!("{:x}", other.id);
                tracing::info!("remote-peer-id" = %id, "the same content as another member's");
            }
            Comparison::Unknown => {
                let id = format!("{:x}", other.id);
                tracing::warn!("remote-peer-id" = %id, "can't be compared with another member");
            }
        }
    }
    match differing.is_empty() {
        true => Ok(()),
        false => {
            let differing = differing.join(", ");
            Err(format!("{own_id:x} found data inconsistency with peers: {differing}"))
        }
    }
}

/// Compares every `period` while this member leads, until the server stops.
pub(crate) async fn watch(
    member: Arc<Member>,
    period: Duration,
    mut closing: watch::Receiver<bool>,
) {
    while passes(period, &mut closing).await {
        if member.is_leader() {
            // What can't be asked now is asked the next time.
            let _ = look(&member).await;
        }
    }
}

/// Waits for `period`, unless the server stops: then the answer is no.
pub(crate) async fn passes(period: Duration, closing: &mut watch::Receiver<bool>) -> bool {
    let closed = closing.wait_for(|&closing| closing);
    tokio::time::timeout(period, closed).await.is_err()
}

async fn look(member: &Arc<Member>) -> retcd_api::Result<()> {
    let own = hash_here(member, 0).await?;
    member.linearizable().await?;
    let again = hash_here(member, own.hash_revision).await?;
    if again.compact_revision == own.compact_revision && again.hash != own.hash {
        member.raise_corrupt(member.identity.member);
    }
    let cluster = member.identity.cluster;
    for other in member.store.members() {
        if other.id == member.identity.member {
            continue;
        }
        let theirs = ask(&other, cluster, own.hash_revision).await;
        if compare(&own, theirs.as_ref()) == Comparison::Differs {
            let id = format!("{:x}", other.id);
            let revision = own.hash_revision;
            tracing::error!("remote-peer-id" = %id, revision, "found hash mismatch");
            member.raise_corrupt(other.id);
        }
    }
    Ok(())
}

/// This member's own hash at a revision, 0 for the current one.
pub(crate) async fn hash_here(member: &Arc<Member>, revision: i64) -> retcd_api::Result<KvHash> {
    let store = member.store.clone();
    let hashed = tokio::task::spawn_blocking(move || store.hash_kv(revision)).await;
    match hashed {
        Ok(hash) => member.checked(hash),
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => Err(retcd_api::Error::Stopped),
    }
}

/// The hash of a member, at whichever of its URLs answers.
pub(crate) async fn ask(
    other: &etcdserverpb::Member,
    cluster: u64,
    revision: i64,
) -> Option<RemoteHash> {
    for url in other.peer_ur_ls.iter().filter_map(|url| Url::parse(url).ok()) {
        match hash_of(&url, cluster, revision, ANSWER_TIMEOUT).await {
            Ok(hash) => return hash,
            Err(error) => {
                tracing::warn!(address = %url, %error, "failed to get a member's hash");
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_over_the_same_can_differ() {
        let own = KvHash { hash: 7, compact_revision: 3, hash_revision: 9, current_revision: 9 };
        let theirs = |hash, compact_revision| RemoteHash { hash, compact_revision };
        assert_eq!(compare(&own, Some(&theirs(7, 3))), Comparison::Same);
        assert_eq!(compare(&own, Some(&theirs(8, 3))), Comparison::Differs);
        assert_eq!(compare(&own, Some(&theirs(8, 4))), Comparison::Unknown);
        assert_eq!(compare(&own, None), Comparison::Unknown);
    }
}
