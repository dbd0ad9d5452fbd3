//! The metrics as a scraper sees them.

use std::collections::BTreeSet;

use super::*;

fn metrics(detail: MetricsDetail) -> Metrics {
    Metrics::new(&Facts {
        member_id: 0x8e9e_05c5_2164_694d,
        quota_bytes: Some(2 << 30),
        log_io: "direct".to_owned(),
        log_depth: 3,
        detail,
    })
}

fn text(metrics: &Metrics, numbers: &Numbers) -> String {
    String::from_utf8(metrics.text(numbers)).expect("the format is text")
}

/// The value of a series, given as it stands in the text.
fn value(text: &str, series: &str) -> Option<String> {
    let mut lines = text.lines();
    lines.find_map(|line| {
        let value = line.strip_prefix(series)?.strip_prefix(' ')?;
        Some(value.to_owned())
    })
}

#[test]
fn every_call_and_code_is_there_from_the_start() {
    let text = text(&metrics(MetricsDetail::Basic), &Numbers::default());
    for method in Method::ALL {
        let labels = format!(
            "grpc_method=\"{}\",grpc_service=\"{}\",grpc_type=\"{}\"",
            method.name(),
            method.service(),
            method.kind().label()
        );
        for name in ["started_total", "msg_received_total", "msg_sent_total"] {
            let series = format!("grpc_server_{name}{{{labels}}}");
            assert_eq!(value(&text, &series).as_deref(), Some("0"), "{series}");
        }
        for code in ["OK", "Canceled", "Unavailable", "Unauthenticated"] {
            let series = format!("grpc_server_handled_total{{grpc_code=\"{code}\",{labels}}}");
            assert_eq!(value(&text, &series).as_deref(), Some("0"), "{series}");
        }
    }
    assert!(!text.contains("grpc_server_handling_seconds"));
}

#[test]
fn what_is_counted_is_told() {
    let metrics = metrics(MetricsDetail::Extensive);
    metrics.rpc_started(Method::Put, "3.5");
    metrics.message_received(Method::Put, 10);
    metrics.message_sent(Method::Put, 20);
    metrics.rpc_done(Method::Put, tonic::Code::Ok, Duration::from_millis(7));
    metrics.log_begun(2);
    metrics.log_synced(Duration::from_micros(1500), 3);
    metrics.applied(Request::Put, true, Duration::from_micros(150));
    metrics.executed(Ops { puts: 2, deletes: 1, ranges: 0 });
    metrics.executed(Ops::PUT);
    metrics.role(true, true);
    metrics.role(true, true);
    metrics.checked("readyz", "linearizable_read", false);
    let numbers = Numbers {
        committed: 12,
        revision: 7,
        cluster_version: Some("3.5.0".to_owned()),
        used_bytes: 5,
        engine: retcd_engine::Stats { flushes: 4, file_bytes: 10, ..Default::default() },
        ..Numbers::default()
    };
    text(&metrics, &numbers);
    let text = text(&metrics, &numbers);
    let put = "grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"";
    for (series, expected) in [
        (format!("grpc_server_started_total{{{put}}}"), "1"),
        (format!("grpc_server_handled_total{{grpc_code=\"OK\",{put}}}"), "1"),
        (format!("grpc_server_handling_seconds_bucket{{{put},le=\"0.01\"}}"), "1"),
        ("etcd_network_client_grpc_received_bytes_total".into(), "10"),
        ("etcd_network_client_grpc_sent_bytes_total".into(), "20"),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"}".into(), "0"),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.002\"}".into(), "1"),
        ("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"8.192\"}".into(), "1"),
        ("retcd_wal_group_entries_sum".into(), "3"),
        ("etcd_mvcc_put_total".into(), "3"),
        ("etcd_mvcc_delete_total".into(), "1"),
        ("etcd_mvcc_txn_total".into(), "1"),
        ("etcd_server_leader_changes_seen_total".into(), "1"),
        ("etcd_server_has_leader".into(), "1"),
        ("etcd_server_proposals_committed_total".into(), "12"),
        ("etcd_debugging_mvcc_current_revision".into(), "7"),
        ("etcd_cluster_version{cluster_version=\"3.5\"}".into(), "1"),
        ("etcd_server_version{server_version=\"3.5.33\"}".into(), "1"),
        ("etcd_server_id{server_id=\"8e9e05c52164694d\"}".into(), "1"),
        ("etcd_server_quota_backend_bytes".into(), "2147483648"),
        ("etcd_mvcc_db_total_size_in_bytes".into(), "10"),
        ("etcd_mvcc_db_total_size_in_use_in_bytes".into(), "5"),
        ("retcd_engine_flushes_total".into(), "4"),
        ("retcd_wal_io_info{mode=\"direct\"}".into(), "1"),
        ("retcd_wal_io_depth".into(), "3"),
        ("retcd_wal_groups_under_way_bucket{le=\"1\"}".into(), "0"),
        ("retcd_wal_groups_under_way_bucket{le=\"2\"}".into(), "1"),
        (
            "etcd_server_healthchecks_total{name=\"linearizable_read\",status=\"error\",\
             type=\"readyz\"}"
                .into(),
            "1",
        ),
        (
            "etcd_server_client_requests_total{client_api_version=\"3.5\",type=\"unary\"}".into(),
            "1",
        ),
    ] {
        assert_eq!(value(&text, &series).as_deref(), Some(expected), "{series}");
    }
}

