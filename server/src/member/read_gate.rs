//! Linearizable reads that wait for raft's word: one ReadIndex round serves all that gathered
//! during the round before. Without a leader nobody can be asked, so rounds wait for one.

use super::pending::{Inboxes, Reader};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Waiting readers among which those that gave up aren't looked for.
const READERS_UNSIFTED_MAX: usize = 64;

/// Reads on their way through raft.
pub(crate) struct ReadGate {
    rounds: Mutex<Rounds>,
    inboxes: Inboxes,
}

#[derive(Default)]
struct Rounds {
    /// Reads that came too late for the round under way.
    gathering: Vec<Reader>,
    /// The round that raft knows of.
    asked: Option<(u64, Vec<Reader>)>,
    /// Confirmed rounds that wait for their index to be applied.
    confirmed: Vec<(u64, Vec<Reader>)>,
    /// The highest applied index that the gate was told of.
    applied: u64,
    next_context: u64,
    /// How many may gather before those that gave up are thrown out.
    sift_at: usize,
    has_leader: bool,
    is_closed: bool,
}

impl ReadGate {
    /// Nobody waits; contexts begin behind `first_context`. Readers wait where `inboxes` are.
    pub(super) fn new(first_context: u64, inboxes: Inboxes) -> ReadGate {
        let rounds = Rounds { next_context: first_context, ..Rounds::default() };
        ReadGate { rounds: Mutex::new(rounds), inboxes }
    }

    /// Joins the next round. If a context comes back, the caller asks raft for it.
    pub(super) fn join(&self) -> (oneshot::Receiver<()>, Option<u64>) {
        let (reader, receiver) = Reader::here();
        let mut rounds = self.rounds.lock();
        if rounds.is_closed {
            return (receiver, None);
        }
        rounds.gather(reader);
        let context = rounds.ask();
        (receiver, context)
    }

    /// Raft says whether there is a leader. A context that comes back is for raft to be asked.
    pub(super) fn leader_changed(&self, has_leader: bool) -> Option<u64> {
        let mut rounds = self.rounds.lock();
        rounds.has_leader = has_leader;
        rounds.ask()
    }

    /// Raft says that the round may be served once `index` is applied. A context that comes back is
    /// the next round's, for raft to be asked.
    ///
    /// `applied` may be out of date: what counts is what the gate knows of under its lock, or a
    /// round would wait for an index that was applied a moment before.
    pub(super) fn confirmed(&self, context: u64, index: u64, applied: u64) -> Option<u64> {
        let mut rounds = self.rounds.lock();
        if rounds.asked.as_ref().is_some_and(|(asked, _)| *asked == context)
            && let Some((_, readers)) = rounds.asked.take()
        {
            match index <= rounds.applied.max(applied) {
                true => self.inboxes.release(readers),
                false => rounds.confirmed.push((index, readers)),
            }
        }
        rounds.ask()
    }

    /// Raft doesn't answer this round any more: its readers join the next one.
    pub(super) fn dropped(&self, context: u64) -> Option<u64> {
        let mut rounds = self.rounds.lock();
        if rounds.asked.as_ref().is_some_and(|(asked, _)| *asked == context)
            && let Some((_, mut readers)) = rounds.asked.take()
        {
            rounds.gathering.append(&mut readers);
        }
        rounds.ask()
    }

    /// Lets the readers of rounds at or below `applied` go.
    pub(super) fn applied(&self, applied: u64) {
        let mut rounds = self.rounds.lock();
        rounds.applied = rounds.applied.max(applied);
        for (_, readers) in rounds.confirmed.extract_if(.., |(index, _)| *index <= applied) {
            self.inboxes.release(readers);
        }
    }

    /// Ends all waits, those to come included: the member stopped.
    pub(super) fn close(&self) {
        *self.rounds.lock() = Rounds { is_closed: true, ..Rounds::default() };
    }
}

