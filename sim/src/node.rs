//! A machine: its disk, and the member that runs on it when one does.

use crate::driver::Driver;
use crate::network::Place;
use crate::plan::{EngineKind, Plan, TICK, name};
use retcd_raft_glue::{DataDir, Error, bootstrap};
use retcd_vfs::{CrashVfs, Fault, Vfs};
use retcd_wal::Identity;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DATA: &str = "data";

/// Where checkpoints lie that are received.
const INCOMING: &str = "data/member/snap/incoming";

/// How a member ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The machine loses what wasn't synced.
    Crash,
    /// The process ends; its files are as it left them.
    Kill,
}

/// A machine.
pub(crate) struct Node {
    pub(crate) name: String,
    /// The member's id; 0 before it was founded.
    pub(crate) id: u64,
    pub(crate) cluster_id: u64,
    pub(crate) driver: Option<Driver>,
    /// Counts starts: what was scheduled for an earlier life is void.
    pub(crate) life: u64,
    /// Length of a tick by this machine's clock.
    pub(crate) tick: Duration,
    pub(crate) paused_until: Duration,
    /// Until when the disk doesn't sync.
    pub(crate) stalled_until: Duration,
    /// Until when executing entries takes long.
    pub(crate) slow_until: Duration,
    pub(crate) apply_is_scheduled: bool,
    /// Index of the last executed entry.
    pub(crate) applied: u64,
    /// Index up to which the log was on the disk when the last life ended.
    durable: u64,
    /// Index up to which the engine is known to need no log.
    pub(crate) flushed: u64,
    /// Who it becomes in a cluster that exists; founders don't.
    joins: Option<Identity>,
    engine: EngineKind,
    disk: CrashVfs,
    /// The operation at which the disk fails, and how the member ends then.
    planned: Option<(u64, Option<Fault>)>,
    /// The disk before each group that isn't complete, and before the last one that is, if the
    /// last group is to be lost.
    before_groups: VecDeque<CrashVfs>,
    before_last_group: Option<CrashVfs>,
}

impl Node {
    pub(crate) fn new(plan: &Plan, place: Place) -> Node {
        let (engine, log_depth) = plan.member(place);
        Node {
            name: name(place),
            id: 0,
            cluster_id: 0,
            joins: None,
            driver: None,
            life: 0,
            tick: TICK,
            paused_until: Duration::ZERO,
            stalled_until: Duration::ZERO,
            slow_until: Duration::ZERO,
            apply_is_scheduled: false,
            applied: 0,
            durable: 0,
            flushed: 0,
            engine,
            disk: CrashVfs::with_log_depth(log_depth),
            planned: None,
            before_groups: VecDeque::new(),
            before_last_group: None,
        }
    }

    /// The member will be this one of a cluster that exists.
    pub(crate) fn joins(&mut self, identity: Identity) {
        self.id = identity.member;
        self.joins = Some(identity);
    }

    /// Starts the member on what its disk has.
    pub(crate) fn start(&mut self, plan: &Plan, place: Place) -> Result<(), Error> {
        assert!(self.driver.is_none(), "{} runs already", self.name);
        self.life += 1;
        self.apply_is_scheduled = false;
        let vfs: Arc<dyn Vfs> = Arc::new(self.disk.clone());
        let data_dir = DataDir::open(vfs.clone(), Path::new(DATA), None)?;
        let options =
            plan.bootstrap(place, self.joins, plan.seed ^ (self.life << 8) ^ place as u64);
        let engine = self.engine;
        let parts = bootstrap(data_dir, options, move |dir| engine.open(&vfs, dir))?;
        self.id = parts.identity.member;
        self.cluster_id = parts.identity.cluster;
        self.applied = parts.store.applied_index();
        self.driver = Some(Driver::new(parts, plan.defect));
        Ok(())
    }

    /// Index up to which the log is on the disk.
    pub(crate) fn durable(&self) -> u64 {
        self.driver.as_ref().map_or(self.durable, Driver::durable)
    }

    /// Ends the member. `seed` chooses what a crash leaves.
    pub(crate) fn end(&mut self, end: End, seed: u64) {
        if end == End::Crash {
            let lost = self.before_last_group.take();
            self.disk = lost.unwrap_or_else(|| self.disk.crash(seed));
        }
        self.durable = self.durable();
        self.clear_plan();
        self.before_groups.clear();
        self.before_last_group = None;
        self.driver = None;
    }

    /// Plans an error, or a crash if none is given, so many operations from now.
    pub(crate) fn plan_failure(&mut self, operations: u64, fault: Option<Fault>) {
        let at = self.disk.operations() + operations;
        match fault {
            Some(fault) => self.disk.fail_at(at, fault),
            None => self.disk.stop_at(at),
        }
        self.planned = Some((at, fault));
    }

    pub(crate) fn clear_plan(&mut self) {
        // There is no operation 0.
        self.disk.fail_at(0, Fault::Io);
        self.planned = None;
    }

    /// How the member has to end if the planned failure has come.
    pub(crate) fn planned_end(&self) -> Option<End> {
        let end = |(_, fault): (u64, Option<Fault>)| match fault {
            Some(_) => End::Kill,
            None => End::Crash,
        };
        self.planned.filter(|(at, _)| self.disk.operations() >= *at).map(end)
    }

    /// Whether no failure is to come or has just come: reading must succeed.
    pub(crate) fn is_well(&self) -> bool {
        self.planned.is_none()
    }

    /// An error that came and did no harm excuses nothing that comes later; but a write may be told
    /// later that it was cut short.
    pub(crate) fn forget_harmless_error(&mut self) {
        let is_told_at_once = !matches!(self.planned, Some((_, Some(Fault::ShortWrite))));
        if is_told_at_once && self.planned_end() == Some(End::Kill) {
            self.clear_plan();
        }
    }

    /// Takes the checkpoint in `source` of another machine's disk over as one that was received.
    pub(crate) fn receive(&mut self, from: &CrashVfs, source: &Path) -> io::Result<()> {
        let target = Path::new(INCOMING);
        if self.disk.exists(target)? {
            for name in self.disk.list(target)? {
                self.disk.remove_file(&target.join(name))?;
            }
        }
        self.disk.create_dir_all(target)?;
        for name in from.list(source)? {
            let file = from.open_read(&source.join(&name))?;
            let mut bytes = vec![0; file.len()? as usize];
            file.read_exact_at(0, &mut bytes)?;
            let mut copy = self.disk.create_append(&target.join(&name))?;
            copy.append(&bytes)?;
            copy.sync()?;
        }
        self.disk.sync_dir(target)
    }

    /// Removes a folder and its files.
    pub(crate) fn remove(&self, folder: &Path) -> io::Result<()> {
        if self.disk.exists(folder)? {
            for name in self.disk.list(folder)? {
                self.disk.remove_file(&folder.join(name))?;
            }
            self.disk.remove_dir(folder)?;
        }
        Ok(())
    }

    /// Its disk.
    pub(crate) fn disk(&self) -> CrashVfs {
        self.disk.clone()
    }

    /// A group is about to be written: remembers the disk.
    pub(crate) fn remember_disk(&mut self, seed: u64) {
        self.before_groups.push_back(self.disk.crash(seed));
    }

    /// The oldest group is complete.
    pub(crate) fn forget_disk(&mut self) {
        self.before_last_group = self.before_groups.pop_front().or(self.before_last_group.take());
    }
}
