//! Status, hashes, defragmentation, alarms, the list of members.

use etcd_client::{AlarmAction, AlarmType};

use retcd_engine::bolt::{Database, Entry};
use retcd_vfs::RealVfs;
use sha2::Digest;

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

/// etcd's tools judge the file in `interop/`; here it is read by our own reader of it.
#[tokio::test]
async fn a_snapshot_is_a_database_with_its_hash_behind() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    for number in 0..500 {
        client.put(format!("key{}", number % 50), vec![7; 1000], None).await.expect("put");
    }
    let mut stream = client.snapshot().await.expect("a snapshot");
    let mut file: Vec<u8> = Vec::new();
    let mut remaining = None;
    while let Some(message) = stream.message().await.expect("a message") {
        file.extend_from_slice(message.blob());
        let gone = message.blob().len() as u64;
        if let Some(before) = remaining.replace(message.remaining_bytes()) {
            // The hash comes when nothing of the file remains.
            assert!(message.remaining_bytes() + gone == before || before == 0);
        }
    }
    assert_eq!(remaining, Some(0));
    let hash = file.split_off(file.len() - 32);
    assert_eq!(hash, sha2::Sha256::digest(&file).to_vec());
    let path = member.folder.path().join("snapshot");
    std::fs::write(&path, &file).expect("a file");
    let database = Database::open(&RealVfs, &path).expect("a database");
    database.verify().expect("a whole one");
    let pairs = database.bucket(b"key").expect("it is whole").expect("etcd's bucket");
    let mut hash = crc32c::crc32c(b"key");
    for pair in pairs.entries(&database).expect("it is whole") {
        let (key, Entry::Value(value)) = pair.expect("it is whole") else {
            panic!("a bucket among the pairs");
        };
        hash = crc32c::crc32c_append(crc32c::crc32c_append(hash, &key), &value);
    }
    assert_eq!(client.hash_kv(0).await.expect("hash").hash(), hash);
}
