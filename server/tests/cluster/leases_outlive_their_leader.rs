//! Leases and a change of leader: the leader is killed, hangs, or is cut off, and comes back. A
//! lease that somebody renews through a follower lives through all of it, and one that nobody
//! renews ends, but not before its time.
//!
//! Time is judged in one direction only. What a member may do after a while is waited for; what it
//! mustn't do before is compared with moments at which the test knows that it wasn't late itself.
//! Where the machine was so slow that nothing can be said, the story is told again.

use crate::common::{Members, soon};
use crate::fault::Fault;
use etcd_client::{Client, Error, EventType, PutOptions, WatchOptions, WatchStream};
use retcd_testkit::WireCutter;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

const TTL_SECONDS: i64 = 5;
const TTL: Duration = Duration::from_secs(TTL_SECONDS as u64);

/// A new leader gives leases so much more time, which is the election timeout ...
const ADDED_AT_ELECTION: Duration = Duration::from_secs(1);

/// ... and looks so often which are over, or oftener.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// Between two renewals.
const RENEWAL_INTERVAL: Duration = Duration::from_millis(300);

/// How long a renewal may take; then it is asked for again.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(2);

/// Renewals when all members are back.
const RENEWALS_AFTER: usize = 5;

/// How often the story is told again.
const TRIES_MAX: usize = 8;

/// A cluster, its leader, and the others.
struct Story {
    members: Members,
    cutter: WireCutter,
    ids: Vec<u64>,
    leader: usize,
    others: Vec<usize>,
}

impl Story {
    async fn begin() -> Story {
        let cutter = WireCutter::new();
        let (members, ids) = Members::found_to_be_parted(3, &cutter).await;
        let leader = members.leader(&[0, 1, 2]).await;
        let others = (0..3).filter(|&number| number != leader).collect();
        Story { members, cutter, ids, leader, others }
    }

    /// A key on a lease, written through a member.
    async fn grant(&self, client: &mut Client) -> i64 {
        let id = soon(client.lease_grant(TTL_SECONDS, None)).await.expect("grant").id();
        let options = PutOptions::new().with_lease(id);
        soon(client.put("leased", "1", Some(options))).await.expect("put");
        id
    }

    fn lose_leader(&mut self, fault: Fault) {
        fault.strike(&mut self.members.cluster, &self.cutter, &self.ids, self.leader);
    }

    fn bring_back(&mut self, fault: Fault) {
        fault.mend(&mut self.members.cluster, &self.cutter, self.leader);
    }
}

/// Somebody who renews a lease through one member.
struct Keeper {
    client: Client,
    id: i64,
    /// The lease lives until then at least.
    lives_until: Instant,
}

