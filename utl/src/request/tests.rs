//! Every field of `InternalRaftRequest` is decoded and shown; any bytes are.

use super::*;
use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};
use retcd_api::authpb::{Permission, UserAddOptions};
use retcd_api::etcdserverpb::*;
use retcd_api::membershippb::{
    Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest,
};
use retcd_api::raftpb::{ConfChange, ConfChangeType};
use retcd_mvcc::membership::{Member, MemberChange};

fn entry(kind: u8, data: impl Into<Bytes>) -> LogEntry {
    LogEntry { index: 5, term: 2, kind, data: data.into() }
}

fn shown(request: &InternalRaftRequest) -> (&'static str, String, String) {
    let payload = Payload::of(&entry(KIND_NORMAL, request.encode_to_vec()));
    let json = serde_json::to_string(&payload.message).expect("a tree of plain values");
    assert_eq!((payload.fault, payload.unknown_bytes), (None, 0));
    (payload.kind, payload.line(64).to_string(), json)
}

#[test]
fn every_field_that_the_protocol_has_is_shown() {
    let mut kinds = Vec::new();
    for field in 2..20_000 {
        let mut data = Vec::new();
        encode_key(field, WireType::LengthDelimited, &mut data);
        encode_varint(0, &mut data);
        let known = InternalRaftRequest::decode(&data[..]).expect("an empty message");
        if known == InternalRaftRequest::default() || known.header.is_some() {
            continue;
        }
        let payload = Payload::of(&entry(KIND_NORMAL, data));
        assert!(payload.fault.is_none() && payload.kind != UNKNOWN, "field {field} isn't shown");
        kinds.push(payload.kind);
    }
    kinds.extend([EMPTY, CONF_CHANGE, UNKNOWN]);
    kinds.sort_unstable();
    let mut all = REQUEST_KINDS.to_vec();
    all.sort_unstable();
    assert_eq!(kinds, all, "the kinds that can be asked for");
}

#[test]
fn requests_about_users_and_roles_are_shown_without_their_secrets() {
    let none = InternalRaftRequest::default;
    let (name, password) = ("u".to_owned(), "open sesame".to_owned());
    let add = AuthUserAddRequest {
        name: name.clone(),
        password: password.clone(),
        options: Some(UserAddOptions { no_password: true }),
        hashed_password: password.clone(),
    };
    let change = AuthUserChangePasswordRequest {
        name: name.clone(),
        password: password.clone(),
        hashed_password: password.clone(),
    };
    let authenticate = InternalAuthenticateRequest {
        name,
        password: password.clone(),
        simple_token: password.clone(),
    };
    let perm = Permission { perm_type: 2, key: "a".into(), range_end: "b".into() };
    let grant = AuthRoleGrantPermissionRequest { name: "r".into(), perm: Some(perm) };
    let cases = [
        (
            InternalRaftRequest { auth_user_add: Some(add), ..none() },
            r#"name="u" password=(withheld) options={no_password} hashedPassword=(withheld)"#,
        ),
        (
            InternalRaftRequest { auth_user_change_password: Some(change), ..none() },
            r#"name="u" password=(withheld) hashedPassword=(withheld)"#,
        ),
        (
            InternalRaftRequest { authenticate: Some(authenticate), ..none() },
            r#"name="u" password=(withheld) simple_token=(withheld)"#,
        ),
        (
            InternalRaftRequest { auth_role_grant_permission: Some(grant), ..none() },
            r#"name="r" perm={permType=READWRITE key="a" range_end="b"}"#,
        ),
    ];
    for (request, expected) in cases {
        let (_, line, json) = shown(&request);
        assert_eq!(line, expected);
        assert!(!json.contains(&password), "{json}");
    }
}

