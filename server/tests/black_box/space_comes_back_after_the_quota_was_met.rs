//! etcd's maintenance guide, step by step: overwriting fills the quota, the alarm stops writes,
//! compaction and defragmentation give the space back, the alarm is disarmed, and writing goes on.
//! What takes no space passes all the time.

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client, CompactionOptions};

use crate::common::{Member, refusal, soon};

const QUOTA_BYTES: usize = 4 << 20;
const VALUE_BYTES: usize = 64 << 10;
const FULL: &str = "etcdserver: mvcc: database space exceeded";

/// Overwrites four keys until the server refuses; returns the last revision.
async fn fill(client: &mut Client) -> i64 {
    let mut revision = 0;
    for round in 0..4 * QUOTA_BYTES / VALUE_BYTES {
        let value = pseudorandom(round as u64);
        match client.put(format!("key {}", round % 4), value, None).await {
            Ok(answer) => revision = answer.header().expect("a header").revision(),
            Err(error) => {
                assert_eq!(refusal::<()>(Err(error)), FULL);
                return revision;
            }
        }
    }
    panic!("the quota was never met");
}

/// Bytes that don't compress.
fn pseudorandom(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..VALUE_BYTES).map(|_| next()).collect()
}

async fn alarms(client: &mut Client) -> Vec<AlarmType> {
    let alarms = client.alarm(AlarmAction::Get, AlarmType::None, None).await.expect("alarms");
    alarms.alarms().iter().map(|alarm| alarm.alarm()).collect()
}

#[tokio::test]
async fn space_comes_back_after_the_quota_was_met() {
    let member = Member::start(&[&format!("--quota-backend-bytes={QUOTA_BYTES}")]);
    let mut client = member.client().await;
    let lease = client.lease_grant(600, None).await.expect("grant").id();
    client.put("bystander", "here", None).await.expect("put");
    // Twice, so that it isn't a matter of the first memtable.
    for _ in 0..2 {
        let revision = fill(&mut client).await;
        soon(async { while alarms(&mut client).await.is_empty() {} }).await;
        assert_eq!(alarms(&mut client).await, [AlarmType::Nospace]);
        assert_eq!(refusal(client.put("one", "more", None).await), FULL);
        assert_eq!(refusal(client.lease_grant(600, None).await), FULL);
        client.get("bystander", None).await.expect("reads pass");
        client.delete("nothing", None).await.expect("deletes pass");

        let physical = CompactionOptions::new().with_physical();
        client.compact(revision, Some(physical)).await.expect("compactions pass");
        client.defragment().await.expect("defragmentations pass");
        let status = client.status().await.expect("status");
        let mut itself = AlarmOptions::new();
        itself.with_member(status.header().expect("a header").member_id());
        let disarm = client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(itself)).await;
        disarm.expect("disarm");
        assert!(alarms(&mut client).await.is_empty());
        for key in 0..4 {
            let value = pseudorandom(key + 1000);
            client.put(format!("key {key}"), value, None).await.expect("there is space again");
        }
        let status = client.status().await.expect("status");
        assert!((status.db_size() as usize) < QUOTA_BYTES / 2, "{} bytes", status.db_size());
    }
    client.lease_revoke(lease).await.expect("revoke");
}
