//! After a restart the log is replayed from what is durable. What the engine holds already is
//! skipped, the rest leads to the same state as the first time.

use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::{InternalRaftRequest, RequestHeader};
use retcd_mvcc::{CommittedEntry, Response};

use crate::support::{IntoEntry, Member, get, keys, list, put};

fn entry(index: u64, request: &InternalRaftRequest) -> CommittedEntry {
    CommittedEntry { index, term: 1, data: request.encode_to_vec().into() }
}

#[test]
fn an_entry_at_or_below_the_applied_index_does_nothing() {
    let mut member = Member::new();
    member.put("a", "1");
    let again = entry(1, &put("b", "1").into_entry());
    let outcome = member.applier.apply(&again, member.now).unwrap();
    assert_eq!(outcome.result, Ok(Response::None));
    member.applier.publish().unwrap();
    assert_eq!(keys(&member.range(&list("\0", "\0"))), ["a"]);
    assert_eq!((member.store.revision(), member.applier.index()), (2, 1));
}

#[test]
fn an_unpublished_batch_is_executed_again_after_a_restart() {
    let mut member = Member::new();
    member.put("a", "1");
    member.apply(put("a", "2").into_entry()).result.unwrap();
    let mut member = member.reopen();
    assert_eq!((member.store.revision(), member.store.applied_index()), (2, 1));
    let outcome = member.apply(put("a", "2").into_entry());
    assert!(outcome.result.is_ok());
    member.applier.publish().unwrap();
    let pair = member.range(&get("a")).kvs.remove(0);
    assert_eq!((pair.version, pair.mod_revision), (2, 3));
    assert_eq!(member.store.applied_index(), 2);
}

#[test]
fn a_new_leaders_first_entry_is_empty() {
    let mut member = Member::new();
    let first = CommittedEntry { index: 1, term: 2, data: bytes::Bytes::new() };
    let outcome = member.applier.apply(&first, member.now).unwrap();
    assert_eq!((outcome.request_id, outcome.result), (0, Ok(Response::None)));
    member.applier.publish().unwrap();
    assert_eq!((member.store.applied_index(), member.store.revision()), (1, 1));
}

#[test]
fn the_answer_finds_its_way_by_the_request_id() {
    let mut member = Member::new();
    let request = InternalRaftRequest { id: 5, ..put("a", "1").into_entry() };
    assert_eq!(member.apply(request.clone()).request_id, 5);
    let header = RequestHeader { id: 6, ..RequestHeader::default() };
    let request = InternalRaftRequest { id: 0, header: Some(header), ..request };
    assert_eq!(member.apply(request).request_id, 6);
}

#[test]
fn what_is_not_a_request_stops_the_member() {
    let mut member = Member::new();
    let garbage = CommittedEntry { index: 1, term: 1, data: vec![0xff; 9].into() };
    let error = member.applier.apply(&garbage, member.now).unwrap_err();
    assert!(matches!(error, retcd_mvcc::Error::Entry { index: 1 }), "{error}");
}

#[test]
fn a_range_in_an_entry_is_answered() {
    let mut member = Member::new();
    member.put("a", "1");
    match member.execute(get("a").into_entry()) {
        Ok(Response::Range(response)) => assert_eq!(keys(&response), ["a"]),
        other => panic!("a range answered {other:?}"),
    }
}

#[test]
fn authentication_is_off() {
    let mut member = Member::new();
    let status =
        InternalRaftRequest { auth_status: Some(Default::default()), ..Default::default() };
    match member.execute(status) {
        Ok(Response::AuthStatus(status)) => {
            assert_eq!((status.enabled, status.auth_revision), (false, 1));
        }
        other => panic!("it answered {other:?}"),
    }
    let disable =
        InternalRaftRequest { auth_disable: Some(Default::default()), ..Default::default() };
    assert!(member.execute(disable).is_ok());
    let login =
        InternalRaftRequest { authenticate: Some(Default::default()), ..Default::default() };
    assert_eq!(member.execute(login), Err(Error::AuthNotEnabled));
    let enable =
        InternalRaftRequest { auth_enable: Some(Default::default()), ..Default::default() };
    assert!(member.execute(enable).is_err());
}
