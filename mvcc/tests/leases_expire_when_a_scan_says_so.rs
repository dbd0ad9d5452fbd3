//! Random grants, renewals, revokes and changes of leadership: the lessor's schedules must name the
//! leases that a scan of all of them finds, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use retcd_mvcc::lease::{Lessor, LessorConfig, Renewal};

const TTL_SECONDS_MIN: i64 = 2;
const RETRY_SECONDS: u64 = 3;

#[derive(Clone, Debug)]
enum Step {
    Grant(i64, i64),
    Revoke(i64),
    Renew(i64),
    /// So many half seconds go by, then expired leases are asked for.
    Advance(u64),
    Promote(u64),
    Demote,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..12_i64, -1..20_i64).prop_map(|(id, ttl)| Step::Grant(id, ttl)),
        2 => (1..12_i64).prop_map(Step::Revoke),
        4 => (1..12_i64).prop_map(Step::Renew),
        6 => (0..12_u64).prop_map(Step::Advance),
        1 => (0..3_u64).prop_map(Step::Promote),
        1 => Just(Step::Demote),
    ]
}

struct Lease {
    ttl: u64,
    expiry: Option<Duration>,
    named: Option<Duration>,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

proptest! {
    #[test]
    fn expired_leases_are_those_that_a_scan_finds(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let config =
            LessorConfig { ttl_seconds_min: TTL_SECONDS_MIN, checkpoint_interval: None };
        let mut lessor = Lessor::new(config, []);
        let mut model: BTreeMap<i64, Lease> = BTreeMap::new();
        let mut now = Duration::ZERO;
        let mut is_primary = false;
        for step in steps {
            match step {
                Step::Grant(id, ttl) => {
                    let is_new = !model.contains_key(&id);
                    prop_assert_eq!(lessor.grant(id, ttl, now).is_ok(), is_new);
                    let ttl = ttl.max(TTL_SECONDS_MIN).unsigned_abs();
                    let expiry = is_primary.then_some(now + seconds(ttl));
                    model.entry(id).or_insert(Lease { ttl, expiry, named: None });
                }
                Step::Revoke(id) => {
                    prop_assert_eq!(lessor.revoke(id).is_ok(), model.remove(&id).is_some());
                }
                Step::Renew(id) => {
                    let lease = model.get_mut(&id).filter(|_| is_primary);
                    let is_alive = lease.as_ref().is_some_and(|lease| lease.expiry > Some(now));
                    let renewal = lessor.renew(id, now);
                    let is_renewed = matches!(renewal, Ok(Renewal::Renewed { .. }));
                    prop_assert_eq!(is_renewed, is_alive);
                    prop_assert_eq!(renewal.is_ok(), lease.is_some());
                    if let Some(lease) = lease.filter(|_| is_alive) {
                        lease.expiry = Some(now + seconds(lease.ttl));
                    }
                }
                Step::Advance(halves) => {
                    now += Duration::from_millis(500 * halves);
                    let mut expected = Vec::new();
                    for (id, lease) in &mut model {
                        let retries = {
                            let retry = seconds(RETRY_SECONDS);
                            lease.named.is_none_or(|at| at + retry <= now)
                        };
                        if lease.expiry.is_some_and(|expiry| expiry <= now) && retries {
                            lease.named = Some(now);
                            expected.push(*id);
                        }
                    }
                    let mut expired = lessor.expired(now, usize::MAX);
                    expired.sort_unstable();
                    prop_assert_eq!(expired, expected);
                }
                Step::Promote(extension) => {
                    is_primary = true;
                    lessor.promote(now, seconds(extension));
                    for lease in model.values_mut() {
                        lease.expiry = Some(now + seconds(extension + lease.ttl));
                        lease.named = None;
                    }
                }
                Step::Demote => {
                    is_primary = false;
                    lessor.demote();
                    for lease in model.values_mut() {
                        lease.expiry = None;
                        lease.named = None;
                    }
                }
            }
            let mut by_expiry: Vec<(Option<Duration>, i64)> =
                model.iter().map(|(id, lease)| (lease.expiry, *id)).collect();
            by_expiry.sort_unstable();
            let ids: Vec<i64> = by_expiry.into_iter().map(|(_, id)| id).collect();
            prop_assert_eq!(lessor.list(), ids);
        }
    }
}
