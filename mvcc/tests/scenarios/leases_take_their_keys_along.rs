//! Keys are attached by puts, detached by puts and deletes, and deleted with their lease.

use std::time::Duration;

use retcd_api::Error;
use retcd_api::etcdserverpb::{
    LeaseCheckpoint, LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
};
use retcd_mvcc::Response;
use retcd_mvcc::lease::Renewal;

use crate::support::{IntoEntry, Member, delete, keys, list, op, ops, put, revision};

fn grant(member: &mut Member, id: i64, ttl: i64) -> Result<(i64, i64, i64), Error> {
    match member.execute(LeaseGrantRequest { id, ttl }.into_entry())? {
        Response::LeaseGrant(granted) => Ok((granted.id, granted.ttl, revision(&granted.header))),
        other => panic!("a grant answered {other:?}"),
    }
}

fn revoke(member: &mut Member, id: i64) -> Result<i64, Error> {
    match member.execute(LeaseRevokeRequest { id }.into_entry())? {
        Response::LeaseRevoke(revoked) => Ok(revision(&revoked.header)),
        other => panic!("a revoke answered {other:?}"),
    }
}

fn attached(key: &str, lease: i64) -> PutRequest {
    PutRequest { lease, ..put(key, "1") }
}

#[test]
fn grants_raise_the_time_and_not_the_revision() {
    let mut member = Member::new();
    assert_eq!(grant(&mut member, 7, 60), Ok((7, 60, 1)));
    assert_eq!(grant(&mut member, -7, 0), Ok((-7, 2, 1)));
    assert_eq!(grant(&mut member, 7, 60), Err(Error::LeaseExist));
    assert_eq!(grant(&mut member, 8, 9_000_000_001), Err(Error::LeaseTTLTooLarge));
    assert_eq!(member.store.leases(), [-7, 7]);
}

#[test]
fn revoking_deletes_the_attached_keys_in_one_revision() {
    let mut member = Member::new();
    grant(&mut member, 7, 60).unwrap();
    grant(&mut member, 8, 60).unwrap();
    for key in ["c", "a", "b"] {
        member.try_put(attached(key, 7)).unwrap();
    }
    member.try_put(attached("d", 8)).unwrap();
    assert_eq!(member.store.lease_keys(7).unwrap(), ["a", "b", "c"]);
    assert_eq!(revoke(&mut member, 7), Ok(6));
    assert_eq!(keys(&member.range(&list("\0", "\0"))), ["d"]);
    assert!(member.store.lease_keys(7).unwrap().is_empty());
    assert_eq!(revoke(&mut member, 7), Err(Error::LeaseNotFound));
    member.delete(delete("d", ""));
    assert_eq!(revoke(&mut member, 8), Ok(7));
    assert_eq!(member.store.revision(), 7);
}

#[test]
fn puts_and_deletes_move_and_detach() {
    let mut member = Member::new();
    grant(&mut member, 7, 60).unwrap();
    grant(&mut member, -8, 60).unwrap();
    member.try_put(attached("a", 7)).unwrap();
    member.try_put(attached("b", 7)).unwrap();
    member.try_put(attached("a", -8)).unwrap();
    assert_eq!(member.store.lease_keys(7).unwrap(), ["b"]);
    assert_eq!(member.store.lease_keys(-8).unwrap(), ["a"]);
    member.put("a", "without");
    assert!(member.store.lease_keys(-8).unwrap().is_empty());
    member.delete(delete("b", ""));
    assert!(member.store.lease_keys(7).unwrap().is_empty());
    revoke(&mut member, 7).unwrap();
    assert_eq!(keys(&member.range(&list("\0", "\0"))), ["a"]);
}

#[test]
fn a_key_that_is_written_twice_in_an_entry_ends_up_where_it_was_put_last() {
    let mut member = Member::new();
    grant(&mut member, 7, 60).unwrap();
    member.try_put(attached("a", 7)).unwrap();
    member.txn(ops(vec![op(delete("\0", "\0")), op(attached("a", 7))]));
    assert_eq!(member.store.lease_keys(7).unwrap(), ["a"]);
    member.txn(ops(vec![op(ops(vec![op(attached("a", 7))])), op(ops(vec![op(delete("a", ""))]))]));
    assert!(member.store.lease_keys(7).unwrap().is_empty());
}

#[test]
fn leases_and_attachments_outlive_a_restart() {
    let mut member = Member::new();
    grant(&mut member, 7, 60).unwrap();
    grant(&mut member, 8, 60).unwrap();
    member.try_put(attached("a", 7)).unwrap();
    revoke(&mut member, 8).unwrap();
    let checkpoint = LeaseCheckpoint { id: 7, remaining_ttl: 10 };
    let request = LeaseCheckpointRequest { checkpoints: vec![checkpoint] };
    member.execute(request.into_entry()).unwrap();
    let mut member = member.reopen();
    assert_eq!(member.store.leases(), [7]);
    member.store.promote(Duration::from_secs(100), Duration::from_secs(1));
    let left = member.store.lease_time_to_live(7, Duration::from_secs(105)).unwrap();
    assert_eq!((left.granted_ttl, left.ttl), (60, 6));
    assert_eq!(member.store.expired_leases(Duration::from_secs(112), 10), [7]);
    assert_eq!(revoke(&mut member, 7), Ok(3));
    assert_eq!(member.value("a", 0), None);
}

#[test]
fn the_leader_renews() {
    let mut member = Member::new();
    let at = Duration::from_secs;
    grant(&mut member, 7, 60).unwrap();
    assert!(member.store.lease_renew(7, at(0)).is_err());
    member.store.promote(at(0), Duration::ZERO);
    let renewed = member.store.lease_renew(7, at(50)).unwrap();
    assert_eq!(renewed, Renewal::Renewed { ttl: 60, has_checkpoint: false });
    assert!(member.store.expired_leases(at(109), 10).is_empty());
    assert_eq!(member.store.lease_renew(8, at(50)), Err(Error::LeaseNotFound));
    member.store.demote();
    assert!(member.store.expired_leases(at(1000), 10).is_empty());
}
