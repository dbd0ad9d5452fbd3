//! etcd 17780: the revision went back after a crash during a compaction.
//!
//! etcd doesn't store the current revision: it takes the highest one it finds. A compaction removes
//! tombstones, so a compaction at the current revision, where that is a deletion, removes the very
//! record that says how far it is. Normally the compacted revision, stored at the end, makes up for
//! that; after a crash before the end it couldn't, and revisions that clients had seen were given
//! out again, to other changes. Replay didn't help: transactions that compared revisions failed.
//!
//! Here the revision is stored with every flush. The story ends with deletions that depend on
//! revisions, compacts at the last one and merges all of it away.

use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::{CompactionRequest, Compare, InternalRaftRequest, TxnRequest};

use crate::crashing::{ALL, Story, Tell, watched};
use crate::support::{IntoEntry, bytes, delete, get, op, put};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// Deletes the key if its last change was at this revision.
fn delete_if(key: &str, revision: i64) -> InternalRaftRequest {
    let compare = Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Mod.into(),
        key: bytes(key),
        target_union: Some(TargetUnion::ModRevision(revision)),
        ..Compare::default()
    };
    let (success, failure) = (vec![op(delete(key, ""))], vec![op(get(key))]);
    TxnRequest { compare: vec![compare], success, failure }.into_entry()
}

#[test]
fn a_crash_while_compacting_keeps_the_revision() {
    let mut sentences = Vec::new();
    for key in KEYS {
        sentences.extend(Tell::entry(put(key, "1").into_entry()));
    }
    sentences.extend([Tell::Flush, Tell::Work(ALL)]);
    for (key, revision) in KEYS.into_iter().zip(2..) {
        sentences.extend(Tell::entry(delete_if(key, revision)));
    }
    let compaction = CompactionRequest { revision: 9, physical: true }.into_entry();
    sentences.extend(Tell::entry(compaction));
    sentences.extend([Tell::Work(ALL), Tell::Defragment, Tell::Work(ALL)]);
    let operations = Story::new(sentences).crash_everywhere(|member| {
        assert_eq!(member.store.revision(), 9);
        assert_eq!(member.store.compacted_revision(), 9);
        assert_eq!(member.store.key_count(), 0);
        assert_eq!(watched(&member.store, 9), ["9:-d"]);
    });
    assert!(operations > 30, "it merged: {operations}");
}
