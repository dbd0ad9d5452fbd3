//! Scenarios over the whole of [`super::load`]: what is started, refused and printed. Texts that
//! etcd has were taken from its output.

use super::*;
use retcd_api::url;

/// A world without environment and files.
fn load_words(words: &[&str]) -> Loaded {
    load_in(words, &[], "")
}

/// A world with this environment, where every file has this content.
fn load_in(words: &[&str], variables: &[(&str, &str)], file: &str) -> Loaded {
    let args: Vec<String> = ["etcd"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    let read_file = |path: &Path| match path.to_str() {
        Some("missing") => Err(std::io::Error::from_raw_os_error(2)),
        _ => Ok(file.to_owned()),
    };
    let surroundings = Surroundings {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        read_file: &read_file,
        default_host: &|| Some(IpAddr::from([10, 0, 0, 7])),
    };
    load(&args, &surroundings)
}

fn started(loaded: Loaded) -> Config {
    match loaded.outcome {
        Outcome::Start(config) => *config,
        Outcome::Exit(exit) => panic!("{exit:?}\n{:?}", loaded.records),
    }
}

fn config(words: &[&str]) -> Config {
    started(load_words(words))
}

fn exit_of(loaded: Loaded) -> (Exit, Vec<Record>) {
    match loaded.outcome {
        Outcome::Exit(exit) => (exit, loaded.records),
        Outcome::Start(config) => panic!("started: {config:?}"),
    }
}

/// The error of the line that says why the flags were refused.
fn verify_error(loaded: Loaded) -> String {
    let (exit, records) = exit_of(loaded);
    assert_eq!((exit.code, exit.stdout.as_str(), exit.stderr.as_str()), (1, "", ""));
    let record = records.last().expect("the reason is logged");
    assert_eq!(record.message, "failed to verify flags");
    error_field(record)
}

fn error_field(record: &Record) -> String {
    let field = record.fields.iter().find(|(name, _)| name == "error");
    field.and_then(|(_, value)| value.as_str()).expect("the reason is a text").to_owned()
}

fn refused(words: &[&str]) -> String {
    verify_error(load_words(words))
}

#[test]
fn defaults_are_etcds() {
    let config = config(&[]);
    assert_eq!(config.name, "default");
    assert_eq!(config.data_dir, Path::new("default.etcd"));
    assert_eq!(config.log_dir(), Path::new("default.etcd/member/wal"));
    assert_eq!(config.raft.tick.as_millis(), 100);
    assert_eq!(config.raft.election_ticks, 10);
    assert_eq!(config.storage.replay_entries_max, 100_000);
    assert_eq!(config.request_timeout().as_secs(), 7);
    assert_eq!(config.quota_bytes, Some(2 << 30));
    assert_eq!(config.batch.operations_max, 10_000);
    assert_eq!(config.batch.interval.as_millis(), 100);
    assert_eq!(config.requests.request_bytes_max, 1_572_864);
    assert_eq!(config.requests.txn_ops_max, 128);
    assert_eq!(config.requests.concurrent_streams_max, u32::MAX);
    assert_eq!(config.keepalive.interval.map(|time| time.as_secs()), Some(7200));
    assert_eq!(config.auto_compaction, AutoCompaction::Off);
    assert_eq!(config.lease_checkpoint_interval, None);
    assert_eq!(config.watch_progress_interval.as_secs(), 600);
    assert_eq!(config.warning_apply_duration.as_millis(), 100);
    assert_eq!(config.http.cors, Allowed::All);
    assert!(config.storage.sync);
    let founding =
        config.initial_cluster.found(&config.name, &config.urls.advertise_peer, &system_resolver);
    assert_eq!(founding.expect("the defaults found a cluster").token, "etcd-cluster");
}

#[test]
fn a_name_alone_founds_a_cluster_of_that_name() {
    let config = config(&["--name", "a"]);
    assert_eq!(config.data_dir, Path::new("a.etcd"));
    assert_eq!(config.initial_cluster.members, "a=http://localhost:2380");
}

#[test]
fn open_listeners_advertise_the_machines_address() {
    let config = config(&[
        "--name=a",
        "--listen-peer-urls=http://0.0.0.0:2390",
        "--listen-client-urls=http://0.0.0.0:2389",
        "--advertise-client-urls=http://localhost:2379",
    ]);
    assert_eq!(url::join(&config.urls.advertise_peer), "http://10.0.0.7:2390");
    assert_eq!(url::join(&config.urls.advertise_client), "http://10.0.0.7:2389");
    assert_eq!(config.initial_cluster.members, "a=http://10.0.0.7:2390");
}

#[test]
fn settings_reach_the_configuration() {
    let config = config(&[
        "--quota-backend-bytes=-1",
        "--backend-batch-limit=5",
        "--backend-batch-interval=3ms",
        "--auto-compaction-mode=revision",
        "--auto-compaction-retention=1000",
        "--grpc-keepalive-interval=0",
        "--max-wals=0",
        "--unsafe-no-fsync",
        "--experimental-watch-progress-notify-interval=5s",
        "--feature-gates=LeaseCheckpoint=true",
        "--metrics=extensive",
        "--wal-io=buffered",
        "--wal-group-delay=1ms",
        "--wal-compress-bytes=0",
        "--listen-metrics-urls=",
        "--host-whitelist=b,a",
        "--log-level=debug",
        "--log-outputs=stdout,a.log",
        "--wal-dir=w",
    ]);
    assert_eq!(config.quota_bytes, None);
    assert_eq!(config.batch.operations_max, 5);
    assert_eq!(config.batch.interval.as_millis(), 3);
    assert_eq!(config.auto_compaction, AutoCompaction::Revision(1000));
    assert_eq!(config.keepalive.interval, None);
    assert_eq!(config.storage.segments_max, None);
    assert!(!config.storage.sync);
    assert_eq!(config.watch_progress_interval.as_secs(), 5);
    assert_eq!(config.lease_checkpoint_interval.map(|time| time.as_secs()), Some(300));
    assert_eq!(config.metrics, MetricsDetail::Extensive);
    assert_eq!(config.storage.log_io, LogIo::Buffered);
    assert_eq!(config.storage.group_delay.as_millis(), 1);
    assert!(config.urls.listen_metrics.is_empty());
    assert_eq!(config.http.hosts, Allowed::Only(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(config.log.outputs.len(), 2);
    assert_eq!(config.log_dir(), Path::new("w"));
}

#[test]
fn retention_counts_hours_or_takes_a_duration() {
    let of = |retention: &str| config(&["--auto-compaction-retention", retention]).auto_compaction;
    assert_eq!(of("1"), AutoCompaction::Periodic(std::time::Duration::from_secs(3600)));
    assert_eq!(of("5m"), AutoCompaction::Periodic(std::time::Duration::from_secs(300)));
    assert_eq!(of("0"), AutoCompaction::Off);

    let (exit, records) = exit_of(load_words(&["--auto-compaction-retention=abc"]));
    assert_eq!(exit.code, 1);
    let [.., failed, fatal] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(failed.message, "failed to start etcd");
    assert_eq!((fatal.level, fatal.message.as_str()), (Level::Fatal, "discovery failed"));
    assert_eq!(
        error_field(fatal),
        "error parsing CompactionRetention: time: invalid duration \"abc\""
    );
}

#[test]
fn checks_fail_in_etcds_words() {
    for (words, error) in [
        (&["--heartbeat-interval=0"][..], "--heartbeat-interval must be >0 (set to 0ms)"),
        (&["--election-timeout=0"], "--election-timeout must be >0 (set to 0ms)"),
        (
            &["--heartbeat-interval=1000"],
            "--election-timeout[1000ms] should be at least as 5 times as \
             --heartbeat-interval[1000ms]",
        ),
        (
            &["--election-timeout=60000"],
            "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
        ),
        (&["--auto-compaction-mode=foo"], "unknown auto-compaction-mode \"foo\""),
        (
            &["--listen-client-urls=http://bad.host:1"],
            "expected IP in URL for binding (http://bad.host:1)",
        ),
        (
            &["--listen-client-urls=http://127.0.0.1:1"],
            "--advertise-client-urls is required when --listen-client-urls is set explicitly",
        ),
        (
            &["--initial-advertise-peer-urls=http://:1"],
            "--initial-advertise-peer-urls \"http://:1\" must be \"host:port\" \
             (unexpected empty host (http://:1))",
        ),
        (
            &["--initial-cluster=a=http://1.1.1.1:1", "--discovery=http://x"],
            "multiple discovery or bootstrap flags are set. \
             Choose one of \"initial-cluster\", \"discovery\" or \"discovery-srv\"",
        ),
        (
            &["--experimental-enable-lease-checkpoint-persist"],
            "setting experimental-enable-lease-checkpoint-persist requires \
             experimental-enable-lease-checkpoint",
        ),
        (&["--logger=foo"], "unknown logger option \"foo\""),
        (&["--log-level=foo"], "unrecognized level: \"foo\""),
        (&["--log-outputs=foo,default"], "multi logoutput for \"default\" is not supported yet"),
        (
            &["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"],
            "min version (TLS1.3) is greater than max version (TLS1.2)",
        ),
        (
            &["--tls-min-version=TLS1.3", "--cipher-suites=a"],
            "cipher suites cannot be configured when only TLS1.3 is enabled",
        ),
        (
            &["--tls-min-version=foo"],
            "unexpected TLS version \"foo\" (must be one of: TLS1.2, TLS1.3)",
        ),
        (&["b"], "'b' is not a valid flag"),
        (&["--unsafe-no-fsync", "false"], "'false' is not a valid flag"),
    ] {
        assert_eq!(refused(words), error);
    }
}

#[test]
fn what_is_not_there_yet_is_taken_at_its_default_only() {
    let later = "in this version yet";
    for (flag, what) in [
        ("--cert-file=a.pem", "--cert-file=\"a.pem\": TLS is not available in this version yet"),
        ("--auto-tls", "--auto-tls=\"true\""),
        ("--discovery-cert=x", "TLS to the discovery service is not available in this version"),
        ("--discovery-insecure-transport=false", later),
        ("--experimental-set-member-localaddr", "feature gate SetMemberLocalAddr=true"),
        ("--enable-log-rotation", later),
        ("--log-outputs=systemd/journal", later),
        ("--listen-metrics-urls=https://127.0.0.1:1", "TLS is not available"),
        ("--listen-peer-urls=unix://a:1", "sockets in the file system"),
        ("--enable-v2", "the v2 API is not available here"),
        ("--proxy=on", "the v2 proxy is not available here"),
        ("--snapshot-catchup-entries=1", later),
    ] {
        let error = refused(&[flag]);
        assert!(error.contains(what), "{flag}: {error}");
    }
    for flag in [
        "--cert-file=",
        "--auto-tls=false",
        "--discovery-fallback=exit",
        "--v2-deprecation=write-only",
        "--bcrypt-cost=10",
        "--experimental-corrupt-check-time=0",
        "--feature-gates=InitialCorruptCheck=false",
        "--raft-read-timeout=5s",
    ] {
        config(&[flag]);
    }
}

#[test]
fn discovery_takes_the_place_of_the_initial_cluster() {
    let of = |words: &[&str]| {
        let config = config(words);
        (config.initial_cluster.members, config.initial_cluster.token, config.discovery.is_some())
    };
    let (url, none) = ("http://127.0.0.1:1/v2/keys/t", String::new());
    let found = of(&["--name=a", &format!("--discovery={url}")]);
    assert_eq!(found, (none.clone(), url.to_owned(), true));
    let words = ["--name=a", "--discovery-endpoints=127.0.0.1:1", "--discovery-token=t"];
    assert_eq!(of(&words), (none.clone(), "t".to_owned(), true));
    let words = ["--discovery-srv=example.test", "--initial-cluster-token=t"];
    assert_eq!(of(&words), (none, "t".to_owned(), true));

    let file = "discovery-config:\n  token: t\n  client:\n    endpoints: [b:1, a:1]\n    \
                request-timeout: 7000000000\n";
    let loaded = load_in(&["--config-file=etcd.yml"], &[], file);
    let Some(Discovery::V3(settings)) = started(loaded).discovery else { panic!("not found") };
    assert_eq!((settings.token.as_str(), settings.request_timeout.as_secs()), ("t", 7));
    assert_eq!(settings.endpoints, ["b:1", "a:1"]);
}

#[test]
fn what_changes_nothing_is_told() {
    let loaded = load_words(&["--enable-pprof", "--enable-grpc-gateway", "--cipher-suites=A,B"]);
    let told = loaded.records.iter().filter(|record| record.message == "a flag has no effect");
    assert_eq!(told.count(), 2);
    started(loaded);
}

#[test]
fn the_logs_way_and_depth_go_together() {
    let of = |words: &[&str]| {
        let storage = config(words).storage;
        (storage.log_io, storage.log_depth)
    };
    assert_eq!(of(&[]), (LogIo::Auto, 1));
    assert_eq!(of(&["--wal-depth=8"]), (LogIo::Auto, 8));
    assert_eq!(of(&["--wal-io=uring"]), (LogIo::Uring, 1));
    assert_eq!(of(&["--wal-io=uring", "--wal-depth=64"]), (LogIo::Uring, 64));
    assert_eq!(of(&["--wal-io=direct", "--wal-depth=1"]), (LogIo::Direct, 1));
    assert_eq!(
        refused(&["--wal-io=direct", "--wal-depth=2"]),
        "--wal-depth=2 needs --wal-io=auto or uring (set to direct)"
    );
    assert_eq!(
        refused(&["--wal-io=buffered", "--wal-depth=64"]),
        "--wal-depth=64 needs --wal-io=auto or uring (set to buffered)"
    );
}

#[test]
fn knobs_have_limits() {
    for (flag, error) in [
        ("--max-request-bytes=50331649", "--max-request-bytes must be between 1 and 50331648"),
        ("--wal-group-bytes=1", "--wal-group-bytes must be between 65536 and 33554432 (set to 1)"),
        (
            "--wal-compress-bytes=1",
            "--wal-compress-bytes must be between 4096 and 33554432 (set to 1)",
        ),
        ("--wal-group-delay=2s", "--wal-group-delay must be at most 1s (set to 2s)"),
        ("--wal-depth=0", "--wal-depth must be between 1 and 64 (set to 0)"),
        ("--wal-depth=65", "--wal-depth must be between 1 and 64 (set to 65)"),
        ("--memtable-bytes=1", "--memtable-bytes must be between"),
        ("--block-cache-bytes=1", "--block-cache-bytes must be between"),
        ("--compaction-threads=0", "--compaction-threads must be between 1 and 4 (set to 0)"),
        ("--compaction-threads=5", "--compaction-threads must be between 1 and 4 (set to 5)"),
        ("--scrub-interval=1ms", "--scrub-interval must be 0, or between 1s and 31536000s"),
        ("--scrub-interval=-1s", "--scrub-interval must not be negative"),
        ("--scrub-bytes-per-second=1", "--scrub-bytes-per-second must be between 65536 and"),
        ("--backend-batch-limit=-1", "--backend-batch-limit must be between 1 and 1000000"),
        ("--backend-batch-interval=-1s", "--backend-batch-interval must not be negative"),
    ] {
        let refused = refused(&[flag]);
        assert!(refused.starts_with(error), "{flag}: {refused}");
    }
}

#[test]
fn wrong_arguments_end_with_usage_and_code_2() {
    let (exit, records) = exit_of(load_words(&["--foo"]));
    assert_eq!((exit.code, exit.stdout.as_str()), (2, ""));
    assert!(
        exit.stderr.starts_with("flag provided but not defined: -foo\nUsage:\n\n  etcd [flags]")
    );
    assert!(records.is_empty());
}

#[test]
fn help_and_version_end_with_code_0() {
    let (exit, _) = exit_of(load_words(&["--name=a", "-h"]));
    assert_eq!(exit.code, 0);
    assert!(exit.stderr.starts_with("Usage:") && exit.stdout.contains("--listen-client-urls"));
    let (exit, _) = exit_of(load_words(&["--version"]));
    assert_eq!((exit.code, exit.stderr.as_str()), (0, ""));
    assert_eq!(exit.stdout.lines().count(), 5);
    // A word after the flags counts for more.
    assert_eq!(refused(&["--version", "x"]), "'x' is not a valid flag");
}

#[test]
fn other_programs_of_etcd_are_not_there_yet() {
    for program in ["gateway", "grpc-proxy"] {
        let (exit, _) = exit_of(load_words(&[program, "start"]));
        assert_eq!(exit.code, 1);
        assert!(exit.stderr.contains(program));
    }
}

#[test]
fn the_environment_gives_what_the_arguments_do_not() {
    let loaded = load_in(&["--max-wals=7"], &[("ETCD_NAME", "a"), ("ETCD_MAX_SNAPSHOTS", "")], "");
    let config = started(loaded);
    assert_eq!((config.name.as_str(), config.storage.segments_max), ("a", Some(7)));

    let variables = [("ETCD_NAME", "a")];
    let (exit, records) = exit_of(load_in(&["--name=b"], &variables, ""));
    assert_eq!(exit.code, 1);
    let fatal = records.last().expect("a fatal line");
    assert_eq!(fatal.level, Level::Fatal);
    assert_eq!(
        fatal.message,
        "conflicting environment variable is shadowed by corresponding command-line flag \
         (either unset environment variable or disable flag))"
    );
    assert_eq!(
        verify_error(load_in(&[], &[("ETCD_MAX_WALS", "x")], "")),
        "invalid value \"x\" for ETCD_MAX_WALS: parse error"
    );
}

/// Every key of the configuration file that etcd's guide shows, at the guide's values.
const GUIDE: &str = r#"
name: 'default'
data-dir:
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379
max-snapshots: 5
max-wals: 5
cors:
initial-advertise-peer-urls: http://localhost:2380
advertise-client-urls: http://localhost:2379
discovery:
discovery-fallback: 'proxy'
discovery-proxy:
discovery-srv:
initial-cluster:
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-pprof: true
proxy: 'off'
proxy-failure-wait: 5000
proxy-refresh-interval: 30000
proxy-dial-timeout: 1000
proxy-write-timeout: 5000
proxy-read-timeout: 0
client-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
peer-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
self-signed-cert-validity: 1
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: "1"
cipher-suites: [
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
]
tls-min-version: 'TLS1.2'
tls-max-version: 'TLS1.3'
"#;

#[test]
fn the_guides_configuration_file_starts() {
    let loaded = load_in(&["--config-file=etcd.yml"], &[], GUIDE);
    let messages: Vec<&str> = loaded.records.iter().map(|record| record.message.as_str()).collect();
    assert!(!messages.contains(&"unrecognized key in the configuration file"), "{messages:?}");
    let config = started(loaded);
    assert_eq!(config.storage.replay_entries_max, 10_000);
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(config.auto_compaction, AutoCompaction::Periodic(hour));
    assert_eq!(config.initial_cluster.members, "default=http://localhost:2380");
}

#[test]
fn a_file_is_alone() {
    // Neither the other flags nor the environment count, not even as a conflict.
    let variables = [("ETCD_NAME", "a"), ("ETCD_CONFIG_FILE", "etcd.yml")];
    let file = "name: c\nlisten-client-urls: http://127.0.0.1:1\n";
    let loaded = load_in(&["--name=b", "--max-wals=9"], &variables, file);
    assert!(loaded.records.iter().any(|record| {
        record.message
            == "loaded server configuration, other configuration command line flags and \
                environment variables will be ignored if provided"
    }));
    let config = started(loaded);
    assert_eq!((config.name.as_str(), config.storage.segments_max), ("c", Some(5)));
    assert_eq!(config.initial_cluster.members, "c=http://localhost:2380");
}

#[test]
fn a_file_fails_in_etcds_words() {
    let from_file = |file: &str| load_in(&["--config-file=etcd.yml"], &[], file);
    assert_eq!(
        verify_error(load_words(&["--config-file=missing"])),
        "open missing: no such file or directory"
    );
    assert_eq!(
        verify_error(from_file("name: 5\n")),
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into Go \
         struct field configYAML.name of type string"
    );
    assert_eq!(
        verify_error(from_file("heartbeat-interval: 0\n")),
        "--heartbeat-interval must be >0 (set to 0ms)"
    );
    let error = verify_error(from_file("client-transport-security:\n  cert-file: a.pem\n"));
    assert!(error.contains("TLS is not available"), "{error}");
    let (exit, _) = exit_of(from_file("listen-client-urls: foo\n"));
    assert_eq!(
        (exit.code, exit.stderr.as_str()),
        (
            1,
            "unexpected error setting up listen-client-urls: \
             URL scheme must be http, https, unix, or unixs: foo\n"
        )
    );
}
