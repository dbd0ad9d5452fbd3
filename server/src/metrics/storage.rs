//! Metrics of the log, the engine and the quota; names of our own begin with `retcd_`.

use std::time::Duration;

use prometheus::{Counter, Gauge, Histogram, IntCounter, IntGauge};

use super::Numbers;
use super::catalog::{Buckets, Catalog, DISK};

/// The log's metrics.
pub(super) struct Log {
    sync: Histogram,
    bytes: IntGauge,
    group_entries: Histogram,
    groups_under_way: Histogram,
    groups: IntCounter,
    syncs: IntCounter,
    payload_bytes: IntCounter,
    compressed_groups: IntCounter,
    saved_bytes: IntCounter,
    segments: IntGauge,
    prepared: IntGauge,
    rotations: IntCounter,
    stalls: IntCounter,
    stall_seconds: Counter,
    recycled: IntCounter,
}

impl Log {
    pub(super) fn new(catalog: &Catalog, io: &str, depth: usize) -> Log {
        let mode = catalog.gauges(
            "retcd_wal_io_info",
            "How the log writes. 1 for 'mode' label with the mode in use.",
            &["mode"],
        );
        mode.with_label_values(&[io]).set(1);
        catalog
            .gauge("retcd_wal_io_depth", "Groups of the log that may be under way at once.")
            .set(signed(depth as u64));
        Log {
            sync: catalog.histogram(
                "etcd_disk_wal_fsync_duration_seconds",
                "The latency distributions of fsync called by WAL.",
                DISK,
            ),
            bytes: catalog
                .gauge("etcd_disk_wal_write_bytes_total", "Total number of bytes written in WAL."),
            group_entries: catalog.histogram(
                "retcd_wal_group_entries",
                "Entries in one group of the log.",
                Buckets::Doubling { start: 1.0, count: 12 },
            ),
            groups_under_way: catalog.histogram(
                "retcd_wal_groups_under_way",
                "Groups of the log under way when one is begun, that one included.",
                Buckets::Doubling { start: 1.0, count: 7 },
            ),
            groups: catalog.counter("retcd_wal_groups_total", "Groups that became durable."),
            syncs: catalog.counter("retcd_wal_syncs_total", "Durable writes for groups."),
            payload_bytes: catalog.counter(
                "retcd_wal_payload_bytes_total",
                "Bytes of entries in groups, without frames and padding.",
            ),
            compressed_groups: catalog
                .counter("retcd_wal_compressed_groups_total", "Groups that were compressed."),
            saved_bytes: catalog.counter(
                "retcd_wal_compression_saved_bytes_total",
                "Bytes of groups that compression saved, before padding.",
            ),
            segments: catalog.gauge("retcd_wal_segments", "Segments that exist now."),
            prepared: catalog
                .gauge("retcd_wal_prepared_segments", "Files that are ready to become segments."),
            rotations: catalog.counter("retcd_wal_rotations_total", "Segments begun."),
            stalls: catalog.counter(
                "retcd_wal_segment_stalls_total",
                "Segments that had to be prepared while a group waited.",
            ),
            stall_seconds: catalog.float_counter(
                "retcd_wal_segment_stall_seconds_total",
                "How long groups have waited for a segment.",
            ),
            recycled: catalog.counter(
                "retcd_wal_segments_recycled_total",
                "Segments whose file was used again.",
            ),
        }
    }

    pub(super) fn begun(&self, under_way: usize) {
        self.groups_under_way.observe(under_way as f64);
    }

    pub(super) fn synced(&self, took: Duration, entries: usize) {
        self.sync.observe(took.as_secs_f64());
        self.group_entries.observe(entries as f64);
    }

    /// `stalls` is how often and how long groups waited for the segment thread.
    pub(super) fn set(&self, stats: &retcd_wal::Stats, stalls: (u64, Duration)) {
        self.bytes.set(signed(stats.bytes));
        raise(&self.groups, stats.groups);
        raise(&self.syncs, stats.syncs);
        raise(&self.payload_bytes, stats.payload_bytes);
        raise(&self.compressed_groups, stats.compressed_groups);
        raise(&self.saved_bytes, stats.saved_bytes);
        self.segments.set(signed(stats.segments));
        self.prepared.set(signed(stats.prepared));
        raise(&self.rotations, stats.rotations);
        raise(&self.stalls, stats.inline_preparations + stalls.0);
        self.stall_seconds.inc_by((stalls.1.as_secs_f64() - self.stall_seconds.get()).max(0.0));
        raise(&self.recycled, stats.recycled);
    }
}

/// The engine's metrics.
pub(super) struct Tables {
    flush: Histogram,
    snapshot: Histogram,
    total_bytes: IntGauge,
    used_bytes: IntGauge,
    quota_bytes: IntGauge,
    file_bytes: IntGauge,
    live_bytes: IntGauge,
    memtable_bytes: IntGauge,
    frozen_memtables: IntGauge,
    runs: IntGauge,
    flushes: IntCounter,
    merges: IntCounter,
    bytes_written: IntCounter,
    out_of_space: IntGauge,
    level_zero_runs: IntGauge,
    debt: Gauge,
    pressure: Gauge,
    delay_seconds: Counter,
    refused: IntCounter,
}

