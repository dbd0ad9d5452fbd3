//! What a put takes over from the previous pair, and what it and a delete answer.

use retcd_api::Error;
use retcd_api::etcdserverpb::{DeleteRangeRequest, PutRequest};

use crate::support::{Member, delete, get, put, revision};

fn with_lease() -> Member {
    let mut member = Member::new();
    member.grant(7);
    let attached = PutRequest { lease: 7, ..put("a", "old") };
    member.try_put(attached).expect("the lease exists");
    member
}

#[test]
fn previous_pairs_are_answered_if_there_are_any() {
    let mut member = Member::new();
    let with_previous = |value| PutRequest { prev_kv: true, ..put("a", value) };
    assert_eq!(member.try_put(with_previous("1")).unwrap().prev_kv, None);
    let response = member.try_put(with_previous("2")).unwrap();
    let previous = response.prev_kv.unwrap();
    assert_eq!((&previous.value[..], previous.mod_revision), (&b"1"[..], 2));
    assert_eq!(revision(&response.header), 3);
}

#[test]
fn value_or_lease_may_be_taken_over() {
    let mut member = with_lease();
    let keep_lease = PutRequest { ignore_lease: true, ..put("a", "new") };
    member.try_put(keep_lease).unwrap();
    let pair = member.range(&get("a")).kvs.remove(0);
    assert_eq!((&pair.value[..], pair.lease), (&b"new"[..], 7));
    let keep_value = PutRequest { ignore_value: true, ..put("a", "") };
    member.try_put(keep_value).unwrap();
    let pair = member.range(&get("a")).kvs.remove(0);
    assert_eq!((&pair.value[..], pair.lease, pair.version), (&b"new"[..], 0, 3));
}

#[test]
fn nothing_can_be_taken_over_from_a_missing_key() {
    let mut member = Member::new();
    for request in [
        PutRequest { ignore_value: true, ..put("a", "") },
        PutRequest { ignore_lease: true, ..put("a", "1") },
    ] {
        assert_eq!(member.try_put(request), Err(Error::KeyNotFound));
    }
    assert_eq!(member.store.revision(), 1);
}

#[test]
fn an_unknown_lease_is_refused_before_anything_else() {
    let mut member = with_lease();
    let request = PutRequest { lease: 8, ..put("a", "1") };
    assert_eq!(member.try_put(request), Err(Error::LeaseNotFound));
    let request = PutRequest { lease: 8, ignore_value: true, ..put("missing", "") };
    assert_eq!(member.try_put(request), Err(Error::LeaseNotFound));
    assert_eq!(member.store.revision(), 2);
}

#[test]
fn deletes_answer_how_many_and_which() {
    let mut member = Member::new();
    for key in ["b", "a", "c"] {
        member.put(key, key);
    }
    let request = DeleteRangeRequest { prev_kv: true, ..delete("a", "c") };
    let response = member.delete(request);
    assert_eq!((response.deleted, revision(&response.header)), (2, 5));
    let previous: Vec<&[u8]> = response.prev_kvs.iter().map(|pair| &pair.key[..]).collect();
    assert_eq!(previous, [b"a", b"b"]);
    let response = member.delete(delete("a", "c"));
    assert_eq!((response.deleted, revision(&response.header)), (0, 5));
    assert_eq!(member.delete(delete("\0", "\0")).deleted, 1);
    assert_eq!(member.store.key_count(), 0);
}