impl Rounds {
    fn gather(&mut self, reader: Reader) {
        if self.gathering.len() >= self.sift_at.max(READERS_UNSIFTED_MAX) {
            self.gathering.retain(|reader| !reader.gave_up());
            self.sift_at = 2 * self.gathering.len();
        }
        self.gathering.push(reader);
    }

    fn ask(&mut self) -> Option<u64> {
        if self.asked.is_some() || !self.has_leader {
            return None;
        }
        // A reader that gave up closed its channel; nobody asks raft for it.
        self.gathering.retain(|reader| !reader.gave_up());
        if self.gathering.is_empty() {
            return None;
        }
        self.next_context += 1;
        self.asked = Some((self.next_context, std::mem::take(&mut self.gathering)));
        Some(self.next_context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> ReadGate {
        ReadGate::new(0, Inboxes::new(1))
    }

    fn gate_with_leader() -> ReadGate {
        let gate = gate();
        assert_eq!(gate.leader_changed(true), None);
        gate
    }

    /// Whether the reader was let go.
    fn is_free(gate: &ReadGate, reader: &mut oneshot::Receiver<()>) -> bool {
        gate.inboxes.let_readers_go();
        reader.try_recv().is_ok()
    }

    #[test]
    fn one_round_serves_all_that_gathered() {
        let gate = gate_with_leader();
        let (mut first, asked) = gate.join();
        assert_eq!(asked, Some(1));
        let (mut second, asked) = gate.join();
        let (mut third, _) = gate.join();
        assert_eq!(asked, None);
        assert_eq!(gate.confirmed(1, 10, 10), Some(2));
        assert!(is_free(&gate, &mut first));
        assert!(!is_free(&gate, &mut second));
        assert_eq!(gate.confirmed(2, 12, 11), None);
        assert!(!is_free(&gate, &mut third));
        gate.applied(12);
        assert!(is_free(&gate, &mut second) && is_free(&gate, &mut third));
    }

    #[test]
    fn a_dropped_round_is_asked_again() {
        let gate = gate_with_leader();
        let (mut reader, _) = gate.join();
        assert_eq!(gate.dropped(1), Some(2));
        assert_eq!(gate.confirmed(2, 1, 1), None);
        assert!(is_free(&gate, &mut reader));
    }

    #[test]
    fn without_a_leader_nobody_is_asked_until_there_is_one() {
        let gate = gate();
        let (mut early, asked) = gate.join();
        assert_eq!(asked, None);
        assert_eq!(gate.leader_changed(true), Some(1));
        assert_eq!(gate.leader_changed(false), None);
        assert_eq!(gate.dropped(1), None);
        assert_eq!(gate.leader_changed(true), Some(2));
        assert_eq!(gate.confirmed(2, 5, 5), None);
        assert!(is_free(&gate, &mut early));
    }

    #[test]
    fn an_index_applied_just_before_its_round_is_confirmed_is_not_waited_for() {
        let gate = gate_with_leader();
        let (mut reader, _) = gate.join();
        // The raft thread read 9, then the apply thread told the gate of 10.
        gate.applied(10);
        assert_eq!(gate.confirmed(1, 10, 9), None);
        assert!(is_free(&gate, &mut reader));
    }

    #[test]
    fn nobody_waits_at_a_closed_gate() {
        let gate = gate_with_leader();
        let (mut early, _) = gate.join();
        gate.close();
        let (mut late, asked) = gate.join();
        assert_eq!(asked, None);
        let closed = Err(oneshot::error::TryRecvError::Closed);
        assert_eq!((early.try_recv(), late.try_recv()), (closed.clone(), closed));
        assert_eq!(gate.leader_changed(true), None);
        assert_eq!(gate.confirmed(1, 1, 1), None);
    }

    #[test]
    fn readers_that_gave_up_do_not_pile_up() {
        let gate = gate();
        for _ in 0..10 * READERS_UNSIFTED_MAX {
            drop(gate.join());
        }
        assert!(gate.rounds.lock().gathering.len() <= READERS_UNSIFTED_MAX);
    }
}
