//! Metrics of the connections to other members.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::catalog::{Buckets, Catalog};

/// All peers' metrics.
pub(crate) struct Network {
    local: String,
    active: IntGaugeVec,
    disconnected: IntCounterVec,
    sent_bytes: IntCounterVec,
    received_bytes: IntCounterVec,
    send_failures: IntCounterVec,
    receive_failures: IntCounterVec,
    round_trip: HistogramVec,
    snapshots_sent: Snapshots,
    snapshots_refused: IntGaugeVec,
    snapshots_received: Snapshots,
}

/// Of snapshots in one direction, by the other end.
struct Snapshots {
    succeeded: IntCounterVec,
    failed: IntCounterVec,
    under_way: IntGaugeVec,
    duration: HistogramVec,
}

/// Of a snapshot under way: how it ends is said once.
pub(crate) struct SnapshotMetrics {
    succeeded: IntCounter,
    failed: IntCounter,
    under_way: IntGauge,
    duration: Histogram,
}

/// One peer's.
pub(crate) struct PeerMetrics {
    /// Bytes sent to it.
    pub(crate) sent: IntCounter,
    /// Bytes received from it.
    pub(crate) received: IntCounter,
    /// Messages that couldn't be sent.
    pub(crate) send_failures: IntCounter,
    /// Streams from it that broke.
    pub(crate) receive_failures: IntCounter,
    active: IntGauge,
    disconnected: IntCounter,
    round_trip: Histogram,
}

impl Network {
    pub(super) fn new(catalog: &Catalog, member_id: u64) -> Network {
        let ends = ["Local", "Remote"];
        Network {
            local: format!("{member_id:x}"),
            active: catalog.gauges(
                "etcd_network_active_peers",
                "The current number of active peer connections.",
                &ends,
            ),
            disconnected: catalog.counters(
                "etcd_network_disconnected_peers_total",
                "The total number of disconnected peers.",
                &ends,
            ),
            sent_bytes: catalog.counters(
                "etcd_network_peer_sent_bytes_total",
                "The total number of bytes sent to peers.",
                &["To"],
            ),
            received_bytes: catalog.counters(
                "etcd_network_peer_received_bytes_total",
                "The total number of bytes received from peers.",
                &["From"],
            ),
            send_failures: catalog.counters(
                "etcd_network_peer_sent_failures_total",
                "The total number of send failures from peers.",
                &["To"],
            ),
            receive_failures: catalog.counters(
                "etcd_network_peer_received_failures_total",
                "The total number of receive failures from peers.",
                &["From"],
            ),
            round_trip: catalog.histograms(
                "etcd_network_peer_round_trip_time_seconds",
                "Round-Trip-Time histogram between peers",
                Buckets::Doubling { start: 0.0001, count: 16 },
                &["To"],
            ),
            snapshots_sent: Snapshots::new(catalog, "send", "To"),
            snapshots_refused: catalog.gauges(
                "retcd_snapshot_send_refused",
                "1 while a peer says that it can't use this member's snapshots.",
                &["To"],
            ),
            snapshots_received: Snapshots::new(catalog, "receive", "From"),
        }
    }

    /// A snapshot goes to the member with this id.
    pub(crate) fn sending(&self, id: u64) -> SnapshotMetrics {
        self.snapshots_sent.begin(id)
    }

    /// Whether the member with this id refuses snapshots.
    pub(crate) fn snapshots_refused(&self, id: u64) -> IntGauge {
        self.snapshots_refused.with_label_values(&[&*format!("{id:x}")])
    }

    /// A snapshot comes from the member with this id.
    pub(crate) fn receiving(&self, id: u64) -> SnapshotMetrics {
        self.snapshots_received.begin(id)
    }

    /// The metrics of the peer with this id.
    pub(crate) fn peer(&self, id: u64) -> PeerMetrics {
        let remote = format!("{id:x}");
        let (one, both) = ([&*remote], [&*self.local, &*remote]);
        PeerMetrics {
            sent: self.sent_bytes.with_label_values(&one),
            received: self.received_bytes.with_label_values(&one),
            send_failures: self.send_failures.with_label_values(&one),
            receive_failures: self.receive_failures.with_label_values(&one),
            active: self.active.with_label_values(&both),
            disconnected: self.disconnected.with_label_values(&both),
            round_trip: self.round_trip.with_label_values(&one),
        }
    }
}

impl Snapshots {
    fn new(catalog: &Catalog, verb: &str, end: &str) -> Snapshots {
        let name = |what: &str| format!("etcd_network_snapshot_{verb}_{what}");
        Snapshots {
            succeeded: catalog.counters(
                &name("success"),
                &format!("Total number of successful snapshot {verb}s"),
                &[end],
            ),
            failed: catalog.counters(
                &name("failures"),
                &format!("Total number of snapshot {verb} failures"),
                &[end],
            ),
            under_way: catalog.gauges(
                &name("inflights_total"),
                &format!("Total number of inflight snapshot {verb}s"),
                &[end],
            ),
            duration: catalog.histograms(
                &name("total_duration_seconds"),
                &format!("Total latency distributions of v3 snapshot {verb}s"),
                Buckets::Doubling { start: 0.1, count: 10 },
                &[end],
            ),
        }
    }

    fn begin(&self, id: u64) -> SnapshotMetrics {
        let id = format!("{id:x}");
        let end = [&*id];
        let metrics = SnapshotMetrics {
            succeeded: self.succeeded.with_label_values(&end),
            failed: self.failed.with_label_values(&end),
            under_way: self.under_way.with_label_values(&end),
            duration: self.duration.with_label_values(&end),
        };
        metrics.under_way.inc();
        metrics
    }
}

impl SnapshotMetrics {
    /// It is there.
    pub(crate) fn succeeded(&self, took: Duration) {
        self.under_way.dec();
        self.succeeded.inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// It won't be.
    pub(crate) fn failed(&self) {
        self.under_way.dec();
        self.failed.inc();
    }
}

impl PeerMetrics {
    /// The peer can be reached.
    pub(crate) fn connected(&self) {
        self.active.set(1);
    }

    /// The peer can't be reached any more.
    pub(crate) fn disconnected(&self) {
        self.active.set(0);
        self.disconnected.inc();
    }

    /// A probe came back.
    pub(crate) fn probed(&self, took: Duration) {
        self.round_trip.observe(took.as_secs_f64());
    }
}
