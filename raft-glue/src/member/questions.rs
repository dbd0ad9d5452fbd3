//! Who asks whom whether a read is linearizable, and who shares a round of heartbeats.

use super::tests::{
    Cluster, follower, from_leader, hear, only_group, persist, propose, restored, take,
};
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

/// Members of whom one leads; with its place, and another's.
fn led(count: usize) -> (Cluster, usize, usize) {
    let mut cluster = Cluster::of(count);
    let leader = cluster.tick_until_led();
    (cluster, leader, (leader + 1) % count)
}

fn question(cluster: &Cluster, from: usize, context: &[u8]) -> raftpb::Message {
    let leader = cluster.members.iter().find(|member| member.status().role == Role::Leader);
    raftpb::Message {
        to: leader.expect("somebody leads").config.id,
        from: cluster.members[from].config.id,
        term: 0,
        entries: vec![raftpb::Entry {
            data: Some(Bytes::copy_from_slice(context)),
            ..raftpb::Entry::default()
        }],
        ..from_leader(MsgReadIndex)
    }
}

/// Ends the rounds that are under way, the newest by answers of two followers, who are a quorum of
/// five with the leader.
fn answer_newest(five: &mut Cluster, leader: usize, heartbeats: &[raftpb::Message]) {
    let (_, newest) = heartbeats.split_at(heartbeats.len() - 2);
    for heartbeat in newest {
        let follower = heartbeat.to as usize - 1;
        hear(&mut five.members[follower], heartbeat.clone());
        for answer in of_kind(&take(&mut five.members[follower]).messages, MsgHeartbeatResp) {
            hear(&mut five.members[leader], answer);
        }
    }
}

#[test]
fn all_that_ask_at_once_share_one_round() {
    let (mut five, leader, other) = led(5);
    let third = (leader + 2) % 5;
    let questions =
        [question(&five, other, b"1"), question(&five, third, b"1"), question(&five, other, b"2")];
    for question in questions {
        hear(&mut five.members[leader], question);
    }
    five.members[leader].step(Input::ReadIndex { context: 9 }).expect("ok");
    let output = take(&mut five.members[leader]);
    let heartbeats = of_kind(&output.messages, MsgHeartbeat);
    assert_eq!(heartbeats.len(), 4, "one for each follower");
    assert!(output.reads.is_empty() && heartbeats.len() == output.messages.len());
    answer_newest(&mut five, leader, &heartbeats);
    let output = take(&mut five.members[leader]);
    assert_eq!(output.reads, [Read { context: 9, index: 4 }]);
    let told: Vec<_> = of_kind(&output.messages, MsgReadIndexResp)
        .into_iter()
        .map(|answer| (answer.to as usize - 1, answer.entries[0].data.clone(), answer.index))
        .collect();
    let bytes = |context: &'static [u8]| Some(Bytes::from_static(context));
    assert_eq!(told, [(other, bytes(b"1"), 4), (third, bytes(b"1"), 4), (other, bytes(b"2"), 4)]);
}

