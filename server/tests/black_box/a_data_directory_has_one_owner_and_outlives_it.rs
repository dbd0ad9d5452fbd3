//! Stop, start again, start twice: what the process does with its data directory.

use std::path::Path;
use std::time::Duration;

use etcd_client::{GetOptions, LeaseGrantOptions, PutOptions};
use retcd_testkit::scrape::{self, Answer};
use retcd_testkit::{Server, ServerOptions, StartError};

use crate::common::{Member, connect, server_binary, start_on};

#[tokio::test]
async fn a_clean_stop_and_a_start_keep_everything() {
    let Member { server, folder } = Member::start(&[]);
    let mut client = connect(&server).await;
    let lease = LeaseGrantOptions::new().with_id(77);
    client.lease_grant(1000, Some(lease)).await.expect("grant");
    for number in 0..20 {
        client.put(format!("k{}", number % 7), number.to_string(), None).await.expect("put");
    }
    client.put("leased", "x", Some(PutOptions::new().with_lease(77))).await.expect("put");
    client.delete("k3", None).await.expect("delete");
    client.compact(9, None).await.expect("compact");
    let hash = client.hash_kv(0).await.expect("hash").hash();
    let id = client.status().await.expect("status").leader();
    server.terminate().expect("SIGTERM is delivered");

    let server = start_on(&folder, &[]);
    let mut client = connect(&server).await;
    let all = client.get("", Some(GetOptions::new().with_all_keys())).await.expect("get");
    assert_eq!((all.count(), all.header().map(|header| header.revision())), (7, Some(23)));
    let again = client.hash_kv(0).await.expect("hash");
    assert_eq!((again.hash(), again.compact_version()), (hash, 9));
    let leases = client.leases().await.expect("leases");
    assert_eq!(leases.leases().iter().map(|lease| lease.id()).collect::<Vec<_>>(), [77]);
    assert_eq!(client.get("leased", None).await.expect("get").kvs()[0].lease(), 77);
    assert_eq!(client.status().await.expect("status").leader(), id);
    client.lease_revoke(77).await.expect("revoke");
    assert_eq!(client.get("leased", None).await.expect("get").count(), 0);
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    client.put("k", "v", None).await.expect("put");
    let data_dir = member.folder.path().join("data");
    let options = ServerOptions::new(server_binary(), &data_dir).patience(Duration::from_secs(10));
    let error = Server::start(&options).expect_err("the directory is in use");
    assert!(names_the_directory(&error, &data_dir), "{error}");
    assert_eq!(client.get("k", None).await.expect("get").count(), 1);
}

fn names_the_directory(error: &StartError, data_dir: &Path) -> bool {
    let StartError::NotReady(log) = error else { return false };
    // The original waits for the lock for ever and says only that it does.
    log.contains(&data_dir.display().to_string()) || log.contains("flocked by another process")
}

#[tokio::test]
async fn health_and_version_are_told_over_http() {
    let member = Member::start(&[]);
    let address = member.server.client_address();
    let get = |path| scrape::get(address, path).expect("an answer");
    let health = get("/health");
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"health":"true","reason":""}"#));
    // The leader decides the cluster's version shortly after the member serves.
    let is_decided = |answer: &Answer| answer.body.contains(r#""etcdcluster":"3.5.0""#);
    let version = scrape::get_until(address, "/version", is_decided).expect("an answer");
    assert!(is_decided(&version), "{version:?}");
    assert_eq!(get("/nowhere").status, 404);
    let metrics = get("/metrics").body;
    assert_eq!(scrape::metric(&metrics, "etcd_server_has_leader"), Some(1.0));
    let syncs = scrape::metric(&metrics, "etcd_disk_wal_fsync_duration_seconds_count");
    assert!(syncs.is_some_and(|syncs| syncs > 0.0), "{syncs:?}");
}