impl Keeper {
    /// Renews it. `Some(false)` if it was gone, `None` if the test can't know whether it should
    /// have been.
    async fn renew(&mut self) -> Option<bool> {
        loop {
            let asked = Instant::now();
            let renewed = self.client.lease_keep_alive(self.id);
            match tokio::time::timeout(RENEWAL_PATIENCE, renewed).await {
                Ok(Ok(_)) => {
                    let was_alive = asked < self.lives_until;
                    self.lives_until = asked + TTL;
                    return was_alive.then_some(true);
                }
                // The client's word for a time of zero.
                Ok(Err(Error::LeaseKeepAliveError(_))) => {
                    return (Instant::now() < self.lives_until).then_some(false);
                }
                // There is no leader, or the one that hung was asked.
                Ok(Err(_)) | Err(_) if Instant::now() < self.lives_until => {}
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }

    /// Renews it until a moment, and `times` more.
    async fn keep(&mut self, until: Instant, times: usize) -> Option<bool> {
        let mut more = 0;
        let mut ticks = tokio::time::interval(RENEWAL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < until || more < times {
            ticks.tick().await;
            if !self.renew().await? {
                return Some(false);
            }
            more += usize::from(Instant::now() >= until);
        }
        Some(true)
    }
}

/// Whether the lease was there in the end; `None` if nothing can be said.
async fn keep_alive_through(fault: Fault) -> Option<bool> {
    let mut story = Story::begin().await;
    let follower = story.others[0];
    let mut client = story.members.client(follower).await;
    let asked = Instant::now();
    let id = story.grant(&mut client).await;
    let mut keeper = Keeper { client: client.clone(), id, lives_until: asked + TTL };
    if !keeper.renew().await? {
        return Some(false);
    }
    story.lose_leader(fault);
    if !keeper.renew().await? {
        return Some(false);
    }
    // Whoever has answered gave the lease its time again when it began to lead. Without renewals
    // that would be over by then, and what the leader of before knew is over for long.
    let past = Instant::now() + TTL + ADDED_AT_ELECTION + EXPIRY_PERIOD;
    if !keeper.keep(past, 1).await? {
        return Some(false);
    }
    // One of the others leads.
    story.members.leader(&story.others).await;
    story.bring_back(fault);
    if !keeper.keep(Instant::now(), RENEWALS_AFTER).await? {
        return Some(false);
    }
    let found = soon(client.get("leased", None)).await.expect("get");
    let is_there = found.count() == 1;
    (Instant::now() < keeper.lives_until).then_some(is_there)
}

async fn is_kept_alive(fault: Fault) {
    for _ in 0..TRIES_MAX {
        if let Some(is_there) = keep_alive_through(fault).await {
            assert!(is_there, "the lease ended although it was renewed in time");
            return;
        }
    }
    panic!("the machine was too slow {TRIES_MAX} times");
}

/// Waits until the key is gone.
async fn gone(watch: &mut WatchStream) -> Instant {
    loop {
        let message = soon(watch.message()).await.expect("the stream lives").expect("a message");
        if message.events().iter().any(|event| event.event_type() == EventType::Delete) {
            return Instant::now();
        }
    }
}

/// The term that a member is in.
async fn term_of(client: &mut Client) -> u64 {
    soon(client.status()).await.expect("status").raft_term()
}

/// For how long the key was there after the leader was lost; `None` if nothing can be said.
async fn expire_after(fault: Fault) -> Option<Duration> {
    let mut story = Story::begin().await;
    let follower = story.others[0];
    let mut client = story.members.client(follower).await;
    let options = Some(WatchOptions::new().with_start_revision(1));
    let mut watch = client.watch("leased", options).await.expect("a watch");
    let asked = Instant::now();
    story.grant(&mut client).await;
    let term = term_of(&mut client).await;
    let losing = Instant::now();
    story.lose_leader(fault);
    if asked.elapsed() >= TTL {
        return None;
    }
    let gone = gone(&mut watch).await;
    if term_of(&mut client).await == term {
        // Somebody else led already, and the lease ended in its own time.
        return None;
    }
    let found = soon(story.members.client(story.others[1]).await.get("leased", None)).await;
    assert_eq!(found.expect("get").count(), 0, "one was told, and the other doesn't know");
    story.bring_back(fault);
    story.members.agree(&[0, 1, 2]).await;
    Some(gone - losing)
}

async fn ends_in_time(fault: Fault) {
    for _ in 0..TRIES_MAX {
        if let Some(lived) = expire_after(fault).await {
            // The new leader doesn't know what was left of its time, and gives it all of it.
            assert!(lived >= TTL, "the lease ended {lived:?} after its leader was lost");
            return;
        }
    }
    panic!("the machine was too slow {TRIES_MAX} times");
}

#[tokio::test]
async fn renewed_through_a_follower_when_the_leader_is_killed() {
    is_kept_alive(Fault::Killed).await;
}

#[tokio::test]
async fn renewed_through_a_follower_when_the_leader_hangs() {
    is_kept_alive(Fault::Paused).await;
}

#[tokio::test]
async fn renewed_through_a_follower_when_the_leader_is_cut_off() {
    is_kept_alive(Fault::CutOff).await;
}

#[tokio::test]
async fn not_renewed_when_the_leader_is_killed() {
    ends_in_time(Fault::Killed).await;
}

#[tokio::test]
async fn not_renewed_when_the_leader_hangs() {
    ends_in_time(Fault::Paused).await;
}

#[tokio::test]
async fn not_renewed_when_the_leader_is_cut_off() {
    ends_in_time(Fault::CutOff).await;
}
