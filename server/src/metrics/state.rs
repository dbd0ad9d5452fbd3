//! Metrics of consensus, of the replicated state, and of what is applied to it.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Numbers;
use super::catalog::{Buckets, Catalog};
use super::ops::{Ops, Request};

/// Raft's metrics.
pub(super) struct Raft {
    has_leader: IntGauge,
    is_leader: IntGauge,
    leader_changes: IntCounter,
    committed: IntGauge,
    applied: IntGauge,
    pending: IntGauge,
    failed: IntCounter,
    step_downs: IntCounter,
    applying_snapshot: IntGauge,
    learners: Learners,
    late_heartbeats: IntCounter,
    slow_applies: IntCounter,
    slow_reads: IntCounter,
    failed_reads: IntCounter,
    cluster_version: IntGaugeVec,
}

impl Raft {
    pub(super) fn new(catalog: &Catalog) -> Raft {
        Raft {
            has_leader: catalog.gauge(
                "etcd_server_has_leader",
                "Whether or not a leader exists. 1 is existence, 0 is not.",
            ),
            is_leader: catalog.gauge(
                "etcd_server_is_leader",
                "Whether or not this member is a leader. 1 if is, 0 otherwise.",
            ),
            leader_changes: catalog.counter(
                "etcd_server_leader_changes_seen_total",
                "The number of leader changes seen.",
            ),
            committed: catalog.gauge(
                "etcd_server_proposals_committed_total",
                "The total number of consensus proposals committed.",
            ),
            applied: catalog.gauge(
                "etcd_server_proposals_applied_total",
                "The total number of consensus proposals applied.",
            ),
            pending: catalog.gauge(
                "etcd_server_proposals_pending",
                "The current number of pending proposals to commit.",
            ),
            failed: catalog.counter(
                "etcd_server_proposals_failed_total",
                "The total number of failed proposals seen.",
            ),
            applying_snapshot: catalog.gauge(
                "etcd_server_snapshot_apply_in_progress_total",
                "1 if the server is applying the incoming snapshot. 0 if none.",
            ),
            learners: Learners::new(catalog),
            late_heartbeats: catalog.counter(
                "etcd_server_heartbeat_send_failures_total",
                "The total number of leader heartbeat send failures (likely overloaded from slow \
                 disk).",
            ),
            step_downs: catalog.counter(
                "retcd_raft_step_downs_total",
                "How often this member gave up leadership because its log's disk stalled.",
            ),
            slow_applies: catalog.counter(
                "etcd_server_slow_apply_total",
                "The total number of slow apply requests (likely overloaded from slow disk).",
            ),
            slow_reads: catalog.counter(
                "etcd_server_slow_read_indexes_total",
                "The total number of pending read indexes not in sync with leader's or timed out \
                 read index requests.",
            ),
            failed_reads: catalog.counter(
                "etcd_server_read_indexes_failed_total",
                "The total number of failed read indexes seen.",
            ),
            cluster_version: catalog.gauges(
                "etcd_cluster_version",
                "Which version is running. 1 for 'cluster_version' label with current cluster \
                 version",
                &["cluster_version"],
            ),
        }
    }

    /// Raft says who leads. A leader that comes counts as a change, one that goes doesn't.
    pub(super) fn role(&self, leads: bool, leader_known: bool) {
        let known_before = self.has_leader.get() == 1;
        let led_before = self.is_leader.get() == 1;
        if leader_known && (!known_before || leads != led_before) {
            self.leader_changes.inc();
        }
        self.has_leader.set(i64::from(leader_known));
        self.is_leader.set(i64::from(leads));
    }

    pub(super) fn snapshot_applying(&self, is_applied: bool) {
        self.applying_snapshot.set(i64::from(is_applied));
    }

    pub(super) fn proposal_began(&self) {
        self.pending.inc();
    }

    pub(super) fn proposal_ended(&self) {
        self.pending.dec();
    }

    pub(super) fn proposal_failed(&self) {
        self.failed.inc();
    }

    pub(super) fn promoted(&self, failure: Option<&str>) {
        match failure {
            None => self.learners.promotions.inc(),
            Some(reason) => self.learners.failed_promotions.with_label_values(&[reason]).inc(),
        }
    }

