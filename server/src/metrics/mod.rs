//! Metrics in Prometheus' text format, under etcd's names.
//!
//! What happens often is counted where it happens, through handles that were looked up at start:
//! a count is one relaxed addition. What is known anyway (indexes, sizes, revisions) is read when
//! somebody asks: [`Metrics::text`] takes [`Numbers`]. A metric of etcd's that nothing here could
//! fill truthfully is left out rather than shown as 0.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Registry, TextEncoder};

use crate::flags::MetricsDetail;
use crate::rpc::Method;
use crate::version;

mod calls;
mod catalog;
mod network;
mod ops;
mod process;
mod state;
mod storage;

use calls::Calls;
use catalog::Catalog;
pub(crate) use network::{Network, PeerMetrics, SnapshotMetrics};
pub(crate) use ops::{Ops, Request};
use process::Process;
use state::{Leases, Raft, State};
use storage::{Log, Scrubs, Tables};

/// The type of [`Metrics::text`], for the header.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What doesn't change while the program runs.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The member's id.
    pub(crate) member_id: u64,
    /// The quota in bytes, `None` for none.
    pub(crate) quota_bytes: Option<u64>,
    /// How the log writes.
    pub(crate) log_io: String,
    /// Groups that it may have under way.
    pub(crate) log_depth: usize,
    /// Whether histograms of calls are kept.
    pub(crate) detail: MetricsDetail,
}

/// What is read when somebody asks for the metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// Commit index.
    pub(crate) committed: i64,
    /// Applied index.
    pub(crate) applied: i64,
    /// Whether this member only learns.
    pub(crate) is_learner: bool,
    /// `3.5.0`, once it is decided.
    pub(crate) cluster_version: Option<String>,
    /// Current revision.
    pub(crate) revision: i64,
    /// Compacted revision.
    pub(crate) compacted_revision: i64,
    /// Keys that are there now.
    pub(crate) keys: i64,
    /// Open watch streams.
    pub(crate) watch_streams: i64,
    /// Watchers on them.
    pub(crate) watchers: i64,
    /// Of these, those that read the past.
    pub(crate) unsynced_watchers: i64,
    /// Events that wait for a client to take them.
    pub(crate) pending_events: i64,
    /// The engine's.
    pub(crate) engine: retcd_engine::Stats,
    /// Bytes that the quota counts.
    pub(crate) used_bytes: u64,
    /// From 0, where writes are free, to 1, where they are refused.
    pub(crate) admission_pressure: f64,
}

/// All metrics of the program.
pub(crate) struct Metrics {
    registry: Registry,
    /// Held while somebody reads: two readers would raise counters twice.
    reading: Mutex<()>,
    calls: Calls,
    network: Network,
    process: Process,
    log: Log,
    tables: Tables,
    scrubs: Scrubs,
    raft: Raft,
    state: State,
    leases: Leases,
    health_successes: prometheus::IntCounter,
    health_failures: prometheus::IntCounter,
    checks: IntGaugeVec,
    checks_total: IntCounterVec,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(facts: &Facts) -> Metrics {
        let catalog = Catalog::new();
        let tables = Tables::new(&catalog);
        tables.set_quota(facts.quota_bytes.unwrap_or(0));
        tell_identity(&catalog, facts.member_id);
        let check_labels = ["type", "name"];
        Metrics {
            reading: Mutex::new(()),
            calls: Calls::new(&catalog, facts.detail),
            network: Network::new(&catalog, facts.member_id),
            process: Process::new(&catalog),
            log: Log::new(&catalog, &facts.log_io, facts.log_depth),
            tables,
            scrubs: Scrubs::new(&catalog),
            raft: Raft::new(&catalog),
            state: State::new(&catalog),
            leases: Leases::new(&catalog),
            health_successes: catalog.counter(
                "etcd_server_health_success",
                "The total number of successful health checks",
            ),
            health_failures: catalog
                .counter("etcd_server_health_failures", "The total number of failed health checks"),
            checks: catalog.gauges(
                "etcd_server_healthcheck",
                "The result of each kind of healthcheck.",
                &check_labels,
            ),
            checks_total: catalog.counters(
                "etcd_server_healthchecks_total",
                "The total number of each kind of healthcheck.",
                &["type", "name", "status"],
            ),
            registry: catalog.finish(),
        }
    }

