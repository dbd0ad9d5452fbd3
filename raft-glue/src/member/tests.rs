//! A member alone, and three in one place, driven by hand.

use super::*;
use crate::testing::LogOf;
use crate::{Error, KIND_CONF_CHANGE, TAIL_BYTES_MAX, conf_state_after, decode_conf_change};
use prost::Message as _;
use retcd_api::raftpb;
use retcd_vfs::MemVfs;
use retcd_wal::{LogEntry, SnapshotMark};

pub(super) fn member(id: u64, restored: Restored) -> Result<Member> {
    let config = MemberConfig {
        id,
        election_ticks: 10,
        pre_vote: true,
        seed: 42,
        tail_bytes_max: TAIL_BYTES_MAX,
        tail_bytes_kept: 1 << 20,
        group_bytes_max: 32 << 20,
    };
    Member::new(config, restored, &slog::Logger::root(slog::Discard, slog::o!()))
}

/// What a start finds: a hard state (term, vote, commit), voters, what is applied (index, term),
/// and a log with `entries`, or one that begins behind what is applied.
pub(super) fn restored(
    hard_state: (u64, u64, u64),
    ids: &[u64],
    applied: (u64, u64),
    entries: &[LogEntry],
) -> Restored {
    restored_and_log(hard_state, ids, applied, entries).0
}

fn restored_and_log(
    (term, vote, commit): (u64, u64, u64),
    ids: &[u64],
    (index, applied_term): (u64, u64),
    entries: &[LogEntry],
) -> (Restored, LogOf) {
    let applied = SnapshotMark { index, term: applied_term };
    let behind = |first: &LogEntry| SnapshotMark { index: first.index - 1, ..applied };
    let log = LogOf::with(&MemVfs::new(), entries.first().map_or(applied, behind), entries);
    let changes = entries.iter().filter(|e| e.kind != crate::KIND_NORMAL && e.index > index);
    let restored = Restored {
        hard_state: HardState { term, vote, commit },
        conf_state: voters(ids),
        applied,
        last: log.last(),
        conf_changes: changes.map(|entry| entry.index).collect(),
        log: log.log.reader(),
    };
    (restored, log)
}

pub(super) fn conf_changed(change: ConfChange, state: ConfState) -> Input {
    Input::ConfChanged { change: Some(Box::new(change)), state: Box::new(state) }
}

pub(super) fn voters(ids: &[u64]) -> ConfState {
    ConfState { voters: ids.to_vec(), ..ConfState::default() }
}

fn entry(index: u64, term: u64) -> LogEntry {
    LogEntry { index, term, kind: crate::KIND_NORMAL, data: Bytes::from_static(b"entry") }
}

/// A lone voter that has applied everything and leads. Its log has the entry of its election.
fn lone_leader() -> Member {
    let (found, mut log) = restored_and_log((1, 1, 3), &[1], (3, 1), &[]);
    let mut member = member(1, found).expect("a consistent state");
    let output = member.take_output().expect("no error");
    let group = only_group(&output).expect("the empty entry of the new term");
    log.append(&group.entries);
    persist(&mut member, group.number);
    let output = member.take_output().expect("no error");
    assert_eq!(output.committed.len(), 1);
    apply(&mut member, 4);
    assert!(!member.has_output());
    member
}

pub(super) fn persist(member: &mut Member, number: u64) {
    member.step(Input::Persisted { number }).expect("no error");
}

pub(super) fn apply(member: &mut Member, index: u64) {
    member.step(Input::Applied { index }).expect("no error");
}

pub(super) fn propose(member: &mut Member, token: u64) {
    let data = token.to_be_bytes().to_vec().into();
    let input = Input::Propose { token, data };
    member.step(input).expect("no error");
}

pub(super) fn only_group(output: &Output) -> Option<AppendGroup> {
    assert!(output.groups.len() <= 1);
    output.groups.first().cloned()
}

pub(super) fn take(member: &mut Member) -> Output {
    member.take_output().expect("no error")
}