#[test]
fn proposals_are_pending_until_they_are_dropped() {
    let metrics = metrics(MetricsDetail::Basic);
    let answered = metrics.proposal();
    let failing = metrics.proposal();
    let pending = || {
        let text = text(&metrics, &Numbers::default());
        value(&text, "etcd_server_proposals_pending").expect("there from the start")
    };
    assert_eq!(pending(), "2");
    drop(answered);
    assert_eq!(failing.failed("late"), "late");
    drop(failing);
    assert_eq!(pending(), "0");
    let text = text(&metrics, &Numbers::default());
    assert_eq!(value(&text, "etcd_server_proposals_failed_total").as_deref(), Some("1"));
}

#[test]
fn names_that_dashboards_look_for_are_there_with_their_types() {
    let text = text(&metrics(MetricsDetail::Basic), &Numbers::default());
    let types: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for name in [
        "etcd_disk_backend_commit_duration_seconds histogram",
        "etcd_disk_wal_fsync_duration_seconds histogram",
        "etcd_disk_wal_write_bytes_total gauge",
        "etcd_mvcc_db_total_size_in_bytes gauge",
        "etcd_debugging_mvcc_keys_total gauge",
        "etcd_debugging_lease_ttl_total histogram",
        "etcd_server_has_leader gauge",
        "etcd_server_is_leader gauge",
        "etcd_server_leader_changes_seen_total counter",
        "etcd_server_proposals_applied_total gauge",
        "etcd_server_proposals_pending gauge",
        "etcd_server_proposals_failed_total counter",
        "etcd_server_slow_apply_total counter",
        "etcd_server_health_success counter",
        "etcd_server_heartbeat_send_failures_total counter",
        "grpc_server_handled_total counter",
        "process_cpu_seconds_total counter",
        "process_resident_memory_bytes gauge",
        "os_fd_limit gauge",
    ] {
        assert!(types.contains(name), "{name}");
    }
}

#[test]
fn a_snapshot_is_applied_while_it_is() {
    let metrics = metrics(MetricsDetail::Basic);
    let told = || {
        let text = text(&metrics, &Numbers::default());
        value(&text, "etcd_server_snapshot_apply_in_progress_total")
    };
    let applying = metrics.snapshot_applying();
    assert_eq!(told().as_deref(), Some("1"));
    drop(applying);
    assert_eq!(told().as_deref(), Some("0"));
}
