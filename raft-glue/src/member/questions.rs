//! Who asks whom whether a read is linearizable, and who shares a round of heartbeats.

use super::tests::{Three, follower, from_leader, hear, only_group, persist, restored, take};
use super::*;
use crate::Read;
use crate::limits::{
    READ_ASKED_AGAIN_TICKS, READ_CONTEXT_BYTES_MAX, READ_ROUNDS_MAX, READS_UNDER_WAY_MAX,
};
use retcd_api::raftpb;
use retcd_api::raftpb::MessageType::*;

#[test]
fn a_read_whose_question_or_answer_is_lost_is_asked_again() {
    let mut member = follower();
    hear(&mut member, from_leader(MsgHeartbeat));
    let group = only_group(&take(&mut member)).expect("the new term");
    persist(&mut member, group.number);
    take(&mut member);
    member.step(Input::ReadIndex { context: 7 }).expect("ok");
    let [first] = &take(&mut member).messages[..] else { panic!("one question") };
    assert_eq!((first.r#type(), first.to), (MsgReadIndex, 2));
    for _ in 0..2 {
        for _ in 0..READ_ASKED_AGAIN_TICKS {
            assert!(!member.has_output(), "not so soon");
            member.step(Input::Tick).expect("ok");
        }
        let [again] = &take(&mut member).messages[..] else { panic!("one question") };
        assert_eq!(again, first);
    }
    // Not heard from for so long, the leader would be given up soon.
    hear(&mut member, from_leader(MsgHeartbeat));
    take(&mut member);
    // All are answered, and one is enough.
    let answer =
        raftpb::Message { entries: first.entries.clone(), ..from_leader(MsgReadIndexResp) };
    hear(&mut member, answer.clone());
    assert_eq!(take(&mut member).reads, [Read { context: 7, index: 3 }]);
    hear(&mut member, answer);
    assert!(take(&mut member).reads.is_empty());
    for _ in 0..READ_ASKED_AGAIN_TICKS {
        member.step(Input::Tick).expect("ok");
    }
    assert!(!member.has_output());
}

fn of_kind(messages: &[raftpb::Message], kind: raftpb::MessageType) -> Vec<raftpb::Message> {
    messages.iter().filter(|message| message.r#type() == kind).cloned().collect()
}

/// Three members of whom one leads; with its place, and another's.
fn led() -> (Three, usize, usize) {
    let mut three = Three::new();
    let leader = three.tick_until_led();
    (three, leader, (leader + 1) % 3)
}

fn question(three: &Three, from: usize, context: &[u8]) -> raftpb::Message {
    let leader = three.members.iter().find(|member| member.status().role == Role::Leader);
    raftpb::Message {
        to: leader.expect("somebody leads").config.id,
        from: three.members[from].config.id,
        term: 0,
        entries: vec![raftpb::Entry {
            data: Some(Bytes::copy_from_slice(context)),
            ..raftpb::Entry::default()
        }],
        ..from_leader(MsgReadIndex)
    }
}

/// Ends the rounds that are under way, the newest by one follower's answer.
fn answer_newest(three: &mut Three, leader: usize, heartbeats: &[raftpb::Message]) {
    let newest = heartbeats.last().expect("a heartbeat");
    let follower = newest.to as usize - 1;
    hear(&mut three.members[follower], newest.clone());
    for answer in of_kind(&take(&mut three.members[follower]).messages, MsgHeartbeatResp) {
        hear(&mut three.members[leader], answer);
    }
}

#[test]
fn all_that_ask_at_once_share_one_round() {
    let (mut three, leader, other) = led();
    let third = 3 - leader - other;
    let questions = [
        question(&three, other, b"1"),
        question(&three, third, b"1"),
        question(&three, other, b"2"),
    ];
    for question in questions {
        hear(&mut three.members[leader], question);
    }
    three.members[leader].step(Input::ReadIndex { context: 9 }).expect("ok");
    let output = take(&mut three.members[leader]);
    let heartbeats = of_kind(&output.messages, MsgHeartbeat);
    assert_eq!(heartbeats.len(), 2, "one for each follower");
    assert!(output.reads.is_empty() && heartbeats.len() == output.messages.len());
    answer_newest(&mut three, leader, &heartbeats);
    let output = take(&mut three.members[leader]);
    assert_eq!(output.reads, [Read { context: 9, index: 4 }]);
    let told: Vec<_> = of_kind(&output.messages, MsgReadIndexResp)
        .into_iter()
        .map(|answer| (answer.to as usize - 1, answer.entries[0].data.clone(), answer.index))
        .collect();
    let bytes = |context: &'static [u8]| Some(Bytes::from_static(context));
    assert_eq!(told, [(other, bytes(b"1"), 4), (third, bytes(b"1"), 4), (other, bytes(b"2"), 4)]);
}

#[test]
fn a_question_that_is_asked_again_during_its_round_is_answered_once() {
    let (mut three, leader, other) = led();
    let asked = question(&three, other, b"1");
    hear(&mut three.members[leader], asked.clone());
    let heartbeats = of_kind(&take(&mut three.members[leader]).messages, MsgHeartbeat);
    hear(&mut three.members[leader], asked);
    assert!(!three.members[leader].has_output(), "no round of its own");
    answer_newest(&mut three, leader, &heartbeats);
    let output = take(&mut three.members[leader]);
    assert_eq!(of_kind(&output.messages, MsgReadIndexResp).len(), 1);
}

#[test]
fn no_more_is_taken_than_there_is_room_for() {
    let (mut three, leader, other) = led();
    let too_long: &[u8] = &[b'q'; READ_CONTEXT_BYTES_MAX + 1];
    let asked = question(&three, other, too_long);
    hear(&mut three.members[leader], asked);
    assert!(!three.members[leader].has_output(), "no question of a member's is so long");
    let room = READS_UNDER_WAY_MAX as u64;
    for context in 0..=room {
        three.members[leader].step(Input::ReadIndex { context }).expect("ok");
    }
    let asked = question(&three, other, b"1");
    hear(&mut three.members[leader], asked);
    let output = take(&mut three.members[leader]);
    assert_eq!(output.reads_dropped, [room]);
    let heartbeats = of_kind(&output.messages, MsgHeartbeat);
    answer_newest(&mut three, leader, &heartbeats);
    let output = take(&mut three.members[leader]);
    assert_eq!(output.reads.len(), READS_UNDER_WAY_MAX);
    assert!(output.messages.is_empty(), "no answer, and no round for it");
}

#[test]
fn who_comes_when_enough_rounds_are_under_way_waits_for_the_next() {
    let (mut three, leader, other) = led();
    let mut heartbeats = Vec::new();
    for context in 1..=READ_ROUNDS_MAX as u64 {
        three.members[leader].step(Input::ReadIndex { context }).expect("ok");
        heartbeats.extend(of_kind(&take(&mut three.members[leader]).messages, MsgHeartbeat));
    }
    assert_eq!(heartbeats.len(), 2 * READ_ROUNDS_MAX);
    for context in [b"1", b"2"] {
        let question = question(&three, other, context);
        hear(&mut three.members[leader], question.clone());
        // Asked again, and still answered once.
        hear(&mut three.members[leader], question);
    }
    assert!(!three.members[leader].has_output(), "they wait");
    answer_newest(&mut three, leader, &heartbeats);
    let output = take(&mut three.members[leader]);
    assert_eq!(output.reads.len(), READ_ROUNDS_MAX, "an answer counts for earlier rounds, too");
    let mut answers = of_kind(&output.messages, MsgReadIndexResp);
    assert!(answers.is_empty());
    let mut next = of_kind(&output.messages, MsgHeartbeat);
    next.extend(of_kind(&take(&mut three.members[leader]).messages, MsgHeartbeat));
    assert_eq!(next.len(), 2, "one round for both questions");
    answer_newest(&mut three, leader, &next);
    answers.extend(of_kind(&take(&mut three.members[leader]).messages, MsgReadIndexResp));
    assert_eq!(answers.len(), 2);
}

#[test]
fn a_question_to_a_leader_that_has_committed_nothing_yet_is_answered_when_it_has() {
    let found = restored((1, 1, 3), &[1], (3, 1), &[]);
    let mut leader = super::tests::member(1, found).expect("a consistent state");
    let group = only_group(&take(&mut leader)).expect("the empty entry");
    let entries =
        vec![raftpb::Entry { data: Some(Bytes::from_static(b"q")), ..raftpb::Entry::default() }];
    hear(&mut leader, raftpb::Message { term: 0, entries, ..from_leader(MsgReadIndex) });
    assert!(!leader.has_output());
    persist(&mut leader, group.number);
    let mut told = take(&mut leader).messages;
    told.extend(take(&mut leader).messages);
    let [answer] = &told[..] else { panic!("one answer, not {told:?}") };
    assert_eq!((answer.r#type(), answer.to, answer.index), (MsgReadIndexResp, 2, 4));
}

#[test]
fn a_leader_that_is_none_any_more_answers_nobody() {
    let (mut three, leader, other) = led();
    let asked = question(&three, other, b"1");
    hear(&mut three.members[leader], asked);
    // The last one waits for a round to end.
    let own: Vec<u64> = (1..=READ_ROUNDS_MAX as u64 + 1).collect();
    let mut heartbeats = Vec::new();
    for &context in &own {
        three.members[leader].step(Input::ReadIndex { context }).expect("ok");
        heartbeats.extend(of_kind(&take(&mut three.members[leader]).messages, MsgHeartbeat));
    }
    three.members[leader].step(Input::StepDown).expect("ok");
    let mut output = take(&mut three.members[leader]);
    output.reads_dropped.sort_unstable();
    assert_eq!((&output.reads[..], &output.reads_dropped[..]), (&[][..], &own[..]));
    answer_newest(&mut three, leader, &heartbeats);
    let output = take(&mut three.members[leader]);
    assert!(output.reads.is_empty() && of_kind(&output.messages, MsgReadIndexResp).is_empty());
}

#[test]
fn what_was_confirmed_before_a_leader_went_is_its_own_to_read_and_nobody_elses() {
    let (mut three, leader, other) = led();
    let asked = question(&three, other, b"1");
    hear(&mut three.members[leader], asked);
    three.members[leader].step(Input::ReadIndex { context: 9 }).expect("ok");
    let heartbeats = of_kind(&take(&mut three.members[leader]).messages, MsgHeartbeat);
    answer_newest(&mut three, leader, &heartbeats);
    three.members[leader].step(Input::StepDown).expect("ok");
    let output = take(&mut three.members[leader]);
    assert_eq!(output.reads, [Read { context: 9, index: 4 }]);
    assert!(of_kind(&output.messages, MsgReadIndexResp).is_empty(), "the term isn't its own");
}

#[test]
fn a_read_that_went_to_a_leader_of_before_comes_back() {
    let mut member = follower();
    hear(&mut member, from_leader(MsgHeartbeat));
    let group = only_group(&take(&mut member)).expect("the new term");
    persist(&mut member, group.number);
    take(&mut member);
    member.step(Input::ReadIndex { context: 7 }).expect("ok");
    take(&mut member);
    let heartbeat = from_leader(MsgHeartbeat);
    hear(&mut member, raftpb::Message { term: heartbeat.term + 1, from: 3, ..heartbeat });
    assert_eq!(take(&mut member).reads_dropped, [7]);
}
