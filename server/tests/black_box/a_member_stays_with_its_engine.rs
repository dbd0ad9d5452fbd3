//! A member on the B+tree: it serves, is compacted and defragmented, keeps everything over a stop,
//! and tells the same hashes as one on the log-structured engine. Neither engine opens the data of
//! the other.

use std::time::Duration;

use etcd_client::{Client, CompactionOptions, GetOptions};
use retcd_engine::bolt::{Database, Entry};
use retcd_testkit::{Server, ServerOptions, StartError};
use retcd_vfs::RealVfs;

use crate::common::{Member, connect, server_binary, server_binary_is_ours, start_on};

const BTREE: &str = "--backend-engine=btree";
const LSM: &str = "--backend-engine=lsm";

/// The same requests for every member; the hashes after them.
async fn write(client: &mut Client) -> (u32, u32) {
    for number in 0..300 {
        let value = format!("{number} {}", "x".repeat(number));
        client.put(format!("k{:03}", number % 70), value, None).await.expect("put");
    }
    client.delete("k011", None).await.expect("delete");
    let physical = CompactionOptions::new().with_physical();
    client.compact(150, Some(physical)).await.expect("compact");
    client.put("k000", "last", None).await.expect("put");
    hashes(client).await
}

async fn hashes(client: &mut Client) -> (u32, u32) {
    let newest = client.hash_kv(0).await.expect("hash").hash();
    (newest, client.hash_kv(200).await.expect("hash").hash())
}

#[tokio::test]
async fn a_member_on_the_tree_keeps_everything_and_agrees_with_the_other_engine() {
    if !server_binary_is_ours() {
        println!("passed over: the original has one engine");
        return;
    }
    let other = Member::start(&[LSM]);
    let expected = write(&mut other.client().await).await;
    let Member { server, folder } = Member::start(&[BTREE]);
    let mut client = connect(&server).await;
    assert_eq!(write(&mut client).await, expected);
    client.defragment().await.expect("defragment");
    assert_eq!(hashes(&mut client).await, expected);
    server.terminate().expect("SIGTERM is delivered");

    let path = folder.path().join("data/member/snap/db/tree.db");
    let database = Database::open(&RealVfs, &path).expect("bbolt's format");
    database.verify().expect("each page is used once");
    let names = database.root().entries(&database).expect("buckets");
    let names = names.map(|entry| match entry.expect("a bucket") {
        (name, Entry::Bucket(_)) => String::from_utf8(name.to_vec()).expect("text"),
        (name, Entry::Value(_)) => panic!("{name:?} is no bucket"),
    });
    assert_eq!(names.collect::<Vec<_>>(), ["kv", "lease", "meta", "retcd", "rev"]);

    let server = start_on(&folder, &[BTREE]);
    let mut client = connect(&server).await;
    assert_eq!(hashes(&mut client).await, expected);
    let all = client.get("", Some(GetOptions::new().with_all_keys())).await.expect("get");
    assert_eq!(all.count(), 69);
}

#[tokio::test]
async fn the_other_engine_is_refused() {
    if !server_binary_is_ours() {
        println!("passed over: the original has one engine");
        return;
    }
    for (made_with, started_with) in [(BTREE, LSM), (LSM, BTREE)] {
        let Member { server, folder } = Member::start(&[made_with]);
        server.terminate().expect("SIGTERM is delivered");
        let mut options = ServerOptions::new(server_binary(), &folder.path().join("data"))
            .patience(Duration::from_secs(10));
        options.arguments = vec![started_with.to_owned()];
        let error = Server::start(&options).expect_err("it holds another engine's data");
        let StartError::NotReady(log) = error else { panic!("it doesn't end: {error}") };
        assert!(log.contains(&format!("start with {made_with}")), "{log}");
        drop(start_on(&folder, &[made_with]));
    }
}
