//! A follower that lags far behind a leader whose log is on the disk alone.

use super::tests::{hear, member, only_group, persist, restored, take};
use super::*;
use crate::limits::INFLIGHT_MESSAGES_FROM_DISK_MAX;
use crate::{KIND_NORMAL, Output};
use retcd_api::raftpb;
use retcd_wal::LogEntry;

const ENTRY_BYTES: usize = 400 << 10;

fn entries(last: u64) -> Vec<LogEntry> {
    let data = Bytes::from(vec![7; ENTRY_BYTES]);
    let entry = |index| LogEntry { index, term: 1, kind: KIND_NORMAL, data: data.clone() };
    (4..=last).map(entry).collect()
}

/// The leader, who was started again with 40 entries, and a follower who has none of them.
struct Pair {
    members: [Member; 2],
    /// Messages that didn't arrive yet.
    under_way: Vec<raftpb::Message>,
    committed: [u64; 2],
}

impl Pair {
    fn new() -> Pair {
        let start = |id, last: u64| {
            let found = restored((1, 0, 3), &[1, 2], (3, 1), &entries(last));
            member(id, found).expect("a consistent state")
        };
        let members = [start(1, 43), start(2, 3)];
        Pair { members, under_way: Vec::new(), committed: [3, 3] }
    }

    /// Takes all outputs; everything is durable and applied at once.
    fn work(&mut self) {
        for at in 0..2 {
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
            assert!(entry.index > 43 || entry.data.len() == ENTRY_BYTES);
        }
        self.under_way.extend(output.messages);
    }

    /// Delivers what is under way to `id`.
    fn deliver(&mut self, id: u64) {
        for message in self.under_way.extract_if(.., |message| message.to == id) {
            hear(&mut self.members[id as usize - 1], message);
        }
        self.work();
    }

    fn elect(&mut self) {
        while self.members[0].status().role != Role::Leader {
            self.members[0].step(Input::Tick).expect("nothing fails");
            self.work();
            self.deliver(2);
            self.deliver(1);
        }
    }
}

#[test]
fn is_fed_from_the_disk_with_little_under_way() {
    let mut pair = Pair::new();
    assert_eq!(pair.members[0].status().tail_bytes, 0);
    pair.elect();
    let mut most = 0;
    while pair.committed != [44, 44] {
        pair.deliver(2);
        pair.deliver(1);
        let entries = pair.under_way.iter().filter(|m| m.to == 2).flat_map(|m| &m.entries);
        let payloads = entries.map(|entry| entry.data.as_ref().map_or(0, Bytes::len));
        most = most.max(payloads.sum());
        pair.members[0].step(Input::Tick).expect("nothing fails");
        pair.work();
    }
    // raft joins what it would send at a time into one message.
    let limit = INFLIGHT_MESSAGES_FROM_DISK_MAX * MESSAGE_BYTES_MAX as usize;
    assert!((limit / 2..=limit).contains(&most), "{most}");
}
