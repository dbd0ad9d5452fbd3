//! Comparisons look at the state before the transaction; operations see those before them; what is
//! refused leaves no trace.

use retcd_api::Error;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
};
use retcd_mvcc::{is_read_only, is_serializable};

use crate::support::{Member, bytes, delete, get, keys, list, op, ops, put, revision};

fn compare(key: &str, range_end: &str, union: TargetUnion, result: CompareResult) -> Compare {
    let target = match union {
        TargetUnion::Version(_) => CompareTarget::Version,
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
        TargetUnion::Lease(_) => CompareTarget::Lease,
    };
    Compare {
        result: result.into(),
        target: target.into(),
        key: bytes(key),
        range_end: bytes(range_end),
        target_union: Some(union),
    }
}

fn holds(member: &Member, compares: Vec<Compare>) -> bool {
    let request = TxnRequest { compare: compares, ..TxnRequest::default() };
    member.store.read_txn(&request).expect("nothing refuses comparisons").succeeded
}

#[test]
fn comparisons_are_joined_by_and() {
    let mut member = Member::new();
    member.put("a", "1");
    let yes = || compare("a", "", TargetUnion::Version(1), CompareResult::Equal);
    let no = || compare("a", "", TargetUnion::Version(1), CompareResult::Greater);
    assert!(holds(&member, vec![]));
    assert!(holds(&member, vec![yes(), yes()]));
    assert!(!holds(&member, vec![yes(), no()]));
}

#[test]
fn every_target_can_be_compared() {
    let mut member = Member::new();
    member.put("x", "");
    member.put("a", "b");
    member.put("a", "b");
    for (union, smaller) in [
        (TargetUnion::Version(2), TargetUnion::Version(1)),
        (TargetUnion::CreateRevision(3), TargetUnion::CreateRevision(2)),
        (TargetUnion::ModRevision(4), TargetUnion::ModRevision(3)),
        (TargetUnion::Value(bytes("b")), TargetUnion::Value(bytes("a\u{ff}"))),
        (TargetUnion::Lease(0), TargetUnion::Lease(-1)),
    ] {
        let one = |union: &TargetUnion, result| {
            holds(&member, vec![compare("a", "", union.clone(), result)])
        };
        assert!(one(&union, CompareResult::Equal));
        assert!(!one(&union, CompareResult::NotEqual));
        assert!(one(&smaller, CompareResult::Greater));
        assert!(!one(&smaller, CompareResult::Less));
        assert!(one(&smaller, CompareResult::NotEqual));
    }
}

#[test]
fn a_missing_key_is_zero_but_has_no_value() {
    let member = Member::new();
    let one = |union, result| holds(&member, vec![compare("a", "", union, result)]);
    for union in [
        TargetUnion::Version(0),
        TargetUnion::CreateRevision(0),
        TargetUnion::ModRevision(0),
        TargetUnion::Lease(0),
    ] {
        assert!(one(union, CompareResult::Equal));
    }
    for result in
        [CompareResult::Equal, CompareResult::NotEqual, CompareResult::Greater, CompareResult::Less]
    {
        assert!(!one(TargetUnion::Value(bytes("")), result));
    }
}

#[test]
fn a_comparison_of_a_range_must_hold_for_every_key() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("b", "1");
    let one = |end, union, result| holds(&member, vec![compare("a", end, union, result)]);
    assert!(one("\0", TargetUnion::Version(1), CompareResult::Equal));
    assert!(!one("\0", TargetUnion::ModRevision(2), CompareResult::Equal));
    assert!(one("\0", TargetUnion::ModRevision(1), CompareResult::Greater));
    assert!(one("a", TargetUnion::Version(0), CompareResult::Equal));
    assert!(!one("a", TargetUnion::Value(bytes("")), CompareResult::Equal));
}

#[test]
fn an_operand_of_another_type_counts_as_zero() {
    let mut member = Member::new();
    member.put("a", "1");
    let mut mismatched = compare("a", "", TargetUnion::Version(1), CompareResult::Greater);
    mismatched.target = CompareTarget::Mod.into();
    assert!(holds(&member, vec![mismatched]));
}

#[test]
fn operations_see_what_came_before_and_comparisons_do_not() {
    let mut member = Member::new();
    member.put("a", "old");
    let missing = compare("b", "", TargetUnion::Version(0), CompareResult::Equal);
    let nested =
        TxnRequest { compare: vec![missing], success: vec![op(get("b"))], ..TxnRequest::default() };
    let response = member.txn(ops(vec![op(get("a")), op(put("b", "1")), op(nested), op(get("a"))]));
    let mut answers = response.responses.into_iter().map(|op| op.response.unwrap());
    let Some(Response::ResponseRange(before)) = answers.next() else { panic!("not a range") };
    assert_eq!(revision(&before.header), 2);
    answers.next();
    let Some(Response::ResponseTxn(nested)) = answers.next() else { panic!("not nested") };
    assert!(nested.succeeded);
    assert_eq!(revision(&nested.header), 0);
    let Some(Response::ResponseRange(inner)) = &nested.responses[0].response else {
        panic!("not a range")
    };
    assert_eq!(keys(inner), ["b"]);
    let Some(Response::ResponseRange(after)) = answers.next() else { panic!("not a range") };
    assert_eq!(revision(&after.header), 3);
    assert_eq!(revision(&response.header), 3);
}

