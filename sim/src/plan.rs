//! What a seed decides before a run begins.
//!
//! Not every run has every fault: what one fault hides another one's absence shows.

use crate::defect::Defect;
use retcd_engine::Engine;
use retcd_engine::btree::{Btree, Options as BtreeOptions};
use retcd_engine::lsm::{Lsm, Options as LsmOptions};
use retcd_raft_glue::{BootstrapOptions, FoundingMember};
use retcd_testkit::random::Random;
use retcd_vfs::Vfs;
use retcd_wal::Identity;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Length of a tick; a member's clock may be off.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Tells the cluster from others with the same addresses.
pub(crate) const TOKEN: &str = "simulation";

/// Ticks without a leader after which there is an election.
const ELECTION_TICKS: usize = 10;

/// How long a leader's disk may do nothing: an election's time.
pub(crate) const STALL_MAX: Duration = Duration::from_millis(100);

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A machine stops and starts again.
    Crash,
    /// A machine stops in the middle of what it does to its disk.
    CrashInOperation,
    /// A process ends and starts again; what it gave to the system is there.
    Kill,
    /// All machines stop at once.
    PowerFailure,
    /// A call to the file system fails: an error, a short write, a full disk.
    DiskError,
    /// Syncs take long.
    DiskStall,
    /// A process doesn't run for a while.
    Pause,
    /// Executing entries takes long.
    SlowApply,
    /// Some members don't hear others, or neither each other.
    Partition,
    /// Messages are lost, late, repeated.
    Weather,
    /// A clock goes at another pace.
    Drift,
    /// Clocks jump ahead.
    ClockJump,
    /// Somebody asks for another leader.
    Transfer,
    /// A member's addresses change.
    ConfChange,
    /// A member comes, is promoted, or goes.
    Membership,
}

impl Fault {
    pub(crate) const ALL: [Fault; 15] = [
        Fault::Crash,
        Fault::CrashInOperation,
        Fault::Kill,
        Fault::PowerFailure,
        Fault::DiskError,
        Fault::DiskStall,
        Fault::Pause,
        Fault::SlowApply,
        Fault::Partition,
        Fault::Weather,
        Fault::Drift,
        Fault::ClockJump,
        Fault::Transfer,
        Fault::ConfChange,
        Fault::Membership,
    ];
}

/// The engine under a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineKind {
    Lsm,
    Btree,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) seed: u64,
    pub(crate) defect: Option<Defect>,
    /// Of each member its engine, and how many log groups it has under way.
    pub(crate) members: Vec<(EngineKind, usize)>,
    pub(crate) clients: usize,
    pub(crate) watches: usize,
    /// Whether candidates ask first if they could win.
    pub(crate) pre_vote: bool,
    /// Whether logs are cut although others may lack what goes: these get snapshots.
    pub(crate) purges: bool,
    pub(crate) keys: u64,
    /// How long a client thinks at most before it asks again.
    pub(crate) pause: Duration,
    pub(crate) faults: Vec<Fault>,
    /// How long there are faults.
    pub(crate) trouble: Duration,
    /// Longest time between two faults.
    pub(crate) rest: Duration,
}

impl Plan {
    /// Whether the bug can show in this run.
    pub fn may_show_defect(&self) -> bool {
        match self.defect {
            // Any two of three are a quorum; it takes five, from the beginning or by and by.
            Some(Defect::LeaderAnswersAlone) => {
                let are_five = self.members.len() >= 5 || self.faults.contains(&Fault::Membership);
                are_five && self.faults.contains(&Fault::Partition)
            }
            _ => true,
        }
    }

