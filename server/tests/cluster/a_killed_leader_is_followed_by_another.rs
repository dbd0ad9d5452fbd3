//! A leader that is killed, or hangs, is followed by another one; nothing acknowledged is lost, and
//! whoever comes back has it all.

use crate::common::{Members, soon};
use etcd_client::Client;
use std::time::Duration;

/// Puts `key` until that is acknowledged, through whichever of `numbers` takes it.
async fn put_until_acknowledged(members: &Members, numbers: &[usize], key: &str) {
    let put = async {
        for &number in numbers.iter().cycle() {
            let mut client = members.client(number).await;
            let put = client.put(key, key, None);
            if let Ok(Ok(_)) = tokio::time::timeout(Duration::from_secs(3), put).await {
                return;
            }
        }
    };
    soon(put).await;
}

async fn assert_there(client: &mut Client, keys: &[String]) {
    for key in keys {
        let found = soon(client.get(key.as_str(), None)).await.expect("get");
        assert_eq!(found.count(), 1, "{key} was acknowledged");
    }
}

#[tokio::test]
async fn killed() {
    let mut members = Members::found(3, &[]);
    let mut keys = Vec::new();
    for round in 0..4 {
        let leader = members.leader(&[0, 1, 2]).await;
        let others: Vec<usize> = (0..3).filter(|&number| number != leader).collect();
        let before = format!("before {round}");
        put_until_acknowledged(&members, &[leader], &before).await;
        members.cluster.kill(leader).expect("it ran");
        let after = format!("after {round}");
        put_until_acknowledged(&members, &others, &after).await;
        keys.extend([before, after]);
        assert_there(&mut members.client(others[0]).await, &keys).await;
        members.cluster.restart(leader).unwrap_or_else(|error| panic!("{error}"));
        assert_there(&mut members.client(leader).await, &keys).await;
    }
    members.agree(&[0, 1, 2]).await;
}

#[tokio::test]
async fn paused() {
    let members = Members::found(3, &[]);
    let leader = members.leader(&[0, 1, 2]).await;
    let others: Vec<usize> = (0..3).filter(|&number| number != leader).collect();
    put_until_acknowledged(&members, &[leader], "before").await;
    members.cluster.server(leader).pause().expect("it runs");
    put_until_acknowledged(&members, &others, "meanwhile").await;
    members.cluster.server(leader).resume().expect("it is there");
    // It led when it stopped: what it says now must not be what it knew then.
    let mut client = members.client(leader).await;
    let found = soon(async {
        loop {
            if let Ok(found) = client.get("meanwhile", None).await {
                return found;
            }
        }
    });
    assert_eq!(found.await.count(), 1);
    members.agree(&[0, 1, 2]).await;
}

#[tokio::test]
async fn stopped_cleanly_it_hands_over_first() {
    let mut members = Members::found(3, &[]);
    let leader = members.leader(&[0, 1, 2]).await;
    let others: Vec<usize> = (0..3).filter(|&number| number != leader).collect();
    put_until_acknowledged(&members, &[leader], "before").await;
    let term = members.client(others[0]).await.status().await.expect("status").raft_term();
    members.cluster.stop(leader).expect("it ran");
    let next = members.leader(&others).await;
    let status = members.client(next).await.status().await.expect("status");
    assert_eq!(status.raft_term(), term + 1, "one election, which nobody had to repeat");
    put_until_acknowledged(&members, &others, "after").await;
    members.agree(&others).await;
}

#[tokio::test]
async fn all_killed_at_once() {
    let mut members = Members::found(3, &[]);
    for round in 0..2 {
        for number in 0..20 {
            put_until_acknowledged(&members, &[0, 1, 2], &format!("key {round} {number}")).await;
        }
        for number in 0..3 {
            members.cluster.kill(number).expect("it ran");
        }
        // Each is ready only when there is a leader, which takes two.
        members.cluster.restart_all().unwrap_or_else(|error| panic!("{error}"));
        let keys: Vec<String> = (0..20).map(|number| format!("key {round} {number}")).collect();
        assert_there(&mut members.client(2).await, &keys).await;
    }
    members.agree(&[0, 1, 2]).await;
}