#[test]
fn who_is_a_quorum_with_the_leader_is_answered_at_once() {
    let (mut three, leader, other) = led(3);
    let asked = question(&three, other, b"1");
    let term = three.members[leader].status().term;
    // Asked again, it is answered again: the first answer may be lost.
    for _ in 0..2 {
        hear(&mut three.members[leader], asked.clone());
        let told = take(&mut three.members[leader]).messages;
        let [answer] = &told[..] else { panic!("an answer and no heartbeats, not {told:?}") };
        assert_eq!((answer.r#type(), answer.to as usize), (MsgReadIndexResp, other + 1));
        assert_eq!((answer.term, answer.index), (term, 4));
        assert_eq!(answer.entries[0].data.as_deref(), Some(&b"1"[..]));
    }
    // What the leader reads itself, nobody has asked.
    three.members[leader].step(Input::ReadIndex { context: 9 }).expect("ok");
    let output = take(&mut three.members[leader]);
    assert_eq!((of_kind(&output.messages, MsgHeartbeat).len(), output.reads), (2, vec![]));
}

/// Another member may have executed an entry before the leader has, and told its client.
#[test]
fn an_answer_covers_what_is_committed_and_not_yet_executed() {
    let (mut three, leader, other) = led(3);
    propose(&mut three.members[leader], 1);
    let output = take(&mut three.members[leader]);
    let group = only_group(&output).expect("the entry");
    persist(&mut three.members[leader], group.number);
    for append in of_kind(&output.messages, MsgApp) {
        if append.to as usize == other + 1 {
            hear(&mut three.members[other], append);
        }
    }
    let group = only_group(&take(&mut three.members[other])).expect("the entry");
    persist(&mut three.members[other], group.number);
    for answer in of_kind(&take(&mut three.members[other]).messages, MsgAppResp) {
        hear(&mut three.members[leader], answer);
    }
    let asked = question(&three, other, b"1");
    hear(&mut three.members[leader], asked);
    let answers = of_kind(&take(&mut three.members[leader]).messages, MsgReadIndexResp);
    assert_eq!(answers.iter().map(|answer| answer.index).collect::<Vec<_>>(), [5]);
}

/// Why a question may count as an acknowledgement: whoever has gone on doesn't take the answer.
#[test]
fn who_is_in_a_later_term_takes_no_answer() {
    let (mut three, leader, other) = led(3);
    let third = 3 - leader - other;
    three.members[other].step(Input::ReadIndex { context: 7 }).expect("ok");
    let asked = of_kind(&take(&mut three.members[other]).messages, MsgReadIndex);
    hear(&mut three.members[leader], asked[0].clone());
    let answers = of_kind(&take(&mut three.members[leader]).messages, MsgReadIndexResp);
    let vote = raftpb::Message {
        term: answers[0].term + 1,
        from: three.members[third].config.id,
        to: three.members[other].config.id,
        log_term: answers[0].term,
        index: 4,
        context: Some(Bytes::from_static(b"CampaignTransfer")),
        ..from_leader(MsgVote)
    };
    hear(&mut three.members[other], vote);
    assert_eq!(three.members[other].status().term, answers[0].term + 1);
    assert_eq!(take(&mut three.members[other]).reads_dropped, [7]);
    hear(&mut three.members[other], answers[0].clone());
    assert!(take(&mut three.members[other]).reads.is_empty());
}

#[test]
fn a_question_that_was_passed_on_is_answered_to_who_asked() {
    let (mut three, leader, other) = led(3);
    let third = 3 - leader - other;
    // It takes another one for the leader, who knows better.
    let asked = question(&three, third, b"1");
    hear(&mut three.members[other], raftpb::Message { to: other as u64 + 1, ..asked });
    let [passed_on] = &of_kind(&take(&mut three.members[other]).messages, MsgReadIndex)[..] else {
        panic!("one question")
    };
    hear(&mut three.members[leader], passed_on.clone());
    let told = take(&mut three.members[leader]).messages;
    assert_eq!((told.len(), told[0].to as usize), (1, third + 1));
}

#[test]
fn who_has_no_vote_makes_no_quorum() {
    let mut found = restored((1, 0, 3), &[1, 2, 3], (3, 1), &[]);
    found.conf_state.learners = vec![4];
    let mut three = Cluster::from(&found);
    let leader = three.tick_until_led();
    // A learner, and somebody who is none of them.
    for from in [4, 5] {
        let asked = raftpb::Message { from, ..question(&three, leader, b"1") };
        hear(&mut three.members[leader], asked);
        let told = take(&mut three.members[leader]).messages;
        assert_eq!(of_kind(&told, MsgHeartbeat).len(), 3, "a round: {told:?}");
        assert!(of_kind(&told, MsgReadIndexResp).is_empty());
    }
}

#[test]
fn a_leader_of_three_that_has_committed_nothing_yet_answers_nobody() {
    let mut three = Cluster::of(3);
    let leads = |member: &Member| member.status().role == Role::Leader;
    while !three.members.iter().any(leads) {
        for at in 0..3 {
            three.members[at].step(Input::Tick).expect("ok");
            let output = take(&mut three.members[at]);
            if let Some(group) = only_group(&output) {
                persist(&mut three.members[at], group.number);
            }
            let said = [output.messages, take(&mut three.members[at]).messages].concat();
            let is_append = |message: &raftpb::Message| message.r#type() == MsgApp;
            for message in said.into_iter().filter(|message| !is_append(message)) {
                hear(&mut three.members[message.to as usize - 1], message);
            }
        }
    }
    let leader = three.members.iter().position(leads).expect("there is one");
    take(&mut three.members[leader]);
    let asked = question(&three, (leader + 1) % 3, b"1");
    hear(&mut three.members[leader], asked);
    let told = take(&mut three.members[leader]).messages;
    assert!(of_kind(&told, MsgReadIndexResp).is_empty(), "{told:?}");
}

#[test]
fn a_question_that_is_asked_again_during_its_round_is_answered_once() {
    let (mut five, leader, other) = led(5);
    let asked = question(&five, other, b"1");
    hear(&mut five.members[leader], asked.clone());
    let heartbeats = of_kind(&take(&mut five.members[leader]).messages, MsgHeartbeat);
    hear(&mut five.members[leader], asked);
    assert!(!five.members[leader].has_output(), "no round of its own");
    answer_newest(&mut five, leader, &heartbeats);
    let output = take(&mut five.members[leader]);
    assert_eq!(of_kind(&output.messages, MsgReadIndexResp).len(), 1);
}

#[test]
fn no_more_is_taken_than_there_is_room_for() {
    let (mut five, leader, other) = led(5);
    let too_long: &[u8] = &[b'q'; READ_CONTEXT_BYTES_MAX + 1];
    let asked = question(&five, other, too_long);
    hear(&mut five.members[leader], asked);
    assert!(!five.members[leader].has_output(), "no question of a member's is so long");
    let room = READS_UNDER_WAY_MAX as u64;
    // Others' questions take no room from the leader's own.
    for context in 0..=room {
        let asked = question(&five, other, &context.to_be_bytes());
        hear(&mut five.members[leader], asked);
    }
    for context in 0..=room {
        five.members[leader].step(Input::ReadIndex { context }).expect("ok");
    }
    let output = take(&mut five.members[leader]);
    assert_eq!(output.reads_dropped, [room]);
    let heartbeats = of_kind(&output.messages, MsgHeartbeat);
    answer_newest(&mut five, leader, &heartbeats);
    let output = take(&mut five.members[leader]);
    assert_eq!(output.reads.len(), READS_UNDER_WAY_MAX);
    assert_eq!(of_kind(&output.messages, MsgReadIndexResp).len(), READS_UNDER_WAY_MAX);
    assert_eq!(output.messages.len(), READS_UNDER_WAY_MAX, "no round for the one too many");
}

#[test]
fn who_comes_when_enough_rounds_are_under_way_waits_for_the_next() {
    let (mut five, leader, other) = led(5);
    let mut heartbeats = Vec::new();
    for context in 1..=READ_ROUNDS_MAX as u64 {
        five.members[leader].step(Input::ReadIndex { context }).expect("ok");
        heartbeats.extend(of_kind(&take(&mut five.members[leader]).messages, MsgHeartbeat));
    }
    assert_eq!(heartbeats.len(), 4 * READ_ROUNDS_MAX);
    for context in [b"1", b"2"] {
        let question = question(&five, other, context);
        hear(&mut five.members[leader], question.clone());
        // Asked again, and still answered once.
        hear(&mut five.members[leader], question);
    }
    assert!(!five.members[leader].has_output(), "they wait");
    answer_newest(&mut five, leader, &heartbeats);
    let output = take(&mut five.members[leader]);
    assert_eq!(output.reads.len(), READ_ROUNDS_MAX, "an answer counts for earlier rounds, too");
    let mut answers = of_kind(&output.messages, MsgReadIndexResp);
    assert!(answers.is_empty());
    let mut next = of_kind(&output.messages, MsgHeartbeat);
    next.extend(of_kind(&take(&mut five.members[leader]).messages, MsgHeartbeat));
    assert_eq!(next.len(), 4, "one round for both questions");
    answer_newest(&mut five, leader, &next);
    answers.extend(of_kind(&take(&mut five.members[leader]).messages, MsgReadIndexResp));
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
    let (mut five, leader, other) = led(5);
    let asked = question(&five, other, b"1");
    hear(&mut five.members[leader], asked);
    // The last one waits for a round to end.
    let own: Vec<u64> = (1..=READ_ROUNDS_MAX as u64 + 1).collect();
    let mut heartbeats = Vec::new();
    for &context in &own {
        five.members[leader].step(Input::ReadIndex { context }).expect("ok");
        heartbeats.extend(of_kind(&take(&mut five.members[leader]).messages, MsgHeartbeat));
    }
    five.members[leader].step(Input::StepDown).expect("ok");
    let mut output = take(&mut five.members[leader]);
    output.reads_dropped.sort_unstable();
    assert_eq!((&output.reads[..], &output.reads_dropped[..]), (&[][..], &own[..]));
    answer_newest(&mut five, leader, &heartbeats);
    let output = take(&mut five.members[leader]);
    assert!(output.reads.is_empty() && of_kind(&output.messages, MsgReadIndexResp).is_empty());
}

#[test]
fn what_was_confirmed_before_a_leader_went_is_its_own_to_read_and_nobody_elses() {
    let (mut five, leader, other) = led(5);
    let asked = question(&five, other, b"1");
    hear(&mut five.members[leader], asked);
    five.members[leader].step(Input::ReadIndex { context: 9 }).expect("ok");
    let heartbeats = of_kind(&take(&mut five.members[leader]).messages, MsgHeartbeat);
    answer_newest(&mut five, leader, &heartbeats);
    five.members[leader].step(Input::StepDown).expect("ok");
    let output = take(&mut five.members[leader]);
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
