//! What the member does by itself, on a timer: ending leases, checkpointing them, compacting.

use crate::compactor::{Compactor, Retention};
use crate::member::{Carries, Member};
use retcd_api::Error;
use retcd_api::etcdserverpb::{CompactionRequest, LeaseCheckpointRequest, LeaseRevokeRequest};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the leader looks for expired leases. etcd's number.
const EXPIRY_PERIOD: Duration = Duration::from_millis(500);

/// Most leases ended per look. etcd's number.
const EXPIRED_MAX: usize = 500;

/// Ends expired leases while this member leads. Never returns.
///
/// A leader that was replaced and hasn't heard of it finds leases expired that its successor keeps
/// alive: so nothing of this may reach another leader.
pub(crate) async fn end_leases(member: Arc<Member>) {
    let mut ticks = interval(EXPIRY_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let term = member.status.term();
        if !member.is_leader() {
            continue;
        }
        for id in member.store.expired_leases(member.now(), EXPIRED_MAX) {
            member.metrics.lease_expired();
            let revoke = LeaseRevokeRequest { id };
            member.propose_as_leader(term, Carries::LeaseRevoke, &revoke);
        }
        let checkpoints = member.store.lease_checkpoints_due(member.now());
        if !checkpoints.is_empty() {
            let request = LeaseCheckpointRequest { checkpoints };
            member.propose_as_leader(term, Carries::LeaseCheckpoint, &request);
        }
    }
}

/// Compacts by itself while this member leads. Never returns.
pub(crate) async fn compact(member: Arc<Member>, retention: Retention) {
    let mut compactor = Compactor::new(retention, member.now());
    let mut ticks = interval(compactor.period());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if !member.is_leader() {
            compactor.restart(member.now());
            continue;
        }
        let current = member.store.revision();
        let Some(revision) = compactor.sample(member.now(), current) else { continue };
        tracing::info!(revision, "starting auto compaction");
        let request = CompactionRequest { revision, physical: false };
        match member.propose(Carries::Compaction, &prost::Message::encode_to_vec(&request)).await {
            Ok(_) | Err(Error::Compacted) => {
                compactor.compacted(member.now(), revision);
                tracing::info!(revision, "completed auto compaction");
            }
            Err(error) => {
                tracing::warn!(revision, error = error.message(), "failed auto compaction");
            }
        }
    }
}
