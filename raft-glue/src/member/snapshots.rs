//! A follower that the leader's log has nothing for any more.

use super::tests::{
    apply, conf_changed, hear, member, only_group, persist, propose, restored, take, voters,
};
use super::*;
use crate::{KIND_CONF_CHANGE, Output};
use retcd_api::raftpb;
use retcd_wal::{LogEntry, SnapshotMark};

/// Where the leader's log begins.
const START: u64 = 10;

/// A leader whose log begins behind what the follower has.
struct Pair {
    leader: Member,
    follower: Member,
    /// What the leader has ordered for the follower.
    ordered: Vec<SnapshotOrder>,
}

impl Pair {
    fn new() -> Pair {
        let start = |id, last| {
            let found = restored((1, 0, last), &[1, 2], (last, 1), &[]);
            member(id, found).expect("a consistent state")
        };
        let mut pair = Pair { leader: start(1, START), follower: start(2, 3), ordered: Vec::new() };
        for _ in 0..50 {
            if pair.leader.status().role == Role::Leader && !pair.ordered.is_empty() {
                return pair;
            }
            pair.tick();
        }
        panic!("nothing was ordered after 50 ticks");
    }

    fn tick(&mut self) {
        self.leader.step(Input::Tick).expect("no error");
        self.settle();
    }

    /// Everything is durable and applied at once, messages arrive at once.
    fn settle(&mut self) {
        while self.leader.has_output() || self.follower.has_output() {
            let output = take(&mut self.leader);
            let messages = output.messages.clone();
            self.ordered.extend(output.snapshots.iter().cloned());
            finish(&mut self.leader, output);
            messages.into_iter().for_each(|message| hear(&mut self.follower, message));
            let output = take(&mut self.follower);
            assert!(output.install.is_none() && !output.snapshot_unneeded);
            let messages = output.messages.clone();
            finish(&mut self.follower, output);
            messages.into_iter().for_each(|message| hear(&mut self.leader, message));
        }
    }

    /// The message of a checkpoint of what the leader has applied.
    fn message(&mut self) -> raftpb::Message {
        let message = self.ordered.pop().expect("it was ordered").message;
        let metadata = &message.snapshot.metadata;
        assert_eq!((metadata.index, metadata.term), (START, 1));
        assert_eq!(metadata.conf_state, voters(&[1, 2]));
        message
    }

    fn report(&mut self, outcome: SnapshotOutcome) {
        self.leader.step(Input::SnapshotReport { to: 2, outcome }).expect("no error");
    }
}

fn finish(member: &mut Member, output: Output) {
    for group in &output.groups {
        persist(member, group.number);
    }
    if let Some(last) = output.committed.last() {
        apply(member, last.index);
    }
}

fn offer(member: &mut Member, message: &raftpb::Message) {
    member.step(Input::Snapshot(Box::new(message.clone()))).expect("no error");
}

/// Offers a snapshot of index 20 and term 2 to a follower, from its leader.
fn snapshot(of: &Member) -> raftpb::Message {
    let metadata = raftpb::SnapshotMetadata { conf_state: voters(&[1, 2]), index: 20, term: 2 };
    raftpb::Message {
        r#type: raftpb::MessageType::MsgSnap.into(),
        to: of.config.id,
        from: 1,
        term: 2,
        snapshot: raftpb::Snapshot { data: None, metadata },
        ..raftpb::Message::default()
    }
}

/// Appends entries from `first` on, of term 2, from the leader, behind one of `log_term`.
fn append(log_term: u64, first: u64, kinds: &[u8]) -> raftpb::Message {
    let entry = |(index, &kind): (u64, &u8)| raftpb::Entry {
        r#type: kind.into(),
        term: 2,
        index,
        data: None,
    };
    raftpb::Message {
        r#type: raftpb::MessageType::MsgApp.into(),
        to: 2,
        from: 1,
        term: 2,
        log_term,
        index: first - 1,
        commit: first - 1 + kinds.len() as u64,
        entries: (first..).zip(kinds).map(entry).collect(),
        ..raftpb::Message::default()
    }
}

fn follower() -> Member {
    member(2, restored((1, 0, 3), &[1, 2], (3, 1), &[])).expect("a consistent state")
}

