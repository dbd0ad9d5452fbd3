//! The checksum of all pairs equals etcd's for the same history, before and after compactions. The
//! numbers in `hash_kv.txt` were taken from etcd 3.5.1 with `endpoint hashkv`.

use retcd_api::Error;

use crate::history::{number, parse};
use crate::support::{Member, delete, refused};

#[test]
fn after_every_step_of_a_history() {
    let mut member = Member::new();
    let mut compared = 0;
    for line in include_str!("hash_kv.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(rest) = line.strip_prefix("hash ") else {
            member.execute(parse(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            continue;
        };
        let (revision, rest) = rest.split_once(" = ").expect("a hash has a number");
        let (hash, compacted) = rest.split_once(" compacted ").expect("and a compacted revision");
        let found = member.store.hash_kv(number(revision)).expect("the revision can be hashed");
        assert_eq!(i64::from(found.hash), number(hash), "{line}");
        assert_eq!(found.compact_revision, number(compacted), "{line}");
        compared += 1;
    }
    assert_eq!(compared, 42);
}

#[test]
fn revisions_are_those_that_etcd_answers() {
    let mut member = Member::new();
    for value in ["1", "2", "3"] {
        member.put("a", value);
    }
    member.try_compact(3).unwrap();
    let hash = |revision| member.store.hash_kv(revision).map_err(refused);
    assert_eq!(hash(2), Err(Error::Compacted));
    assert_eq!(hash(5), Err(Error::FutureRev));
    assert_eq!(hash(3).unwrap().hash_revision, 3);
    let now = hash(0).unwrap();
    assert_eq!((now.hash_revision, now.current_revision, now.compact_revision), (4, 4, 3));
    assert_eq!(hash(4).unwrap(), now);
}

#[test]
fn members_with_the_same_history_have_the_same_hash() {
    let history = |member: &mut Member, last: &str| {
        for line in ["grant 7", "put a=1@7", "put b=1", "del b", last] {
            member.execute(parse(line)).expect("the history is valid");
        }
        member.store.hash().expect("the in-memory engine doesn't fail")
    };
    let one = history(&mut Member::new(), "put c=1");
    assert_eq!(history(&mut Member::new(), "put c=1"), one);
    assert_ne!(history(&mut Member::new(), "put c=2"), one);
    assert_ne!(history(&mut Member::new(), "grant 8"), one);
    assert_ne!(history(&mut Member::new(), "put a=1"), one);
    let mut reopened = Member::new();
    history(&mut reopened, "put c=1");
    let reopened = reopened.reopen();
    assert_eq!(reopened.store.hash().expect("the in-memory engine doesn't fail"), one);
}

#[test]
fn the_hash_sees_leases_that_are_gone() {
    let mut member = Member::new();
    member.execute(parse("grant 7")).unwrap();
    member.execute(parse("put a=1@7")).unwrap();
    let before = member.store.hash().unwrap();
    member.delete(delete("a", ""));
    member.execute(parse("revoke 7")).unwrap();
    assert_ne!(member.store.hash().unwrap(), before);
}