    pub(super) fn heartbeat_is_late(&self) {
        self.late_heartbeats.inc();
    }

    pub(super) fn stepped_down(&self) {
        self.step_downs.inc();
    }

    pub(super) fn slow_apply(&self) {
        self.slow_applies.inc();
    }

    pub(super) fn slow_read(&self) {
        self.slow_reads.inc();
    }

    pub(super) fn failed_read(&self) {
        self.failed_reads.inc();
    }

    pub(super) fn set(&self, numbers: &Numbers) {
        self.learners.is_one.set(i64::from(numbers.is_learner));
        self.committed.set(numbers.committed);
        self.applied.set(numbers.applied);
        if let Some(version) = &numbers.cluster_version {
            // `3.5` of `3.5.0`.
            let minor = version.rsplit_once('.').map_or(version.as_str(), |(minor, _)| minor);
            self.cluster_version.reset();
            self.cluster_version.with_label_values(&[minor]).set(1);
        }
    }
}

/// What is counted of learners.
struct Learners {
    is_one: IntGauge,
    promotions: IntCounter,
    failed_promotions: IntCounterVec,
}

impl Learners {
    fn new(catalog: &Catalog) -> Learners {
        Learners {
            is_one: catalog.gauge(
                "etcd_server_is_learner",
                "Whether or not this member is a learner. 1 if is, 0 otherwise.",
            ),
            promotions: catalog.counter(
                "etcd_server_learner_promote_successes",
                "The total number of successful learner promotions while this member is leader.",
            ),
            failed_promotions: catalog.counters(
                "etcd_server_learner_promote_failures",
                "The total number of failed learner promotions (likely learner not ready) while \
                 this member is leader.",
                &["Reason"],
            ),
        }
    }
}

/// The replicated state's metrics.
pub(super) struct State {
    apply: HistogramVec,
    /// The series of [`State::apply`] that have come up, by request and success.
    apply_series: [[OnceLock<Histogram>; 2]; Request::ALL.len()],
    puts: IntCounter,
    deletes: IntCounter,
    ranges: IntCounter,
    old_ranges: IntCounter,
    txns: IntCounter,
    hash: Histogram,
    hash_at_revision: Histogram,
    keys: IntGauge,
    revision: IntGauge,
    compacted: IntGauge,
    compacted_at: IntGauge,
    watch_streams: IntGauge,
    watchers: IntGauge,
    slow_watchers: IntGauge,
    pending_events: IntGauge,
    events: IntCounter,
}

impl State {
    pub(super) fn new(catalog: &Catalog) -> State {
        let mvcc = |name: &str, help: &str| catalog.counter(&format!("etcd_mvcc_{name}"), help);
        let debugging =
            |name: &str, help: &str| catalog.gauge(&format!("etcd_debugging_mvcc_{name}"), help);
        let hash_buckets = Buckets::Doubling { start: 0.01, count: 15 };
        State {
            apply: catalog.histograms(
                "etcd_server_apply_duration_seconds",
                "The latency distributions of v2 apply called by backend.",
                Buckets::Doubling { start: 0.0001, count: 20 },
                &["version", "op", "success"],
            ),
            apply_series: [const { [const { OnceLock::new() }; 2] }; Request::ALL.len()],
            puts: mvcc("put_total", "Total number of puts seen by this member."),
            deletes: mvcc("delete_total", "Total number of deletes seen by this member."),
            ranges: mvcc("range_total", "Total number of ranges seen by this member."),
            old_ranges: catalog.counter(
                "etcd_debugging_mvcc_range_total",
                "Total number of ranges seen by this member.",
            ),
            txns: mvcc("txn_total", "Total number of txns seen by this member."),
            hash: catalog.histogram(
                "etcd_mvcc_hash_duration_seconds",
                "The latency distribution of storage hash operation.",
                hash_buckets,
            ),
            hash_at_revision: catalog.histogram(
                "etcd_mvcc_hash_rev_duration_seconds",
                "The latency distribution of storage hash by revision operation.",
                hash_buckets,
            ),
            keys: debugging("keys_total", "Total number of keys."),
            revision: debugging("current_revision", "The current revision of store."),
            compacted: debugging(
                "compact_revision",
                "The revision of the last compaction in store.",
            ),
            compacted_at: debugging(
                "db_compaction_last",
                "The unix time of the last db compaction. Resets to 0 on start.",
            ),
            watch_streams: debugging("watch_stream_total", "Total number of watch streams."),
            watchers: debugging("watcher_total", "Total number of watchers."),
            slow_watchers: debugging(
                "slow_watcher_total",
                "Total number of unsynced slow watchers.",
            ),
            pending_events: debugging(
                "pending_events_total",
                "Total number of pending events to be sent.",
            ),
            events: catalog.counter(
                "etcd_debugging_mvcc_events_total",
                "Total number of events sent by this member.",
            ),
        }
    }

