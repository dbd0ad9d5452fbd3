//! What the runtime is told: every setting that has a function, typed, checked, defaults applied.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::discovery::Discovery;
use crate::logging::LogConfig;
use retcd_api::initial_cluster::InitialCluster;
use retcd_api::url::Url;

/// Limits of the settings that etcd doesn't have or doesn't limit. Those of etcd's own checks
/// stand beside their error texts.
pub mod limits {
    use std::time::Duration;

    /// An entry, with room for its frame, must fit into a log segment of 64 MiB.
    pub const REQUEST_BYTES_MAX: u64 = 48 << 20;
    /// Above this etcd warns, and so do we.
    pub const REQUEST_BYTES_RECOMMENDED: u64 = 10 << 20;
    /// Operations in a batch of applied entries.
    pub const BATCH_LIMIT_MAX: i64 = 1_000_000;
    /// Length of a batch of applied entries.
    pub const BATCH_INTERVAL_MAX: Duration = Duration::from_secs(60);
    /// Bytes of a log group: at least a few blocks, at most half a segment.
    pub const GROUP_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(32 << 20);
    /// Time that the log waits for a fuller group.
    pub const GROUP_DELAY_MAX: Duration = Duration::from_secs(1);
    /// Bytes from which log groups are compressed, unless that is off: a block can't get smaller.
    pub const COMPRESS_FROM_BYTES: std::ops::RangeInclusive<u64> = 4096..=(32 << 20);
    /// Log groups in flight at once.
    pub const GROUPS_IN_FLIGHT: std::ops::RangeInclusive<u64> = 1..=retcd_wal::DEPTH_MAX as u64;
    /// Bytes of a memtable.
    pub const MEMTABLE_BYTES: std::ops::RangeInclusive<u64> = (1 << 20)..=(1 << 30);
    /// Bytes of cached blocks.
    pub const BLOCK_CACHE_BYTES: std::ops::RangeInclusive<u64> = (1 << 20)..=(1 << 40);
    /// Threads for flushes and merges.
    pub const COMPACTION_THREADS: std::ops::RangeInclusive<u64> = 1..=4;
    /// Time between two scrubs, unless they are off.
    pub const SCRUB_INTERVAL: std::ops::RangeInclusive<Duration> =
        Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);
    /// Bytes that a scrub reads in a second.
    pub const SCRUB_BYTES_PER_SECOND: std::ops::RangeInclusive<u64> = (64 << 10)..=(16 << 30);
    /// Entries that a start replays at most.
    pub const REPLAY_ENTRIES_MAX: u64 = 150_000;
    /// Time between checkpoints of a lease. etcd's number.
    pub const LEASE_CHECKPOINT_INTERVAL: Duration = Duration::from_secs(300);
    /// Progress notices of a watch come no faster than this.
    pub const WATCH_PROGRESS_MIN: Duration = Duration::from_millis(100);

    const _: () = assert!(*GROUP_BYTES.end() < REQUEST_BYTES_MAX);
}

/// Everything that a member is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--name`.
    pub name: String,
    /// `--data-dir`, or `${name}.etcd`.
    pub data_dir: PathBuf,
    /// `--wal-dir` if it was given; see [`Config::log_dir`].
    pub wal_dir: Option<PathBuf>,
    /// Where to listen and what to tell others.
    pub urls: Urls,
    /// Who founds the cluster. Only looked at when there is no data yet.
    pub initial_cluster: InitialCluster,
    /// Where else the founders are looked for. Only looked at when there is no data yet.
    pub discovery: Option<Discovery>,
    /// `--force-new-cluster`: whether a member with data makes itself the only one. A new one
    /// doesn't mind.
    pub force_new_cluster: bool,
    /// Raft's times.
    pub raft: RaftConfig,
    /// Bounds of what clients may ask for.
    pub requests: RequestLimits,
    /// Pings on gRPC connections.
    pub keepalive: Keepalive,
    /// The size at which writes are refused, in bytes; `None` for no quota.
    pub quota_bytes: Option<u64>,
    /// Bounds of one engine batch.
    pub batch: BatchLimits,
    /// What is compacted without being asked.
    pub auto_compaction: AutoCompaction,
    /// How often a long lease's remaining time is told to all members and kept over a restart;
    /// `None` for never.
    pub lease_checkpoint_interval: Option<Duration>,
    /// Time between progress notices of a quiet watch.
    pub watch_progress_interval: Duration,
    /// An entry that takes longer to apply is logged.
    pub warning_apply_duration: Duration,
    /// The log, the memtables and the tables.
    pub storage: StorageConfig,
    /// What HTTP requests may come in.
    pub http: HttpConfig,
    /// Whether histograms of gRPC calls are kept.
    pub metrics: MetricsDetail,
    /// When the content is compared with other members'.
    pub corrupt_checks: CorruptChecks,
    /// Where messages go.
    pub log: LogConfig,
}

/// When the content is compared with other members'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptChecks {
    /// Before taking part.
    pub initially: bool,
    /// How often while this member leads; `None` for never.
    pub period: Option<Duration>,
    /// How often while this member leads at the last compaction; `None` for never.
    pub compactions: Option<Duration>,
}

