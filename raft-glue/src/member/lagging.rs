//! A follower that lags far behind a leader whose log is on the disk alone.

use super::tests::{hear, member, only_group, persist, restored, take};
use super::*;
use crate::limits::{
    FED_BURST, FED_PER_INGESTED, FED_PER_TICK_MIN, INFLIGHT_MESSAGES_FROM_DISK_MAX, QUIET_PER_TICK,
    QUIET_TICKS,
};
use crate::{KIND_NORMAL, Output};
use retcd_api::raftpb;
use retcd_wal::LogEntry;

const ENTRY_BYTES: usize = 400 << 10;

fn entries(last: u64) -> Vec<LogEntry> {
    let data = Bytes::from(vec![7; ENTRY_BYTES]);
    let entry = |index| LogEntry { index, term: 1, kind: KIND_NORMAL, data: data.clone() };
    (4..=last).map(entry).collect()
}

/// The index of the last entry before the leader was started again.
const LAST: u64 = 43;

/// A leader who was started again with 40 entries, and followers who have them or don't.
struct Cluster {
    members: Vec<Member>,
    /// Messages that didn't arrive yet.
    under_way: Vec<raftpb::Message>,
    committed: Vec<u64>,
}

impl Cluster {
    /// The last indexes that members have; the first one is to lead.
    fn new(lasts: &[u64]) -> Cluster {
        let ids: Vec<u64> = (1..=lasts.len() as u64).collect();
        let start = |(&id, &last): (&u64, &u64)| {
            let found = restored((1, 0, 3), &ids, (3, 1), &entries(last));
            member(id, found).expect("a consistent state")
        };
        let members = ids.iter().zip(lasts).map(start).collect();
        let mut cluster = Cluster { members, under_way: vec![], committed: vec![3; lasts.len()] };
        assert_eq!(cluster.members[0].status().tail_bytes, 0);
        while cluster.members[0].status().role != Role::Leader {
            cluster.tick();
            cluster.deliver_all();
        }
        cluster
    }

    /// Takes all outputs; everything is durable and applied at once.
    fn work(&mut self) {
        for at in 0..self.members.len() {
            while self.members[at].has_output() {
                let output = take(&mut self.members[at]);
                self.note(at, output);
            }
        }
    }

    fn note(&mut self, at: usize, output: Output) {
        let member = &mut self.members[at];
        if let Some(group) = only_group(&output) {
            persist(member, group.number);
        }
        for entry in output.committed {
            self.committed[at] += 1;
            assert_eq!(entry.index, self.committed[at]);
            assert!(entry.index > LAST || entry.data.len() == ENTRY_BYTES);
        }
        self.under_way.extend(output.messages);
    }

    fn tick(&mut self) {
        self.members[0].step(Input::Tick).expect("nothing fails");
        self.work();
    }

    /// Delivers what is under way to `id`.
    fn deliver(&mut self, id: u64) {
        for message in self.under_way.extract_if(.., |message| message.to == id) {
            hear(&mut self.members[id as usize - 1], message);
        }
        self.work();
    }

    fn deliver_all(&mut self) {
        for id in (1..=self.members.len() as u64).rev() {
            self.deliver(id);
        }
    }

    /// Bytes of entries that are under way to `id`.
    fn bytes_to(&self, id: u64) -> usize {
        let to_it = self.under_way.iter().filter(|message| message.to == id);
        let entries = to_it.flat_map(|message| &message.entries);
        entries.map(|entry| entry.data.as_ref().map_or(0, Bytes::len)).sum()
    }

    fn has_all(&self, at: usize) -> bool {
        self.committed[at] == self.committed[0] && self.committed[0] > LAST
    }

    /// Delivers everything until the last member has all, while the leader proposes so many bytes
    /// in each tick. Answers what that member was sent in each tick.
    fn catch_up(&mut self, proposed: usize) -> Vec<usize> {
        let lags = self.members.len();
        let mut sent = Vec::new();
        while !self.has_all(lags - 1) {
            let data = Bytes::from(vec![0; proposed]);
            self.members[0].step(Input::Propose { token: 1, data }).expect("nothing fails");
            self.tick();
            let mut in_tick = 0;
            while !self.under_way.is_empty() {
                in_tick += self.bytes_to(lags as u64);
                self.deliver_all();
            }
            sent.push(in_tick);
            assert!(sent.len() < 1000, "it never has all: {sent:?}");
        }
        sent
    }
}

#[test]
fn who_is_needed_is_fed_from_the_disk_with_little_under_way() {
    let mut pair = Cluster::new(&[LAST, 3]);
    let (mut most, mut ticks) = (0, 0);
    while pair.committed[1] < LAST {
        pair.deliver(2);
        pair.deliver(1);
        most = most.max(pair.bytes_to(2));
        let data = Bytes::from(vec![0; 2 * QUIET_PER_TICK as usize]);
        pair.members[0].step(Input::Propose { token: 1, data }).expect("nothing fails");
        pair.tick();
        ticks += 1;
    }
    assert!(ticks < QUIET_TICKS, "what comes in sets no pace: {ticks} ticks");
    // raft joins what it would send at a time into one message.
    let limit = INFLIGHT_MESSAGES_FROM_DISK_MAX * MESSAGE_BYTES_MAX as usize;
    assert!((limit / 2..=limit).contains(&most), "{most}");
}

#[test]
fn one_of_three_is_fed_in_step_with_what_comes_in() {
    let (total, entry) = (40 * ENTRY_BYTES, ENTRY_BYTES + 1024);
    let burst = FED_BURST as usize + entry;
    for proposed in [2 * QUIET_PER_TICK as usize, 500 << 10] {
        let sent = Cluster::new(&[LAST, LAST, 3]).catch_up(proposed);
        let share = (proposed + 1024).saturating_mul(FED_PER_INGESTED as usize);
        let share = share.max(FED_PER_TICK_MIN as usize);
        let mut had = 0;
        for (ticks, in_tick) in sent.iter().enumerate() {
            had += in_tick;
            // What comes in during the last tick may come from memory.
            let may_have = burst + (ticks + 1) * (share + proposed);
            assert!(had <= may_have, "{proposed}: {sent:?}");
        }
        let ticks_max = (total + sent.len() * proposed) / FED_PER_TICK_MIN as usize + 2;
        assert!(had >= total && sent.len() <= ticks_max, "{proposed}: {sent:?}");
    }
}

#[test]
fn a_quiet_leader_feeds_at_full_speed() {
    let mut cluster = Cluster::new(&[LAST, LAST, 3]);
    // Nobody answers for it while it isn't there.
    for _ in 0..QUIET_TICKS {
        cluster.tick();
        cluster.under_way.retain(|message| message.to != 3);
        cluster.deliver_all();
    }
    let sent = cluster.catch_up(0);
    assert!(sent.len() <= 3, "{sent:?}");
}
