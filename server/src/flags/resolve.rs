//! From settings to a [`Config`]: etcd's checks in etcd's order and words, then ours.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::config::{
    Allowed, AutoCompaction, BatchLimits, Config, CorruptChecks, EngineKind, HttpConfig, Keepalive,
    LogIo, MetricsDetail, RaftConfig, RequestLimits, StorageConfig, Urls, limits,
};
use super::discovery::{self, Discovery};
use super::gates::Gates;
use super::settings::Settings;
use super::table::{self, Role};
use super::{checks, go};
use crate::logging::{Level, LogConfig, Record};
use retcd_api::initial_cluster::{ClusterState, InitialCluster};
use retcd_api::url::{self, Url};

/// Quota when `--quota-backend-bytes` is 0.
const QUOTA_BYTES_DEFAULT: u64 = 2 << 30;
/// Applied entries between flushes when `--snapshot-count` is 0.
const SNAPSHOT_COUNT_DEFAULT: u64 = 100_000;

/// Where the settings come from: what isn't given means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Arguments and environment.
    CommandLine,
    /// The configuration file.
    File,
}

/// Why there is no configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// etcd says `failed to verify flags`.
    Verify(String),
    /// etcd gets as far as starting and says `discovery failed`.
    Start(String),
}

/// Checks `settings` and makes a configuration of them. `default_host` gives the address that the
/// machine talks to the world from.
pub(super) fn resolve(
    mut settings: Settings,
    source: Source,
    default_host: &dyn Fn() -> Option<IpAddr>,
    records: &mut Vec<Record>,
) -> Result<Config, Refusal> {
    records.extend(settings.resolve_older_names());
    let gates = Gates::of(&settings).map_err(Refusal::Verify)?;
    let log = LogConfig::new(
        &settings.text("logger"),
        &settings.text("log-level"),
        settings.list("log-outputs"),
    )
    .map_err(Refusal::Verify)?;
    let mut urls = gather_urls(&settings);
    checks::check_as_etcd(&settings, &urls, &gates, source).map_err(Refusal::Verify)?;
    refuse_unavailable(&settings, &gates).map_err(Refusal::Verify)?;
    checks::refuse_other_schemes(&urls).map_err(Refusal::Verify)?;
    tell_moot(&settings, records);

    let name = settings.text("name");
    let discovery = discovery::of(&settings).map_err(Refusal::Verify)?;
    let mut initial_cluster = initial_cluster(&settings, &name, &mut urls, default_host, records);
    if let Some(token) = discovery.as_ref().and_then(Discovery::token) {
        initial_cluster.token = token.to_owned();
    }
    let data_dir = match settings.text("data-dir") {
        dir if dir.is_empty() => {
            let dir = format!("{name}.etcd");
            records.push(
                Record::new(Level::Warn, "'data-dir' was empty; using default")
                    .with("data-dir", json!(dir)),
            );
            dir
        }
        dir => dir,
    };
    Ok(Config {
        name,
        data_dir: PathBuf::from(data_dir),
        wal_dir: Some(settings.text("wal-dir")).filter(|dir| !dir.is_empty()).map(PathBuf::from),
        urls,
        initial_cluster,
        discovery,
        force_new_cluster: settings.bool("force-new-cluster"),
        raft: raft(&settings).map_err(Refusal::Verify)?,
        requests: requests(&settings, records).map_err(Refusal::Verify)?,
        keepalive: keepalive(&settings).map_err(Refusal::Verify)?,
        quota_bytes: match settings.int("quota-backend-bytes") {
            0 => Some(QUOTA_BYTES_DEFAULT),
            bytes => u64::try_from(bytes).ok(),
        },
        batch: batch(&settings).map_err(Refusal::Verify)?,
        auto_compaction: auto_compaction(&settings).map_err(Refusal::Start)?,
        lease_checkpoint_interval: gates
            .is_on("LeaseCheckpoint")
            .then_some(limits::LEASE_CHECKPOINT_INTERVAL),
        watch_progress_interval: watch_progress_interval(&settings, records),
        warning_apply_duration: duration(&settings, "warning-apply-duration")
            .map_err(Refusal::Verify)?,
        storage: storage(&settings).map_err(Refusal::Verify)?,
        http: HttpConfig {
            cors: allowed(settings.list("cors")),
            hosts: allowed(settings.list("host-whitelist")),
        },
        metrics: match settings.text("metrics").as_str() {
            "extensive" => MetricsDetail::Extensive,
            _ => MetricsDetail::Basic,
        },
        corrupt_checks: corrupt_checks(&settings, &gates).map_err(Refusal::Verify)?,
        log,
    })
}

