//! etcd 19179: a watch opened at the revision of a compaction that was still to be finished missed
//! deletions.
//!
//! The follow-up of 18089. There the tombstone at the compacted revision was kept, but which
//! tombstone to keep was decided by what the index in memory still had. A member that crashed
//! during the compaction loads its index without keys that are gone; when it then finishes the
//! compaction, it removes the tombstone at the compacted revision after all. Whoever watched from
//! there while that happened missed the deletion, or part of it.
//!
//! The story deletes many keys in one revision, which is the current and the compacted one, and a
//! watch is opened between any two pieces of the merges that follow, before and after crashes.

use retcd_api::etcdserverpb::CompactionRequest;

use crate::crashing::{ALL, Story, Tell, watched};
use crate::support::{IntoEntry, delete, put};

const KEYS: i64 = 12;

#[test]
fn a_watch_from_a_running_compaction_tells_all_of_its_revision() {
    let key = |number: i64| format!("key-{number:02}");
    let mut sentences = Vec::new();
    for number in 0..KEYS {
        sentences.extend(Tell::entry(put(&key(number), "1").into_entry()));
        if number % 3 == 0 {
            sentences.extend([Tell::Flush, Tell::Work(ALL)]);
        }
    }
    sentences.extend(Tell::entry(delete("key-", "key.").into_entry()));
    let compacted = KEYS + 2;
    let compaction = CompactionRequest { revision: compacted, physical: true }.into_entry();
    sentences.extend(Tell::entry(compaction));
    sentences.extend([Tell::Work(3), Tell::Defragment, Tell::Work(ALL)]);
    let expected: Vec<String> =
        (0..KEYS).map(|number| format!("{compacted}:-{}", key(number))).collect();
    Story::new(sentences).crash_everywhere(|member| {
        member.engine.request_merge().expect("no error was planned");
        loop {
            assert_eq!(watched(&member.store, compacted), expected);
            let step = member.engine.step().expect("no error was planned");
            if step != retcd_engine::Step::Worked {
                break;
            }
        }
    });
}
