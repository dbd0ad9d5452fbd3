//! Members are added, as learners and as voters, promoted, replaced and removed, while the cluster
//! serves.

use crate::common::{Members, message, soon};
use etcd_client::MemberAddOptions;

impl Members {
    async fn remove(&self, through: usize, id: u64) {
        let mut client = self.client(through).await;
        soon(async {
            loop {
                match client.member_remove(id).await {
                    Ok(_) => return,
                    Err(error) => assert_eq!(message(&error), "etcdserver: unhealthy cluster"),
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn from_one_to_three_and_back() {
    let mut members = Members::found(1, &[]);
    let mut client = members.client(0).await;
    soon(client.put("first", "1", None)).await.expect("put");
    let (second, second_id) = members.add(0, false, &[]).await;
    let (third, third_id) = members.add(0, false, &[]).await;
    soon(members.client(third).await.put("second", "2", None)).await.expect("put");
    members.agree(&[0, second, third]).await;
    let list = soon(client.member_list()).await.expect("list");
    assert_eq!(list.members().len(), 3);

    members.remove(0, third_id).await;
    assert_eq!(members.cluster.wait(third).expect("it ends"), Some(0), "it stops by itself");
    members.remove(0, second_id).await;
    assert_eq!(members.cluster.wait(second).expect("it ends"), Some(0), "it stops by itself");
    soon(client.put("third", "3", None)).await.expect("put");
    let list = soon(client.member_list()).await.expect("list");
    assert_eq!(list.members().len(), 1);
}

#[tokio::test]
async fn a_learner_serves_little_until_it_is_promoted() {
    let mut members = Members::found(1, &[]);
    soon(members.client(0).await.put("key", "1", None)).await.expect("put");
    let (learner, id) = members.add(0, true, &[]).await;
    let mut client = members.client(learner).await;
    let refused = client.put("key", "2", None).await.expect_err("it only learns");
    assert_eq!(message(&refused), "etcdserver: rpc not supported for learner");
    let status = soon(client.status()).await.expect("status");
    assert!(status.is_learner());
    let (_, url) = members.cluster.next_member().expect("free ports");
    let options = MemberAddOptions::new().with_is_learner();
    let second = members.client(0).await.member_add([url], Some(options)).await;
    let refused = second.expect_err("one learner at a time");
    assert_eq!(message(&refused), "etcdserver: too many learner members in cluster");
    members.promote(0, id).await;
    // It hears of its promotion a moment after the leader does.
    soon(async {
        while let Err(error) = members.client(learner).await.put("key", "2", None).await {
            assert_eq!(message(&error), "etcdserver: rpc not supported for learner");
        }
    })
    .await;
    members.agree(&[0, learner]).await;
}

#[tokio::test]
async fn a_member_that_lost_its_disk_is_replaced() {
    let mut members = Members::found(3, &[]);
    soon(members.client(0).await.put("kept", "1", None)).await.expect("put");
    let lost = 2;
    let lost_id = {
        let status = soon(members.client(lost).await.status()).await.expect("status");
        status.header().expect("a header").member_id()
    };
    members.cluster.kill(lost).expect("it ran");
    // If it led, there has to be another leader, which can be asked.
    members.leader(&[0, 1]).await;
    members.remove(0, lost_id).await;
    let (new, _) = members.add(0, false, &[lost]).await;
    let found = soon(members.client(new).await.get("kept", None)).await.expect("get");
    assert_eq!(found.count(), 1);
    members.agree(&[0, 1, new]).await;
    let again = members.client(0).await.member_remove(lost_id).await;
    assert_eq!(message(&again.expect_err("it is gone")), "etcdserver: member not found");
}
