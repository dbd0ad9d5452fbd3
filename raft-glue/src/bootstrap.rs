//! From a data directory to a member that can run.
//!
//! A new member is made in an order that leaves no doubt after a crash:
//!
//! 1. folders, with durable names, and the lock;
//! 2. an empty engine;
//! 3. a log without entries;
//! 4. one group with the founding entries and the hard state. From here on the member exists.
//!
//! A start that finds a log without entries and without a hard state, beside an engine that has
//! applied nothing, begins again at 3: nothing was ever promised. Everything else is opened: the
//! log tells who the member is, the engine up to where the state is on disk, the log what comes
//! after.

use crate::data_dir::DataDir;
use crate::founding::{FoundingMember, found};
use crate::limits::{TAIL_BYTES_KEPT, TAIL_BYTES_MAX};
use crate::standalone::{StoodAlone, stand_alone};
use crate::survey::Survey;
use crate::{Error, Member, MemberConfig, Restored, Result};
use prost::Message;
use retcd_api::raftpb::ConfState;
use retcd_engine::{Engine, Replaceable};
use retcd_mvcc::membership::Members;
use retcd_mvcc::{Applier, Store};
use retcd_wal::{
    Flushed, Group, Identity, Log, LogState, Recovery, SnapshotMark, Verdict, group_bytes_max,
    segments,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a member is opened with. The first four matter only when it is new.
#[derive(Clone, Debug)]
pub struct BootstrapOptions {
    /// This member's name among `initial_cluster`.
    pub name: String,
    /// The founding members, this one included.
    pub initial_cluster: Vec<FoundingMember>,
    /// Tells clusters apart that have the same URLs.
    pub initial_cluster_token: String,
    /// Who it becomes in a cluster that exists and has been told of it; then the two above don't
    /// matter, and its log is empty until the leader fills it.
    pub joins: Option<Identity>,
    /// A member that exists goes on alone with what it has, under this name and these URLs should
    /// the membership not know it: `standalone.rs`. A new one doesn't mind.
    pub stands_alone: Option<FoundingMember>,
    /// How the log is run.
    pub log: retcd_wal::Options,
    /// What the replicated state needs to know. The ids in it are replaced.
    pub store: retcd_mvcc::Config,
    /// Ticks without a leader after which a follower campaigns.
    pub election_ticks: usize,
    /// Whether a candidate asks first if it could win.
    pub pre_vote: bool,
    /// Determines the election timeouts.
    pub seed: u64,
}

/// A member's parts, each for a thread of its own.
pub struct Parts {
    /// Who the member is.
    pub identity: Identity,
    /// Consensus.
    pub consensus: Member,
    /// The log.
    pub log: Log,
    /// The replicated state, for readers.
    pub store: Arc<Store>,
    /// The replicated state, for the one who applies.
    pub applier: Applier,
    /// The engine, to be stepped.
    pub engine: Arc<Replaceable>,
    /// What was found.
    pub opened: Opened,
    /// What was done with it, if the member had to be made the only one.
    pub stood_alone: Option<StoodAlone>,
    /// Keeps others out; to be held until everything else is closed.
    pub data_dir: DataDir,
}

/// What a start found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: the member is new.
    New,
    /// A member.
    Existing {
        /// How its log ended.
        verdict: Verdict,
        /// Entries above the flushed index, to be applied again once committed.
        replayed: usize,
        /// Bytes of unfinished groups that were given up.
        truncated_bytes: u64,
        /// A segment that was never finished, and is gone.
        discarded: Option<PathBuf>,
    },
}

/// Opens the member in `data_dir`, or founds it there. `open_engine` opens or makes the engine in
/// the folder that it is given: now, and whenever a received snapshot takes its place.
///
/// # Errors
///
/// Each names the file or folder that is to blame.
pub fn bootstrap(
    data_dir: DataDir,
    options: BootstrapOptions,
    open_engine: impl Fn(&Path) -> retcd_engine::Result<Arc<dyn Engine>> + Send + Sync + 'static,
) -> Result<Parts> {
    let (vfs, opener) = (data_dir.vfs().clone(), Box::new(open_engine));
    let engine = Arc::new(Replaceable::open(vfs, data_dir.engine(), opener)?);
    let (log, found) = match Log::read_identity(&**data_dir.vfs(), data_dir.log())? {
        None => create_log(&data_dir, &options, &*engine)?,
        Some(identity) => open_log(&data_dir, &options, &*engine, identity)?,
    };
    assemble(data_dir, options, engine, log, found)
}

/// What the log says beside itself.
struct Found {
    state: LogState,
    conf_changes: Vec<u64>,
    opened: Opened,
}

