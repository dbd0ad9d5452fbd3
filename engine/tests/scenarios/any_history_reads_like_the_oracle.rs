//! The engine and the oracle get the same random history: batches over all keyspaces with several
//! records of one key in one revision, tombstones, rising watermarks, flushes and merges wherever
//! they fall, views held across all of that, and reopenings after which the log is replayed. What
//! both show, at any version from the watermark on, has to be the same.

use std::sync::Arc;

use crate::support::{Change, Log, apply, assert_same, open, settle};
use proptest::prelude::*;
use retcd_engine::{Engine, Lsm, Oracle, View};
use retcd_vfs::{MemVfs, Vfs};

#[derive(Clone, Debug)]
enum Action {
    Apply(Change),
    Flush,
    MergeAll,
    Step(u8),
    Settle,
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

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        40 => change().prop_map(Action::Apply),
        2 => Just(Action::Flush),
        1 => Just(Action::MergeAll),
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

struct Pair {
    vfs: Arc<dyn Vfs>,
    ours: Lsm,
    oracle: Oracle,
    log: Log,
    held: Vec<Held>,
}

impl Pair {
    fn new() -> Pair {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let ours = open(&vfs).expect("an empty folder");
        Pair { vfs, ours, oracle: Oracle::new(), log: Log::default(), held: Vec::new() }
    }

    fn hold(&self) -> Held {
        Held {
            ours: self.ours.view(),
            oracle: self.oracle.view(),
            watermark: self.log.applied().watermark,
            revision: self.log.revision(),
        }
    }

    fn take(&mut self, action: &Action) -> retcd_engine::Result<()> {
        match action {
            Action::Apply(change) => {
                let batch = self.log.append(change);
                apply(&self.oracle, &batch)?;
                apply(&self.ours, &batch)?;
            }
            Action::Flush => self.ours.request_flush()?,
            Action::MergeAll => self.ours.request_merge()?,
            Action::Step(count) => {
                for _ in 0..*count {
                    self.ours.step()?;
                }
            }
            Action::Settle => settle(&self.ours)?,
            Action::Hold => self.held.push(self.hold()),
            Action::Compare => {
                self.hold().compare();
                self.held.drain(..).for_each(|held| held.compare());
            }
            Action::Reopen => {
                self.held.clear();
                let flushed = self.ours.flushed();
                self.ours = open(&self.vfs)?;
                assert_eq!(self.ours.flushed(), flushed);
                self.log.replay(&self.ours)?;
            }
        }
        assert_eq!(self.ours.applied(), self.log.applied());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_history_reads_like_the_oracle(
        actions in proptest::collection::vec(action(), 1..250),
    ) {
        let mut pair = Pair::new();
        for action in &actions {
            pair.take(action).expect("no error was planned");
        }
        pair.take(&Action::Compare).expect("no error was planned");
        pair.take(&Action::MergeAll).expect("no error was planned");
        pair.take(&Action::Settle).expect("no error was planned");
        pair.take(&Action::Compare).expect("no error was planned");
        pair.take(&Action::Reopen).expect("no error was planned");
        pair.take(&Action::Compare).expect("no error was planned");
    }
}