    /// Everything as text, with `numbers` as of now.
    pub(crate) fn text(&self, numbers: &Numbers) -> Vec<u8> {
        let _reading = self.reading.lock();
        self.process.refresh();
        self.tables.set(numbers);
        self.raft.set(numbers);
        self.state.set(numbers);
        let mut text = Vec::with_capacity(256 << 10);
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("a vector takes everything, and every family has a sample");
        text
    }

    /// A call began. `client_version` is what the client says of itself, or `unknown`.
    pub(crate) fn rpc_started(&self, method: Method, client_version: &str) {
        self.calls.started(method, client_version);
    }

    /// A call ended, so much time after it began.
    pub(crate) fn rpc_done(&self, method: Method, code: tonic::Code, took: Duration) {
        self.calls.done(method, code, took);
    }

    /// A message of a client came in.
    pub(crate) fn message_received(&self, method: Method, bytes: usize) {
        self.calls.received(method, bytes);
    }

    /// A message went out to a client.
    pub(crate) fn message_sent(&self, method: Method, bytes: usize) {
        self.calls.sent(method, bytes);
    }

    /// Events went out to watchers.
    pub(crate) fn watch_events(&self, count: usize) {
        self.state.events_sent(count);
    }

    /// A group of the log is on its way, the last of so many.
    pub(crate) fn log_begun(&self, under_way: usize) {
        self.log.begun(under_way);
    }

    /// A group of the log is durable.
    pub(crate) fn log_synced(&self, took: Duration, entries: usize) {
        self.log.synced(took, entries);
    }

    /// The log's counts as of now, and how often and how long it waited for segments. Only whoever
    /// works on the log calls this.
    pub(crate) fn log_stats(&self, stats: retcd_wal::Stats, stalls: (u64, Duration)) {
        self.log.set(&stats, stalls);
    }

    /// A memtable was flushed.
    pub(crate) fn flushed(&self, took: Duration) {
        self.tables.flushed(took);
    }

    /// A scrub read so many bytes, and found so many damaged places.
    pub(crate) fn scrubbed(&self, bytes: u64, damage: u64) {
        self.scrubs.read(bytes, damage);
    }

    /// The connections to other members.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// A scrub read everything.
    pub(crate) fn scrub_ended(&self, at: SystemTime, took: Duration) {
        self.scrubs.ended(at.duration_since(UNIX_EPOCH).unwrap_or_default(), took);
    }

    /// A write was held at the door.
    pub(crate) fn admission_delayed(&self, delay: Duration) {
        self.tables.admission_delayed(delay);
    }

    /// A write was refused at the door.
    pub(crate) fn admission_refused(&self) {
        self.tables.admission_refused();
    }

    /// Who leads changed. Only the raft thread calls this.
    pub(crate) fn role(&self, leads: bool, leader_known: bool) {
        self.raft.role(leads, leader_known);
    }

    /// A learner was promoted, or not, and why.
    pub(crate) fn promoted(&self, failure: Option<&str>) {
        self.raft.promoted(failure);
    }

    /// A leader's heartbeats go out late.
    pub(crate) fn heartbeat_is_late(&self) {
        self.raft.heartbeat_is_late();
    }

    /// This member gave up leadership because its disk stalled.
    pub(crate) fn stepped_down(&self) {
        self.raft.stepped_down();
    }

