//! The small part of the state that stays in memory: leases, alarms, members, whether
//! authentication is on.
//!
//! It is loaded from the `meta` keyspace at start. The applier changes it while it executes, so a
//! reader may see a lease or a member a moment before the entry that made it is published; such an
//! entry is committed, and none of these is read at a revision. Which keys are attached to a lease
//! isn't kept here but in the `lease` keyspace.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use prost::Message;
use retcd_api::etcdserverpb::{self, AlarmMember, AlarmType, LeaseCheckpoint};
use retcd_api::leasepb;
use retcd_engine::{Direction, KeyRange, Keyspace, Projection, Version, View};

use crate::alarm::{ALARM_NAME_PREFIX, Alarms};
use crate::auth::{AuthItem, AuthState};
use crate::lease::{Lessor, LessorConfig, Remaining, Renewal};
use crate::membership::{CLUSTER_NAME_PREFIX, MEMBER_NAME_PREFIX, Members, REMOVED_NAME_PREFIX};
use crate::record::LEASE_ID_BYTES;
use crate::{Config, Error, Result, Store};

/// What the names of leases begin with; the lease's id follows, u64 BE.
pub(crate) const LEASE_NAME_PREFIX: &[u8] = b"lease/";

/// Most checkpoints that go into one entry.
const CHECKPOINTS_MAX: usize = 1000;

/// Leases, alarms, members, and what authentication wants.
pub(crate) struct Resident {
    pub(crate) lessor: Mutex<Lessor>,
    pub(crate) alarms: RwLock<Alarms>,
    pub(crate) members: RwLock<Members>,
    pub(crate) auth: RwLock<AuthState>,
}

impl Resident {
    /// Reads the `meta` keyspace.
    pub(crate) fn load(view: &dyn View, config: &Config) -> Result<Resident> {
        let mut leases = Vec::new();
        let mut alarms = Vec::new();
        let mut membership = Vec::new();
        let mut auth = AuthState::default();
        let all = KeyRange { start: b"", end: None };
        let newest = Version::MAX;
        let mut cursor =
            view.scan(Keyspace::Meta, all, newest, Direction::Forward, Projection::Full)?;
        while let Some(record) = cursor.next()? {
            let (name, value) = (record.key, record.value);
            if name.starts_with(LEASE_NAME_PREFIX) {
                let lease = leasepb::Lease::decode(value).map_err(|_| damaged("a bad lease"))?;
                leases.push(lease);
            } else if name.starts_with(ALARM_NAME_PREFIX.as_bytes()) {
                alarms.push(AlarmMember::decode(value).map_err(|_| damaged("a bad alarm"))?);
            } else if [MEMBER_NAME_PREFIX, REMOVED_NAME_PREFIX, CLUSTER_NAME_PREFIX]
                .iter()
                .any(|prefix| name.starts_with(prefix.as_bytes()))
            {
                membership.push((name, value));
            } else if let Some(item) = AuthItem::parse(&name, &value) {
                auth.take(&item.map_err(damaged)?);
            } else {
                return Err(damaged("an unknown name"));
            }
        }
        let members = Members::load(config.learners_max, membership)
            .map_err(|_| damaged("a bad item of the membership"))?;
        let lessor = LessorConfig {
            ttl_seconds_min: config.min_lease_ttl_seconds,
            checkpoint_interval: config.lease_checkpoint_interval,
        };
        Ok(Resident {
            lessor: Mutex::new(Lessor::new(lessor, leases)),
            alarms: RwLock::new(Alarms::new(alarms)),
            members: RwLock::new(members),
            auth: RwLock::new(auth),
        })
    }

