//! A member is started again with more to apply than one output carries. Nothing of it is in
//! memory at first; it comes from the log in pieces, each entry once and in order. A log that can't
//! be read then stops the member.

use crate::support::{DATA, World, options, put};
use retcd_engine::oracle::Oracle;
use retcd_raft_glue::{
    COMMITTED_BYTES_PER_OUTPUT, DataDir, Error, Inline, Input, Opened, bootstrap,
};
use retcd_vfs::{CrashVfs, Fault, Vfs};
use std::path::Path;
use std::sync::Arc;

const PUTS: u64 = 180;
const VALUE: &[u8] = &[7; 64 << 10];

/// Opens the member on an empty oracle: everything in the log is to be applied again.
fn open(vfs: &CrashVfs) -> Inline {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let data_dir = DataDir::open(shared, Path::new(DATA), None).expect("nobody else is here");
    let mut options = options();
    options.log.segment_bytes = 2 << 20;
    let parts = bootstrap(data_dir, options, |_| Ok(Arc::new(Oracle::new())));
    Inline::new(parts.expect("nothing fails"))
}

/// A member that has applied a few megabytes, stopped.
fn filled(world: &mut World) -> CrashVfs {
    let vfs = CrashVfs::new();
    let mut member = open(&vfs);
    member.settle().expect("nothing fails");
    for id in 1..=PUTS {
        let data = put(id, format!("key-{id}").as_bytes(), VALUE);
        world.sent.insert(id, data.clone());
        member.step(Input::Propose { token: id, data }).expect("nothing fails");
        if id % 10 == 0 {
            member.settle().expect("nothing fails");
        }
    }
    world.hear(member.told());
    member.close().expect("nothing fails");
    vfs
}

#[test]
fn each_entry_once_and_in_order() {
    let mut world = World::default();
    let vfs = filled(&mut world);
    let mut member = open(&vfs);
    let Opened::Existing { replayed, .. } = member.parts().opened else {
        panic!("the member is forgotten");
    };
    let (mut next, mut pieces) = (1, 0);
    while member.consult().expect("nothing fails") {
        member.apply(usize::MAX).expect("nothing fails");
        assert!(member.parts().consensus.status().tail_bytes < 1 << 10);
        let told = member.told();
        let bytes: usize = told.executed.iter().map(|entry| entry.data.len()).sum();
        assert!(bytes as u64 <= COMMITTED_BYTES_PER_OUTPUT);
        for entry in &told.executed {
            assert_eq!(entry.index, next);
            next += 1;
        }
        pieces += usize::from(!told.executed.is_empty());
        world.hear(told);
    }
    assert!(pieces >= 3, "{pieces}");
    // That the last group is committed is known once this leader has an entry of its own.
    member.settle().expect("nothing fails");
    let told = member.told();
    assert_eq!(told.executed.first().map(|entry| entry.index), Some(next));
    assert_eq!(next + told.executed.len() as u64, replayed as u64 + 2);
    world.hear(told);
    world.check(&member);
}

#[test]
fn an_error_while_reading_back_stops_the_member() {
    let vfs = filled(&mut World::default());
    // Opening the segment, then reading it.
    for operation in 1..=2 {
        let mut member = open(&vfs);
        vfs.fail_at(vfs.operations() + operation, Fault::Io);
        let failed = member.consult();
        let is_told = matches!(failed, Err(Error::Log(retcd_wal::Error::Io { .. })));
        assert!(is_told, "{operation}: {failed:?}");
        assert!(matches!(member.consult(), Err(Error::Stopped)));
        assert!(member.told().executed.is_empty());
    }
}

#[test]
fn consensus_itself_does_nothing_after_such_an_error() {
    let vfs = filled(&mut World::default());
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let data_dir = DataDir::open(shared, Path::new(DATA), None).expect("nobody else is here");
    let parts = bootstrap(data_dir, options(), |_| Ok(Arc::new(Oracle::new())));
    let mut consensus = parts.expect("nothing fails").consensus;
    vfs.fail_at(vfs.operations() + 1, Fault::Io);
    assert!(matches!(consensus.take_output(), Err(Error::Log(_))));
    assert!(matches!(consensus.take_output(), Err(Error::Stopped)));
    assert!(matches!(consensus.step(Input::Tick), Err(Error::Stopped)));
}