    /// What follows from a seed, with a bug or without.
    pub fn of(seed: u64, defect: Option<Defect>) -> Plan {
        let mut random = Random::new(seed);
        let size = [3, 3, 3, 3, 3, 5, 5, 1][random.below(8) as usize];
        let members = (0..size).map(|_| {
            let engine = if random.one_in(4) { EngineKind::Btree } else { EngineKind::Lsm };
            (engine, if random.one_in(4) { 1 } else { 4 })
        });
        let mut members: Vec<_> = members.collect();
        let mut faults: Vec<_> = Fault::ALL.into_iter().filter(|_| random.one_in(2)).collect();
        let purges = random.one_in(2);
        if faults.contains(&Fault::Membership) && !purges {
            // A leader that can't read an old segment goes on without it.
            faults.retain(|fault| *fault != Fault::DiskError);
        }
        if purges || faults.contains(&Fault::DiskError) {
            // One engine can't take the other's files, and a leader that can't read an old segment
            // sends them.
            let engine = members[0].0;
            members.iter_mut().for_each(|member| member.0 = engine);
        }
        Plan {
            seed,
            defect,
            members,
            clients: 2 + random.below(5) as usize,
            pre_vote: !random.one_in(4),
            watches: 1 + random.below(3) as usize,
            keys: 2 + random.below(4),
            pause: Duration::from_millis(20 + random.below(80)),
            faults,
            purges,
            trouble: Duration::from_millis(1_200 + random.below(2_400)),
            rest: Duration::from_millis(40 + random.below(400)),
        }
    }

    /// The plan in one line.
    pub(crate) fn describe(&self) -> String {
        let Plan { members, clients, keys, faults, trouble, .. } = self;
        format!("members {members:?}, {clients} clients, {keys} keys, {trouble:?} of {faults:?}")
    }

    /// The engine under the member at this place, and how many log groups it has under way.
    pub(crate) fn member(&self, place: usize) -> (EngineKind, usize) {
        self.members[place % self.members.len()]
    }

    /// Members that found the cluster.
    pub(crate) fn founders(&self) -> usize {
        self.members.len()
    }

    /// Segments of a log that are kept for others; 0 for as many as are needed.
    pub(crate) fn segments_max(&self) -> usize {
        if self.purges { 2 } else { 0 }
    }

    /// Whether logs are kept whole: members that come later need them.
    pub(crate) fn keeps_logs(&self) -> bool {
        !self.purges && self.faults.contains(&Fault::Membership)
    }

    /// What the member at this place is opened with.
    pub(crate) fn bootstrap(
        &self,
        place: usize,
        joins: Option<Identity>,
        salt: u64,
    ) -> BootstrapOptions {
        let founder = |place: usize| FoundingMember {
            name: name(place),
            peer_urls: vec![format!("http://10.0.0.{}:2380", place + 1)],
        };
        BootstrapOptions {
            name: name(place),
            initial_cluster: (0..self.members.len()).map(founder).collect(),
            initial_cluster_token: TOKEN.into(),
            joins,
            stands_alone: None,
            log: retcd_wal::Options {
                segment_bytes: 32 << 10,
                compress_from_bytes: 4 << 10,
                salt,
                ..retcd_wal::Options::default()
            },
            store: retcd_mvcc::Config { min_lease_ttl_seconds: 1, ..retcd_mvcc::Config::default() },
            election_ticks: ELECTION_TICKS,
            pre_vote: self.pre_vote,
            seed: self.seed,
        }
    }
}

/// The name of the member at this place.
pub(crate) fn name(place: usize) -> String {
    format!("m{}", place + 1)
}

impl EngineKind {
    /// Opens the engine with limits so tiny that a run sees flushes and merges.
    pub(crate) fn open(
        self,
        vfs: &Arc<dyn Vfs>,
        dir: &Path,
    ) -> retcd_engine::Result<Arc<dyn Engine>> {
        Ok(match self {
            EngineKind::Lsm => Arc::new(Lsm::open(vfs.clone(), dir, lsm_options())?),
            EngineKind::Btree => Arc::new(Btree::open(vfs.clone(), dir, btree_options())?),
        })
    }
}

fn lsm_options() -> LsmOptions {
    LsmOptions {
        memtable_bytes: 4 << 10,
        replay_entries_max: 32,
        table_bytes: 2 << 10,
        concatenated_bytes: 4 << 10,
        slice_bytes: 4 << 10,
        manifest_bytes: 4 << 10,
        ..LsmOptions::default()
    }
}

fn btree_options() -> BtreeOptions {
    BtreeOptions {
        batch_operations: 48,
        memtable_bytes: 4 << 10,
        replay_entries_max: 32,
        slice_bytes: 4 << 10,
        ..BtreeOptions::default()
    }
}
