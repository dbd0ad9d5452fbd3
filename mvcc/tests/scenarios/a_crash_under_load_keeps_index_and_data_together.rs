//! etcd 13766: members that were killed under load came back with another revision than the rest.
//!
//! What an entry changes and the index that says "executed up to here" have to become durable in
//! one piece. In etcd 3.5.0 to 3.5.2 the index was noted when an entry began, and a commit of the
//! database, which comes by itself every 100 ms, could fall between the two: it saved the new index
//! without the entry's changes. A member that was killed then skipped the entry for good.
//!
//! Here a flush covers what is committed, and only the end of a batch commits. So the story flushes
//! at every place within a batch, and the machine stops at every operation of that: what comes back
//! must be the state behind the entry that it names, not one change more or less.

use crate::crashing::{ALL, Story, Tell};
use crate::support::{IntoEntry, delete, op, ops, put};

/// A batch of three entries with a flush, or a part of one, before each of them and at the end.
fn batch(number: usize) -> Vec<Tell> {
    let key = |more: usize| format!("key-{}", (number * 3 + more) % 7);
    let pair = ops(vec![op(put(&key(1), "a")), op(put(&key(2), "b"))]);
    let requests = [
        put(&key(0), &format!("{number}")).into_entry(),
        pair.into_entry(),
        delete(&key(1), "").into_entry(),
    ];
    let mut batch = Vec::new();
    for (place, request) in requests.into_iter().enumerate() {
        batch.extend([Tell::Flush, Tell::Work(1 + (number + place) % 4)]);
        batch.push(Tell::Execute(Box::new(request)));
    }
    batch.extend([Tell::Flush, Tell::Work(2), Tell::Publish]);
    batch
}

#[test]
fn a_crash_under_load_keeps_index_and_data_together() {
    let story = Story::new((0..6).flat_map(batch).chain([Tell::Flush, Tell::Work(ALL)]));
    let operations = story.crash_everywhere(|_| {});
    assert!(operations > 60, "the engine flushed between entries: {operations}");
}
