//! etcd 14685: a member that crashed while it defragmented executed entries twice.
//!
//! Defragmenting etcd first commits what is pending. Until 3.5.6 that commit didn't go the usual
//! way, which adds the index of the last executed entry: the changes became durable, the index
//! stayed behind. After a crash the entries in between were executed again, on a state that had
//! them already, and the revision ran ahead of the other members'.
//!
//! Here defragmenting is a flush and a merge like any other. The story asks for it while much is in
//! memory only, goes on writing while it runs, and has transactions whose second execution would
//! show: a counter, and puts that depend on it.

use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::{Compare, InternalRaftRequest, TxnRequest};

use crate::crashing::{ALL, Story, Tell};
use crate::support::{IntoEntry, bytes, delete, op, put};

/// If `counter` has had `count` puts, it gets another one; otherwise a key says that it hadn't.
fn count(count: i64) -> InternalRaftRequest {
    let compare = Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Version.into(),
        key: bytes("counter"),
        target_union: Some(TargetUnion::Version(count)),
        ..Compare::default()
    };
    let success = vec![op(put("counter", &"x".repeat(count as usize * 20)))];
    let failure = vec![op(put(&format!("missed-{count}"), "")), op(delete("counter", ""))];
    TxnRequest { compare: vec![compare], success, failure }.into_entry()
}

#[test]
fn a_crash_while_defragmenting_repeats_nothing() {
    let mut sentences = Vec::new();
    for number in 0..15 {
        sentences.extend(Tell::entry(count(number)));
        if number % 5 == 3 {
            sentences.push(Tell::Defragment);
        }
        sentences.push(Tell::Work(number as usize % 3));
    }
    sentences.extend([Tell::Defragment, Tell::Work(ALL)]);
    let operations = Story::new(sentences).crash_everywhere(|member| {
        assert_eq!(member.store.revision(), 16);
        assert_eq!(member.store.key_count(), 1);
    });
    assert!(operations > 60, "it defragmented: {operations}");
}
