//! etcd 18089: a watch that began at the compacted revision missed the deletion there.
//!
//! The compacted revision itself can be read, and watched from: only what is below is gone. But
//! etcd's compaction removed the tombstone at that very revision, because no reader needs it to
//! know that the key isn't there. A watcher that had seen everything before, and resumed exactly
//! there, never heard that the key was deleted.
//!
//! Watchers here read the records that say what each revision did, which stay from the compacted
//! revision on. The story has a key that is put, deleted and put again, and compacts at the
//! deletion; the events must be there however far merges have got.

use retcd_api::etcdserverpb::CompactionRequest;

use crate::crashing::{ALL, Story, Tell, watched};
use crate::support::{IntoEntry, delete, put};

#[test]
fn a_watch_from_a_compacted_delete_tells_the_delete() {
    let mut sentences = Vec::new();
    for value in ["2", "3", "4"] {
        sentences.extend(Tell::entry(put("k", value).into_entry()));
        sentences.extend([Tell::Flush, Tell::Work(ALL)]);
    }
    sentences.extend(Tell::entry(delete("k", "").into_entry()));
    // The deletion's revision gets a file of its own, which is the first one that could go.
    sentences.extend([Tell::Flush, Tell::Work(ALL)]);
    sentences.extend(Tell::entry(put("k", "6").into_entry()));
    let compaction = CompactionRequest { revision: 5, physical: true }.into_entry();
    sentences.extend(Tell::entry(compaction));
    sentences.extend([Tell::Work(ALL), Tell::Defragment, Tell::Work(ALL)]);
    Story::new(sentences).crash_everywhere(|member| {
        assert_eq!(watched(&member.store, 4), ["compacted 5"]);
        assert_eq!(watched(&member.store, 5), ["5:-k", "6:k=6"]);
        assert_eq!(watched(&member.store, 6), ["6:k=6"]);
    });
}
