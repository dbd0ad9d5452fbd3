//! The machine stops at every single operation of a member's founding. The next start founds it
//! again or finds it founded, and it is the same member.

use crate::support::open;
use retcd_vfs::{CrashVfs, MemVfs, Vfs};
use std::sync::Arc;

#[test]
fn at_every_operation() {
    let quiet: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let identity = open(&quiet).expect("a new member").parts().identity;
    let whole = CrashVfs::new();
    let shared: Arc<dyn Vfs> = Arc::new(whole.clone());
    drop(open(&shared).expect("a new member"));
    for operation in 1..=whole.operations() {
        for seed in 0..4 {
            let vfs = CrashVfs::new();
            vfs.stop_at(operation);
            let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
            assert!(open(&shared).is_err());
            let left: Arc<dyn Vfs> = Arc::new(vfs.crash(seed));
            let mut member = open(&left).unwrap_or_else(|e| panic!("operation {operation}: {e}"));
            assert_eq!(member.parts().identity, identity, "operation {operation}");
            member.settle().expect("nothing fails");
            assert_eq!(member.store().revision(), 1);
            assert_eq!(member.parts().consensus.status().leader, identity.member);
        }
    }
}