#[test]
fn a_lone_voter_leads_at_once_and_commits_only_what_is_durable() {
    let mut member = lone_leader();
    for token in 0..100 {
        propose(&mut member, token);
    }
    let output = take(&mut member);
    let first = only_group(&output).expect("one group for the batch");
    assert_eq!(first.entries.len(), 100);
    assert!(output.committed.is_empty(), "nothing is durable yet");
    // More arrive while the first group is on its way.
    propose(&mut member, 100);
    let second = only_group(&take(&mut member)).expect("a second group");
    assert_eq!(second.entries[0].index, first.entries[99].index + 1);
    assert!(!member.has_output());

    persist(&mut member, first.number);
    let output = take(&mut member);
    assert_eq!(output.committed, first.entries);
    assert!(output.groups.is_empty(), "a commit index makes no group");
    persist(&mut member, second.number);
    assert_eq!(take(&mut member).committed, second.entries);

    propose(&mut member, 101);
    let third = only_group(&take(&mut member)).expect("a third group");
    let state = third.hard_state.expect("the commit index rides along");
    assert_eq!(state.commit, second.entries[0].index);
}

#[test]
fn a_lone_voter_says_nothing_in_a_term_that_its_log_does_not_have() {
    let mut found = restored((1, 1, 3), &[1], (3, 1), &[]);
    found.conf_state.learners = vec![2];
    let mut member = member(1, found).expect("a consistent state");
    let output = take(&mut member);
    let elected = only_group(&output).expect("the new term, and its empty entry");
    assert_eq!(elected.hard_state.expect("it is new").term, 2);
    // It leads, but a crash would make it lead in this term again, with other entries.
    assert_eq!(output.role.map(|change| change.role), Some(Role::Leader));
    assert!(output.messages.is_empty());
    member.step(Input::Tick).expect("no error");
    assert!(take(&mut member).messages.is_empty());

    persist(&mut member, elected.number);
    let said = take(&mut member).messages;
    assert!(said.iter().any(|message| message.r#type() == raftpb::MessageType::MsgApp));
    assert!(said.iter().all(|message| message.term == 2 && message.to == 2));
    // From now on nothing waits for the disk.
    propose(&mut member, 1);
    assert!(only_group(&take(&mut member)).is_some());
    member.step(Input::Tick).expect("no error");
    assert!(!take(&mut member).messages.is_empty());
}

#[test]
fn a_report_may_cover_several_groups() {
    let mut member = lone_leader();
    propose(&mut member, 1);
    let first = only_group(&take(&mut member)).expect("a group");
    propose(&mut member, 2);
    let second = only_group(&take(&mut member)).expect("a group");
    persist(&mut member, second.number);
    let committed = take(&mut member).committed;
    assert_eq!(committed, [first.entries, second.entries].concat());
}

#[test]
fn reads_wait_for_the_first_entry_of_the_term() {
    let found = restored((1, 1, 3), &[1], (3, 1), &[entry(4, 1)]);
    let mut member = member(1, found).expect("a consistent state");
    member.step(Input::ReadIndex { context: 7 }).expect("ok");
    let output = take(&mut member);
    let group = only_group(&output).expect("the empty entry");
    member.step(Input::ReadIndex { context: 8 }).expect("ok");
    assert!(take(&mut member).reads.is_empty());
    persist(&mut member, group.number);
    let output = take(&mut member);
    assert_eq!(output.committed.len(), 2);
    let mut reads = output.reads;
    reads.append(&mut take(&mut member).reads);
    assert_eq!(reads, [7, 8].map(|context| Read { context, index: 5 }));
    member.step(Input::ReadIndex { context: 9 }).expect("ok");
    assert_eq!(take(&mut member).reads, [Read { context: 9, index: 5 }]);
}

#[test]
fn too_much_to_apply_refuses_proposals() {
    let mut member = lone_leader();
    for token in 0..=UNAPPLIED_ENTRIES_MAX {
        propose(&mut member, token);
    }
    let group = only_group(&take(&mut member)).expect("a group");
    persist(&mut member, group.number);
    let last = take(&mut member).committed.last().expect("entries").index;
    assert!(member.is_overloaded());
    propose(&mut member, 1_000_000);
    let dropped = Dropped { token: 1_000_000, reason: DropReason::TooManyRequests };
    assert_eq!(take(&mut member).dropped, [dropped]);
    apply(&mut member, last - 10);
    assert!(!member.is_overloaded());
    assert!(member.status().tail_bytes < 11 * 256, "the applied ones are dropped");
}

#[test]
fn a_full_tail_refuses_proposals() {
    let mut member = lone_leader();
    member.config.tail_bytes_max = 1_000;
    let data = Bytes::from(vec![0; 2_000]);
    let input = Input::Propose { token: 1, data };
    member.step(input).expect("ok");
    let group = only_group(&take(&mut member)).expect("a group");
    propose(&mut member, 2);
    assert_eq!(take(&mut member).dropped.len(), 1);
    persist(&mut member, group.number);
    let index = take(&mut member).committed[0].index;
    apply(&mut member, index);
    propose(&mut member, 3);
    assert!(take(&mut member).dropped.is_empty());
}

#[test]
fn a_batch_above_the_groups_limit_is_split_and_reported_as_one() {
    let mut member = lone_leader();
    member.config.group_bytes_max = 10_000;
    let propose = |member: &mut Member, token, bytes| {
        let data = vec![0; bytes].into();
        member.step(Input::Propose { token, data }).expect("ok");
    };
    for token in 0..5 {
        propose(&mut member, token, 4_000);
    }
    propose(&mut member, 5, 10_000);
    let output = take(&mut member);
    let too_large = Dropped { token: 5, reason: DropReason::TooLarge };
    assert_eq!(output.dropped, [too_large]);
    assert_eq!(output.groups.len(), 3);
    for group in &output.groups[..2] {
        persist(&mut member, group.number);
        assert!(!member.has_output(), "the group isn't complete");
    }
    persist(&mut member, output.groups[2].number);
    assert_eq!(take(&mut member).committed.len(), 5);
}

#[test]
fn committed_entries_come_in_bounded_portions() {
    let mut member = lone_leader();
    let data = Bytes::from(vec![0; 1 << 20]);
    for token in 0..7 {
        let data = data.clone();
        member.step(Input::Propose { token, data }).expect("ok");
    }
    let group = only_group(&take(&mut member)).expect("a group");
    persist(&mut member, group.number);
    let mut sizes = Vec::new();
    while member.has_output() {
        let committed = take(&mut member).committed;
        assert_eq!(committed[0].data.as_ptr(), data.as_ptr(), "the payload is shared");
        sizes.push(committed.len());
    }
    assert_eq!(sizes, [3, 3, 1]);
}

/// The first start of a member: its own addition is the first entry.
fn newborn() -> (Member, ConfChange) {
    let change = ConfChange {
        id: 0,
        r#type: ConfChangeType::ConfChangeAddNode.into(),
        node_id: 1,
        context: Some(Bytes::from_static(b"{}")),
    };
    let first =
        LogEntry { index: 1, term: 1, kind: KIND_CONF_CHANGE, data: change.encode_to_vec().into() };
    let found = restored((1, 0, 1), &[], (0, 0), &[first]);
    (member(1, found).expect("a consistent state"), change)
}

#[test]
fn a_newborn_campaigns_once_its_own_addition_is_applied() {
    let (mut member, change) = newborn();
    let output = take(&mut member);
    assert!(output.groups.is_empty() && output.role.is_none());
    let found = decode_conf_change(1, &output.committed[0].data).expect("a conf change");
    assert_eq!(found, change);
    let state = conf_state_after(&ConfState::default(), &change).expect("a voter");
    // The two reports may come in either order.
    apply(&mut member, 1);
    assert_eq!(member.status().applied, 0, "raft doesn't know the change yet");
    assert!(take(&mut member).groups.is_empty());
    let input = conf_changed(change, state);
    member.step(input).expect("ok");
    assert_eq!(member.status().applied, 1);
    let output = take(&mut member);
    assert_eq!(output.role.map(|role| (role.leader, role.term)), Some((1, 2)));
    let group = only_group(&output).expect("the empty entry and the vote");
    assert_eq!(group.entries.len(), 1);
    let state = group.hard_state.expect("a new term");
    assert_eq!((state.term, state.vote, state.commit), (2, 1, 1));
}

#[test]
fn a_membership_change_that_wasnt_committed_doesnt_keep_a_lone_voter_from_leading() {
    let change = LogEntry { kind: KIND_CONF_CHANGE, ..entry(5, 1) };
    let found = restored((1, 1, 4), &[1], (3, 1), &[entry(4, 1), change]);
    let member = member(1, found).expect("a consistent state");
    assert_eq!(member.status().role, Role::Leader);
}

#[test]
fn conf_changes_go_in_with_etcds_bytes_and_one_at_a_time() {
    let mut member = lone_leader();
    let change = ConfChange {
        id: 5,
        r#type: ConfChangeType::ConfChangeAddLearnerNode.into(),
        node_id: 2,
        context: Some(Bytes::from_static(b"{\"id\":2}")),
    };
    let data: Bytes = change.encode_to_vec().into();
    for token in [1, 2] {
        let data = data.clone();
        let input = Input::ProposeConfChange { token, data };
        member.step(input).expect("ok");
    }
    let output = take(&mut member);
    let dropped = Dropped { token: 2, reason: DropReason::ConfChangePending };
    assert_eq!(output.dropped, [dropped]);
    let group = only_group(&output).expect("a group");
    assert_eq!(group.entries.len(), 1);
    assert_eq!((group.entries[0].kind, &group.entries[0].data), (KIND_CONF_CHANGE, &data));
    persist(&mut member, group.number);
    let index = take(&mut member).committed[0].index;
    let state = conf_state_after(&voters(&[1]), &change).expect("a voter");
    assert_eq!(state.learners, [2]);
    let input = conf_changed(change, state);
    member.step(input).expect("the library agrees");
    apply(&mut member, index);
    let input = Input::ProposeConfChange { token: 3, data: Bytes::from_static(b"\xff") };
    member.step(input).expect("ok");
    assert_eq!(take(&mut member).dropped[0].reason, DropReason::InvalidConfChange);
    assert_eq!(member.status().role, Role::Leader, "a learner doesn't end a lone vote");
}

#[test]
fn a_removed_leader_steps_down() {
    let mut member = lone_leader();
    for (kind, id) in
        [(ConfChangeType::ConfChangeAddNode, 2), (ConfChangeType::ConfChangeRemoveNode, 1)]
    {
        let change = ConfChange { r#type: kind.into(), node_id: id, ..ConfChange::default() };
        let state = if id == 2 { voters(&[1, 2]) } else { voters(&[2]) };
        member.step(conf_changed(change, state)).expect("ok");
    }
    let output = take(&mut member);
    assert!(output.removed);
    assert_eq!(member.status().role, Role::Follower);
    for _ in 0..100 {
        member.step(Input::Tick).expect("ok");
    }
    assert_eq!(member.status().role, Role::Follower);
    propose(&mut member, 1);
    assert_eq!(take(&mut member).dropped.len(), 1);
}

#[test]
fn inconsistent_states_are_refused() {
    let found = |hard_state, last| {
        let entries: Vec<_> = (2..=last).map(|index| entry(index, 2)).collect();
        member(1, restored(hard_state, &[1], (3, 2), &entries))
    };
    assert!(found((2, 0, 5), 6).is_ok());
    for (name, refused) in [
        ("committed entries are lost", found((2, 0, 5), 4)),
        ("applied entries are lost", found((2, 0, 2), 2)),
        ("the hard state is old", found((1, 0, 5), 6)),
    ] {
        assert!(matches!(refused.err(), Some(Error::Inconsistent { .. })), "{name}");
    }
}

#[test]
fn the_commit_index_is_at_least_the_applied_one() {
    let found = restored((2, 0, 1), &[1, 2], (3, 2), &[entry(4, 2)]);
    let member = member(1, found).expect("a consistent state");
    assert_eq!(member.status().committed, 3);
}

/// A follower among three that hears from a leader.
pub(super) fn follower() -> Member {
    let found = restored((1, 0, 3), &[1, 2, 3], (3, 1), &[]);
    member(1, found).expect("a consistent state")
}

pub(super) fn from_leader(kind: raftpb::MessageType) -> raftpb::Message {
    raftpb::Message {
        r#type: kind.into(),
        to: 1,
        from: 2,
        term: 2,
        log_term: 1,
        index: 3,
        commit: 3,
        ..raftpb::Message::default()
    }
}

pub(super) fn hear(member: &mut Member, message: raftpb::Message) {
    member.step(Input::Message(Box::new(message))).expect("no error");
}

#[test]
fn without_a_leader_reads_and_proposals_come_back() {
    let mut member = follower();
    member.step(Input::ReadIndex { context: 7 }).expect("ok");
    propose(&mut member, 8);
    let output = take(&mut member);
    assert_eq!(output.reads_dropped, [7]);
    assert_eq!(output.dropped, [Dropped { token: 8, reason: DropReason::NoLeader }]);
}

#[test]
fn a_follower_acknowledges_only_what_is_durable() {
    let mut member = follower();
    let mut append = from_leader(raftpb::MessageType::MsgApp);
    append.entries = vec![raftpb::Entry { term: 2, index: 4, ..raftpb::Entry::default() }];
    hear(&mut member, append);
    let output = take(&mut member);
    let group = only_group(&output).expect("a group");
    assert!(output.messages.is_empty(), "nothing leaves before the sync");
    // An answer that needs no sync of its own still stays behind the earlier one.
    hear(&mut member, from_leader(raftpb::MessageType::MsgHeartbeat));
    let output = take(&mut member);
    assert!(output.groups.is_empty() && output.messages.is_empty());
    persist(&mut member, group.number);
    let kinds: Vec<_> = take(&mut member).messages.iter().map(|m| m.r#type()).collect();
    use raftpb::MessageType::*;
    assert_eq!(kinds, [MsgAppResp, MsgHeartbeatResp]);
    hear(&mut member, from_leader(MsgHeartbeat));
    assert_eq!(take(&mut member).messages.len(), 1, "nothing to wait for");
}

#[test]
fn messages_that_raft_would_choke_on_are_ignored() {
    use raftpb::MessageType::*;
    let mut member = follower();
    hear(&mut member, from_leader(MsgHeartbeat));
    let group = only_group(&take(&mut member)).expect("the new term");
    persist(&mut member, group.number);
    take(&mut member);
    let of = |kind, term, entries: Vec<raftpb::Entry>| raftpb::Message {
        term,
        entries,
        ..from_leader(kind)
    };
    let at = |index| raftpb::Entry { term: 2, index, ..raftpb::Entry::default() };
    for message in [
        of(MsgProp, 0, Vec::new()),
        of(MsgReadIndex, 0, Vec::new()),
        of(MsgReadIndexResp, 2, Vec::new()),
        of(MsgApp, 2, vec![at(4), at(6)]),
        of(MsgApp, 0, vec![at(4)]),
        of(MsgSnap, 2, Vec::new()),
        raftpb::Message { to: 3, ..of(MsgApp, 2, vec![at(4)]) },
        raftpb::Message { from: 1, ..of(MsgApp, 2, vec![at(4)]) },
    ] {
        let told = format!("{message:?}");
        hear(&mut member, message);
        assert!(take(&mut member).is_empty(), "{told}");
    }
    let lost = raftpb::Message { commit: 9, ..from_leader(MsgHeartbeat) };
    let error = member.step(Input::Message(Box::new(lost))).expect_err("entries are missing");
    assert!(matches!(error, Error::LogLost { commit: 9, last: 3 }));
}
/// Members whose messages are delivered at once and whose groups are durable at once.
pub(super) struct Cluster {
    pub(super) members: Vec<Member>,
    committed: Vec<Vec<LogEntry>>,
}

impl Cluster {
    pub(super) fn of(count: usize) -> Cluster {
        let ids: Vec<u64> = (1..=count as u64).collect();
        Cluster::from(&restored((1, 0, 3), &ids, (3, 1), &[]))
    }

    pub(super) fn from(found: &Restored) -> Cluster {
        let start = |&id: &u64| member(id, found.clone()).expect("a consistent state");
        let members: Vec<Member> = found.conf_state.voters.iter().map(start).collect();
        Cluster { committed: vec![Vec::new(); members.len()], members }
    }

    pub(super) fn settle(&mut self) {
        while self.members.iter().any(Member::has_output) {
            for at in 0..self.members.len() {
                let output = take(&mut self.members[at]);
                let group = only_group(&output);
                for message in output.messages {
                    if let Some(member) = self.members.get_mut(message.to as usize - 1) {
                        hear(member, message);
                    }
                }
                if let Some(group) = group {
                    persist(&mut self.members[at], group.number);
                }
                if let Some(last) = output.committed.last() {
                    apply(&mut self.members[at], last.index);
                }
                self.committed[at].extend(output.committed);
            }
        }
    }

    pub(super) fn tick_until_led(&mut self) -> usize {
        for _ in 0..100 {
            for member in &mut self.members {
                member.step(Input::Tick).expect("ok");
            }
            self.settle();
            let leads = |member: &Member| member.status().role == Role::Leader;
            if let Some(leader) = self.members.iter().position(leads) {
                return leader;
            }
        }
        panic!("no leader after 100 ticks");
    }
}

#[test]
fn three_members_agree_and_elections_repeat() {
    let mut three = Cluster::of(3);
    let leader = three.tick_until_led();
    assert_eq!(Cluster::of(3).tick_until_led(), leader, "the seed decides");
    let follower = (leader + 1) % 3;
    propose(&mut three.members[leader], 1);
    propose(&mut three.members[follower], 2);
    three.members[follower].step(Input::ReadIndex { context: 5 }).expect("ok");
    three.settle();
    assert_eq!(three.committed[0].len(), 3, "the empty entry and two proposals");
    assert_eq!(three.committed[0], three.committed[1]);
    assert_eq!(three.committed[0], three.committed[2]);
}

#[test]
fn what_only_a_leader_may_propose_is_forwarded_to_nobody() {
    let as_leader = |term| Input::ProposeAsLeader { term, data: Bytes::from_static(b"x") };
    let mut three = Cluster::of(3);
    let leader = three.tick_until_led();
    let term = three.members[leader].status().term;
    for (at, term) in [(leader, term - 1), ((leader + 1) % 3, term)] {
        three.members[at].step(as_leader(term)).expect("ok");
        assert!(!three.members[at].has_output(), "member {at}, term {term}");
    }
    three.members[leader].step(as_leader(term)).expect("ok");
    let last = three.members[leader].status().last;
    three.settle();
    assert_eq!(three.committed[0].last().map(|entry| entry.index), Some(last));

    // Deposed before the output: an own proposal goes with the entries that nobody will commit,
    // and one that comes later goes nowhere.
    let next = (leader + 1) % 3;
    let (from, to) = (next as u64 + 1, leader as u64 + 1);
    three.members[leader].step(as_leader(term)).expect("ok");
    hear(
        &mut three.members[leader],
        raftpb::Message {
            term: term + 1,
            from,
            to,
            ..from_leader(raftpb::MessageType::MsgHeartbeat)
        },
    );
    three.members[leader].step(as_leader(term)).expect("ok");
    three.members[leader].step(as_leader(term + 1)).expect("ok");
    assert_eq!(three.members[leader].status().last, last + 1);
    let messages = take(&mut three.members[leader]).messages;
    let is_proposal = |message: &raftpb::Message| message.r#type() == raftpb::MessageType::MsgProp;
    assert!(!messages.iter().any(is_proposal), "{messages:?}");
}

#[test]
fn a_leader_knows_what_every_member_has() {
    let mut three = Cluster::of(3);
    let leader = three.tick_until_led();
    let replicated = |three: &Cluster| three.members[leader].status().replicated;
    assert_eq!(replicated(&three), 4, "the empty entry");
    assert_eq!(three.members[(leader + 1) % 3].status().replicated, 0, "a follower doesn't know");
    propose(&mut three.members[leader], 1);
    let output = take(&mut three.members[leader]);
    persist(&mut three.members[leader], only_group(&output).expect("the proposal").number);
    assert_eq!(replicated(&three), 4, "the others lack the proposal");
    for message in output.messages {
        hear(&mut three.members[message.to as usize - 1], message);
    }
    three.settle();
    assert_eq!(replicated(&three), 5);
}
