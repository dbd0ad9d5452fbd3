//! etcd 18667: a transaction that read a compacted revision failed on one member and was executed
//! on the others.
//!
//! A transaction may read at an old revision, and fails as a whole if that is compacted. etcd skips
//! a transaction's reads on members where no client waits for the answer; the check went with them.
//! So the member with the client refused the transaction, the others executed its puts.
//!
//! Here nothing that an entry does depends on who waits, and the compacted revision that decides is
//! the one of the entries before, not of this member's files: an entry that is executed again after
//! a crash meets the revision that it met the first time, although a later compaction may have
//! been known before.

use retcd_api::Error;
use retcd_api::etcdserverpb::{CompactionRequest, RangeRequest, TxnRequest};
use retcd_mvcc::Response;

use crate::crashing::{ALL, Story, Tell};
use crate::support::{IntoEntry, get, op, ops, put};

/// Puts a key, reads `a` at this revision, and puts another one.
fn read_at(key: &str, revision: i64) -> TxnRequest {
    let range = RangeRequest { revision, ..get("a") };
    ops(vec![op(put(key, "1")), op(range), op(put(&format!("{key}-after"), "1"))])
}

/// The same within another transaction, whose own operations come first.
fn nested_read_at(key: &str, revision: i64) -> TxnRequest {
    ops(vec![op(put(&format!("{key}-before"), "1")), op(read_at(key, revision))])
}

#[test]
fn a_range_in_a_transaction_fails_alike_everywhere() {
    let mut sentences = Vec::new();
    for value in ["2", "3", "4", "5", "6"] {
        sentences.extend(Tell::entry(put("a", value).into_entry()));
    }
    sentences.extend(Tell::entry(read_at("early", 3).into_entry()));
    sentences.extend([Tell::Flush, Tell::Work(2)]);
    sentences.extend(Tell::entry(nested_read_at("early-nested", 3).into_entry()));
    let compaction = CompactionRequest { revision: 5, physical: true }.into_entry();
    sentences.extend(Tell::entry(compaction));
    sentences.push(Tell::Work(1));
    sentences.extend(Tell::entry(read_at("late", 3).into_entry()));
    sentences.extend(Tell::entry(nested_read_at("late-nested", 4).into_entry()));
    sentences.extend(Tell::entry(read_at("future", 100).into_entry()));
    sentences.extend(Tell::entry(read_at("still", 5).into_entry()));
    sentences.extend([Tell::Defragment, Tell::Work(ALL)]);
    let story = Story::new(sentences);
    let answers = story.answers[5..].iter().map(|answer| match answer {
        Ok(Response::Txn(_)) => "executed",
        Ok(Response::Compaction(_)) => "compacted",
        Ok(other) => panic!("{other:?}"),
        Err(Error::Compacted) => "refused: compacted",
        Err(Error::FutureRev) => "refused: future",
        Err(error) => panic!("{error}"),
    });
    let expected = [
        "executed",
        "executed",
        "compacted",
        "refused: compacted",
        "refused: compacted",
        "refused: future",
        "executed",
    ];
    assert_eq!(answers.collect::<Vec<_>>(), expected);
    story.crash_everywhere(|member| {
        // Five puts, three transactions that were executed, and no trace of the others.
        assert_eq!(member.store.revision(), 9);
        assert_eq!(member.store.key_count(), 1 + 2 + 3 + 2);
    });
}
