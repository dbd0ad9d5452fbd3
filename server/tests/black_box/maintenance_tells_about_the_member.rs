//! Status, hashes, defragmentation, alarms, the list of members.

use etcd_client::{AlarmAction, AlarmType};

use crate::common::Member;

#[tokio::test]
async fn a_lone_member_leads_and_lists_itself() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    client.put("k", "v", None).await.expect("put");
    let status = client.status().await.expect("status");
    let header = status.header().expect("a header");
    assert_eq!(status.leader(), header.member_id());
    assert!(status.version().starts_with("3.5."), "{}", status.version());
    assert!(status.raft_index() > 0 && status.raft_applied_index() <= status.raft_index());
    assert!(status.db_size() > 0 && !status.is_learner() && status.errors().is_empty());

    let list = client.member_list().await.expect("member list");
    let [itself] = list.members() else { panic!("one member: {:?}", list.members()) };
    assert_eq!((itself.id(), itself.name()), (header.member_id(), "default"));
    assert_eq!(itself.client_urls(), [format!("http://{}", member.server.client_address())]);
    assert_eq!(itself.peer_urls(), [format!("http://{}", member.server.peer_address())]);
}

#[tokio::test]
async fn the_hash_of_the_history_is_etcds_number() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    // Numbers of the original for an empty store and for one put.
    let empty = client.hash_kv(0).await.expect("hash");
    assert_eq!((empty.hash(), empty.compact_version()), (1_084_519_789, -1));
    client.put("foo", "bar", None).await.expect("put");
    let one = client.hash_kv(0).await.expect("hash").hash();
    client.put("foo", "baz", None).await.expect("put");
    assert_ne!(client.hash_kv(0).await.expect("hash").hash(), one);
    assert_eq!(client.hash_kv(2).await.expect("hash").hash(), one);
    client.defragment().await.expect("defragment");
    assert_eq!(client.hash_kv(2).await.expect("hash").hash(), one);
    client.compact(3, None).await.expect("compact");
    assert_eq!(client.hash_kv(0).await.expect("hash").compact_version(), 3);
}

#[tokio::test]
async fn there_are_no_alarms_without_a_reason() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let alarms = client.alarm(AlarmAction::Get, AlarmType::None, None).await.expect("alarms");
    assert!(alarms.alarms().is_empty());
}
