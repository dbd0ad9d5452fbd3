//! Members are added, as learners and as voters, promoted, replaced and removed, while the cluster
//! serves.

use crate::common::{LEADER_FAILED, Members, TIMED_OUT, block_on, message, soon};
use crate::recorded_load::RecordedLoad;
use etcd_client::MemberAddOptions;

impl Members {
    /// Removes a member, through one that stays.
    async fn remove(&self, through: usize, id: u64) {
        let mut client = self.client(through).await;
        soon(async {
            let mut is_again = false;
            loop {
                match client.member_remove(id).await.as_ref().map_err(message) {
                    Ok(_) => return,
                    Err("etcdserver: unhealthy cluster") => {}
                    Err(TIMED_OUT | LEADER_FAILED) => is_again = true,
                    Err("etcdserver: member not found") if is_again => return,
                    Err(other) => panic!("{other}"),
                }
            }
        })
        .await;
    }

    async fn id(&self, number: usize) -> u64 {
        let status = soon(self.client(number).await.status()).await.expect("status");
        status.header().expect("a header").member_id()
    }
}

/// Members are added one by one, and removed again, leaders above all, while clients ask all that
/// there are. What they saw is linearizable, and whoever was removed ends by itself.
#[test]
fn from_one_to_five_and_back_under_load() {
    let mut members = Members::found(1, &[]);
    let load = RecordedLoad::new(members.cluster.endpoints());
    let mut there = vec![0];
    load.during(|random| {
        while there.len() < 5 {
            load.goes_on();
            let through = there[random.below(there.len() as u64) as usize];
            there.push(block_on(members.add(through, false, &[])).0);
            load.ask_others(members.cluster.endpoints());
        }
        block_on(members.agree_on_now(&there));
        while there.len() > 1 {
            load.goes_on();
            let leader = block_on(members.leader(&there));
            // The last but one goes by the other's leave: with it gone nobody could elect.
            let goes = |&number: &usize| (number == leader) == (there.len() > 2);
            let gone = there.iter().copied().find(goes).expect("one leads, and another doesn't");
            there.retain(|&number| number != gone);
            block_on(async { members.remove(there[0], members.id(gone).await).await });
            let ended = members.cluster.wait(gone).expect("it ends");
            assert_eq!(ended, Some(0), "it stops by itself");
            load.ask_others(members.cluster.endpoints());
        }
    });
    load.judge();
    let list = block_on(async { soon(members.client(there[0]).await.member_list()).await });
    assert_eq!(list.expect("list").members().len(), 1);
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
    let lost_id = members.id(lost).await;
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
