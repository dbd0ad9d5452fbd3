//! A log with one entry of each kind, entries that were replaced, and a clean stop: the text and
//! the JSON of all of it.

use crate::support::*;
use prost::Message;
use retcd_api::authpb::Permission;
use retcd_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use retcd_api::etcdserverpb::request_op;
use retcd_api::etcdserverpb::*;
use retcd_api::membershippb::{
    Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest,
};
use retcd_mvcc::membership::{Member, MemberChange, initial_conf_change};
use retcd_vfs::MemVfs;
use retcd_wal::{Group, LogEntry};

type Irr = InternalRaftRequest;

fn pairs() -> Vec<Irr> {
    let put = PutRequest {
        key: "/registry/pods/default/web-1".into(),
        value: [b"k8s\0\n\x0c".as_slice(), &[b'v'; 90]].concat().into(),
        lease: 0x694d_7a2b,
        ..PutRequest::default()
    };
    let range = RangeRequest { key: "a".into(), limit: 5, ..RangeRequest::default() };
    let delete =
        DeleteRangeRequest { key: "a".into(), range_end: "b".into(), ..Default::default() };
    let compare = Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Mod.into(),
        key: "a".into(),
        target_union: Some(TargetUnion::ModRevision(7)),
        ..Compare::default()
    };
    let op = |request| RequestOp { request: Some(request) };
    let txn = TxnRequest {
        compare: vec![compare],
        success: vec![op(request_op::Request::RequestPut(put.clone()))],
        failure: vec![op(request_op::Request::RequestRange(range.clone()))],
    };
    let compaction = CompactionRequest { revision: 9, physical: true };
    vec![
        Irr { put: Some(put), ..Irr::default() },
        Irr { range: Some(range), ..Irr::default() },
        Irr { delete_range: Some(delete), ..Irr::default() },
        Irr { txn: Some(txn), ..Irr::default() },
        Irr { compaction: Some(compaction), ..Irr::default() },
    ]
}

fn leases_and_cluster() -> Vec<Irr> {
    let checkpoint = LeaseCheckpoint { id: 0x694d, remaining_ttl: 30 };
    let checkpoint = LeaseCheckpointRequest { checkpoints: vec![checkpoint] };
    let attributes = Attributes { name: "m1".into(), client_urls: vec!["http://a:2379".into()] };
    let attributes = ClusterMemberAttrSetRequest {
        member_id: IDENTITY.member,
        member_attributes: Some(attributes),
    };
    let alarm = AlarmRequest { action: 1, member_id: IDENTITY.member, alarm: 1 };
    let downgrade = DowngradeInfoSetRequest { enabled: true, ver: "3.4.0".into() };
    let version = ClusterVersionSetRequest { ver: "3.5.0".into() };
    let test = DowngradeVersionTestRequest { ver: "3.4.0".into() };
    vec![
        Irr { lease_grant: Some(LeaseGrantRequest { ttl: 60, id: 0x694d }), ..Irr::default() },
        Irr { lease_revoke: Some(LeaseRevokeRequest { id: 0x694d }), ..Irr::default() },
        Irr { lease_checkpoint: Some(checkpoint), ..Irr::default() },
        Irr { alarm: Some(alarm), ..Irr::default() },
        Irr { cluster_version_set: Some(version), ..Irr::default() },
        Irr { cluster_member_attr_set: Some(attributes), ..Irr::default() },
        Irr { downgrade_info_set: Some(downgrade), ..Irr::default() },
        Irr { downgrade_version_test: Some(test), ..Irr::default() },
        Irr { v2: Some(Request { method: "QGET".into(), ..Default::default() }), ..Irr::default() },
    ]
}

fn users() -> Vec<Irr> {
    let name = || "alice".to_owned();
    let password = || "open sesame".to_owned();
    let add = AuthUserAddRequest { name: name(), password: password(), ..Default::default() };
    let change = AuthUserChangePasswordRequest {
        name: name(),
        password: String::new(),
        hashed_password: password(),
    };
    let authenticate = InternalAuthenticateRequest {
        name: name(),
        password: password(),
        simple_token: password(),
    };
    let role = || "reader".to_owned();
    let grant = AuthUserGrantRoleRequest { user: name(), role: role() };
    let revoke = AuthUserRevokeRoleRequest { name: name(), role: role() };
    vec![
        Irr { auth_enable: Some(AuthEnableRequest {}), ..Irr::default() },
        Irr { auth_disable: Some(AuthDisableRequest {}), ..Irr::default() },
        Irr { auth_status: Some(AuthStatusRequest {}), ..Irr::default() },
        Irr { authenticate: Some(authenticate), ..Irr::default() },
        Irr { auth_user_add: Some(add), ..Irr::default() },
        Irr { auth_user_change_password: Some(change), ..Irr::default() },
        Irr { auth_user_get: Some(AuthUserGetRequest { name: name() }), ..Irr::default() },
        Irr { auth_user_list: Some(AuthUserListRequest {}), ..Irr::default() },
        Irr { auth_user_grant_role: Some(grant), ..Irr::default() },
        Irr { auth_user_revoke_role: Some(revoke), ..Irr::default() },
        Irr { auth_user_delete: Some(AuthUserDeleteRequest { name: name() }), ..Irr::default() },
    ]
}

