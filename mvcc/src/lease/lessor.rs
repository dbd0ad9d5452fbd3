//! The lessor: leases, and when they are to be renewed, checkpointed and revoked.

use std::collections::HashMap;
use std::time::Duration;

use retcd_api::etcdserverpb::LeaseCheckpoint;
use retcd_api::leasepb;
use retcd_api::{Code, Error, Result};

use super::schedule::Schedule;

/// The longest TTL, in seconds.
const TTL_SECONDS_MAX: i64 = 9_000_000_000;

/// Leases whose expiry may fall into any one second after a promotion: three quarters of the rate
/// at which they can be revoked, so that a pile-up leaves room for those that expire by themselves.
const EXPIRIES_PER_SECOND: usize = 750;

/// Number of leases up to which a promotion doesn't spread expiries: they are revoked in a second.
const LEASES_UNSPREAD_MAX: usize = 1_000;

/// How long after a lease was reported as expired it is reported again, if it still exists.
const REVOKE_RETRY: Duration = Duration::from_secs(3);

/// The lowest TTL that a member grants, in seconds: one and a half election timeouts, rounded up.
///
/// `election_ticks` of `heartbeat` each make the election timeout.
pub fn min_ttl_seconds(election_ticks: u32, heartbeat: Duration) -> i64 {
    let ticks = u64::from(election_ticks).saturating_mul(3) / 2;
    let nanos = heartbeat.as_nanos().saturating_mul(u128::from(ticks));
    let seconds = nanos.div_ceil(1_000_000_000);
    i64::try_from(seconds).map_or(TTL_SECONDS_MAX, |seconds| seconds.min(TTL_SECONDS_MAX))
}

/// How a lessor is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessorConfig {
    /// Shorter TTLs are raised to this, in seconds; see [`min_ttl_seconds`].
    pub ttl_seconds_min: i64,
    /// How often the remaining TTL of a long lease is checkpointed; `None` for never.
    pub checkpoint_interval: Option<Duration>,
}

/// What renewing a lease came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease lives for its whole TTL again.
    Renewed {
        /// The TTL in seconds.
        ttl: i64,
        /// Whether a checkpoint is stored, which must be cleared through raft: propose a checkpoint
        /// with remaining TTL 0.
        has_checkpoint: bool,
    },
    /// It has expired and is about to be revoked. etcd keeps the client waiting until that is done
    /// and then answers as if the lease were unknown (TTL 0).
    Expired,
}

/// How long a lease has still to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The granted TTL in seconds.
    pub granted_ttl: i64,
    /// The remaining one, rounded towards zero; negative if the lease should be revoked already.
    pub ttl: i64,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    ttl: i64,
    /// The last checkpoint's remaining TTL; zero without one.
    remaining_ttl: i64,
    /// When it expires; `None` on a lessor that isn't primary.
    expiry: Option<Duration>,
}

impl Lease {
    /// Seconds to live from a promotion on.
    fn ttl_left(&self) -> i64 {
        if self.remaining_ttl > 0 { self.remaining_ttl } else { self.ttl }
    }

