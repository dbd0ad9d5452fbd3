//! Linearizable reads that wait for raft's word: one ReadIndex round serves all that gathered
//! during the round before.

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Reads on their way through raft.
#[derive(Default)]
pub(crate) struct ReadGate {
    rounds: Mutex<Rounds>,
}

#[derive(Default)]
struct Rounds {
    /// Reads that came too late for the round under way.
    gathering: Vec<oneshot::Sender<()>>,
    /// The round that raft knows of.
    asked: Option<(u64, Vec<oneshot::Sender<()>>)>,
    /// Confirmed rounds that wait for their index to be applied.
    confirmed: Vec<(u64, Vec<oneshot::Sender<()>>)>,
    next_context: u64,
}

impl ReadGate {
    /// Joins the next round. If a context comes back, the caller asks raft for it.
    pub(super) fn join(&self) -> (oneshot::Receiver<()>, Option<u64>) {
        let (sender, receiver) = oneshot::channel();
        let mut rounds = self.rounds.lock();
        rounds.gathering.push(sender);
        let context = rounds.ask();
        (receiver, context)
    }

    /// Raft says that the round may be served once `index` is applied. A context that comes back is
    /// the next round's, for raft to be asked.
    pub(super) fn confirmed(&self, context: u64, index: u64, applied: u64) -> Option<u64> {
        let mut rounds = self.rounds.lock();
        if rounds.asked.as_ref().is_some_and(|(asked, _)| *asked == context)
            && let Some((_, readers)) = rounds.asked.take()
        {
            match index <= applied {
                true => release(readers),
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
        for (_, readers) in rounds.confirmed.extract_if(.., |(index, _)| *index <= applied) {
            release(readers);
        }
    }

    /// Ends all waits: the member stopped.
    pub(super) fn close(&self) {
        *self.rounds.lock() = Rounds::default();
    }
}

impl Rounds {
    fn ask(&mut self) -> Option<u64> {
        // A reader that gave up closed its channel; nobody asks raft for it.
        self.gathering.retain(|reader| !reader.is_closed());
        if self.asked.is_some() || self.gathering.is_empty() {
            return None;
        }
        self.next_context += 1;
        self.asked = Some((self.next_context, std::mem::take(&mut self.gathering)));
        Some(self.next_context)
    }
}

fn release(readers: Vec<oneshot::Sender<()>>) {
    for reader in readers {
        // The reader may have given up.
        let _ = reader.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_serves_all_that_gathered() {
        let gate = ReadGate::default();
        let (mut first, asked) = gate.join();
        assert_eq!(asked, Some(1));
        let (mut second, asked) = gate.join();
        let (mut third, _) = gate.join();
        assert_eq!(asked, None);
        assert_eq!(gate.confirmed(1, 10, 10), Some(2));
        assert!(first.try_recv().is_ok());
        assert!(second.try_recv().is_err());
        assert_eq!(gate.confirmed(2, 12, 11), None);
        assert!(third.try_recv().is_err());
        gate.applied(12);
        assert!(second.try_recv().is_ok() && third.try_recv().is_ok());
    }

    #[test]
    fn a_dropped_round_is_asked_again() {
        let gate = ReadGate::default();
        let (mut reader, _) = gate.join();
        assert_eq!(gate.dropped(1), Some(2));
        assert_eq!(gate.confirmed(2, 1, 1), None);
        assert!(reader.try_recv().is_ok());
    }
}
