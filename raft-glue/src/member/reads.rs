//! Linearizable reads: this member's own, and those that followers ask a leader about.
//!
//! A leader answers most questions in rounds of heartbeats. All that wait when a round begins share
//! it, whoever asked: members that ask often cost a cluster no more heartbeats than one. At most
//! [`READ_ROUNDS_MAX`] rounds are under way, so a question waits for half a round or so where many
//! are asked, and not at all where few are. The index that a round confirms was committed when it
//! began, which is after all its questions came.
//!
//! Whom a question makes a quorum with the leader, as any two of three voters are, is answered at
//! once, if the leader has committed an entry of its term. The answer carries that term, and is
//! taken by nobody who is in a later one: so its reader was in no later one when it asked, and had
//! voted in none, and nor had the leader, who answers afterwards. Nobody else can have been elected
//! by then, and what was acknowledged by then the leader has committed when it answers. The reads
//! behind a question began before it was made, and must see no more. So it doesn't matter when a
//! question comes, how often, or through whom
//! (`docs/decisions/0019-a-question-acknowledges-a-leader.md`).

use super::Member;
use crate::Read;
use crate::limits::{
    READ_ASKED_AGAIN_TICKS, READ_CONTEXT_BYTES_MAX, READ_ROUNDS_MAX, READS_UNDER_WAY_MAX,
};
use bytes::Bytes;
use raft::eraftpb::{Entry, Message, MessageType};
use raft::{ReadState, StateRole};

/// Begins what raft knows a round by, so that no question of a member's own looks like one.
const ROUND_TAG: u8 = b'r';

/// Reads that wait for an answer.
#[derive(Default)]
pub(super) struct Reads {
    /// This member's own, which the leader was asked about.
    asked: Vec<Asked>,
    /// Those that the next round will serve, if this member leads.
    waiting: Vec<Question>,
    /// Those of this leadership that are under way, oldest first.
    rounds: Vec<Round>,
    rounds_begun: u64,
}

/// A read that the leader was asked about.
struct Asked {
    context: u64,
    /// Since it was last asked.
    ticks: usize,
}

/// A round of heartbeats.
struct Round {
    number: u64,
    /// Of the leadership that it confirms.
    term: u64,
    questions: Vec<Question>,
}

/// A read that a leader is to answer.
#[derive(PartialEq, Eq)]
enum Question {
    Own(u64),
    Peer { from: u64, context: Bytes },
}

impl Reads {
    /// What a leader is to answer.
    fn questions(&self) -> impl Iterator<Item = &Question> {
        self.waiting.iter().chain(self.rounds.iter().flat_map(|round| &round.questions))
    }

    /// Whether there is room for another read of this member's own. Others' questions don't take
    /// it: whoever is refused asks again at once.
    fn has_room(&self) -> bool {
        let own = self.questions().filter(|question| matches!(question, Question::Own(_)));
        self.asked.len() + own.count() < READS_UNDER_WAY_MAX
    }

    /// Whether there is room for a question of another member's.
    fn has_room_for_peers(&self) -> bool {
        let is_peers = |question: &&Question| matches!(question, Question::Peer { .. });
        self.questions().filter(is_peers).count() < READS_UNDER_WAY_MAX
    }

    fn is_known(&self, question: &Question) -> bool {
        self.questions().any(|known| known == question)
    }

    /// Takes the questions of the rounds up to this one: raft may confirm several at a time, and
    /// tells each.
    fn end_round(&mut self, number: u64) -> Vec<Question> {
        let ended = self.rounds.extract_if(.., |round| round.number <= number);
        ended.flat_map(|round| round.questions).collect()
    }
}

impl Member {
    /// Takes a read of this member's own.
    pub(super) fn read_index(&mut self, context: u64) {
        let raft = &self.raw.raft;
        if raft.leader_id == raft::INVALID_ID || !self.reads.has_room() {
            self.output.reads_dropped.push(context);
        } else if raft.state == StateRole::Leader {
            self.reads.waiting.push(Question::Own(context));
        } else {
            self.reads.asked.push(Asked { context, ticks: 0 });
            self.raw.read_index(context.to_be_bytes().to_vec());
        }
    }

    /// Takes a follower's question. What isn't taken is asked again.
    pub(super) fn questioned(&mut self, mut message: Message) {
        let Some(entry) = message.take_entries().into_iter().next() else {
            return;
        };
        let (from, context) = (message.from, entry.data);
        if context.len() > READ_CONTEXT_BYTES_MAX {
            return;
        }
        let question = Question::Peer { from, context };
        if self.is_quorum_with(from) {
            self.answer_question(question, self.raw.raft.raft_log.committed);
        } else if self.reads.has_room_for_peers() && !self.reads.is_known(&question) {
            self.reads.waiting.push(question);
        }
    }