#[test]
fn a_member_behind_the_log_goes_on_from_a_snapshot() {
    let mut pair = Pair::new();
    let message = pair.message();
    let mark = SnapshotMark { index: START, term: 1 };
    offer(&mut pair.follower, &message);
    let output = take(&mut pair.follower);
    assert_eq!(output.install, Some(Install { mark }));
    assert!(output.groups.is_empty() && output.messages.is_empty(), "nothing is durable");

    pair.follower.step(Input::Installed { index: mark.index }).expect("no error");
    let output = take(&mut pair.follower);
    let group = only_group(&output).expect("the mark");
    assert_eq!((group.snapshot, group.entries.len()), (Some(mark), 0));
    assert_eq!(group.hard_state.map(|state| state.commit), Some(mark.index));
    assert!(output.messages.is_empty() && output.committed.is_empty());
    persist(&mut pair.follower, group.number);
    assert_eq!(pair.follower.status().applied, mark.index);
    let answer = take(&mut pair.follower).messages.pop().expect("the leader is told");
    assert_eq!((answer.r#type(), answer.index), (raftpb::MessageType::MsgAppResp, mark.index));
    pair.report(SnapshotOutcome::Sent);
    hear(&mut pair.leader, answer);

    propose(&mut pair.leader, 1);
    pair.settle();
    for _ in 0..3 {
        pair.tick();
    }
    let last = mark.index + 2;
    assert_eq!(pair.follower.status().applied, last, "the leader's first entry, and the proposal");
    assert_eq!(pair.leader.status().replicated, last);
    assert!(pair.ordered.is_empty(), "one was enough");
}

#[test]
fn a_snapshot_that_failed_is_ordered_again() {
    let mut pair = Pair::new();
    assert_eq!(pair.ordered.len(), 1);
    for _ in 0..5 {
        pair.tick();
    }
    assert_eq!(pair.ordered.len(), 1, "one at a time");
    pair.report(SnapshotOutcome::Failed);
    for _ in 0..5 {
        pair.tick();
    }
    assert_eq!(pair.ordered.len(), 2);
}

#[test]
fn an_install_waits_for_what_is_on_its_way_and_holds_back_what_comes_later() {
    let mut member = follower();
    hear(&mut member, append(1, 4, &[0, KIND_CONF_CHANGE]));
    let before = only_group(&take(&mut member)).expect("two entries");
    // It loses them when another leader's log goes elsewhere.
    let newer = raftpb::Message { term: 3, ..snapshot(&member) };
    offer(&mut member, &newer);
    let output = take(&mut member);
    assert!(output.install.is_none() && output.groups.is_empty(), "a group is under way");
    hear(&mut member, raftpb::Message { term: 3, ..append(2, 21, &[0]) });
    assert!(take(&mut member).groups.is_empty());
    persist(&mut member, before.number);
    let output = take(&mut member);
    let mark = SnapshotMark { index: 20, term: 2 };
    assert_eq!(output.install, Some(Install { mark }));
    assert!(output.groups.is_empty() && output.committed.is_empty());

    offer(&mut member, &newer);
    assert!(take(&mut member).snapshot_unneeded, "one at a time");
    member.step(Input::Installed { index: 20 }).expect("no error");
    let groups = take(&mut member).groups;
    assert_eq!(groups.iter().map(|group| group.snapshot).collect::<Vec<_>>(), [Some(mark), None]);
    assert_eq!(groups[1].entries[0].index, 21);
    assert_eq!(member.status().applied, 3, "the log has nothing of it yet");
    persist(&mut member, groups[0].number);
    assert_eq!(member.status().applied, 20);
    persist(&mut member, groups[1].number);
    let committed = take(&mut member).committed;
    assert_eq!(committed.iter().map(|entry| entry.index).collect::<Vec<_>>(), [21]);
}

#[test]
fn who_hears_nothing_any_more_campaigns_only_when_the_snapshot_is_durable() {
    let mut member = follower();
    let message = snapshot(&member);
    offer(&mut member, &message);
    assert!(take(&mut member).install.is_some());
    let hurry = |member: &mut Member| {
        for _ in 0..100 {
            member.step(Input::Tick).expect("no error");
        }
        let kind = raftpb::MessageType::MsgTimeoutNow.into();
        let (to, from, term) = (2, 1, 2);
        hear(member, raftpb::Message { r#type: kind, to, from, term, ..Default::default() });
        member.status().role
    };
    assert_eq!(hurry(&mut member), Role::Follower, "the engine doesn't have it");
    member.step(Input::Installed { index: 20 }).expect("no error");
    let group = only_group(&take(&mut member)).expect("the mark");
    assert_eq!(hurry(&mut member), Role::Follower, "the log doesn't have it");
    persist(&mut member, group.number);
    assert_eq!(hurry(&mut member), Role::PreCandidate);
}

#[test]
fn changes_that_went_out_before_a_snapshot_mean_nothing_after_it() {
    let mut member = follower();
    hear(&mut member, append(1, 4, &[KIND_CONF_CHANGE]));
    let group = only_group(&take(&mut member)).expect("an entry");
    persist(&mut member, group.number);
    let committed: Vec<LogEntry> = take(&mut member).committed;
    assert_eq!(committed.len(), 1);
    let newer = snapshot(&member);
    offer(&mut member, &newer);
    assert!(take(&mut member).install.is_some());
    // The change adds a member that the snapshot's configuration doesn't have any more.
    let change = ConfChange { node_id: 3, ..ConfChange::default() };
    member.step(conf_changed(change, voters(&[1, 2, 3]))).expect("no error");
    apply(&mut member, 4);
    member.step(Input::Installed { index: 20 }).expect("no error");
    let group = only_group(&take(&mut member)).expect("the mark");
    persist(&mut member, group.number);
    assert_eq!(member.status().applied, 20);
    let change = ConfChange { node_id: 3, ..ConfChange::default() };
    hear(&mut member, append(2, 21, &[KIND_CONF_CHANGE]));
    let group = only_group(&take(&mut member)).expect("an entry");
    persist(&mut member, group.number);
    assert_eq!(take(&mut member).committed.len(), 1);
    member.step(conf_changed(change, voters(&[1, 2, 3]))).expect("no error");
    apply(&mut member, 21);
    assert_eq!(member.status().applied, 21);
}

#[test]
fn snapshots_that_are_of_no_use_are_refused() {
    let with = |change: fn(&mut raftpb::Message)| {
        let mut member = follower();
        let mut message = snapshot(&member);
        change(&mut message);
        offer(&mut member, &message);
        let output = take(&mut member);
        assert_eq!(output.install.is_none(), output.snapshot_unneeded, "{message:?}");
        output.install.is_some()
    };
    assert!(with(|_| {}));
    assert!(!with(|message| message.snapshot.metadata.index = 2));
    assert!(!with(|message| message.snapshot.metadata.index = 0));
    assert!(!with(|message| message.snapshot.metadata.term = 0));
    assert!(!with(|message| message.term = 0));
    assert!(!with(|message| message.to = 3));
    assert!(!with(|message| message.from = 2));
    assert!(!with(|message| message.r#type = raftpb::MessageType::MsgApp.into()));
    assert!(!with(|message| message.snapshot.metadata.conf_state = voters(&[1, 3])));
    assert!(!with(|message| message.snapshot.metadata.conf_state = voters(&[1, 2, 2])));
    assert!(!with(|message| message.snapshot.metadata.conf_state.voters_outgoing = vec![2]));
    assert!(with(|message| {
        let conf_state = &mut message.snapshot.metadata.conf_state;
        (conf_state.voters, conf_state.learners) = (vec![1], vec![2]);
    }));
    // What this member's own log agrees with is only a commit index.
    assert!(!with(|message| {
        (message.snapshot.metadata.index, message.snapshot.metadata.term) = (3, 1);
    }));
}

#[test]
fn a_hard_state_from_before_a_snapshot_takes_its_term() {
    let found = restored((1, 2, 3), &[1, 2], (20, 4), &[]);
    let member = member(1, found).expect("a consistent state");
    assert_eq!((member.status().term, member.raw.raft.vote), (4, 0));
}