fn gather_urls(settings: &Settings) -> Urls {
    // They are sorted. What is given twice is listened on once.
    let listen = |name: &str| {
        let mut urls = settings.urls(name);
        urls.dedup();
        urls
    };
    Urls {
        listen_peer: listen("listen-peer-urls"),
        listen_client: listen("listen-client-urls"),
        listen_client_http: listen("listen-client-http-urls"),
        listen_metrics: listen("listen-metrics-urls"),
        advertise_peer: settings.urls("initial-advertise-peer-urls"),
        advertise_client: settings.urls("advertise-client-urls"),
    }
}

/// Refuses flags whose function isn't there, unless they say what happens anyway.
fn refuse_unavailable(settings: &Settings, gates: &Gates) -> Result<(), String> {
    for (flag, spelled, value) in settings.given() {
        let (what, also, when) = match flag.role {
            Role::Later(what, also) => (what, also, "in this version yet"),
            Role::Gone(what, also) => (what, also, "here"),
            _ => continue,
        };
        let text = value.to_string();
        if *value == flag.default_value() || also.contains(&text.as_str()) {
            continue;
        }
        let (text, default) = (go::quote(&text), go::quote(flag.default));
        return Err(format!(
            "--{spelled}={text}: {what} is not available {when}; \
             only the default, {default}, is accepted"
        ));
    }
    gates.refuse_unavailable()
}

/// Tells of flags that were given another value than the default and change nothing.
fn tell_moot(settings: &Settings, records: &mut Vec<Record>) {
    for (flag, spelled, value) in settings.given() {
        let Role::Moot(reason) = flag.role else {
            continue;
        };
        if *value != flag.default_value() {
            records.push(
                Record::new(Level::Warn, "a flag has no effect")
                    .with("flag-name", json!(spelled))
                    .with("value", json!(value.to_string()))
                    .with("reason", json!(reason)),
            );
        }
    }
}

/// Who founds the cluster. Default advertise URLs become the machine's own address when the
/// listener is open to all, and a name alone makes a cluster of that name, as in etcd.
fn initial_cluster(
    settings: &Settings,
    name: &str,
    urls: &mut Urls,
    default_host: &dyn Fn() -> Option<IpAddr>,
    records: &mut Vec<Record>,
) -> InitialCluster {
    let is_default = |flag: &str, urls: &[Url]| {
        let default = table::find(flag).expect("the flag is in the table").default;
        url::join(urls) == default
    };
    let open = |listen: &[Url]| listen.first().filter(|url| url.host() == "0.0.0.0").cloned();
    let replace_peer = open(&urls.listen_peer)
        .filter(|_| is_default("initial-advertise-peer-urls", &urls.advertise_peer));
    let replace_client = open(&urls.listen_client)
        .filter(|_| is_default("advertise-client-urls", &urls.advertise_client));
    if (replace_peer.is_some() || replace_client.is_some())
        && let Some(host) = default_host()
    {
        let at_host = |listen: Url| {
            let host = match host {
                IpAddr::V4(host) => host.to_string(),
                IpAddr::V6(host) => format!("[{host}]"),
            };
            let authority = format!("{host}:{}", listen.port());
            vec![Url { scheme: url::Scheme::Http, authority }]
        };
        if let Some(listen) = replace_peer {
            urls.advertise_peer = at_host(listen);
        }
        if let Some(listen) = replace_client {
            urls.advertise_client = at_host(listen);
        }
        records.push(
            Record::new(Level::Info, "detected default host for advertise")
                .with("host", json!(host.to_string())),
        );
    }
    let cluster = table::find("initial-cluster").expect("the flag is in the table");
    let default_name = table::find("name").expect("the flag is in the table").default;
    let mut members = settings.text("initial-cluster");
    if !settings.is_set("initial-cluster") && discovery::is_given(settings) {
        members.clear();
    } else if name != default_name && members == cluster.default {
        // An empty name founds under the default one, and is then not found: as in etcd.
        let founder = if name.is_empty() { default_name } else { name };
        let pairs: Vec<String> =
            urls.advertise_peer.iter().map(|url| format!("{founder}={url}")).collect();
        members = pairs.join(",");
    }
    InitialCluster {
        members,
        state: match settings.text("initial-cluster-state").as_str() {
            "existing" => ClusterState::Existing,
            _ => ClusterState::New,
        },
        token: settings.text("initial-cluster-token"),
    }
}