#[test]
fn refused_transactions_write_nothing() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("a", "2");
    member.try_compact(3).unwrap();
    let at = |revision| RangeRequest { revision, ..get("a") };
    for (last, error) in [
        (op(at(2)), Error::Compacted),
        (op(at(4)), Error::FutureRev),
        // Unlike in a plain range, below the compacted revision.
        (op(at(-1)), Error::Compacted),
        (op(PutRequest { lease: 9, ..put("c", "") }), Error::LeaseNotFound),
        (op(PutRequest { ignore_value: true, ..put("c", "") }), Error::KeyNotFound),
    ] {
        let nested = ops(vec![op(delete("\0", "\0")), last]);
        let request = ops(vec![op(put("b", "1")), op(nested)]);
        assert_eq!(member.try_txn(request), Err(error));
        assert_eq!(member.store.revision(), 3);
        assert_eq!(keys(&member.range(&list("\0", "\0"))), ["a"]);
    }
}

#[test]
fn a_put_cannot_take_over_from_a_key_that_is_deleted_before() {
    let mut member = Member::new();
    member.put("a", "1");
    let request =
        ops(vec![op(delete("\0", "\0")), op(PutRequest { ignore_value: true, ..put("a", "") })]);
    assert_eq!(member.try_txn(request), Err(Error::KeyNotFound));
    assert_eq!(member.value("a", 0).unwrap(), "1");
}

#[test]
fn a_key_may_be_deleted_and_put_in_one_revision() {
    let mut member = Member::new();
    member.put("a", "1");
    member.put("a", "2");
    member.txn(ops(vec![op(delete("\0", "\0")), op(put("a", "3"))]));
    let pair = member.range(&get("a")).kvs.remove(0);
    assert_eq!((pair.create_revision, pair.mod_revision, pair.version), (4, 4, 1));
    assert_eq!(member.value("a", 3).unwrap(), "2");
    assert_eq!(member.store.key_count(), 1);
}

#[test]
fn a_key_may_be_put_and_deleted_in_one_revision() {
    let mut member = Member::new();
    member.put("a", "1");
    let response = member.txn(ops(vec![
        op(ops(vec![op(put("a", "2"))])),
        op(ops(vec![op(DeleteRangeRequest { prev_kv: true, ..delete("a", "") })])),
    ]));
    let Some(Response::ResponseTxn(second)) = &response.responses[1].response else {
        panic!("not nested")
    };
    let Some(Response::ResponseDeleteRange(deleted)) = &second.responses[0].response else {
        panic!("not a delete")
    };
    assert_eq!(deleted.prev_kvs[0].value, "2");
    assert_eq!(member.value("a", 0), None);
    assert_eq!(member.value("a", 2).unwrap(), "1");
    assert_eq!((member.store.revision(), member.store.key_count()), (3, 0));
}

#[test]
fn an_empty_operation_does_and_answers_nothing() {
    let mut member = Member::new();
    let response = member.txn(ops(vec![RequestOp { request: None }, op(put("a", "1"))]));
    assert_eq!(response.responses[0].response, None);
    assert!(response.responses[1].response.is_some());
}

#[test]
fn read_only_means_ranges_and_nothing_else() {
    let local = || op(RangeRequest { serializable: true, ..get("a") });
    assert!(is_read_only(&TxnRequest::default()) && is_serializable(&TxnRequest::default()));
    assert!(is_serializable(&ops(vec![local()])));
    let mixed = TxnRequest { failure: vec![op(get("a"))], ..ops(vec![local()]) };
    assert!(is_read_only(&mixed) && !is_serializable(&mixed));
    let writes = TxnRequest { failure: vec![op(put("a", ""))], ..ops(vec![local()]) };
    assert!(!is_read_only(&writes) && !is_serializable(&writes));
    assert!(!is_read_only(&ops(vec![op(ops(vec![local()]))])));
}

/// A put that takes over what was there goes by the last change before it in the transaction.
#[test]
fn a_key_that_was_deleted_and_put_again_can_be_taken_over() {
    let mut member = Member::new();
    member.put("c", "old");
    let taking_over = || PutRequest { ignore_value: true, ..put("c", "") };
    let gone = ops(vec![op(ops(vec![op(delete("a", "z"))])), op(ops(vec![op(taking_over())]))]);
    assert!(member.try_txn(gone).is_err());
    let again = ops(vec![
        op(ops(vec![op(delete("a", "z"))])),
        op(ops(vec![op(put("c", "new"))])),
        op(ops(vec![op(taking_over())])),
    ]);
    let revision = revision(&member.txn(again).header);
    assert_eq!(member.value("c", revision), Some(bytes("new")));
}
