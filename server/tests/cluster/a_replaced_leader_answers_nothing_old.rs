//! A leader that was replaced, and hasn't heard of it: it is cut off, and looks so rarely whether
//! it still has followers that it believes in itself all the time. Of two reads, one through it and
//! one through a follower that it still has, neither may be answered from what it knows.
//!
//! That is what a leader's round of heartbeats before a read is for. Here nothing else can stand in
//! for it: the leader's own watch over its quorum comes much too late.

use crate::common::{Members, soon};
use etcd_client::{Client, Error, GetOptions};
use retcd_testkit::WireCutter;
use tokio::task::JoinHandle;

/// The longest that is allowed: so long a leader without followers doesn't notice. Those who
/// replace it have the default, a fiftieth of it.
const NOTICES_LATE: &[&str] = &["--election-timeout=50000"];

const OLD: usize = 0;
const ITS_FOLLOWER: usize = 1;
const OTHERS: [usize; 3] = [2, 3, 4];

/// Questions that are asked, one after the other, behind each of the reads, and answered. A read
/// that waits for nobody doesn't take longer than them all.
const LATER_QUESTIONS: usize = 200;

impl Members {
    /// Has a member lead.
    async fn make_leader(&self, number: usize, id: u64) {
        let all: Vec<usize> = (0..self.cluster.len()).collect();
        soon(async {
            loop {
                let leader = self.leader(&all).await;
                if leader == number {
                    return;
                }
                // Refused while it doesn't answer the leader yet.
                let _ = self.client(leader).await.move_leader(id).await;
            }
        })
        .await;
    }

    /// Whether a member says that it leads.
    async fn believes_to_lead(&self, number: usize, id: u64) -> bool {
        let status = soon(self.client(number).await.status()).await.expect("status");
        status.leader() == id
    }
}

/// Begins a linearizable read: the value that it answers.
fn read(mut client: Client) -> JoinHandle<Result<String, Error>> {
    tokio::spawn(async move {
        let found = client.get("key", None).await?;
        Ok(found.kvs()[0].value_str().expect("text").to_owned())
    })
}

/// Replaces the leader, asks it, and joins all again. Answers whether it believed all the time that
/// it leads.
async fn replace_and_ask(members: &Members, ids: &[u64], cutter: &WireCutter, round: u32) -> bool {
    let [old_value, new_value] = ["old", "new"].map(|age| format!("{age} {round}"));
    members.make_leader(OLD, ids[OLD]).await;
    soon(members.client(ITS_FOLLOWER).await.put("key", old_value, None)).await.expect("put");
    cutter.part(&ids[..2], &ids[2..]);
    let next = members.leader(&OTHERS).await;
    soon(members.client(next).await.put("key", new_value.clone(), None)).await.expect("put");

    let mut reads = Vec::new();
    for number in [OLD, ITS_FOLLOWER] {
        let mut client = members.client(number).await;
        reads.push(read(client.clone()));
        for _ in 0..LATER_QUESTIONS {
            let serializable = Some(GetOptions::new().with_serializable());
            soon(client.get("key", serializable)).await.expect("it is asked for what it has");
        }
    }
    let mut believes = true;
    for number in [OLD, ITS_FOLLOWER] {
        believes &= members.believes_to_lead(number, ids[OLD]).await;
    }
    let were_answered: Vec<bool> = reads.iter().map(JoinHandle::is_finished).collect();
    cutter.join();
    for (read, was_answered) in reads.into_iter().zip(were_answered) {
        // Whenever it was answered, it was asked after the new value was acknowledged.
        if let Ok(value) = soon(read).await.expect("it doesn't panic") {
            assert_eq!(value, new_value, "answered while cut off: {was_answered}");
        }
    }
    believes
}

#[tokio::test]
async fn while_it_believes_to_lead() {
    let cutter = WireCutter::new();
    let (mut members, ids) = Members::found_to_be_parted(5, &cutter).await;
    members.cluster.kill(OLD).expect("it ran");
    let restarted = members.cluster.restart_with(OLD, NOTICES_LATE);
    restarted.unwrap_or_else(|error| panic!("{error}"));
    // On a slow machine the others may have replaced it before it was cut off.
    let mut round = 1;
    while !replace_and_ask(&members, &ids, &cutter, round).await {
        round += 1;
        assert!(round <= 5, "it never believes to lead while it is cut off");
    }
    members.agree(&[0, 1, 2, 3, 4]).await;
}
