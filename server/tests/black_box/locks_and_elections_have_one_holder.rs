//! The lock and election services: one holder at a time, the next in the order of asking.

use etcd_client::{Client, LockOptions, ProclaimOptions, ResignOptions};

use crate::common::{Member, refusal, soon};

async fn lease(client: &mut Client) -> i64 {
    client.lease_grant(300, None).await.expect("grant").id()
}

#[tokio::test]
async fn a_lock_passes_on_when_it_is_released() {
    let member = Member::start(&[]);
    let (mut holder, mut waiter) = (member.client().await, member.client().await);
    let first_lease = lease(&mut holder).await;
    let second_lease = lease(&mut holder).await;
    let with = |lease| Some(LockOptions::new().with_lease(lease));
    let first = soon(holder.lock("door", with(first_lease))).await.expect("lock");
    assert_eq!(first.key(), format!("door/{first_lease:x}").as_bytes());

    let waiting = tokio::spawn(async move { waiter.lock("door", with(second_lease)).await });
    // The waiter has queued once its key is there; it can't have the lock before the release.
    let second_key = format!("door/{second_lease:x}");
    soon(async {
        while holder.get(second_key.as_str(), None).await.expect("get").count() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!waiting.is_finished());
    holder.unlock(first.key()).await.expect("unlock");
    let second = soon(waiting).await.expect("the task ends").expect("lock");
    assert_eq!(second.key(), second_key.as_bytes());
}

#[tokio::test]
async fn a_lock_is_lost_with_its_lease() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let (doomed, next) = (lease(&mut client).await, lease(&mut client).await);
    let with = |lease| Some(LockOptions::new().with_lease(lease));
    soon(client.lock("door", with(doomed))).await.expect("lock");
    client.lease_revoke(doomed).await.expect("revoke");
    soon(client.lock("door", with(next))).await.expect("the lock is free again");
}

#[tokio::test]
async fn a_leader_proclaims_is_observed_and_resigns() {
    let member = Member::start(&[]);
    let mut client = member.client().await;
    let nobody = refusal(client.leader("seat").await);
    assert_eq!(nobody, "election: no leader");

    let lease = lease(&mut client).await;
    let won = soon(client.campaign("seat", "alice", lease)).await.expect("campaign");
    let leader = won.leader().expect("the winner's key").clone();
    assert_eq!(leader.name(), b"seat");
    let mut observer = client.observe("seat").await.expect("observe");
    let mut observed = async || {
        let answer = soon(observer.message()).await.expect("the stream lives");
        let kv = answer.expect("an answer").take_kv().expect("the leader's key");
        String::from_utf8_lossy(kv.value()).into_owned()
    };
    assert_eq!(observed().await, "alice");

    let options = ProclaimOptions::new().with_leader(leader.clone());
    client.proclaim("alice the second", Some(options)).await.expect("proclaim");
    assert_eq!(observed().await, "alice the second");
    let current = client.leader("seat").await.expect("leader");
    assert_eq!(current.kv().map(|kv| kv.value()), Some(&b"alice the second"[..]));

    let options = ResignOptions::new().with_leader(leader);
    client.resign(Some(options)).await.expect("resign");
    assert_eq!(refusal(client.leader("seat").await), "election: no leader");
}