fn create_log(
    data_dir: &DataDir,
    options: &BootstrapOptions,
    engine: &dyn Engine,
) -> Result<(Log, Found)> {
    let applied = engine.applied().index;
    if applied != 0 {
        return Err(Error::LogMissing { dir: data_dir.log().to_owned(), applied });
    }
    let vfs = data_dir.vfs().clone();
    let start = SnapshotMark::default();
    if let Some(identity) = options.joins {
        let log = Log::create(vfs, data_dir.log(), options.log, identity, start)?;
        let state = log.state();
        return Ok((log, Found { state, conf_changes: Vec::new(), opened: Opened::New }));
    }
    let BootstrapOptions { name, initial_cluster, initial_cluster_token, .. } = options;
    let founding = found(name, initial_cluster, initial_cluster_token)?;
    let mut log = Log::create(vfs, data_dir.log(), options.log, founding.identity, start)?;
    let hard_state = Some(founding.hard_state);
    log.append(&Group { entries: &founding.entries, hard_state, snapshot: None })?;
    let conf_changes = founding.entries.iter().map(|entry| entry.index).collect();
    let found = Found { state: log.state(), conf_changes, opened: Opened::New };
    Ok((log, found))
}

fn open_log(
    data_dir: &DataDir,
    options: &BootstrapOptions,
    engine: &dyn Engine,
    identity: Identity,
) -> Result<(Log, Found)> {
    let flushed = engine.flushed();
    let flushed = Flushed { index: flushed.index, term: flushed.term };
    let vfs = data_dir.vfs().clone();
    let mut survey = Survey::new(flushed);
    let (dir, seen) = (data_dir.log(), &mut |seen| survey.see(seen));
    let (log, recovery) = Log::open_seeing(vfs, dir, options.log, identity, flushed, seen)?;
    if flushed.index == 0 && recovery.state == LogState::default() {
        drop(log);
        remove_log(data_dir)?;
        return create_log(data_dir, options, engine);
    }
    let Recovery { state, unflushed, verdict, truncated_bytes, discarded, .. } = recovery;
    let replayed = unflushed.count();
    let opened = Opened::Existing { verdict, replayed, truncated_bytes, discarded };
    Ok((log, Found { state, conf_changes: survey.finish()?, opened }))
}

/// Removes a log that never held anything. The oldest segment goes last, so that an interruption
/// leaves such a log again.
fn remove_log(data_dir: &DataDir) -> Result<()> {
    let (vfs, dir) = (&**data_dir.vfs(), data_dir.log());
    for name in segments(vfs, dir)?.iter().rev() {
        let path = dir.join(name.to_string());
        vfs.remove_file(&path).map_err(Error::io(&path))?;
    }
    vfs.sync_dir(dir).map_err(Error::io(dir))
}

fn assemble(
    data_dir: DataDir,
    options: BootstrapOptions,
    engine: Arc<Replaceable>,
    mut log: Log,
    found: Found,
) -> Result<Parts> {
    let identity = log.identity();
    let mut config = options.store;
    config.cluster_id = identity.cluster;
    config.member_id = identity.member;
    let (store, applier) = Store::open(engine.clone(), config)?;
    if store.is_auth_enabled() {
        return Err(Error::AuthEnabled);
    }
    let applied = engine.applied();
    let mut restored = Restored {
        hard_state: found.state.hard_state,
        conf_state: decode_conf_state(applied.index, &store.conf_state())?,
        applied: SnapshotMark { index: applied.index, term: applied.term },
        last: SnapshotMark { index: found.state.last_index, term: found.state.last_term },
        conf_changes: found.conf_changes,
        log: log.reader(),
    };
    let stood_alone = match (&options.stands_alone, &found.opened) {
        (Some(own), Opened::Existing { .. }) => {
            let members = store.with_members(Members::clone);
            stand_alone(&mut restored, members, &mut log, own)?
        }
        _ => None,
    };
    let config = MemberConfig {
        id: identity.member,
        election_ticks: options.election_ticks,
        pre_vote: options.pre_vote,
        seed: options.seed,
        tail_bytes_max: TAIL_BYTES_MAX,
        tail_bytes_kept: TAIL_BYTES_KEPT,
        group_bytes_max: group_bytes_max(options.log.segment_bytes),
    };
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let consensus = Member::new(config, restored, &logger)?;
    let opened = found.opened;
    Ok(Parts { identity, consensus, log, store, applier, engine, opened, stood_alone, data_dir })
}

pub(crate) fn decode_conf_state(index: u64, bytes: &[u8]) -> Result<ConfState> {
    ConfState::decode(bytes)
        .map_err(|_| Error::Inconsistent { reason: "the configuration doesn't decode", index })
}
