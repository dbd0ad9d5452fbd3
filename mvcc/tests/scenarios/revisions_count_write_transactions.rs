//! A store starts at revision 1; each entry that changes something makes one main revision, and the
//! keys changed in it share it. What changes nothing leaves the revision alone.

use crate::support::{Member, delete, get, keys, list, op, ops, put, revision};

#[test]
fn an_empty_store_has_revision_one_and_the_first_write_two() {
    let mut member = Member::new();
    assert_eq!(member.store.revision(), 1);
    assert_eq!(member.store.compacted_revision(), -1);
    assert_eq!(revision(&member.range(&get("a")).header), 1);
    assert_eq!(member.put("a", "1"), 2);
    assert_eq!(member.store.revision(), 2);
}

#[test]
fn puts_count_versions_from_the_creation_on() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("b", "1");
    member.put("a", "2");
    let pair = member.range(&get("a")).kvs.remove(0);
    assert_eq!(pair.create_revision, 2);
    assert_eq!(pair.mod_revision, 4);
    assert_eq!(pair.version, 2);
    assert_eq!(pair.value, "2");

    assert_eq!(member.delete(delete("a", "")).deleted, 1);
    member.put("a", "3");
    let pair = member.range(&get("a")).kvs.remove(0);
    assert_eq!((pair.create_revision, pair.version), (6, 1));
}

#[test]
fn all_changes_of_a_transaction_share_its_revision() {
    let mut member = Member::new();
    member.put("c", "old");
    let response = member.txn(ops(vec![op(put("a", "1")), op(put("b", "1")), op(delete("c", ""))]));
    assert_eq!(revision(&response.header), 3);
    let response = member.range(&list("\0", "\0"));
    assert_eq!(keys(&response), ["a", "b"]);
    assert!(response.kvs.iter().all(|pair| pair.mod_revision == 3));
    assert_eq!(member.value("c", 2).unwrap(), "old");
}

#[test]
fn nothing_changed_is_no_revision() {
    let mut member = Member::new();
    let response = member.delete(delete("a", ""));
    assert_eq!((response.deleted, revision(&response.header)), (0, 1));
    let response = member.txn(ops(vec![op(delete("a", "z")), op(get("a"))]));
    assert_eq!(revision(&response.header), 1);
    assert_eq!(member.store.revision(), 1);
}

#[test]
fn a_batch_is_visible_when_it_is_published() {
    use crate::support::IntoEntry;

    let mut member = Member::new();
    member.apply(put("a", "1").into_entry()).result.unwrap();
    member.apply(put("a", "2").into_entry()).result.unwrap();
    assert_eq!(member.store.revision(), 1);
    assert_eq!(member.value("a", 0), None);
    member.applier.publish().unwrap();
    assert_eq!(member.store.revision(), 3);
    assert_eq!(member.value("a", 0).unwrap(), "2");
    assert_eq!(member.value("a", 2).unwrap(), "1");
}

#[test]
fn a_restart_finds_the_same_state() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("b", "1");
    member.delete(delete("a", ""));
    member.try_compact(3).unwrap();
    let member = member.reopen();
    assert_eq!(member.store.revision(), 4);
    assert_eq!(member.store.compacted_revision(), 3);
    assert_eq!(member.store.key_count(), 1);
    assert_eq!(keys(&member.range(&list("\0", "\0"))), ["b"]);
}
