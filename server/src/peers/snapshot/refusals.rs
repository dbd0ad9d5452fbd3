//! Which peers refuse snapshots, and when to offer the next one.
//!
//! A peer that can't use what it is sent (its storage engine is another one) won't say otherwise in
//! a moment, and each offer costs this member a flush and a checkpoint. So the pause between two of
//! them doubles. It ends at once when the peer dials this member again: what dials may be another
//! process, with other flags.

use std::collections::HashMap;
use std::time::Duration;

/// Pause after an offer that failed; see [`Refusals::note`] for more.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(3);

/// The longest pause.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Peers that have refused the last snapshot that they were offered.
#[derive(Default)]
pub(super) struct Refusals {
    of_peers: HashMap<u64, Refused>,
}

struct Refused {
    why: String,
    pause: Pause,
}

/// How long a peer isn't offered another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    lasts: Duration,
    /// How often the peer had dialled this member.
    dials: u64,
}

impl Refusals {
    /// A peer that had dialled so many times has refused one. Answers the pause until the next, and
    /// whether there is something to be said that wasn't said before.
    pub(super) fn note(&mut self, peer: u64, why: &str, dials: u64) -> (Pause, bool) {
        let before = self.of_peers.get(&peer).filter(|before| before.pause.dials == dials);
        let lasts = before.map_or(PAUSE_MIN, |before| (2 * before.pause.lasts).min(PAUSE_MAX));
        let is_new = before.is_none_or(|before| before.why != why);
        let pause = Pause { lasts, dials };
        self.of_peers.insert(peer, Refused { why: why.to_owned(), pause });
        (pause, is_new)
    }

    /// The peer has taken one, or is another process by now.
    pub(super) fn forget(&mut self, peer: u64) {
        self.of_peers.remove(&peer);
    }
}

impl Pause {
    /// The pause after an offer that has failed otherwise.
    pub(super) fn short(dials: u64) -> Pause {
        Pause { lasts: PAUSE_MIN, dials }
    }

    /// Whether it has lasted long enough, whoever is asked.
    pub(super) fn is_over(&self, elapsed: Duration) -> bool {
        elapsed >= self.lasts
    }

    /// Whether it ends early because the peer may be another process than before. `dials` is how
    /// often it has dialled by now; `None` if it is no member any more. One that comes and goes is
    /// not offered more by that.
    pub(super) fn is_void(&self, elapsed: Duration, dials: Option<u64>) -> bool {
        elapsed >= PAUSE_MIN && dials != Some(self.dials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_a_reason_is_said_once() {
        let mut refusals = Refusals::default();
        let mut lasts = PAUSE_MIN;
        for number in 0..12 {
            let (pause, is_new) = refusals.note(1, "of the other engine", 7);
            assert_eq!((pause.lasts, is_new), (lasts, number == 0), "refusal {number}");
            assert!(pause.is_over(lasts) && !pause.is_over(lasts - Duration::from_millis(1)));
            lasts = (2 * lasts).min(PAUSE_MAX);
        }
        assert_eq!(lasts, PAUSE_MAX);
        let (pause, is_new) = refusals.note(1, "no space", 7);
        assert_eq!((pause.lasts, is_new), (PAUSE_MAX, true), "another reason");
        assert_eq!(refusals.note(2, "of the other engine", 7), (Pause::short(7), true));
    }

    #[test]
    fn a_peer_that_dials_again_begins_anew() {
        let mut refusals = Refusals::default();
        refusals.note(1, "of the other engine", 7);
        let (pause, _) = refusals.note(1, "of the other engine", 7);
        assert!(!pause.is_void(PAUSE_MIN, Some(7)));
        for dials in [Some(8), None] {
            assert!(pause.is_void(PAUSE_MIN, dials), "a new process, or none");
            assert!(!pause.is_void(PAUSE_MIN - Duration::from_millis(1), dials), "too early");
        }
        assert_eq!(refusals.note(1, "of the other engine", 8), (Pause::short(8), true));
        refusals.forget(1);
        assert_eq!(refusals.note(1, "of the other engine", 8), (Pause::short(8), true));
    }
}