fn roles() -> Vec<Irr> {
    let role = || "reader".to_owned();
    let perm = Permission { perm_type: 0, key: "a".into(), range_end: "b".into() };
    let grant = AuthRoleGrantPermissionRequest { name: role(), perm: Some(perm) };
    let revoke =
        AuthRoleRevokePermissionRequest { role: role(), key: "a".into(), range_end: "b".into() };
    vec![
        Irr { auth_role_add: Some(AuthRoleAddRequest { name: role() }), ..Irr::default() },
        Irr { auth_role_grant_permission: Some(grant), ..Irr::default() },
        Irr { auth_role_get: Some(AuthRoleGetRequest { role: role() }), ..Irr::default() },
        Irr { auth_role_list: Some(AuthRoleListRequest {}), ..Irr::default() },
        Irr { auth_role_revoke_permission: Some(revoke), ..Irr::default() },
        Irr { auth_role_delete: Some(AuthRoleDeleteRequest { role: role() }), ..Irr::default() },
    ]
}

fn membership(first: u64) -> Vec<LogEntry> {
    let member = Member {
        id: IDENTITY.member,
        name: "m1".into(),
        peer_urls: vec!["http://a:2380".into()],
        ..Member::default()
    };
    let learner = Member { id: 2, is_learner: true, name: String::new(), ..member.clone() };
    let changes = [
        initial_conf_change(&member),
        MemberChange::Add(learner).to_conf_change(71),
        MemberChange::Promote(2).to_conf_change(72),
        MemberChange::Update { id: 2, peer_urls: vec!["http://b:2380".into()] }.to_conf_change(73),
        MemberChange::Remove(2).to_conf_change(74),
    ];
    let changes = changes.iter().map(Message::encode_to_vec).zip(first..);
    changes.map(|(change, index)| entry(index, 1, 1, change)).collect()
}

fn strange(first: u64) -> Vec<LogEntry> {
    let kinds = [(0, "\u{1}\u{2}"), (1, "no change"), (2, "joint"), (7, "seven"), (0, "")];
    let kinds = kinds.iter().zip(first..);
    kinds.map(|((kind, data), index)| entry(index, 2, *kind, *data)).collect()
}

/// A log of one group for each list above; the last five entries of the one before the last are
/// replaced by a new leader's.
fn everything() -> MemVfs {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    let mut append = |entries: &[LogEntry], term, commit| {
        let hard_state = hard(term, commit);
        log.append(&Group { entries, hard_state, snapshot: None }).expect("in memory");
    };
    append(&membership(1), 1, 5);
    let mut next = 6;
    for requests in [pairs(), leases_and_cluster(), users(), roles()] {
        let entries: Vec<_> =
            requests.into_iter().zip(next..).map(|(irr, index)| request(index, 2, irr)).collect();
        append(&entries, 2, next - 1);
        next += entries.len() as u64;
    }
    append(&strange(next), 2, next - 1);
    append(&[entry(next, 3, 0, ""), put(next + 1, 3, "a", "b")], 3, next);
    log.close().expect("in memory");
    vfs
}

#[test]
fn as_text() {
    let ran = dump(&everything(), &[]);
    assert_golden("every-kind.txt", &ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!ran.out.contains("sesame"), "passwords are withheld");
}

#[test]
fn as_json() {
    let ran = dump(&everything(), &["-w", "json"]);
    assert_golden("every-kind.jsonl", &ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!ran.out.contains("sesame"), "passwords are withheld");
}

#[test]
fn as_totals() {
    assert_golden("every-kind-summary.txt", &dump(&everything(), &["--summary"]).out);
    let ran = dump(&everything(), &["--summary", "--write-out", "json"]);
    assert_golden("every-kind-summary.jsonl", &ran.out);
}

#[test]
fn values_are_cut_where_asked() {
    let whole = dump(&everything(), &["--values", "full"]);
    assert!(whole.out.contains(&"v".repeat(90)));
    let cut = dump(&everything(), &["--values", "6", "-w", "json"]);
    let first = cut.json("record").into_iter().find(|record| record["kind"] == "put");
    let put = first.expect("there is a put")["request"]["put"].clone();
    assert_eq!((&put["value"], &put["value_bytes"]), (&"azhzAAoM".into(), &96.into()));
    assert_eq!(put["key"], "L3JlZ2lzdHJ5L3BvZHMvZGVmYXVsdC93ZWItMQ==");
}