impl Tables {
    pub(super) fn new(catalog: &Catalog) -> Tables {
        Tables {
            flush: catalog.histogram(
                "etcd_disk_backend_commit_duration_seconds",
                "The latency distributions of commit called by backend.",
                DISK,
            ),
            snapshot: catalog.histogram(
                "etcd_disk_backend_snapshot_duration_seconds",
                "The latency distribution of backend snapshots.",
                Buckets::Doubling { start: 0.01, count: 17 },
            ),
            total_bytes: catalog.gauge(
                "etcd_mvcc_db_total_size_in_bytes",
                "Total size of the underlying database physically allocated in bytes.",
            ),
            used_bytes: catalog.gauge(
                "etcd_mvcc_db_total_size_in_use_in_bytes",
                "Total size of the underlying database logically in use in bytes.",
            ),
            quota_bytes: catalog.gauge(
                "etcd_server_quota_backend_bytes",
                "Current backend storage quota size in bytes.",
            ),
            file_bytes: catalog.gauge("retcd_engine_file_bytes", "Bytes of all tables."),
            live_bytes: catalog.gauge(
                "retcd_engine_live_bytes",
                "Bytes of tables that a complete merge would keep, estimated.",
            ),
            memtable_bytes: catalog
                .gauge("retcd_engine_memtable_bytes", "Bytes in memtables, frozen ones included."),
            frozen_memtables: catalog
                .gauge("retcd_engine_frozen_memtables", "Memtables that wait for a flush."),
            runs: catalog.gauge("retcd_engine_runs", "Sorted runs on disk."),
            flushes: catalog.counter("retcd_engine_flushes_total", "Memtables flushed."),
            merges: catalog.counter("retcd_engine_merges_total", "Merges done."),
            bytes_written: catalog.counter(
                "retcd_engine_bytes_written_total",
                "Bytes written to tables and manifests.",
            ),
            out_of_space: catalog.gauge(
                "retcd_engine_out_of_space",
                "1 if the last merge was given up because the disk was full.",
            ),
            level_zero_runs: catalog.gauge(
                "retcd_engine_level_zero_runs",
                "Runs of pairs that were flushed and not merged since.",
            ),
            debt: catalog.float_gauge(
                "retcd_engine_merge_debt_ratio",
                "Bytes above the last tier; at 1 a merge into it is due.",
            ),
            pressure: catalog.float_gauge(
                "retcd_admission_pressure_ratio",
                "Writes are delayed above 0 and refused at 1.",
            ),
            delay_seconds: catalog.float_counter(
                "retcd_admission_delay_seconds_total",
                "How long writes were held because flushes and merges were behind.",
            ),
            refused: catalog.counter(
                "retcd_admission_refused_total",
                "Writes refused because flushes and merges were behind.",
            ),
        }
    }

    pub(super) fn set_quota(&self, bytes: u64) {
        self.quota_bytes.set(signed(bytes));
    }

    pub(super) fn flushed(&self, took: Duration) {
        self.flush.observe(took.as_secs_f64());
    }

    pub(super) fn snapshot_taken(&self, took: Duration) {
        self.snapshot.observe(took.as_secs_f64());
    }

    pub(super) fn admission_delayed(&self, delay: Duration) {
        self.delay_seconds.inc_by(delay.as_secs_f64());
    }

    pub(super) fn admission_refused(&self) {
        self.refused.inc();
    }

    /// What is known of the engine, of the quota and of the door.
    pub(super) fn set(&self, numbers: &Numbers) {
        let Numbers { engine: stats, used_bytes, admission_pressure, .. } = numbers;
        self.pressure.set(*admission_pressure);
        self.level_zero_runs.set(signed(stats.level_zero_runs));
        self.debt.set(stats.debt_permille.min(1_000_000) as f64 / 1000.0);
        self.total_bytes.set(signed(stats.file_bytes.saturating_add(stats.memtable_bytes)));
        self.used_bytes.set(signed(*used_bytes));
        self.file_bytes.set(signed(stats.file_bytes));
        self.live_bytes.set(signed(stats.live_bytes));
        self.memtable_bytes.set(signed(stats.memtable_bytes));
        self.frozen_memtables.set(signed(stats.frozen_memtables));
        self.runs.set(signed(stats.runs));
        raise(&self.flushes, stats.flushes);
        raise(&self.merges, stats.merges);
        raise(&self.bytes_written, stats.bytes_written);
        self.out_of_space.set(i64::from(stats.out_of_space));
    }
}

/// The scrub's metrics.
pub(super) struct Scrubs {
    bytes: IntCounter,
    passes: IntCounter,
    damage: IntCounter,
    last_seconds: Gauge,
    last_end: IntGauge,
}

impl Scrubs {
    pub(super) fn new(catalog: &Catalog) -> Scrubs {
        Scrubs {
            bytes: catalog.counter("retcd_scrub_bytes_total", "Bytes that scrubs have read."),
            passes: catalog.counter("retcd_scrub_passes_total", "Scrubs that read everything."),
            damage: catalog.counter(
                "retcd_scrub_damage_total",
                "Places that scrubs found damaged, in each pass again.",
            ),
            last_seconds: catalog.float_gauge(
                "retcd_scrub_last_pass_duration_seconds",
                "How long the last whole scrub took.",
            ),
            last_end: catalog.gauge(
                "retcd_scrub_last_pass_end_seconds",
                "When the last whole scrub ended, in seconds since 1970; 0 if there was none.",
            ),
        }
    }

    pub(super) fn read(&self, bytes: u64, damage: u64) {
        self.bytes.inc_by(bytes);
        self.damage.inc_by(damage);
    }

    pub(super) fn ended(&self, at: Duration, took: Duration) {
        self.passes.inc();
        self.last_seconds.set(took.as_secs_f64());
        self.last_end.set(signed(at.as_secs()));
    }
}

/// Brings a counter up to a number that only grows.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
