//! Writes, reads, watches and leases work the same through any member, whoever leads.

use crate::common::{Members, soon};
use etcd_client::{EventType, GetOptions, PutOptions, WatchOptions};

#[tokio::test]
async fn what_one_member_takes_the_others_show() {
    let members = Members::found(3, &[]);
    for writer in 0..3 {
        let key = format!("key {writer}");
        let mut client = members.client(writer).await;
        soon(client.put(key.clone(), "value", None)).await.expect("put");
        for reader in 0..3 {
            // Linearizable: it must not be older than what was just acknowledged.
            let mut client = members.client(reader).await;
            let found = soon(client.get(key.clone(), None)).await.expect("get");
            assert_eq!(found.kvs().len(), 1, "{key} on member {reader}");
        }
    }
    let mut client = members.client(0).await;
    let options = GetOptions::new().with_prefix().with_count_only();
    let found = soon(client.get("key", Some(options))).await.expect("get");
    assert_eq!(found.count(), 3);
    members.agree(&[0, 1, 2]).await;
}

#[tokio::test]
async fn watches_on_every_member_tell_the_same() {
    let members = Members::found(3, &[]);
    let mut streams = Vec::new();
    for number in 0..3 {
        let options = WatchOptions::new().with_prefix();
        let watch = members.client(number).await.watch("w", Some(options)).await;
        streams.push(watch.expect("a watch"));
    }
    let mut client = members.client(1).await;
    for number in 0..20 {
        soon(client.put(format!("w{number}"), "1", None)).await.expect("put");
    }
    soon(client.delete("w7", None)).await.expect("delete");
    for stream in &mut streams {
        let mut told = Vec::new();
        while told.len() < 21 {
            let message = soon(stream.message()).await.expect("open").expect("a message");
            for event in message.events() {
                let pair = event.kv().expect("a pair");
                told.push((pair.mod_revision(), event.event_type()));
            }
        }
        let wanted: Vec<_> = (2..22).map(|revision| (revision, EventType::Put)).collect();
        assert_eq!(told[..20], wanted);
        assert_eq!(told[20], (22, EventType::Delete));
    }
}

#[tokio::test]
async fn leases_live_through_any_member() {
    let members = Members::found(3, &[]);
    let id = soon(members.client(0).await.lease_grant(300, None)).await.expect("grant").id();
    let options = PutOptions::new().with_lease(id);
    soon(members.client(1).await.put("leased", "1", Some(options))).await.expect("put");
    for number in 0..3 {
        let mut client = members.client(number).await;
        let (mut keeper, mut stream) = soon(client.lease_keep_alive(id)).await.expect("stream");
        keeper.keep_alive().await.expect("asked");
        let kept = soon(stream.message()).await.expect("open").expect("a message");
        assert_eq!(kept.ttl(), 300, "member {number}");
        let life = soon(client.lease_time_to_live(id, None)).await.expect("time to live");
        assert_eq!(life.granted_ttl(), 300, "member {number}");
        assert!((290..=300).contains(&life.ttl()), "member {number}: {}", life.ttl());
    }
    soon(members.client(2).await.lease_revoke(id)).await.expect("revoke");
    for number in 0..3 {
        let mut client = members.client(number).await;
        let found = soon(client.get("leased", None)).await.expect("get");
        assert_eq!(found.count(), 0, "member {number}");
        let life = soon(client.lease_time_to_live(id, None)).await.expect("time to live");
        assert_eq!(life.ttl(), -1, "member {number}");
    }
}
