//! A network that falls apart: the part with the quorum goes on, the other one answers nothing that
//! could be old, and when they meet again all have the same.

use crate::common::{Members, soon};
use etcd_client::GetOptions;
use retcd_testkit::WireCutter;
use std::time::Duration;

#[tokio::test]
async fn a_leader_that_is_cut_off_is_replaced_and_learns_it() {
    let cutter = WireCutter::new();
    let (members, ids) = Members::found_to_be_parted(3, &cutter).await;
    for round in 0..3 {
        let leader = members.leader(&[0, 1, 2]).await;
        let others: Vec<usize> = (0..3).filter(|&number| number != leader).collect();
        let other_ids: Vec<u64> = others.iter().map(|&number| ids[number]).collect();
        soon(members.client(leader).await.put("key", format!("old {round}"), None))
            .await
            .expect("put");
        cutter.part(&[ids[leader]], &other_ids);

        let next = members.leader(&others).await;
        let new = format!("new {round}");
        soon(members.client(next).await.put("key", new.clone(), None)).await.expect("put");
        // The one that is alone takes nothing, and tells nothing that it can't know.
        let mut alone = members.client(leader).await;
        let short = Duration::from_millis(1500);
        let put = tokio::time::timeout(short, alone.put("lost", "1", None)).await;
        assert!(!matches!(put, Ok(Ok(_))), "a write without a quorum was acknowledged");
        let read = tokio::time::timeout(short, alone.get("key", None)).await;
        assert!(!matches!(read, Ok(Ok(_))), "a read without a quorum was answered");
        let serializable = Some(GetOptions::new().with_serializable());
        let read = soon(alone.get("key", serializable)).await.expect("it is asked for what it has");
        assert_eq!(read.kvs()[0].value(), format!("old {round}").as_bytes());

        cutter.join();
        members.agree(&[0, 1, 2]).await;
        let read = soon(alone.get("key", None)).await.expect("get");
        assert_eq!(read.kvs()[0].value(), new.as_bytes());
    }
}

#[tokio::test]
async fn without_a_quorum_nothing_is_written() {
    let cutter = WireCutter::new();
    let (members, ids) = Members::found_to_be_parted(3, &cutter).await;
    soon(members.client(0).await.put("key", "1", None)).await.expect("put");
    cutter.part(&[ids[0]], &[ids[1], ids[2]]);
    cutter.part(&[ids[1]], &[ids[2]]);
    for number in 0..3 {
        let mut client = members.client(number).await;
        let put = tokio::time::timeout(Duration::from_secs(2), client.put("key", "2", None)).await;
        assert!(!matches!(put, Ok(Ok(_))), "member {number} acknowledged a write");
    }
    cutter.join();
    soon(async { while members.client(2).await.put("key", "3", None).await.is_err() {} }).await;
    members.agree(&[0, 1, 2]).await;
}
