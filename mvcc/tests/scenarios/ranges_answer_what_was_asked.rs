//! A range names one key, an interval, or everything from a key on; it reads at a revision, and it
//! limits, counts, filters and sorts.

use retcd_api::Error;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};

use crate::support::{Member, delete, get, keys, list, revision};

fn letters() -> Member {
    let mut member = Member::new();
    for key in ["c", "a", "e", "b", "d"] {
        member.put(key, &format!("{key}{key}"));
    }
    member
}

#[test]
fn the_end_says_which_keys() {
    let member = letters();
    assert_eq!(keys(&member.range(&get("c"))), ["c"]);
    assert_eq!(keys(&member.range(&list("b", "d"))), ["b", "c"]);
    assert_eq!(keys(&member.range(&list("d", "\0"))), ["d", "e"]);
    assert_eq!(keys(&member.range(&list("\0", "\0"))), ["a", "b", "c", "d", "e"]);
    for (key, end) in [("d", "d"), ("d", "b")] {
        let response = member.range(&list(key, end));
        assert_eq!((response.kvs.len(), response.count), (0, 0));
    }
}

#[test]
fn revisions_lie_between_the_compacted_and_the_current_one() {
    let mut member = letters();
    let at = |revision| RangeRequest { revision, ..list("\0", "\0") };
    assert_eq!(keys(&member.range(&at(3))), ["a", "c"]);
    assert_eq!(revision(&member.range(&at(3)).header), 6);
    assert_eq!(member.range(&at(-1)).count, 5);
    assert_eq!(member.try_range(&at(7)), Err(Error::FutureRev));
    member.try_compact(4).unwrap();
    assert_eq!(member.try_range(&at(3)), Err(Error::Compacted));
    assert_eq!(keys(&member.range(&at(4))), ["a", "c", "e"]);
    assert_eq!(member.range(&at(-1)).count, 5);
}

#[test]
fn a_limit_leaves_the_count_alone() {
    let member = letters();
    let limited = |limit| member.range(&RangeRequest { limit, ..list("b", "\0") });
    for (limit, kvs, more) in [(0, 4, false), (-3, 4, false), (2, 2, true), (4, 4, false)] {
        let response = limited(limit);
        assert_eq!((response.kvs.len(), response.more, response.count), (kvs, more, 4), "{limit}");
    }
}

#[test]
fn counting_only_and_keys_only_leave_things_out() {
    let member = letters();
    let response = member.range(&RangeRequest { count_only: true, limit: 1, ..list("\0", "\0") });
    assert_eq!((response.kvs.len(), response.count, response.more), (0, 5, false));
    let response = member.range(&RangeRequest { count_only: true, ..get("a") });
    assert_eq!((response.kvs.len(), response.count), (0, 1));
    let response = member.range(&RangeRequest { keys_only: true, ..list("a", "c") });
    assert_eq!(keys(&response), ["a", "b"]);
    assert!(response.kvs.iter().all(|pair| pair.value.is_empty() && pair.mod_revision > 0));
}

#[test]
fn bounds_on_revisions_are_inclusive_and_come_before_the_limit() {
    let mut member = letters();
    member.put("a", "again");
    let mut request = list("\0", "\0");
    request.min_mod_revision = 4;
    assert_eq!(keys(&member.range(&request)), ["a", "b", "d", "e"]);
    request.max_mod_revision = 6;
    assert_eq!(keys(&member.range(&request)), ["b", "d", "e"]);
    request.limit = 3;
    let response = member.range(&request);
    assert_eq!((response.more, response.count), (false, 5));
    request.limit = 2;
    let response = member.range(&request);
    assert_eq!((keys(&response), response.more), (vec!["b".into(), "d".into()], true));
    let created = RangeRequest { max_create_revision: 3, ..list("\0", "\0") };
    assert_eq!(keys(&member.range(&created)), ["a", "c"]);
    let created = RangeRequest { min_create_revision: 5, ..list("\0", "\0") };
    assert_eq!(keys(&member.range(&created)), ["b", "d"]);
    let none = RangeRequest { max_mod_revision: -1, ..list("\0", "\0") };
    assert_eq!(member.range(&none).kvs, []);
}

#[test]
fn pairs_are_sorted_by_any_field_before_the_limit() {
    let mut member = letters();
    member.put("b", "zz");
    member.put("b", "zz");
    member.put("d", "a");
    let sorted = |target: SortTarget, order: SortOrder, limit| {
        let request = RangeRequest {
            sort_target: target.into(),
            sort_order: order.into(),
            limit,
            ..list("\0", "\0")
        };
        let response = member.range(&request);
        assert_eq!(response.count, 5);
        assert_eq!(response.more, limit != 0);
        assert!(response.kvs.iter().all(|pair| !pair.value.is_empty()));
        keys(&response).concat()
    };
    use SortOrder::{Ascend, Descend};
    assert_eq!(sorted(SortTarget::Key, Ascend, 0), "abcde");
    assert_eq!(sorted(SortTarget::Key, Descend, 2), "ed");
    assert_eq!(sorted(SortTarget::Create, Ascend, 1), "c");
    assert_eq!(sorted(SortTarget::Create, Descend, 0), "dbeac");
    assert_eq!(sorted(SortTarget::Mod, Descend, 2), "db");
    assert_eq!(sorted(SortTarget::Version, Descend, 2), "bd");
    assert_eq!(sorted(SortTarget::Value, Ascend, 2), "da");
    assert_eq!(sorted(SortTarget::Value, Descend, 1), "b");
}

#[test]
fn a_target_without_an_order_sorts_what_the_limit_left() {
    let mut member = letters();
    member.put("a", "again");
    let request =
        RangeRequest { sort_target: SortTarget::Mod.into(), limit: 2, ..list("\0", "\0") };
    // Candidates are a, b and c, of which a is the newest.
    let response = member.range(&request);
    assert_eq!((keys(&response), response.more), (vec!["c".into(), "b".into()], true));
    assert_eq!(response.count, 5);
}

#[test]
fn values_decide_the_order_even_if_only_keys_are_wanted() {
    let mut member = letters();
    member.put("a", "zz");
    let request = RangeRequest {
        sort_target: SortTarget::Value.into(),
        sort_order: SortOrder::Descend.into(),
        keys_only: true,
        ..list("\0", "\0")
    };
    let response = member.range(&request);
    assert_eq!(keys(&response).concat(), "aedcb");
    assert!(response.kvs.iter().all(|pair| pair.value.is_empty()));
}

#[test]
fn deleted_keys_are_there_at_revisions_before() {
    let mut member = letters();
    member.delete(delete("b", "d"));
    assert_eq!(keys(&member.range(&list("\0", "\0"))), ["a", "d", "e"]);
    let before = RangeRequest { revision: 6, ..list("\0", "\0") };
    assert_eq!(member.range(&before).count, 5);
    assert_eq!(member.store.key_count(), 3);
}