fn raft(settings: &Settings) -> Result<RaftConfig, String> {
    let tick = settings.uint("heartbeat-interval");
    let ticks = settings.uint("election-timeout") / tick;
    Ok(RaftConfig {
        tick: Duration::from_millis(tick),
        election_ticks: u32::try_from(ticks).expect("an election is checked to last 50 s at most"),
        pre_vote: settings.bool("pre-vote"),
        strict_reconfig: settings.bool("strict-reconfig-check"),
        learners_max: learners_max(settings)?,
    })
}

fn learners_max(settings: &Settings) -> Result<usize, String> {
    let max = settings.int("max-learners");
    usize::try_from(max)
        .ok()
        .filter(|&max| max > 0)
        .ok_or_else(|| format!("--max-learners must be greater than 0, but it is {max}"))
}

fn requests(settings: &Settings, records: &mut Vec<Record>) -> Result<RequestLimits, String> {
    let bytes = settings.uint("max-request-bytes");
    within("max-request-bytes", bytes, 1..=limits::REQUEST_BYTES_MAX)?;
    if bytes > limits::REQUEST_BYTES_RECOMMENDED {
        records.push(
            Record::new(Level::Warn, "exceeded recommended request limit")
                .with("max-request-bytes", json!(bytes))
                .with("recommended-request-bytes", json!(limits::REQUEST_BYTES_RECOMMENDED)),
        );
    }
    Ok(RequestLimits {
        request_bytes_max: bytes,
        txn_ops_max: settings.uint("max-txn-ops"),
        concurrent_streams_max: u32::try_from(settings.uint("max-concurrent-streams"))
            .expect("the flag's kind holds 32 bits"),
    })
}

fn keepalive(settings: &Settings) -> Result<Keepalive, String> {
    let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
    Ok(Keepalive {
        interval: some(duration(settings, "grpc-keepalive-interval")?),
        timeout: some(duration(settings, "grpc-keepalive-timeout")?),
    })
}

fn batch(settings: &Settings) -> Result<BatchLimits, String> {
    let operations = match settings.int("backend-batch-limit") {
        0 => 10_000,
        limit => limit,
    };
    within("backend-batch-limit", operations, 1..=limits::BATCH_LIMIT_MAX)?;
    let interval = match duration(settings, "backend-batch-interval")? {
        Duration::ZERO => Duration::from_millis(100),
        interval => interval,
    };
    at_most("backend-batch-interval", interval, limits::BATCH_INTERVAL_MAX)?;
    Ok(BatchLimits { operations_max: operations.unsigned_abs(), interval })
}

/// A bare number counts hours or revisions; anything else is a duration, also with `revision`,
/// where its nanoseconds count: etcd's rule.
fn auto_compaction(settings: &Settings) -> Result<AutoCompaction, String> {
    let retention = settings.text("auto-compaction-retention");
    let mode = settings.text("auto-compaction-mode");
    let number = retention.parse::<i64>().ok().filter(|number| *number >= 0);
    let nanos = match (number, mode.as_str()) {
        (Some(revisions), "revision") => Some(revisions),
        (Some(hours), "periodic") => hours.checked_mul(3_600_000_000_000),
        (Some(_), _) => Some(0),
        (None, _) => {
            let nanos = go::parse_duration(&retention)
                .map_err(|what| format!("error parsing CompactionRetention: {what}"))?;
            Some(nanos)
        }
    };
    let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok()).ok_or_else(|| {
        let retention = go::quote(&retention);
        format!("error parsing CompactionRetention: {retention} is out of range")
    })?;
    Ok(match (nanos, mode.as_str()) {
        (0, _) => AutoCompaction::Off,
        (revisions, "revision") => AutoCompaction::Revision(revisions),
        (nanos, "periodic") => AutoCompaction::Periodic(Duration::from_nanos(nanos)),
        _ => return Err("undefined auto-compaction-mode".to_owned()),
    })
}

fn watch_progress_interval(settings: &Settings, records: &mut Vec<Record>) -> Duration {
    let nanos = settings.nanos("watch-progress-notify-interval");
    let interval = Duration::from_nanos(nanos.max(0).unsigned_abs());
    if interval.is_zero() {
        return Duration::from_secs(600);
    }
    if interval < limits::WATCH_PROGRESS_MIN {
        let message = "adjusting watch progress notify interval to minimum period";
        records.push(
            Record::new(Level::Warn, message)
                .with("min-watch-progress-notify-interval", json!("100ms")),
        );
    }
    interval.max(limits::WATCH_PROGRESS_MIN)
}