#[test]
fn requests_about_the_cluster_are_shown() {
    let none = InternalRaftRequest::default;
    let attributes = Attributes { name: "n".into(), client_urls: vec!["http://a:1".into()] };
    let attributes =
        ClusterMemberAttrSetRequest { member_id: 0xfe, member_attributes: Some(attributes) };
    let version = ClusterVersionSetRequest { ver: "3.5.0".into() };
    let downgrade = DowngradeInfoSetRequest { enabled: true, ver: "3.4.0".into() };
    let alarm = AlarmRequest { action: 1, member_id: 0xfe, alarm: 1 };
    let checkpoint = LeaseCheckpoint { id: 0xab, remaining_ttl: 7 };
    let checkpoint = LeaseCheckpointRequest { checkpoints: vec![checkpoint] };
    let cases = [
        (
            InternalRaftRequest { cluster_member_attr_set: Some(attributes), ..none() },
            r#"member_ID=fe member_attributes={name="n" client_urls=["http://a:1"]}"#,
        ),
        (InternalRaftRequest { cluster_version_set: Some(version), ..none() }, r#"ver="3.5.0""#),
        (
            InternalRaftRequest { downgrade_info_set: Some(downgrade), ..none() },
            r#"enabled ver="3.4.0""#,
        ),
        (
            InternalRaftRequest { alarm: Some(alarm), ..none() },
            "action=ACTIVATE memberID=fe alarm=NOSPACE",
        ),
        (
            InternalRaftRequest { lease_checkpoint: Some(checkpoint), ..none() },
            "checkpoints=[{ID=00000000000000ab remaining_TTL=7}]",
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(shown(&request).1, expected);
    }
}

#[test]
fn the_header_says_who_asked() {
    let header = RequestHeader { id: 0x1f, username: "root".into(), auth_revision: 3 };
    let put = PutRequest { key: "k".into(), lease: 16, prev_kv: true, ..PutRequest::default() };
    let request = InternalRaftRequest {
        header: Some(header),
        put: Some(put),
        ..InternalRaftRequest::default()
    };
    let (kind, line, json) = shown(&request);
    assert_eq!(kind, "put");
    let expected = "key=\"k\" lease=0000000000000010 prev_kv \
        (request=1f username=\"root\" auth_revision=3)";
    assert_eq!(line, expected);
    let expected = concat!(
        r#"{"header":{"ID":31,"username":"root","auth_revision":3},"#,
        r#""put":{"key":"aw==","lease":16,"prev_kv":true}}"#
    );
    assert_eq!(json, expected);
}

#[test]
fn membership_changes_are_shown_with_their_context() {
    let urls = vec!["http://a:2380".to_owned()];
    let member =
        Member { id: 0xfe, name: "n".into(), peer_urls: urls.clone(), ..Member::default() };
    let learner = Member { is_learner: true, ..member.clone() };
    let cases = [
        (
            MemberChange::Add(member),
            "type=ConfChangeAddNode node_id=fe id=9 change=add \
             member={name=\"n\" peerURLs=[\"http://a:2380\"]}",
        ),
        (
            MemberChange::Add(learner),
            "type=ConfChangeAddLearnerNode node_id=fe id=9 change=add \
             member={name=\"n\" peerURLs=[\"http://a:2380\"] isLearner}",
        ),
        (MemberChange::Promote(0xfe), "type=ConfChangeAddNode node_id=fe id=9 change=promote"),
        (MemberChange::Remove(0xfe), "type=ConfChangeRemoveNode node_id=fe id=9 change=remove"),
        (
            MemberChange::Update { id: 0xfe, peer_urls: urls },
            "type=ConfChangeUpdateNode node_id=fe id=9 change=update \
             peerURLs=[\"http://a:2380\"]",
        ),
    ];
    for (change, expected) in cases {
        let data = change.to_conf_change(9).encode_to_vec();
        let payload = Payload::of(&entry(KIND_CONF_CHANGE, data));
        assert_eq!((payload.kind, payload.line(64).to_string().as_str()), (CONF_CHANGE, expected));
    }
}

#[test]
fn what_cant_be_decoded_is_shown_as_it_is() {
    let line = |kind, data: &[u8]| {
        let payload = Payload::of(&entry(kind, data.to_vec()));
        (payload.kind, payload.line(64).to_string())
    };
    assert_eq!(line(KIND_NORMAL, b"\x08\x01").1, "ID=1 [asks for nothing that this version knows]");
    let (kind, text) = line(KIND_NORMAL, b"\xff\xff");
    assert_eq!((kind, text.as_str()), (UNKNOWN, r#"data="\xff\xff" [isn't an encoded request]"#));
    assert_eq!(line(KIND_NORMAL, b""), (EMPTY, "a new leader's first entry".to_owned()));
    assert!(line(KIND_CONF_CHANGE, b"\xff").1.ends_with("[isn't a known membership change]"));
    assert!(line(KIND_CONF_CHANGE_V2, b"x").1.contains("joint membership change"));
    assert!(line(77, b"x").1.contains("a kind that nobody knows"));

    let strange = ConfChange {
        id: 1,
        r#type: ConfChangeType::ConfChangeAddNode.into(),
        node_id: 2,
        context: Some(Bytes::from_static(b"{")),
    };
    let (_, text) = line(KIND_CONF_CHANGE, &strange.encode_to_vec());
    assert_eq!(text, r#"type=ConfChangeAddNode node_id=2 id=1 context="{""#);
}

#[test]
fn unknown_fields_are_counted() {
    let put = PutRequest { key: "k".into(), ..PutRequest::default() };
    let request = InternalRaftRequest { put: Some(put), ..InternalRaftRequest::default() };
    let mut data = request.encode_to_vec();
    encode_key(77, WireType::Varint, &mut data);
    encode_varint(1, &mut data);
    let payload = Payload::of(&entry(KIND_NORMAL, data));
    assert_eq!((payload.kind, payload.unknown_bytes), ("put", 3));
    let line = payload.line(64).to_string();
    assert_eq!(line, r#"key="k" [3 bytes of fields that this version doesn't know]"#);
}

#[test]
fn a_members_own_request_has_a_zero_id() {
    // The header's field 100 with two bytes, and in them field 1 with the value 0.
    let mut data = vec![0xa2, 0x06, 2, 0x08, 0];
    let version = ClusterVersionSetRequest { ver: "3.5.0".into() };
    let request = InternalRaftRequest {
        cluster_version_set: Some(version),
        ..InternalRaftRequest::default()
    };
    data.extend(request.encode_to_vec());
    let payload = Payload::of(&entry(KIND_NORMAL, data));
    assert_eq!(payload.line(64).to_string(), r#"ver="3.5.0""#);
}

#[test]
fn a_request_of_version_2_is_shown() {
    let request = etcdserverpb::Request {
        id: 7,
        method: "PUT".into(),
        path: "/0/members/fe/attributes".into(),
        prev_exist: Some(true),
        ..etcdserverpb::Request::default()
    };
    let payload = Payload::of(&entry(KIND_NORMAL, request.encode_to_vec()));
    let line = payload.line(64).to_string();
    assert_eq!(payload.kind, "v2");
    assert_eq!(line, r#"ID=7 Method="PUT" Path="/0/members/fe/attributes" PrevExist"#);
}

proptest! {
    #[test]
    fn any_bytes_are_shown(kind in 0u8..4, data in proptest::collection::vec(any::<u8>(), 0..60)) {
        let payload = Payload::of(&entry(kind, data));
        prop_assert!(REQUEST_KINDS.contains(&payload.kind));
        prop_assert!(!payload.line(4).to_string().contains('\n'));
        prop_assert!(serde_json::to_string(&payload.message).is_ok());
    }
}
