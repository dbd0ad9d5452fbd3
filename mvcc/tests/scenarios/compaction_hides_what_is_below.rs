//! A compaction takes effect for readers at once, and for the engine when it is committed.

use retcd_api::Error;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_engine::Engine;

use crate::support::{IntoEntry, Member, delete, get};

#[test]
fn each_one_is_above_the_last_and_not_in_the_future() {
    let mut member = Member::new();
    assert_eq!(member.try_compact(-1), Err(Error::Compacted));
    assert_eq!(member.try_compact(0), Ok(1));
    assert_eq!(member.try_compact(0), Err(Error::Compacted));
    member.put("a", "1");
    assert_eq!(member.try_compact(3), Err(Error::FutureRev));
    assert_eq!(member.try_compact(2), Ok(2));
    assert_eq!(member.try_compact(2), Err(Error::Compacted));
    assert_eq!(member.store.compacted_revision(), 2);
}

#[test]
fn the_compacted_revision_itself_can_be_read() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("a", "2");
    member.delete(delete("a", ""));
    member.put("b", "1");
    member.try_compact(3).unwrap();
    assert_eq!(member.value("a", 3).unwrap(), "2");
    assert_eq!(member.value("a", 4), None);
    let below = RangeRequest { revision: 2, ..get("a") };
    assert_eq!(member.try_range(&below), Err(Error::Compacted));
    assert!(member.store.check_revision(3).is_ok());
    assert!(member.store.check_revision(2).is_err());
}

#[test]
fn the_engine_learns_of_it_with_the_commit_and_is_asked_to_flush() {
    let mut member = Member::new();
    member.put("a", "1");
    assert_eq!(member.engine.applied().watermark, 0);
    member.try_compact(2).unwrap();
    assert_eq!(member.engine.applied().watermark, 2);
    assert_eq!(member.engine.flushed().watermark, 0);
    while member.engine.step().unwrap() == retcd_engine::Step::Worked {}
    assert_eq!(member.engine.flushed().watermark, 2);
}

#[test]
fn later_entries_of_the_same_batch_are_held_against_it() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("a", "2");
    let compaction = retcd_api::etcdserverpb::CompactionRequest { revision: 3, physical: false };
    member.apply(compaction.into_entry()).result.unwrap();
    let below = RangeRequest { revision: 2, ..get("a") };
    let outcome = member.apply(below.clone().into_entry());
    assert_eq!(outcome.result, Err(Error::Compacted));
    // Readers aren't told yet.
    assert!(member.try_range(&below).is_ok());
    member.applier.publish().unwrap();
    assert_eq!(member.try_range(&below), Err(Error::Compacted));
}
