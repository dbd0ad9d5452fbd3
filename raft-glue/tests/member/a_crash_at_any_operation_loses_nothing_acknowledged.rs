//! A member runs a random history: puts, deletes, transactions, compactions, leases and learners
//! come while earlier ones are on their way to the disk, are applied, flushed and merged, and the
//! log rotates and recycles. The machine stops at every single operation on the file system. From
//! whatever the crash leaves, the member starts again, and everything it ever answered is there, at
//! the revision that it told; nothing is there that nobody sent; no reader sees an older revision
//! than before; and the state is the one that the oracle engine gets to by the same entries. Then
//! it goes on, crashes again, and all of it still holds.

use crate::history::{Random, run};
use crate::support::{Kind, Seen, World, open_on};
use retcd_vfs::{CrashVfs, Vfs};
use std::sync::Arc;

/// Rounds before the first crash, and after it.
const ROUNDS: [usize; 2] = [46, 8];

/// How many operations the history of `seed` has.
fn operations(kind: Kind, vfs: &CrashVfs, seed: u64) -> u64 {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let mut world = World::default();
    run(kind, &shared, &mut world, &mut Random(seed), ROUNDS[0]).expect("nothing fails");
    let Seen { flushes, merges, rotations, recycled, reads, conf_changes } = world.seen;
    assert!(flushes >= 3 && merges >= 1 && reads >= 5, "{:?}", world.seen);
    assert!(rotations >= 3 && recycled >= 1 && conf_changes >= 1, "{:?}", world.seen);
    vfs.operations()
}

fn check(kind: Kind, vfs: &CrashVfs, world: &mut World) {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let mut member = open_on(kind, &shared).expect("a crash leaves what can be opened");
    member.settle().expect("nothing fails");
    world.hear(member.told());
    world.check(&member);
    world.look(&member);
}

fn crash_at(kind: Kind, operation: u64, seed: u64, make: fn() -> CrashVfs) {
    let mut world = World::default();
    let mut random = Random(seed);
    let vfs = make();
    vfs.stop_at(operation);
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    // A history that ended before the operation is as good.
    let _ = run(kind, &shared, &mut world, &mut random, ROUNDS[0]);
    let vfs = vfs.crash(operation ^ seed);
    check(kind, &vfs, &mut world);
    vfs.stop_at(vfs.operations() + 1 + random.below(150));
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let _ = run(kind, &shared, &mut world, &mut random, ROUNDS[1]);
    let vfs = vfs.crash(operation.wrapping_mul(31) ^ seed);
    check(kind, &vfs, &mut world);
}

fn crash_everywhere(kind: Kind, seed: u64, make: fn() -> CrashVfs) {
    let operations = operations(kind, &make(), seed);
    for operation in 1..=operations {
        let result = std::panic::catch_unwind(|| crash_at(kind, operation, seed, make));
        assert!(result.is_ok(), "seed {seed}, crash at operation {operation} of {operations}");
    }
}

#[test]
fn one_group_at_a_time() {
    crash_everywhere(Kind::Lsm, 1, CrashVfs::new);
}

#[test]
fn on_the_tree() {
    crash_everywhere(Kind::Btree, 4, CrashVfs::new);
}

#[test]
fn another_history() {
    crash_everywhere(Kind::Lsm, 2, CrashVfs::new);
}

#[test]
fn several_groups_under_way() {
    crash_everywhere(Kind::Lsm, 3, || CrashVfs::with_log_depth(4));
}
