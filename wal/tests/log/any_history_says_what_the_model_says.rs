//! Random histories of groups, rotations, truncations, snapshots, purges and restarts, compared
//! with a model that keeps everything, as a whole at each start and in any range after each action;
//! and random histories that end in a crash at a random
//! operation.

use crate::model::{Action, Harness, Random};
use crate::support::make_parents;
use proptest::prelude::*;
use retcd_vfs::CrashVfs;

fn action() -> impl Strategy<Value = Action> {
    let bytes = prop_oneof![0usize..200, 0usize..5000, Just(3984), 3980usize..4100];
    let back = prop_oneof![3 => Just(0u64), 1 => 1u64..6];
    let submit = (1u64..5, bytes, back);
    prop_oneof![
        8 => submit.clone().prop_map(|(entries, bytes, back)| {
            Action::Submit { entries, bytes, back }
        }),
        4 => submit.prop_map(|(entries, bytes, back)| Action::Append { entries, bytes, back }),
        1 => Just(Action::Vote),
        4 => Just(Action::Complete),
        4 => (0u64..4).prop_map(|but| Action::Flush { but }),
        4 => (0usize..3).prop_map(|segments_max| Action::Purge { segments_max }),
        4 => Just(Action::Prepare),
        1 => (0u64..8, 0u64..3).prop_map(|(ahead, entries)| Action::Snapshot { ahead, entries }),
        1 => (0u64..8).prop_map(|ahead| Action::UntoldSnapshot { ahead }),
        1 => Just(Action::Close),
        1 => Just(Action::Drop),
    ]
}

fn harness(depth: usize) -> Harness {
    let vfs = CrashVfs::with_log_depth(depth);
    make_parents(&vfs);
    vfs.settle();
    Harness::new(vfs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn without_a_crash(
        actions in proptest::collection::vec(action(), 1..60),
        depth in 1usize..4,
        seed in any::<u64>(),
    ) {
        let mut harness = harness(depth);
        harness.create().unwrap();
        harness.run_reading(&actions, seed).unwrap();
        harness.open().unwrap();
    }

    #[test]
    fn with_crashes(
        histories in proptest::collection::vec(
            (proptest::collection::vec(action(), 1..30), 1u64..150, any::<u64>()),
            1..4,
        ),
        depth in 1usize..4,
    ) {
        let mut harness = harness(depth);
        harness.create().unwrap();
        for (actions, operations, seed) in histories {
            harness.vfs.stop_at(harness.vfs.operations() + operations);
            // It may or may not come that far.
            let _ = harness.run_reading(&actions, seed);
            harness = harness.after_crash(seed);
            harness.open().unwrap();
            harness.read_back(&mut Random(seed)).unwrap();
        }
    }
}
