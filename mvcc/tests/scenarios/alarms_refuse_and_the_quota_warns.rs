//! The quota of a member changes only what it answers; the replicated alarm is what refuses, on all
//! members alike.

use retcd_api::Error;
use retcd_api::etcdserverpb::alarm_request::AlarmAction;
use retcd_api::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmType, CompactionRequest, InternalRaftRequest,
    LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
};
use retcd_mvcc::{Config, QuotaCost, Response};

use crate::support::{IntoEntry, Member, config, delete, get, op, ops, put};

fn alarm(action: AlarmAction, kind: AlarmType) -> AlarmRequest {
    AlarmRequest { action: action.into(), member_id: 0xa, alarm: kind.into() }
}

fn try_all(member: &mut Member) -> Vec<(&'static str, Option<Error>)> {
    let requests: Vec<(&str, InternalRaftRequest)> = vec![
        ("put", put("a", "1").into_entry()),
        ("txn with a put", ops(vec![op(put("a", "1"))]).into_entry()),
        ("grant", LeaseGrantRequest { id: 7, ttl: 60 }.into_entry()),
        ("revoke", LeaseRevokeRequest { id: 6 }.into_entry()),
        ("txn without a put", ops(vec![op(delete("x", ""))]).into_entry()),
        ("delete", delete("x", "").into_entry()),
        ("range", get("x").into_entry()),
        ("compact", CompactionRequest { revision: 1, physical: false }.into_entry()),
    ];
    requests
        .into_iter()
        .map(|(name, request)| (name, member.execute(request).err()))
        .filter(|(_, error)| error.is_some())
        .collect()
}

fn with_lease_six() -> Member {
    let mut member = Member::new();
    member.grant(6);
    member
}

#[test]
fn no_space_refuses_what_takes_space() {
    let mut member = with_lease_six();
    member.execute(alarm(AlarmAction::Activate, AlarmType::Nospace).into_entry()).unwrap();
    let no_space = || Some(Error::NoSpace);
    assert_eq!(
        try_all(&mut member),
        [("put", no_space()), ("txn with a put", no_space()), ("grant", no_space())]
    );
    let mut member = member.reopen();
    assert_eq!(member.try_put(put("a", "1")), Err(Error::NoSpace));
    member.execute(alarm(AlarmAction::Deactivate, AlarmType::Nospace).into_entry()).unwrap();
    member.put("a", "1");
    assert!(member.reopen().store.alarms().is_empty());
}

#[test]
fn corrupt_refuses_everything_that_comes_through_the_log() {
    let mut member = with_lease_six();
    member.execute(alarm(AlarmAction::Activate, AlarmType::Corrupt).into_entry()).unwrap();
    let refused = try_all(&mut member);
    assert_eq!(refused.len(), 8);
    assert!(refused.iter().all(|(_, error)| *error == Some(Error::Corrupt)));
    // Ranges of clients don't come through the log.
    assert_eq!(member.range(&get("x")).count, 0);
    member.execute(alarm(AlarmAction::Deactivate, AlarmType::Corrupt).into_entry()).unwrap();
    assert!(try_all(&mut member).is_empty());
}

#[test]
fn alarms_are_listed_by_kind() {
    let mut member = Member::new();
    let ask =
        |member: &mut Member, request: AlarmRequest| match member.execute(request.into_entry()) {
            Ok(Response::Alarm(response)) => response.alarms,
            other => panic!("an alarm request answered {other:?}"),
        };
    let no_space = AlarmMember { member_id: 0xa, alarm: AlarmType::Nospace.into() };
    let raise = alarm(AlarmAction::Activate, AlarmType::Nospace);
    assert_eq!(ask(&mut member, raise), [no_space]);
    assert_eq!(ask(&mut member, alarm(AlarmAction::Get, AlarmType::None)), [no_space]);
    assert_eq!(ask(&mut member, alarm(AlarmAction::Get, AlarmType::Corrupt)), []);
    assert_eq!(member.store.alarms(), [no_space]);
}

#[test]
fn over_the_quota_the_entry_is_executed_and_the_answer_is_no_space() {
    let quota_bytes = Some(2000);
    let mut member = Member::with_config(Config { quota_bytes, ..config() });
    let large = "x".repeat(1800);
    let outcome = member.apply(put("a", &large).into_entry());
    assert_eq!(outcome.result, Err(Error::NoSpace));
    assert_eq!(outcome.raise, Some(alarm(AlarmAction::Activate, AlarmType::Nospace)));
    member.applier.publish().unwrap();
    assert_eq!(member.value("a", 0).unwrap().len(), 1800);
    assert_eq!(member.store.revision(), 2);

    // The door asks the same question.
    assert!(!member.store.quota_admits(put("b", "").quota_cost()));
    assert!(member.store.quota_admits(0));

    // What costs nothing is admitted; what is refused for another reason raises nothing.
    assert_eq!(member.delete(delete("x", "")).deleted, 0);
    let unknown_lease = PutRequest { lease: 9, ..put("b", "") };
    let outcome = member.apply(unknown_lease.into_entry());
    assert_eq!((outcome.result, outcome.raise), (Err(Error::LeaseNotFound), None));
}

#[test]
fn a_raised_alarm_is_not_raised_again() {
    let mut member = Member::with_config(Config { quota_bytes: Some(1), ..config() });
    member.execute(alarm(AlarmAction::Activate, AlarmType::Nospace).into_entry()).unwrap();
    let outcome = member.apply(put("a", "1").into_entry());
    assert_eq!((outcome.result, outcome.raise), (Err(Error::NoSpace), None));
    assert_eq!(member.store.revision(), 1);
}