    /// Takes another state's place. Leases aren't judged any more: whoever receives a state follows
    /// a leader.
    pub(crate) fn replace(&self, other: Resident) {
        let Resident { lessor, alarms, members, auth } = other;
        *self.lessor.lock() = lessor.into_inner();
        *self.alarms.write() = alarms.into_inner();
        *self.members.write() = members.into_inner();
        *self.auth.write() = auth.into_inner();
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::undecodable(Keyspace::Meta, reason)
}

/// The name under which a lease is stored.
pub(crate) fn lease_name(id: i64) -> Bytes {
    [LEASE_NAME_PREFIX, &id.to_be_bytes()].concat().into()
}

/// The keys attached to a lease as of `at`, in order.
pub(crate) fn attached_keys(view: &dyn View, lease: i64, at: Version) -> Result<Vec<Bytes>> {
    let start = lease.to_be_bytes();
    let end = lease.cast_unsigned().checked_add(1).map(u64::to_be_bytes);
    let range = KeyRange { start: &start, end: end.as_ref().map(<[u8; 8]>::as_slice) };
    let mut cursor = view.scan(Keyspace::Lease, range, at, Direction::Forward, Projection::Keys)?;
    let mut keys = Vec::new();
    while let Some(record) = cursor.next()? {
        if record.key.len() < LEASE_ID_BYTES {
            return Err(Error::undecodable(Keyspace::Lease, "the key is too short"));
        }
        keys.push(record.key.slice(LEASE_ID_BYTES..));
    }
    Ok(keys)
}

impl Store {
    /// This member became leader: leases count from `now`, plus `extension`.
    pub fn promote(&self, now: Duration, extension: Duration) {
        self.resident().lessor.lock().promote(now, extension);
    }

    /// This member isn't leader any more: it doesn't judge leases.
    pub fn demote(&self) {
        self.resident().lessor.lock().demote();
    }

    /// Lets a lease live for its whole time again. Only the leader does.
    ///
    /// # Errors
    ///
    /// `not a primary lessor` on other members, `LeaseNotFound`.
    pub fn lease_renew(&self, id: i64, now: Duration) -> retcd_api::Result<Renewal> {
        self.resident().lessor.lock().renew(id, now)
    }

    /// How long a lease has still to live. Only the leader knows.
    ///
    /// # Errors
    ///
    /// `not a primary lessor` on other members, `LeaseNotFound`.
    pub fn lease_time_to_live(&self, id: i64, now: Duration) -> retcd_api::Result<Remaining> {
        self.resident().lessor.lock().time_to_live(id, now)
    }

    /// The ids of all leases, soonest expiry first.
    pub fn leases(&self) -> Vec<i64> {
        self.resident().lessor.lock().list()
    }

    /// Whether the lease is granted.
    pub fn lease_exists(&self, id: i64) -> bool {
        self.resident().lessor.lock().contains(id)
    }

    /// The keys attached to a lease, in order.
    pub fn lease_keys(&self, id: i64) -> Result<Vec<Bytes>> {
        let snapshot = self.snapshot();
        attached_keys(&*snapshot.view, id, snapshot.newest_entry())
    }

    /// Up to `limit` leases that are to be revoked through raft; see [`Lessor::expired`].
    pub fn expired_leases(&self, now: Duration, limit: usize) -> Vec<i64> {
        self.resident().lessor.lock().expired(now, limit)
    }

    /// Checkpoints that are to be proposed, as many as one entry takes.
    pub fn lease_checkpoints_due(&self, now: Duration) -> Vec<LeaseCheckpoint> {
        self.resident().lessor.lock().due_checkpoints(now, CHECKPOINTS_MAX)
    }

    /// All raised alarms.
    pub fn alarms(&self) -> Vec<AlarmMember> {
        self.resident().alarms.read().list(AlarmType::None.into())
    }

    /// Whether an alarm of this kind is raised for any member.
    pub fn is_alarm_raised(&self, kind: AlarmType) -> bool {
        self.resident().alarms.read().is_raised(kind)
    }

    /// All members by id.
    pub fn members(&self) -> Vec<etcdserverpb::Member> {
        self.resident().members.read().list()
    }

    /// Reads the membership. `read` must not call back into the store.
    pub fn with_members<T>(&self, read: impl FnOnce(&Members) -> T) -> T {
        read(&self.resident().members.read())
    }

    /// Whether a member of this id was removed.
    pub fn is_removed_member(&self, id: u64) -> bool {
        self.with_members(|members| members.is_removed(id))
    }

    /// The cluster's version, once it is decided.
    pub fn cluster_version(&self) -> Option<String> {
        self.with_members(|members| members.cluster_version().map(str::to_owned))
    }
}