impl Config {
    /// Where the log's segments are: `--wal-dir`, or `member/wal` in the data directory.
    pub fn log_dir(&self) -> PathBuf {
        match &self.wal_dir {
            Some(dir) => dir.clone(),
            None => self.member_dir().join("wal"),
        }
    }

    /// The engine's directory.
    pub fn engine_dir(&self) -> PathBuf {
        self.member_dir().join("snap").join("db")
    }

    /// The directory `member` in the data directory.
    pub fn member_dir(&self) -> PathBuf {
        Path::new(&self.data_dir).join("member")
    }

    /// How long a request may take: 5 s, and two elections.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(5) + 2 * self.raft.election_timeout()
    }
}

/// Addresses. Listening ones are plain HTTP on IP addresses or localhost.
#[derive(Clone, Debug)]
pub struct Urls {
    /// `--listen-peer-urls`.
    pub listen_peer: Vec<Url>,
    /// `--listen-client-urls`: gRPC, and HTTP if `listen_client_http` is empty.
    pub listen_client: Vec<Url>,
    /// `--listen-client-http-urls`: HTTP only.
    pub listen_client_http: Vec<Url>,
    /// `--listen-metrics-urls`.
    pub listen_metrics: Vec<Url>,
    /// `--initial-advertise-peer-urls`.
    pub advertise_peer: Vec<Url>,
    /// `--advertise-client-urls`.
    pub advertise_client: Vec<Url>,
}

/// Raft's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftConfig {
    /// `--heartbeat-interval`: the length of a tick.
    pub tick: Duration,
    /// Ticks in `--election-timeout`; at least 5.
    pub election_ticks: u32,
    /// `--pre-vote`.
    pub pre_vote: bool,
    /// `--strict-reconfig-check`.
    pub strict_reconfig: bool,
    /// `--max-learners`.
    pub learners_max: usize,
}

impl RaftConfig {
    /// Ticks times their length, as etcd counts it.
    pub fn election_timeout(&self) -> Duration {
        self.tick * self.election_ticks
    }
}

/// Bounds of what clients may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// `--max-request-bytes`.
    pub request_bytes_max: u64,
    /// `--max-txn-ops`.
    pub txn_ops_max: u64,
    /// `--max-concurrent-streams`.
    pub concurrent_streams_max: u32,
}

/// Pings on gRPC connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// `--grpc-keepalive-interval`: time between the server's pings; `None` for no pings.
    pub interval: Option<Duration>,
    /// `--grpc-keepalive-timeout`: how long a ping may stay unanswered; `None` for ever.
    pub timeout: Option<Duration>,
}

/// Bounds of one engine batch. It ends at whichever comes first, or when nothing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// `--backend-batch-limit`, in operations.
    pub operations_max: u64,
    /// `--backend-batch-interval`.
    pub interval: Duration,
}

/// What is compacted without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoCompaction {
    /// Nothing.
    Off,
    /// Revisions older than this.
    Periodic(Duration),
    /// All but so many newest revisions.
    Revision(u64),
}

/// The storage's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// `--wal-group-bytes`.
    pub group_bytes: u64,
    /// `--wal-compress-bytes`; 0 for no compression.
    pub compress_from_bytes: u64,
    /// `--wal-group-delay`.
    pub group_delay: Duration,
    /// `--wal-io`.
    pub log_io: LogIo,
    /// `--wal-depth`: groups in flight at once; more than 1 only by io_uring.
    pub log_depth: usize,
    /// `--max-wals`: segments kept for slow members; `None` for all.
    pub segments_max: Option<u64>,
    /// Whether anything is synced: the opposite of `--unsafe-no-fsync`.
    pub sync: bool,
    /// `--backend-engine`.
    pub engine: EngineKind,
    /// `--memtable-bytes`.
    pub memtable_bytes: u64,
    /// `--block-cache-bytes`.
    pub block_cache_bytes: u64,
    /// `--compaction-threads`.
    pub compaction_threads: u64,
    /// `--scrub-interval`; `None` for no scrubs.
    pub scrub_interval: Option<Duration>,
    /// `--scrub-bytes-per-second`.
    pub scrub_bytes_per_second: u64,
    /// `--snapshot-count`: entries after which a flush is due, so that the log can be cut.
    pub replay_entries_max: u64,
}

/// How keys are kept on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Log-structured: sorted tables that are merged.
    Lsm,
    /// A B+tree in bbolt's file format.
    Btree,
}

/// How the log writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogIo {
    /// For several groups in flight io_uring, else direct, else buffered: the first that is there.
    Auto,
    /// O_DIRECT, or not at all.
    Direct,
    /// Through the page cache.
    Buffered,
    /// O_DIRECT by io_uring, or not at all.
    Uring,
}

/// What HTTP requests may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// `--cors`: origins told to browsers.
    pub cors: Allowed,
    /// `--host-whitelist`: accepted `Host` headers.
    pub hosts: Allowed,
}

/// All, or some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Everything.
    All,
    /// Only these.
    Only(Vec<String>),
}

impl Allowed {
    /// Whether `text` is among them.
    pub fn allows(&self, text: &str) -> bool {
        match self {
            Allowed::All => true,
            Allowed::Only(texts) => texts.iter().any(|allowed| allowed == text),
        }
    }
}

/// Which metrics are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsDetail {
    /// All but histograms of gRPC calls.
    Basic,
    /// Those too.
    Extensive,
}