    pub(super) fn applied(&self, request: Request, succeeded: bool, took: Duration) {
        let series = &self.apply_series[request as usize][usize::from(succeeded)];
        let series = series.get_or_init(|| {
            let success = if succeeded { "true" } else { "false" };
            self.apply.with_label_values(&["v3", request.label(), success])
        });
        series.observe(took.as_secs_f64());
    }

    pub(super) fn executed(&self, ops: Ops) {
        // Adding 0 would still fetch a line that other threads write.
        for (counter, count) in [
            (&self.puts, ops.puts),
            (&self.deletes, ops.deletes),
            (&self.ranges, ops.ranges),
            (&self.old_ranges, ops.ranges),
        ] {
            if count > 0 {
                counter.inc_by(count);
            }
        }
        if ops.puts + ops.deletes + ops.ranges > 1 {
            self.txns.inc();
        }
    }

    pub(super) fn hashed(&self, took: Duration) {
        self.hash.observe(took.as_secs_f64());
    }

    pub(super) fn hashed_at_revision(&self, took: Duration) {
        self.hash_at_revision.observe(took.as_secs_f64());
    }

    pub(super) fn compacted(&self, unix_seconds: i64) {
        self.compacted_at.set(unix_seconds);
    }

    pub(super) fn events_sent(&self, count: usize) {
        self.events.inc_by(count as u64);
    }

    pub(super) fn set(&self, numbers: &Numbers) {
        self.keys.set(numbers.keys);
        self.revision.set(numbers.revision);
        self.compacted.set(numbers.compacted_revision);
        self.watch_streams.set(numbers.watch_streams);
        self.watchers.set(numbers.watchers);
        self.slow_watchers.set(numbers.unsynced_watchers);
        self.pending_events.set(numbers.pending_events);
    }
}

/// The leases' metrics.
pub(super) struct Leases {
    granted: IntCounter,
    revoked: IntCounter,
    renewed: IntCounter,
    expired: IntCounter,
    ttl: Histogram,
}

impl Leases {
    pub(super) fn new(catalog: &Catalog) -> Leases {
        Leases {
            granted: catalog.counter(
                "etcd_debugging_lease_granted_total",
                "The total number of granted leases.",
            ),
            revoked: catalog.counter(
                "etcd_debugging_lease_revoked_total",
                "The total number of revoked leases.",
            ),
            renewed: catalog.counter(
                "etcd_debugging_lease_renewed_total",
                "The number of renewed leases seen by the leader.",
            ),
            expired: catalog.counter(
                "etcd_debugging_server_lease_expired_total",
                "The total number of expired leases.",
            ),
            ttl: catalog.histogram(
                "etcd_debugging_lease_ttl_total",
                "Bucketed histogram of lease TTLs.",
                Buckets::Doubling { start: 1.0, count: 24 },
            ),
        }
    }

    pub(super) fn granted(&self, ttl_seconds: i64) {
        self.granted.inc();
        self.ttl.observe(ttl_seconds as f64);
    }

    pub(super) fn revoked(&self) {
        self.revoked.inc();
    }

    pub(super) fn renewed(&self) {
        self.renewed.inc();
    }

    pub(super) fn expired(&self) {
        self.expired.inc();
    }
}
