//! Leases: grant, attach, renew, look, revoke, expire.

use etcd_client::{EventType, LeaseGrantOptions, LeaseTimeToLiveOptions, PutOptions, WatchOptions};

use crate::common::{Member, refusal, soon};

#[tokio::test]
async fn a_revoked_lease_takes_its_keys_along() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let id = client.lease_grant(300, None).await.expect("grant").id();
    let on_lease = || Some(PutOptions::new().with_lease(id));
    client.put("b", "1", on_lease()).await.expect("put");
    client.put("a", "2", on_lease()).await.expect("put");
    client.put("free", "3", None).await.expect("put");
    assert_eq!(client.get("a", None).await.expect("get").kvs()[0].lease(), id);

    let options = LeaseTimeToLiveOptions::new().with_keys();
    let life = client.lease_time_to_live(id, Some(options)).await.expect("time to live");
    assert_eq!(life.granted_ttl(), 300);
    assert!((290..=300).contains(&life.ttl()), "{}", life.ttl());
    let mut keys = life.keys().to_vec();
    keys.sort();
    assert_eq!(keys, [b"a".to_vec(), b"b".to_vec()]);

    client.lease_revoke(id).await.expect("revoke");
    let left = client.get("free", None).await.expect("get");
    assert_eq!(left.header().map(|header| header.revision()), Some(5));
    assert_eq!(client.get("a", None).await.expect("get").count(), 0);
    let gone = refusal(client.lease_revoke(id).await);
    assert_eq!(gone, "etcdserver: requested lease not found");
    let life = client.lease_time_to_live(id, None).await.expect("time to live");
    assert_eq!(life.ttl(), -1);
}

#[tokio::test]
async fn ids_may_be_chosen_once() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let chosen = || Some(LeaseGrantOptions::new().with_id(4711));
    assert_eq!(client.lease_grant(300, chosen()).await.expect("grant").id(), 4711);
    let taken = refusal(client.lease_grant(300, chosen()).await);
    assert_eq!(taken, "etcdserver: lease already exists");
    let too_long = refusal(client.lease_grant(9_000_000_001, None).await);
    assert_eq!(too_long, "etcdserver: too large lease TTL");
    let leases = client.leases().await.expect("leases");
    let ids: Vec<i64> = leases.leases().iter().map(|lease| lease.id()).collect();
    assert_eq!(ids, [4711]);
}

#[tokio::test]
async fn a_lease_that_nobody_renews_expires() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let renewed = client.lease_grant(600, None).await.expect("grant").id();
    let forgotten = client.lease_grant(1, None).await.expect("grant").id();
    for (key, lease) in [("kept", renewed), ("lost", forgotten)] {
        let options = PutOptions::new().with_lease(lease);
        client.put(key, "x", Some(options)).await.expect("put");
    }
    let (mut keeper, mut answers) = client.lease_keep_alive(renewed).await.expect("keep alive");
    keeper.keep_alive().await.expect("keep alive");
    let answer = soon(answers.message()).await.expect("the stream lives").expect("an answer");
    assert_eq!((answer.id(), answer.ttl()), (renewed, 600));

    let options = WatchOptions::new().with_start_revision(4);
    let mut watch = client.watch("lost", Some(options)).await.expect("watch");
    let deleted = loop {
        let answer = soon(watch.message()).await.expect("the stream lives").expect("an answer");
        if let [event] = answer.events() {
            break event.event_type() == EventType::Delete;
        }
    };
    assert!(deleted);
    assert_eq!(client.get("kept", None).await.expect("get").count(), 1);
    let unknown = client.lease_keep_alive(forgotten).await;
    assert!(unknown.is_err(), "an expired lease can't be renewed");
}