    fn record(&self, id: i64) -> leasepb::Lease {
        leasepb::Lease { id, ttl: self.ttl, remaining_ttl: self.remaining_ttl }
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// All leases of the cluster, as one member knows them.
#[derive(Debug)]
pub struct Lessor {
    config: LessorConfig,
    leases: HashMap<i64, Lease>,
    is_primary: bool,
    /// When to look whether a lease has expired: its expiry, or earlier if it was renewed since.
    expiries: Schedule,
    checkpoints: Schedule,
}

impl Lessor {
    /// A lessor that isn't primary, with the stored leases. TTLs below the minimum are raised.
    pub fn new(config: LessorConfig, stored: impl IntoIterator<Item = leasepb::Lease>) -> Lessor {
        let leases = stored
            .into_iter()
            .map(|record| {
                let lease = Lease {
                    ttl: record.ttl.max(config.ttl_seconds_min),
                    remaining_ttl: record.remaining_ttl,
                    expiry: None,
                };
                (record.id, lease)
            })
            .collect();
        Lessor {
            config,
            leases,
            is_primary: false,
            expiries: Schedule::default(),
            checkpoints: Schedule::default(),
        }
    }

    /// Applies a grant. Gives the record to be stored, whose TTL is the granted one.
    ///
    /// # Errors
    ///
    /// `LeaseNotFound` for the id 0 (the server chooses one before it proposes), `LeaseTTLTooLarge`
    /// above nine billion seconds, `LeaseExist`.
    pub fn grant(&mut self, id: i64, ttl: i64, now: Duration) -> Result<leasepb::Lease> {
        if id == 0 {
            return Err(Error::LeaseNotFound);
        }
        if ttl > TTL_SECONDS_MAX {
            return Err(Error::LeaseTTLTooLarge);
        }
        if self.leases.contains_key(&id) {
            return Err(Error::LeaseExist);
        }
        let ttl = ttl.max(self.config.ttl_seconds_min);
        let mut lease = Lease { ttl, remaining_ttl: 0, expiry: None };
        if self.is_primary {
            let expiry = now.saturating_add(seconds(ttl));
            lease.expiry = Some(expiry);
            self.expiries.set(id, expiry);
            self.schedule_checkpoint(id, &lease, now);
        }
        self.leases.insert(id, lease);
        Ok(lease.record(id))
    }

    /// Applies a revoke. The store deletes the attached keys and the record.
    ///
    /// # Errors
    ///
    /// `LeaseNotFound`.
    pub fn revoke(&mut self, id: i64) -> Result<()> {
        self.leases.remove(&id).ok_or(Error::LeaseNotFound)?;
        self.expiries.remove(id);
        self.checkpoints.remove(id);
        Ok(())
    }

    /// Applies a checkpoint: after the next promotion the lease lives for `remaining_ttl` seconds
    /// only; 0 clears it. Gives the changed record, or `None` for an unknown lease, which is no
    /// error. Whether the record is stored depends on the cluster's version.
    pub fn checkpoint(
        &mut self,
        id: i64,
        remaining_ttl: i64,
        now: Duration,
    ) -> Option<leasepb::Lease> {
        let lease = self.leases.get_mut(&id)?;
        lease.remaining_ttl = remaining_ttl;
        let lease = *lease;
        if self.is_primary {
            self.schedule_checkpoint(id, &lease, now);
        }
        Some(lease.record(id))
    }

    /// Lets the lease live for its whole TTL again.
    ///
    /// # Errors
    ///
    /// `not a primary lessor` on a member that isn't the leader, `LeaseNotFound`.
    pub fn renew(&mut self, id: i64, now: Duration) -> Result<Renewal> {
        if !self.is_primary {
            return Err(not_primary());
        }
        let lease = self.leases.get_mut(&id).ok_or(Error::LeaseNotFound)?;
        if lease.expiry.is_some_and(|expiry| expiry <= now) {
            return Ok(Renewal::Expired);
        }
        let expiry = now.saturating_add(seconds(lease.ttl));
        // A later expiry isn't told to the schedule: when the old one comes up, it finds the new
        // one. It is earlier only once after a promotion, which had put it off.
        if lease.expiry.replace(expiry).is_some_and(|old| expiry < old) {
            self.expiries.set(id, expiry);
        }
        Ok(Renewal::Renewed { ttl: lease.ttl, has_checkpoint: lease.remaining_ttl > 0 })
    }

    /// Whether the lease exists.
    pub fn contains(&self, id: i64) -> bool {
        self.leases.contains_key(&id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Whether this is the leader's lessor.
    pub fn is_primary(&self) -> bool {
        self.is_primary
    }

    /// How long the lease has still to live.
    ///
    /// # Errors
    ///
    /// `not a primary lessor` on a member that isn't the leader, `LeaseNotFound` (which clients get
    /// as TTL -1).
    pub fn time_to_live(&self, id: i64, now: Duration) -> Result<Remaining> {
        let lease = self.leases.get(&id).ok_or(Error::LeaseNotFound)?;
        let expiry = lease.expiry.ok_or_else(not_primary)?;
        let ttl = match expiry.checked_sub(now) {
            Some(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            None => -i64::try_from(now.saturating_sub(expiry).as_secs()).unwrap_or(i64::MAX),
        };
        Ok(Remaining { granted_ttl: lease.ttl, ttl })
    }

    /// The ids, soonest expiry first; by id where there is none.
    pub fn list(&self) -> Vec<i64> {
        let mut leases: Vec<(Option<Duration>, i64)> =
            self.leases.iter().map(|(id, lease)| (lease.expiry, *id)).collect();
        leases.sort_unstable();
        leases.into_iter().map(|(_, id)| id).collect()
    }

    /// This member became leader: every lease lives for its TTL, or what the last checkpoint left
    /// of it, plus `extension`, which makes up for the time without a leader.
    ///
    /// Many leases that would expire together are spread, later ones only, so that at most 750 do
    /// in any one second.
    pub fn promote(&mut self, now: Duration, extension: Duration) {
        self.is_primary = true;
        self.expiries.clear();
        self.checkpoints.clear();
        let start = now.saturating_add(extension);
        let mut by_expiry: Vec<(Duration, i64)> = self
            .leases
            .iter()
            .map(|(id, lease)| (start.saturating_add(seconds(lease.ttl_left())), *id))
            .collect();
        if by_expiry.len() > LEASES_UNSPREAD_MAX {
            spread(&mut by_expiry);
        }
        for (expiry, id) in by_expiry {
            self.expiries.set(id, expiry);
            let Some(lease) = self.leases.get_mut(&id) else {
                continue;
            };
            lease.expiry = Some(expiry);
            let lease = *lease;
            self.schedule_checkpoint(id, &lease, now);
        }
    }

    /// This member isn't leader any more: leases live until the new one says otherwise.
    pub fn demote(&mut self) {
        self.is_primary = false;
        self.expiries.clear();
        self.checkpoints.clear();
        for lease in self.leases.values_mut() {
            lease.expiry = None;
        }
    }

    /// Up to `limit` leases that have expired and are to be revoked through raft. One that still
    /// exists after three seconds is named again. None if this isn't the leader's lessor.
    ///
    /// Called every 500 ms with a limit of 500, no more than a thousand leases a second go.
    pub fn expired(&mut self, now: Duration, limit: usize) -> Vec<i64> {
        let mut expired = Vec::new();
        while expired.len() < limit {
            let Some(id) = self.expiries.pop_due(now) else {
                break;
            };
            let expiry = self.leases.get(&id).and_then(|lease| lease.expiry);
            match expiry {
                None => {}
                Some(expiry) if expiry > now => self.expiries.set(id, expiry),
                Some(_) => {
                    expired.push(id);
                    self.expiries.set(id, now.saturating_add(REVOKE_RETRY));
                }
            }
        }
        expired
    }

    /// Up to `limit` checkpoints that are due and are to be proposed in one entry (etcd takes at
    /// most 1,000). None if this isn't the leader's lessor.
    pub fn due_checkpoints(&mut self, now: Duration, limit: usize) -> Vec<LeaseCheckpoint> {
        let mut due = Vec::new();
        while due.len() < limit {
            let Some(id) = self.checkpoints.pop_due(now) else {
                break;
            };
            let Some(lease) = self.leases.get(&id).copied() else {
                continue;
            };
            let Some(left) = lease.expiry.and_then(|expiry| expiry.checked_sub(now)) else {
                continue;
            };
            let remaining_ttl =
                i64::try_from(left.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i64::MAX);
            if remaining_ttl == 0 {
                continue;
            }
            if remaining_ttl >= lease.ttl {
                // It was just renewed: there is nothing to remember yet.
                self.schedule_checkpoint(id, &lease, now);
                continue;
            }
            due.push(LeaseCheckpoint { id, remaining_ttl });
        }
        due
    }

    /// Plans the next checkpoint of a lease that lives long enough for one.
    fn schedule_checkpoint(&mut self, id: i64, lease: &Lease, now: Duration) {
        let Some(interval) = self.config.checkpoint_interval else {
            return;
        };
        if seconds(lease.ttl_left()) > interval {
            self.checkpoints.set(id, now.saturating_add(interval));
        }
    }
}

fn not_primary() -> Error {
    Error::Other(Code::Unknown, "not a primary lessor".into())
}

/// Sorts by expiry and puts expiries off so that at most 750 fall into any one second.
fn spread(by_expiry: &mut [(Duration, i64)]) {
    by_expiry.sort_unstable();
    for index in EXPIRIES_PER_SECOND..by_expiry.len() {
        let earliest =
            by_expiry[index - EXPIRIES_PER_SECOND].0.saturating_add(Duration::from_secs(1));
        let expiry = &mut by_expiry[index].0;
        *expiry = (*expiry).max(earliest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lessor(checkpoint_interval: Option<Duration>) -> Lessor {
        let config = LessorConfig { ttl_seconds_min: 2, checkpoint_interval };
        Lessor::new(config, [])
    }

    fn primary() -> Lessor {
        let mut lessor = lessor(None);
        lessor.promote(at(0), Duration::ZERO);
        lessor
    }

    fn ttl(lessor: &Lessor, id: i64, now: Duration) -> i64 {
        lessor.time_to_live(id, now).unwrap().ttl
    }

    #[test]
    fn minimum_ttl_is_one_and_a_half_elections_rounded_up() {
        assert_eq!(min_ttl_seconds(10, Duration::from_millis(100)), 2);
        assert_eq!(min_ttl_seconds(20, Duration::from_millis(100)), 3);
        assert_eq!(min_ttl_seconds(5, Duration::from_millis(500)), 4);
        assert_eq!(min_ttl_seconds(u32::MAX, Duration::MAX), TTL_SECONDS_MAX);
    }

    #[test]
    fn grants_follow_the_rules() {
        let mut lessor = primary();
        assert_eq!(lessor.grant(0, 10, at(0)), Err(Error::LeaseNotFound));
        let too_long = lessor.grant(1, TTL_SECONDS_MAX + 1, at(0));
        assert_eq!(too_long, Err(Error::LeaseTTLTooLarge));
        assert_eq!(lessor.grant(1, TTL_SECONDS_MAX, at(0)).unwrap().ttl, TTL_SECONDS_MAX);
        assert_eq!(lessor.grant(-7, -1, at(0)).unwrap().ttl, 2);
        assert_eq!(lessor.grant(-7, 5, at(0)), Err(Error::LeaseExist));
        assert_eq!(lessor.revoke(5), Err(Error::LeaseNotFound));
        assert_eq!(lessor.revoke(-7), Ok(()));
        assert!(!lessor.contains(-7));
        assert_eq!(lessor.len(), 1);
    }

    #[test]
    fn time_to_live_is_rounded_towards_zero() {
        let mut lessor = primary();
        lessor.grant(1, 10, at(0)).unwrap();
        let remaining = lessor.time_to_live(1, Duration::from_millis(1)).unwrap();
        let expected = Remaining { granted_ttl: 10, ttl: 9 };
        assert_eq!(remaining, expected);
        assert_eq!(ttl(&lessor, 1, Duration::from_millis(10_900)), 0);
        assert_eq!(ttl(&lessor, 1, Duration::from_millis(11_100)), -1);
        assert_eq!(lessor.time_to_live(2, at(0)), Err(Error::LeaseNotFound));
    }

    #[test]
    fn only_the_primary_renews_and_expires() {
        let mut lessor = lessor(None);
        lessor.grant(1, 10, at(0)).unwrap();
        assert_eq!(lessor.renew(1, at(1)).unwrap_err().message(), "not a primary lessor");
        assert!(lessor.time_to_live(1, at(1)).is_err());
        assert!(lessor.expired(at(100), 10).is_empty());
        lessor.promote(at(100), at(1));
        assert_eq!(ttl(&lessor, 1, at(100)), 11);
        lessor.demote();
        assert!(lessor.expired(at(1_000), 10).is_empty());
        assert!(lessor.time_to_live(1, at(1)).is_err());
    }

    #[test]
    fn renewed_leases_live_on_and_expired_ones_are_named_until_they_are_gone() {
        let mut lessor = primary();
        lessor.grant(1, 10, at(0)).unwrap();
        lessor.grant(2, 10, at(0)).unwrap();
        let renewal = lessor.renew(1, at(8)).unwrap();
        let expected = Renewal::Renewed { ttl: 10, has_checkpoint: false };
        assert_eq!(renewal, expected);
        assert_eq!(lessor.expired(at(10), 10), [2]);
        assert_eq!(lessor.renew(2, at(10)), Ok(Renewal::Expired));
        assert!(lessor.expired(at(12), 10).is_empty());
        assert_eq!(lessor.expired(at(13), 10), [2]);
        lessor.revoke(2).unwrap();
        assert_eq!(lessor.renew(2, at(13)), Err(Error::LeaseNotFound));
        assert_eq!(lessor.expired(at(18), 10), [1]);
        lessor.revoke(1).unwrap();
        assert!(lessor.expired(at(100), 10).is_empty());
    }

    #[test]
    fn a_renewal_ends_the_extension_of_a_promotion() {
        let mut lessor = primary();
        lessor.grant(1, 10, at(0)).unwrap();
        lessor.promote(at(0), at(5));
        lessor.renew(1, at(1)).unwrap();
        assert!(lessor.expired(at(10), 10).is_empty());
        assert_eq!(lessor.expired(at(11), 10), [1]);
    }

    #[test]
    fn an_id_that_is_granted_again_starts_anew() {
        let mut lessor = primary();
        lessor.grant(1, 10, at(0)).unwrap();
        lessor.revoke(1).unwrap();
        lessor.grant(1, 20, at(5)).unwrap();
        assert!(lessor.expired(at(24), 10).is_empty());
        assert_eq!(lessor.expired(at(25), 10), [1]);
    }

    #[test]
    fn at_most_the_limit_is_named_at_a_time() {
        let mut lessor = primary();
        for id in 1..=7 {
            lessor.grant(id, 5, at(0)).unwrap();
        }
        let mut named = lessor.expired(at(5), 4);
        assert_eq!(named.len(), 4);
        named.extend(lessor.expired(at(5), 4));
        named.sort_unstable();
        assert_eq!(named, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn list_is_sorted_by_expiry() {
        let mut lessor = primary();
        for (id, ttl) in [(1, 30), (2, 10), (3, 20)] {
            lessor.grant(id, ttl, at(0)).unwrap();
        }
        assert_eq!(lessor.list(), [2, 3, 1]);
        lessor.demote();
        assert_eq!(lessor.list(), [1, 2, 3]);
    }

    #[test]
    fn promotion_spreads_many_expiries() {
        let mut lessor = lessor(None);
        for id in 1..=3_000 {
            lessor.grant(id, 60, at(0)).unwrap();
        }
        lessor.promote(at(0), Duration::ZERO);
        let mut total = 0;
        for second in 60..=63 {
            let expired = lessor.expired(at(second), usize::MAX);
            assert_eq!(expired.len(), 750);
            total += expired.len();
            for id in expired {
                lessor.revoke(id).unwrap();
            }
        }
        assert_eq!(total, 3_000);
        for id in 1..=1_000 {
            lessor.grant(id, 60, at(100)).unwrap();
        }
        lessor.promote(at(100), Duration::ZERO);
        assert_eq!(lessor.expired(at(160), usize::MAX).len(), 1_000);
    }

    #[test]
    fn checkpoints_shorten_the_life_after_a_promotion() {
        let interval = at(300);
        let mut lessor = lessor(Some(interval));
        lessor.promote(at(0), Duration::ZERO);
        lessor.grant(1, 1_000, at(0)).unwrap();
        lessor.grant(2, 300, at(0)).unwrap();
        assert!(lessor.due_checkpoints(at(299), 10).is_empty());
        let due = lessor.due_checkpoints(Duration::from_millis(300_500), 10);
        let expected = LeaseCheckpoint { id: 1, remaining_ttl: 700 };
        assert_eq!(due, [expected]);
        let record = lessor.checkpoint(1, 700, at(301)).unwrap();
        assert_eq!((record.ttl, record.remaining_ttl), (1_000, 700));
        assert_eq!(lessor.due_checkpoints(at(601), 10).len(), 1);
        assert_eq!(lessor.checkpoint(9, 1, at(601)), None);
        lessor.promote(at(700), Duration::ZERO);
        assert_eq!(ttl(&lessor, 1, at(700)), 700);
        let renewal = lessor.renew(1, at(710)).unwrap();
        let expected = Renewal::Renewed { ttl: 1_000, has_checkpoint: true };
        assert_eq!(renewal, expected);
        assert_eq!(ttl(&lessor, 1, at(710)), 1_000);
        assert_eq!(lessor.checkpoint(1, 0, at(710)).unwrap().remaining_ttl, 0);
    }

    #[test]
    fn a_lease_that_is_always_renewed_is_checkpointed_when_that_stops() {
        let mut lessor = lessor(Some(at(300)));
        lessor.promote(at(0), Duration::ZERO);
        lessor.grant(1, 1_000, at(0)).unwrap();
        lessor.renew(1, at(300)).unwrap();
        assert!(lessor.due_checkpoints(at(300), 10).is_empty());
        assert_eq!(lessor.due_checkpoints(at(600), 10).len(), 1);
    }

    #[test]
    fn stored_leases_come_back() {
        let config = LessorConfig { ttl_seconds_min: 5, checkpoint_interval: None };
        let stored = [(1, 100, 40), (2, 100, 0), (3, 1, 0)];
        let records =
            stored.map(|(id, ttl, remaining_ttl)| leasepb::Lease { id, ttl, remaining_ttl });
        let mut lessor = Lessor::new(config, records);
        assert!(!lessor.is_primary());
        lessor.promote(at(0), at(1));
        assert_eq!([1, 2, 3].map(|id| ttl(&lessor, id, at(0))), [41, 101, 6]);
    }
}