    /// Whether this leader may answer this voter without a round: see the module's text.
    fn is_quorum_with(&self, peer: u64) -> bool {
        let raft = &self.raw.raft;
        raft.commit_to_current_term()
            && raft.prs().conf().voters().contains(peer)
            && raft.prs().has_quorum(&[self.config.id, peer].into_iter().collect())
    }

    /// Whether [`Member::begin_read_round`] would begin one. A leader that hasn't committed an
    /// entry of its own term doesn't know yet what is committed.
    pub(super) fn may_begin_read_round(&self) -> bool {
        let raft = &self.raw.raft;
        !self.reads.waiting.is_empty()
            && self.reads.rounds.len() < READ_ROUNDS_MAX
            && raft.state == StateRole::Leader
            && raft.commit_to_current_term()
    }

    /// Begins a round for all that wait, if one may begin. A lost heartbeat doesn't end it: each
    /// tick's heartbeat carries the newest round's number again.
    pub(super) fn begin_read_round(&mut self) {
        if !self.may_begin_read_round() {
            return;
        }
        self.reads.rounds_begun += 1;
        let number = self.reads.rounds_begun;
        let questions = std::mem::take(&mut self.reads.waiting);
        let term = self.raw.raft.term;
        self.reads.rounds.push(Round { number, term, questions });
        self.raw.read_index([&[ROUND_TAG], &number.to_be_bytes()[..]].concat());
    }

    /// The question or its answer may have been lost. Any answer's index was taken after the first
    /// question, and a leader that knows the question already takes it for the same.
    pub(super) fn ask_reads_again(&mut self) {
        for read in &mut self.reads.asked {
            read.ticks += 1;
            if read.ticks == READ_ASKED_AGAIN_TICKS {
                read.ticks = 0;
                self.raw.read_index(read.context.to_be_bytes().to_vec());
            }
        }
    }

    /// Takes what raft confirms.
    pub(super) fn note_reads(&mut self, states: Vec<ReadState>) {
        for ReadState { index, request_ctx } in states {
            if let [ROUND_TAG, number @ ..] = &request_ctx[..]
                && let Ok(number) = number.try_into()
            {
                for question in self.reads.end_round(u64::from_be_bytes(number)) {
                    self.answer_question(question, index);
                }
            } else if let Ok(context) = request_ctx.try_into().map(u64::from_be_bytes) {
                self.note_answer(context, index);
            }
        }
    }

    fn note_answer(&mut self, context: u64, index: u64) {
        let is_it = |read: &Asked| read.context == context;
        if let Some(position) = self.reads.asked.iter().position(is_it) {
            self.reads.asked.swap_remove(position);
            self.output.reads.push(Read { context, index });
        }
    }

    fn answer_question(&mut self, question: Question, index: u64) {
        match question {
            Question::Own(context) => self.output.reads.push(Read { context, index }),
            // A leader of before mustn't speak in a term that isn't its own.
            Question::Peer { .. } if self.raw.raft.state != StateRole::Leader => {}
            Question::Peer { from, context } => {
                let answer = Message {
                    msg_type: MessageType::MsgReadIndexResp,
                    to: from,
                    from: self.config.id,
                    term: self.raw.raft.term,
                    index,
                    entries: vec![Entry { data: context, ..Entry::default() }].into(),
                    ..Message::default()
                };
                self.send(vec![answer]);
            }
        }
    }

    /// Gives up what went to the leader of before, or what this member won't answer any more as
    /// one. Peers notice the change themselves.
    pub(super) fn give_up_reads(&mut self) {
        let raft = &self.raw.raft;
        let leads = raft.state == StateRole::Leader;
        let mut questions = match leads {
            true => Vec::new(),
            false => std::mem::take(&mut self.reads.waiting),
        };
        for round in self.reads.rounds.extract_if(.., |round| !leads || round.term != raft.term) {
            questions.extend(round.questions);
        }
        let own = questions.into_iter().filter_map(|question| match question {
            Question::Own(context) => Some(context),
            Question::Peer { .. } => None,
        });
        let asked = self.reads.asked.drain(..).map(|read| read.context);
        self.output.reads_dropped.extend(asked.chain(own));
    }
}
