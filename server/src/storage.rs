//! From the flags to an opened data directory on real files.

use crate::flags::{ClusterState, Config, EngineKind, LogIo, Url, system_resolver};
use crate::lifecycle::Signals;
use crate::random::random;
use crate::{discovery, joining};
use retcd_engine::btree::{self, Btree};
use retcd_engine::lsm::{self, Lsm};
use retcd_engine::{Engine, Error as EngineError};
use retcd_mvcc::lease::min_ttl_seconds;
use retcd_mvcc::membership::member_id;
use retcd_raft_glue::{
    BootstrapOptions, DataDir, Error as MemberError, FoundingMember, Opened, Parts, bootstrap,
};
use retcd_vfs::{LogMode, RealVfs, Vfs};
use retcd_wal::{Identity, IoMode, Log};
use std::path::Path;
use std::sync::Arc;

/// Why the data directory can't be opened.
#[derive(Debug)]
pub(crate) enum Error {
    /// The flags don't found a cluster, and there is none yet.
    Founding(String),
    /// A folder or file is to blame.
    Member(MemberError),
    /// There is no random number to be had.
    Random(std::io::Error),
    /// The founders didn't find each other.
    Discovery(discovery::Failure),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Founding(text) => f.write_str(text),
            Error::Member(error @ MemberError::Engine(EngineError::OtherEngine { found, .. })) => {
                write!(f, "{error}: start with --backend-engine={found}")
            }
            Error::Member(error) => error.fmt(f),
            Error::Random(error) => write!(f, "the system gives no random numbers: {error}"),
            Error::Discovery(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// Opens the member, or founds it if there is none yet. Whoever looks for others to found with can
/// wait for long, so a signal ends that.
pub(crate) fn open(config: &Config, signals: &Signals) -> Result<Parts, Error> {
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let log_dir = config.wal_dir.as_deref();
    let data_dir = DataDir::open(vfs.clone(), &config.data_dir, log_dir).map_err(Error::Member)?;
    let beginning = match data_dir.may_be_new().map_err(Error::Member)? {
        true => beginning(config, signals)?,
        false => {
            discovery::tell_ignored(config);
            Beginning::default()
        }
    };
    let Beginning { name, initial_cluster, joins } = beginning;
    let options = BootstrapOptions {
        name,
        initial_cluster,
        initial_cluster_token: config.initial_cluster.token.clone(),
        joins,
        stands_alone: config.force_new_cluster.then(|| FoundingMember {
            name: config.name.clone(),
            peer_urls: texts(&config.urls.advertise_peer),
        }),
        log: retcd_wal::Options {
            io: match config.storage.log_io {
                LogIo::Auto => IoMode::Auto,
                LogIo::Direct => IoMode::Direct,
                LogIo::Buffered => IoMode::Buffered,
                LogIo::Uring => IoMode::Uring,
            },
            depth: config.storage.log_depth,
            unsynced: !config.storage.sync,
            compress_from_bytes: config.storage.compress_from_bytes,
            salt: random().map_err(Error::Random)?,
            ..retcd_wal::Options::default()
        },
        store: store_config(config),
        election_ticks: config.raft.election_ticks as usize,
        pre_vote: config.raft.pre_vote,
        seed: random().map_err(Error::Random)?,
    };
    bootstrap(data_dir, options, engine_opener(config, vfs)).map_err(Error::Member)
}

/// What opens the engine in a folder: at the start, and when a received snapshot takes its place.
fn engine_opener(
    config: &Config,
    vfs: Arc<dyn Vfs>,
) -> impl Fn(&Path) -> retcd_engine::Result<Arc<dyn Engine>> + Send + Sync + use<> {
    let storage = &config.storage;
    let kind = storage.engine;
    let of_lsm = lsm::Options {
        memtable_bytes: storage.memtable_bytes,
        replay_entries_max: storage.replay_entries_max,
        block_cache_bytes: storage.block_cache_bytes,
        ..lsm::Options::default()
    };
    let of_btree = btree::Options {
        batch_operations: config.batch.operations_max,
        memtable_bytes: storage.memtable_bytes,
        replay_entries_max: storage.replay_entries_max,
        block_cache_bytes: storage.block_cache_bytes,
        ..btree::Options::default()
    };
    move |dir| {
        let vfs = vfs.clone();
        Ok(match kind {
            EngineKind::Lsm => Arc::new(Lsm::open(vfs, dir, of_lsm.clone())?),
            EngineKind::Btree => Arc::new(Btree::open(vfs, dir, of_btree)?),
        })
    }
}

/// How a member without data begins.
#[derive(Default)]
struct Beginning {
    name: String,
    initial_cluster: Vec<FoundingMember>,
    joins: Option<Identity>,
}

fn beginning(config: &Config, signals: &Signals) -> Result<Beginning, Error> {
    let founding = discovery::initial_cluster(config, signals)
        .map_err(Error::Discovery)?
        .found(&config.name, &config.urls.advertise_peer, &system_resolver)
        .map_err(Error::Founding)?;
    if config.initial_cluster.state == ClusterState::Existing {
        let identity = joining::join(&founding).map_err(Error::Founding)?;
        return Ok(Beginning { joins: Some(identity), ..Beginning::default() });
    }
    if let Some(own) = founding.members.get(&founding.name) {
        let id = member_id(&texts(own), &founding.token, None);
        joining::check_new(&founding, id).map_err(Error::Founding)?;
    }
    let members = founding.members.iter();
    let members =
        members.map(|(name, urls)| FoundingMember { name: name.clone(), peer_urls: texts(urls) });
    let initial_cluster = members.collect();
    Ok(Beginning { name: founding.name, initial_cluster, joins: None })
}

fn texts(urls: &[Url]) -> Vec<String> {
    urls.iter().map(Url::to_string).collect()
}

fn store_config(config: &Config) -> retcd_mvcc::Config {
    retcd_mvcc::Config {
        quota_bytes: config.quota_bytes,
        min_lease_ttl_seconds: min_ttl_seconds(config.raft.election_ticks, config.raft.tick),
        lease_checkpoint_interval: config.lease_checkpoint_interval,
        learners_max: config.raft.learners_max,
        ..retcd_mvcc::Config::default()
    }
}

/// How the log writes, for people.
pub(crate) fn log_io(mode: LogMode) -> &'static str {
    match mode {
        LogMode::Direct => "direct",
        LogMode::Uring { .. } => "uring",
        LogMode::Buffered => "buffered",
        LogMode::Unsynced => "unsynced",
    }
}

/// Why it writes like that, for people.
pub(crate) fn log_io_reason(config: &Config, log: &Log) -> String {
    let asked = match config.storage.log_io {
        _ if !config.storage.sync => return "--unsafe-no-fsync".into(),
        LogIo::Auto => "auto",
        LogIo::Direct => "direct",
        LogIo::Buffered => "buffered",
        LogIo::Uring => "uring",
    };
    let mut reason = format!("--wal-io={asked} --wal-depth={}", config.storage.log_depth);
    for refused in log.refusals() {
        reason.push_str(&format!("; {} is refused: {}", refused.mode, refused.reason));
    }
    reason
}

/// What the start found, for people.
pub(crate) fn opened(opened: &Opened) -> String {
    match opened {
        Opened::New => "a new member".into(),
        Opened::Existing { verdict, replayed, truncated_bytes, .. } => {
            format!("{verdict}; {replayed} entries to replay, {truncated_bytes} bytes given up")
        }
    }
}
