//! Two of three members are lost for good. The third is made a cluster of its own with what it has,
//! and grows again. One of the lost ones that comes back all the same is told that it was removed.

use crate::common::{Members, soon};
use etcd_client::{Client, GetOptions};

const FORCED: &[&str] = &["--force-new-cluster"];

/// Keys of which the last is put so that the commit of those before reaches every log.
const KEYS: usize = 20;

async fn put(client: &mut Client, key: &str) {
    soon(client.put(key, "value", None)).await.expect("put");
}

async fn count(client: &mut Client, key: &str) -> i64 {
    let options = GetOptions::new().with_prefix().with_count_only();
    soon(client.get(key, Some(options))).await.expect("get").count()
}

async fn member_ids(client: &mut Client) -> Vec<u64> {
    let list = soon(client.member_list()).await.expect("list");
    list.members().iter().map(|member| member.id()).collect()
}

#[tokio::test]
async fn and_becomes_a_cluster_again() {
    let mut members = Members::found(3, &[]);
    let left = 2;
    let mut client = members.client(left).await;
    for number in 0..KEYS {
        put(&mut client, &format!("kept {number:02}")).await;
    }
    put(&mut client, "one more").await;
    let status = soon(client.status()).await.expect("status");
    let id = status.header().expect("a header").member_id();
    members.agree(&[0, 1, left]).await;
    for number in 0..3 {
        members.cluster.kill(number).expect("it ran");
    }

    members.cluster.restart_with(left, FORCED).unwrap_or_else(|error| panic!("{error}"));
    let mut client = members.client(left).await;
    assert_eq!(count(&mut client, "kept").await, KEYS as i64);
    assert_eq!(member_ids(&mut client).await, [id]);
    put(&mut client, "after 1").await;

    // What it said is true over any start, and saying it again changes nothing.
    for (number, arguments) in [(2, FORCED), (3, &[])] {
        members.cluster.kill(left).expect("it ran");
        let restarted = members.cluster.restart_with(left, arguments);
        restarted.unwrap_or_else(|error| panic!("{error}"));
        client = members.client(left).await;
        assert_eq!(count(&mut client, "after").await, number - 1);
        put(&mut client, &format!("after {number}")).await;
    }
    assert_eq!(count(&mut client, "kept").await, KEYS as i64);
    assert_eq!(member_ids(&mut client).await, [id]);

    let (second, _) = members.add(left, false, &[0, 1]).await;
    let (third, _) = members.add(left, false, &[0, 1]).await;
    put(&mut members.client(third).await, "after 4").await;
    members.agree(&[left, second, third]).await;
    assert_eq!(member_ids(&mut client).await.len(), 3);

    let returned = members.cluster.restart(0).err().map(|error| error.to_string());
    let told = returned.expect("it was removed");
    assert!(told.contains("closed etcd server"), "it goes on:\n{told}");
}
