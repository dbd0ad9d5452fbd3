//! The membership changes by conf changes; members' names, URLs and the cluster's version come in
//! entries, in those of etcd's older store too.

use bytes::Bytes;
use retcd_api::Error;
use retcd_api::etcdserverpb::{self, InternalRaftRequest};
use retcd_api::membershippb::{
    Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest,
};
use retcd_api::raftpb::ConfChange;
use retcd_mvcc::Response;
use retcd_mvcc::membership::{Member as ClusterMember, MemberChange, initial_conf_change};

use crate::support::Member;

fn voter(id: u64) -> ClusterMember {
    ClusterMember {
        id,
        peer_urls: vec![format!("http://host{id}:2380")],
        ..ClusterMember::default()
    }
}

fn change(member: &mut Member, change: &ConfChange, state: &'static str) -> Result<usize, Error> {
    let index = member.applier.index() + 1;
    let outcome = member
        .applier
        .apply_conf_change(index, 1, change, Bytes::from_static(state.as_bytes()))
        .expect("conf changes don't touch the engine before they are published");
    member.applier.publish().expect("the in-memory engine doesn't fail");
    assert_eq!(outcome.request_id, change.id);
    match outcome.result? {
        Response::Members(members) => Ok(members.len()),
        other => panic!("a conf change answered {other:?}"),
    }
}

fn founded() -> Member {
    let mut member = Member::new();
    change(&mut member, &initial_conf_change(&voter(1)), "one").expect("the id is free");
    member
}

#[test]
fn conf_changes_are_kept_with_the_configuration_after_them() {
    let mut member = founded();
    let add = MemberChange::Add(voter(2)).to_conf_change(77);
    assert_eq!(change(&mut member, &add, "two"), Ok(2));
    assert_eq!(member.store.conf_state(), "two");
    let member = member.reopen();
    assert_eq!(member.applier.conf_state(), "two");
    let ids: Vec<u64> = member.store.members().iter().map(|member| member.id).collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!(member.store.revision(), 1);
}

#[test]
fn a_refused_conf_change_leaves_the_configuration() {
    let mut member = founded();
    let again = MemberChange::Add(voter(1)).to_conf_change(1);
    assert_eq!(change(&mut member, &again, "other"), Err(Error::MemberExist));
    let unknown = MemberChange::Remove(9).to_conf_change(2);
    assert_eq!(change(&mut member, &unknown, "other"), Err(Error::MemberNotFound));
    assert_eq!(member.store.conf_state(), "one");
    assert_eq!(member.store.applied_index(), 3);
}

#[test]
fn removed_members_stay_removed() {
    let mut member = founded();
    change(&mut member, &MemberChange::Add(voter(2)).to_conf_change(1), "two").unwrap();
    change(&mut member, &MemberChange::Remove(2).to_conf_change(2), "one").unwrap();
    let mut member = member.reopen();
    let again = MemberChange::Add(voter(2)).to_conf_change(3);
    assert_eq!(change(&mut member, &again, "two"), Err(Error::MemberNotFound));
}

#[test]
fn members_tell_their_names() {
    let mut member = founded();
    let attributes = Attributes { name: "one".into(), client_urls: vec!["http://c".into()] };
    let request = ClusterMemberAttrSetRequest { member_id: 1, member_attributes: Some(attributes) };
    let set = |request| InternalRaftRequest {
        cluster_member_attr_set: Some(request),
        ..InternalRaftRequest::default()
    };
    let unknown = ClusterMemberAttrSetRequest { member_id: 9, ..request.clone() };
    member.execute(set(request)).unwrap();
    member.execute(set(unknown)).unwrap();
    let member = member.reopen();
    let members = member.store.members();
    assert_eq!(members.len(), 1);
    assert_eq!((&members[0].name[..], &members[0].client_ur_ls[0][..]), ("one", "http://c"));
}

#[test]
fn the_cluster_has_a_version_and_downgrades() {
    let mut member = founded();
    assert_eq!(member.store.cluster_version(), None);
    let request = ClusterVersionSetRequest { ver: "3.5.0".into() };
    let request = InternalRaftRequest { cluster_version_set: Some(request), ..Default::default() };
    assert_eq!(member.execute(request), Ok(Response::None));
    let request = DowngradeInfoSetRequest { enabled: true, ver: "3.4.0".into() };
    let request = InternalRaftRequest { downgrade_info_set: Some(request), ..Default::default() };
    member.execute(request).unwrap();
    let member = member.reopen();
    assert_eq!(member.store.cluster_version().unwrap(), "3.5.0");
    let target = member.store.with_members(|members| members.downgrade().target_version.clone());
    assert_eq!(target, "3.4.0");
}

#[test]
fn the_older_stores_entries_are_understood_as_far_as_they_matter() {
    let mut member = founded();
    let request = |path: &str, val: &str| etcdserverpb::Request {
        id: 5,
        method: "PUT".into(),
        path: path.into(),
        val: val.into(),
        ..etcdserverpb::Request::default()
    };
    let attributes = request("/0/members/1/attributes", r#"{"name":"x","clientURLs":["u"]}"#);
    for old in [
        attributes,
        request("/0/members/zz/attributes", "{}"),
        request("/1/some/key", "value"),
        etcdserverpb::Request { method: "QGET".into(), ..request("/0/version", "9.9.9") },
    ] {
        let wrapped = InternalRaftRequest { v2: Some(old), ..InternalRaftRequest::default() };
        assert_eq!(member.execute(wrapped), Ok(Response::None));
    }
    // Older ones aren't wrapped at all.
    let version = prost::Message::encode_to_vec(&request("/0/version", "3.5.0"));
    let entry = retcd_mvcc::CommittedEntry {
        index: member.applier.index() + 1,
        term: 1,
        data: version.into(),
    };
    assert_eq!(member.applier.apply(&entry, member.now).unwrap().request_id, 5);
    member.applier.publish().unwrap();
    assert_eq!(member.store.members()[0].name, "x");
    assert_eq!(member.store.cluster_version().unwrap(), "3.5.0");
}
