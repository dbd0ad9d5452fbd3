//! One member from its founding on: it leads by itself, answers what it is sent once that is
//! durable and applied, confirms reads, and is the same after a restart.

use crate::support::{Kind, World, open, open_at, open_on_oracle, put};
use retcd_engine::Engine as _;
use retcd_mvcc::Response;
use retcd_raft_glue::{Inline, Input, Opened, Role};
use retcd_vfs::{MemVfs, RealVfs, Vfs};
use std::sync::Arc;

fn propose(member: &mut Inline, world: &mut World, id: u64) {
    let data = put(id, format!("key-{id}").as_bytes(), b"value");
    world.sent.insert(id, data.clone());
    member.step(Input::Propose { token: id, data }).expect("nothing fails");
}

#[test]
fn it_answers_and_remembers() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut world = World::default();
    let mut member = open_on_oracle(&vfs).expect("a new member");
    assert_eq!(member.parts().opened, Opened::New);
    assert!(open_on_oracle(&vfs).is_err(), "the data directory is locked");
    member.settle().expect("nothing fails");
    let told = member.told();
    assert_eq!(told.role.map(|role| role.role), Some(Role::Leader));
    world.hear(told);

    for id in 1..=3 {
        propose(&mut member, &mut world, id);
    }
    member.step(Input::ReadIndex { context: 9 }).expect("nothing fails");
    member.settle().expect("nothing fails");
    let told = member.told();
    let revisions = told.outcomes.iter().map(|outcome| match &outcome.result {
        Ok(Response::Put(put)) => put.header.as_ref().map(|header| header.revision),
        other => panic!("{other:?}"),
    });
    assert!(revisions.eq([Some(2), Some(3), Some(4)]));
    assert_eq!(told.reads.len(), 1);
    world.hear(told);
    world.look(&member);
    let identity = member.parts().identity;
    member.close().expect("nothing fails");

    let mut member = open_on_oracle(&vfs).expect("an existing member");
    assert_eq!(member.parts().identity, identity);
    // The addition of the member, a leader's empty entry, three puts.
    let Opened::Existing { replayed, .. } = member.parts().opened else {
        panic!("the member is forgotten");
    };
    assert_eq!(replayed, 5);
    member.settle().expect("nothing fails");
    world.hear(member.told());
    world.check(&member);
}

#[test]
fn nothing_is_answered_before_it_is_durable() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut world = World::default();
    let mut member = open(&vfs).expect("a new member");
    member.settle().expect("nothing fails");
    world.hear(member.told());
    let syncs = member.parts().log.stats().syncs;
    for id in 1..=50 {
        propose(&mut member, &mut world, id);
    }
    while member.consult().expect("nothing fails") {}
    assert!(!member.apply(usize::MAX).expect("nothing fails"), "nothing is committed yet");
    assert!(member.submit().expect("nothing fails"));
    assert!(!member.submit().expect("nothing fails"), "one batch is one group");
    assert!(!member.consult().expect("nothing fails"), "the log hasn't said that it is durable");
    assert!(member.told().outcomes.is_empty());
    assert!(member.complete().expect("nothing fails"));
    member.settle().expect("nothing fails");
    let told = member.told();
    assert_eq!(told.outcomes.len(), 50);
    world.hear(told);
    assert_eq!(member.parts().log.stats().syncs, syncs + 1, "one group, one sync");
    world.check(&member);
}

#[test]
fn the_log_goes_when_the_engine_has_it() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut world = World::default();
    let mut member = open(&vfs).expect("a new member");
    for id in 1..=400 {
        propose(&mut member, &mut world, id);
        member.settle().expect("nothing fails");
        world.hear(member.told());
    }
    let flushed = member.parts().engine.flushed().index;
    assert!(flushed > 300, "{flushed}");
    let log = vfs.list(std::path::Path::new("data/member/wal")).expect("in memory");
    assert!(log.len() <= 4, "{log:?}");
    drop(member);
    let mut member = open(&vfs).expect("an existing member");
    let Opened::Existing { replayed, .. } = member.parts().opened else {
        panic!("the member is forgotten");
    };
    assert!(replayed < 100, "{replayed}");
    member.settle().expect("nothing fails");
    world.hear(member.told());
    world.check(&member);
}

#[test]
fn it_does_so_on_real_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("deep/data");
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let mut world = World::default();
    for round in 0..3 {
        let mut member = open_at(Kind::Lsm, &vfs, &dir).expect("a member");
        assert!(open_at(Kind::Lsm, &vfs, &dir).is_err(), "the data directory is locked");
        for id in 1..=20 {
            propose(&mut member, &mut world, round * 20 + id);
            member.settle().expect("nothing fails");
        }
        world.hear(member.told());
        world.check(&member);
        if round == 0 {
            member.close().expect("nothing fails");
        }
    }
}