    /// A proposal is on its way until what comes back is dropped.
    pub(crate) fn proposal(&self) -> Proposal<'_> {
        self.raft.proposal_began();
        Proposal(self)
    }

    /// A received snapshot is becoming the state until what comes back is dropped.
    pub(crate) fn snapshot_applying(&self) -> SnapshotApplying<'_> {
        self.raft.snapshot_applying(true);
        SnapshotApplying(self)
    }

    /// An entry was applied.
    pub(crate) fn applied(&self, request: Request, succeeded: bool, took: Duration) {
        self.state.applied(request, succeeded, took);
    }

    /// Applying an entry took too long.
    pub(crate) fn slow_apply(&self) {
        self.raft.slow_apply();
    }

    /// A linearizable read timed out.
    pub(crate) fn slow_read(&self) {
        self.raft.slow_read();
    }

    /// A linearizable read failed.
    pub(crate) fn failed_read(&self) {
        self.raft.failed_read();
    }

    /// A request, replicated or not, executed these operations.
    pub(crate) fn executed(&self, ops: Ops) {
        self.state.executed(ops);
    }

    /// A compaction was accepted.
    pub(crate) fn compacted(&self, at: SystemTime) {
        let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.state.compacted(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX));
    }

    /// A snapshot was made and sent, or given up.
    pub(crate) fn snapshot_taken(&self, took: Duration) {
        self.tables.snapshot_taken(took);
    }

    /// The whole content was hashed.
    pub(crate) fn hashed(&self, took: Duration) {
        self.state.hashed(took);
    }

    /// Keys were hashed at a revision.
    pub(crate) fn hashed_at_revision(&self, took: Duration) {
        self.state.hashed_at_revision(took);
    }

    /// A lease was granted.
    pub(crate) fn lease_granted(&self, ttl_seconds: i64) {
        self.leases.granted(ttl_seconds);
    }

    /// A lease was revoked, for whatever reason.
    pub(crate) fn lease_revoked(&self) {
        self.leases.revoked();
    }

    /// A lease was kept alive.
    pub(crate) fn lease_renewed(&self) {
        self.leases.renewed();
    }

    /// A lease ran out.
    pub(crate) fn lease_expired(&self) {
        self.leases.expired();
    }

    /// `/health` was answered.
    pub(crate) fn health_told(&self, healthy: bool) {
        let counter = match healthy {
            true => &self.health_successes,
            false => &self.health_failures,
        };
        counter.inc();
    }

    /// A check of `/livez` or `/readyz` was made.
    pub(crate) fn checked(&self, kind: &str, name: &str, passed: bool) {
        let status = if passed { "success" } else { "error" };
        self.checks.with_label_values(&[kind, name]).set(i64::from(passed));
        self.checks_total.with_label_values(&[kind, name, status]).inc();
    }
}

/// A proposal that is on its way.
pub(crate) struct Proposal<'a>(&'a Metrics);

impl Proposal<'_> {
    /// It got no answer, because of this.
    pub(crate) fn failed<E>(&self, why: E) -> E {
        self.0.raft.proposal_failed();
        why
    }
}

impl Drop for Proposal<'_> {
    fn drop(&mut self) {
        self.0.raft.proposal_ended();
    }
}

/// A received snapshot that is becoming the state.
pub(crate) struct SnapshotApplying<'a>(&'a Metrics);

impl Drop for SnapshotApplying<'_> {
    fn drop(&mut self) {
        self.0.raft.snapshot_applying(false);
    }
}

/// Versions and id, as labels of metrics that are always 1.
fn tell_identity(catalog: &Catalog, member_id: u64) {
    let etcd = catalog.gauges(
        "etcd_server_version",
        "Which version is running. 1 for 'server_version' label with current version.",
        &["server_version"],
    );
    etcd.with_label_values(&[version::ETCD]).set(1);
    let id = catalog.gauges(
        "etcd_server_id",
        "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
        &["server_id"],
    );
    id.with_label_values(&[&format!("{member_id:x}")]).set(1);
    let build = catalog.gauges(
        "retcd_build_info",
        "1 for 'version' label with this program's own version.",
        &["version"],
    );
    build.with_label_values(&[version::RETCD]).set(1);
}

#[cfg(test)]
mod tests;