fn storage(settings: &Settings) -> Result<StorageConfig, String> {
    let limited = |name: &str, range| {
        let value = settings.uint(name);
        within(name, value, range).map(|()| value)
    };
    let group_delay = duration(settings, "wal-group-delay")?;
    at_most("wal-group-delay", group_delay, limits::GROUP_DELAY_MAX)?;
    let log_io = match settings.text("wal-io").as_str() {
        "direct" => LogIo::Direct,
        "buffered" => LogIo::Buffered,
        "uring" => LogIo::Uring,
        _ => LogIo::Auto,
    };
    let log_depth = limited("wal-depth", limits::GROUPS_IN_FLIGHT)?;
    if log_depth > 1 && matches!(log_io, LogIo::Direct | LogIo::Buffered) {
        let io = settings.text("wal-io");
        return Err(format!("--wal-depth={log_depth} needs --wal-io=auto or uring (set to {io})"));
    }
    let scrub_interval = duration(settings, "scrub-interval")?;
    let is_scrubbed = !scrub_interval.is_zero();
    if is_scrubbed && !limits::SCRUB_INTERVAL.contains(&scrub_interval) {
        let (low, high) = (limits::SCRUB_INTERVAL.start(), limits::SCRUB_INTERVAL.end());
        return Err(format!(
            "--scrub-interval must be 0, or between {low:?} and {high:?} (set to \
             {scrub_interval:?})"
        ));
    }
    let snapshot_count = match settings.uint("snapshot-count") {
        0 => SNAPSHOT_COUNT_DEFAULT,
        count => count,
    };
    Ok(StorageConfig {
        group_bytes: limited("wal-group-bytes", limits::GROUP_BYTES)?,
        compress_from_bytes: match settings.uint("wal-compress-bytes") {
            0 => 0,
            _ => limited("wal-compress-bytes", limits::COMPRESS_FROM_BYTES)?,
        },
        group_delay,
        log_io,
        log_depth: log_depth as usize,
        segments_max: Some(settings.uint("max-wals")).filter(|count| *count > 0),
        sync: !settings.bool("unsafe-no-fsync"),
        engine: match settings.text("backend-engine").as_str() {
            "btree" => EngineKind::Btree,
            _ => EngineKind::Lsm,
        },
        memtable_bytes: limited("memtable-bytes", limits::MEMTABLE_BYTES)?,
        block_cache_bytes: limited("block-cache-bytes", limits::BLOCK_CACHE_BYTES)?,
        compaction_threads: limited("compaction-threads", limits::COMPACTION_THREADS)?,
        scrub_interval: Some(scrub_interval).filter(|_| is_scrubbed),
        scrub_bytes_per_second: limited("scrub-bytes-per-second", limits::SCRUB_BYTES_PER_SECOND)?,
        replay_entries_max: snapshot_count.min(limits::REPLAY_ENTRIES_MAX),
    })
}

fn corrupt_checks(settings: &Settings, gates: &Gates) -> Result<CorruptChecks, String> {
    let period = duration(settings, "corrupt-check-time")?;
    let compactions = duration(settings, "compact-hash-check-time")?;
    Ok(CorruptChecks {
        initially: gates.is_on("InitialCorruptCheck"),
        period: Some(period).filter(|period| !period.is_zero()),
        compactions: gates.is_on("CompactHashCheck").then_some(compactions),
    })
}

fn allowed(texts: Vec<String>) -> Allowed {
    if texts.is_empty() || texts.iter().any(|text| text == "*") {
        Allowed::All
    } else {
        Allowed::Only(texts)
    }
}

/// A duration that isn't negative.
pub(super) fn duration(settings: &Settings, name: &str) -> Result<Duration, String> {
    let nanos = settings.nanos(name);
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| {
        let text = go::format_duration(nanos);
        format!("--{name} must not be negative (set to {text})")
    })
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(format!("--{name} must be between {low} and {high} (set to {value})"))
}

fn at_most(name: &str, value: Duration, limit: Duration) -> Result<(), String> {
    if value <= limit {
        return Ok(());
    }
    Err(format!("--{name} must be at most {limit:?} (set to {value:?})"))
}
