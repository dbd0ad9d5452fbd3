//! An engine and the oracle that go through the same history, compared wherever it asks for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use retcd_engine::{Btree, Engine, Lsm, Oracle, Result, View};
use retcd_vfs::{CrashVfs, Vfs};

use crate::drawn::Drawn;
use crate::history::assert_state;
use crate::support::{Change, FOLDER, Kind, Log, apply, assert_same, settle};

/// Opens an engine in a folder, under options made of what was drawn.
pub(crate) type Open = fn(&Arc<dyn Vfs>, &Path, &Drawn) -> Result<Box<dyn Engine>>;

/// The engines that have files.
pub(crate) const ENGINES: [(Kind, Open); 2] = [(Kind::Lsm, open_lsm), (Kind::Btree, open_btree)];

fn open_lsm(vfs: &Arc<dyn Vfs>, dir: &Path, drawn: &Drawn) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Lsm::open(Arc::clone(vfs), dir, drawn.lsm())?))
}

fn open_btree(vfs: &Arc<dyn Vfs>, dir: &Path, drawn: &Drawn) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Btree::open(Arc::clone(vfs), dir, drawn.btree())?))
}

/// What happens to both.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Apply(Change),
    Flush,
    MergeAll,
    Step(u8),
    Settle,
    Collect,
    Hold,
    Compare,
    Reopen,
}

fn change() -> impl Strategy<Value = Change> {
    let kv = proptest::collection::vec((0..80u8, prop::bool::weighted(0.25), any::<u8>()), 0..6);
    let lease = proptest::collection::vec((0..30u8, any::<bool>()), 0..3);
    let meta = proptest::collection::vec((0..10u8, prop::bool::weighted(0.2)), 0..2);
    let compact = prop::option::weighted(0.1, any::<u8>());
    (kv, lease, meta, compact).prop_map(|(kv, lease, meta, compact)| Change {
        kv,
        lease,
        meta,
        compact,
    })
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        40 => change().prop_map(Action::Apply),
        2 => Just(Action::Flush),
        1 => Just(Action::MergeAll),
        1 => Just(Action::Collect),
        10 => (1..30u8).prop_map(Action::Step),
        2 => Just(Action::Settle),
        2 => Just(Action::Hold),
        1 => Just(Action::Compare),
        1 => Just(Action::Reopen),
    ]
}

/// Two views of one moment.
struct Held {
    ours: Box<dyn View>,
    oracle: Box<dyn View>,
    watermark: u64,
    revision: u64,
}

impl Held {
    fn compare(&self) {
        assert_same(&*self.ours, &*self.oracle, self.watermark, self.revision);
    }
}

/// An engine on a disk that can crash, and the oracle.
pub(crate) struct Pair {
    kind: Kind,
    open: Open,
    disk: CrashVfs,
    folder: PathBuf,
    moves: usize,
    drawn: Drawn,
    ours: Box<dyn Engine>,
    oracle: Oracle,
    log: Log,
    held: Vec<Held>,
}

impl Pair {
    pub(crate) fn new((kind, open): (Kind, Open), drawn: Drawn) -> Pair {
        let disk = CrashVfs::new();
        let folder = PathBuf::from(FOLDER);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let ours = open(&vfs, &folder, &drawn).expect("an empty folder");
        let (oracle, log) = (Oracle::new(), Log::default());
        Pair { kind, open, disk, folder, moves: 0, drawn, ours, oracle, log, held: Vec::new() }
    }

    pub(crate) fn take_all(&mut self, actions: &[Action]) {
        for action in actions {
            self.take(action).expect("no error was planned");
        }
    }

    /// Compares, merges everything, compares, and compares again after a restart.
    pub(crate) fn end(&mut self, drawn: &Drawn) {
        self.take_all(&[Action::Compare, Action::MergeAll, Action::Settle, Action::Compare]);
        self.reopen(drawn);
        self.take_all(&[Action::Compare]);
    }

    fn hold(&self) -> Held {
        Held {
            ours: self.ours.view(),
            oracle: self.oracle.view(),
            watermark: self.log.applied().watermark,
            revision: self.log.revision(),
        }
    }

    fn take(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Apply(change) => {
                let batch = self.log.append(change);
                apply(&self.oracle, &batch)?;
                apply(&*self.ours, &batch)?;
            }
            Action::Flush => self.ours.request_flush()?,
            Action::MergeAll => self.ours.request_merge()?,
            Action::Collect => self.ours.request_compaction()?,
            Action::Step(count) => {
                for _ in 0..*count {
                    self.ours.step()?;
                }
            }
            Action::Settle => settle(&*self.ours)?,
            Action::Hold => self.held.push(self.hold()),
            Action::Compare => {
                self.kind.verify_in(&self.disk, &self.folder);
                self.hold().compare();
                self.held.drain(..).for_each(|held| held.compare());
            }
            Action::Reopen => self.reopen(&self.drawn.clone()),
        }
        assert_eq!(self.ours.applied(), self.log.applied());
        Ok(())
    }

    /// Stops cleanly and goes on under other options.
    pub(crate) fn reopen(&mut self, drawn: &Drawn) {
        let flushed = self.ours.flushed();
        self.start(drawn);
        assert_eq!(self.ours.flushed(), flushed);
        self.replay();
    }

    /// Stops at once; the disk is left as `seed` decides.
    pub(crate) fn crash(&mut self, seed: u64, drawn: &Drawn) {
        let flushed = self.ours.flushed();
        self.disk = self.disk.crash(seed);
        self.start(drawn);
        let found = self.ours.flushed().index;
        assert!(found >= flushed.index, "{found} < {}", flushed.index);
        assert_state(&*self.ours, &self.log, found);
        self.replay();
    }

    /// Goes on in a checkpoint, which covers what is flushed.
    pub(crate) fn move_to_checkpoint(&mut self, drawn: &Drawn) {
        self.moves += 1;
        let to = PathBuf::from(format!("{FOLDER}-{}", self.moves));
        let mut checkpoint = self.ours.checkpoint(&to).expect("a new name");
        let covered = loop {
            if let Some(covered) = checkpoint.step().expect("no error was planned") {
                break covered;
            }
        };
        drop(checkpoint);
        self.folder = to;
        self.start(drawn);
        assert_eq!(self.ours.flushed(), covered);
        self.replay();
    }

    fn start(&mut self, drawn: &Drawn) {
        self.held.clear();
        let vfs: Arc<dyn Vfs> = Arc::new(self.disk.clone());
        self.ours = (self.open)(&vfs, &self.folder, drawn).expect("what was written opens");
        self.drawn = drawn.clone();
    }

    fn replay(&self) {
        self.log.replay(&*self.ours).expect("no error was planned");
        assert_eq!(self.ours.applied(), self.log.applied());
    }
}
