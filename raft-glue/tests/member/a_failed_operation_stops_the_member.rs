//! Every single operation on the file system fails once: with an I/O error, a full disk, or after a
//! part of what it should write. The member either takes it (background work that found no room) or
//! stops: from then on it does nothing and answers nobody. Opened again, on the same files or after
//! a power failure, it has everything that it ever answered.

use crate::history::{Random, run};
use crate::support::{Kind, World, open_on};
use retcd_vfs::{CrashVfs, Fault, Vfs};
use std::sync::Arc;

const ROUNDS: usize = 24;
const SEED: u64 = 11;

fn fail_at(kind: Kind, operation: u64, fault: Fault, make: fn() -> CrashVfs) {
    let vfs = make();
    vfs.fail_at(operation, fault);
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let mut world = World::default();
    let _ = run(kind, &shared, &mut world, &mut Random(SEED), ROUNDS);
    let after_power_failure: Arc<dyn Vfs> = Arc::new(vfs.crash(operation));
    for vfs in [after_power_failure, shared] {
        // Two futures that know nothing of each other.
        let mut world = world.clone();
        let mut member = open_on(kind, &vfs).expect("what an error leaves can be opened");
        member.settle().expect("nothing fails any more");
        world.hear(member.told());
        world.check(&member);
    }
}

fn fail_everywhere(kind: Kind, fault: Fault, make: fn() -> CrashVfs) {
    let vfs = make();
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    run(kind, &shared, &mut World::default(), &mut Random(SEED), ROUNDS).expect("nothing fails");
    for operation in 1..=vfs.operations() {
        let result = std::panic::catch_unwind(|| fail_at(kind, operation, fault, make));
        assert!(result.is_ok(), "{fault:?} at operation {operation}");
    }
}

#[test]
fn with_an_io_error() {
    fail_everywhere(Kind::Lsm, Fault::Io, CrashVfs::new);
}

#[test]
fn with_a_full_disk() {
    fail_everywhere(Kind::Lsm, Fault::NoSpace, CrashVfs::new);
}

#[test]
fn with_a_short_write() {
    fail_everywhere(Kind::Lsm, Fault::ShortWrite, CrashVfs::new);
}

#[test]
fn while_several_groups_are_under_way() {
    for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite] {
        fail_everywhere(Kind::Lsm, fault, || CrashVfs::with_log_depth(3));
    }
}

#[test]
fn on_the_tree() {
    for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite] {
        fail_everywhere(Kind::Btree, fault, CrashVfs::new);
    }
}
