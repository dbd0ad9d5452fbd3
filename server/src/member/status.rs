//! Raft's numbers, published by the raft and apply threads for everyone else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// Raft's numbers. Each is exact by itself; two read one after the other may be from different
/// moments.
#[derive(Default)]
pub(crate) struct Status {
    term: Arc<AtomicU64>,
    leader: AtomicU64,
    committed: AtomicU64,
    applied: AtomicU64,
    /// Index up to which every member has the log, as far as this one knows: only a leader does.
    replicated: AtomicU64,
    /// Index from which on applied state includes everything that earlier terms committed; zero
    /// while this member isn't a leader alone.
    lone_leader_from: AtomicU64,
    /// Whether this member only learns, in the membership that is applied.
    learns: AtomicBool,
    stopped: AtomicBool,
    changed: Notify,
}

impl Status {
    /// Current term.
    pub(crate) fn term(&self) -> u64 {
        self.term.load(Ordering::Relaxed)
    }

    /// The current term, for those who keep it at hand.
    pub(crate) fn shared_term(&self) -> Arc<AtomicU64> {
        self.term.clone()
    }

    /// The leader's id, 0 if none is known.
    pub(crate) fn leader(&self) -> u64 {
        self.leader.load(Ordering::Relaxed)
    }

    /// Commit index.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Applied index: readers see everything up to here.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Committed entries that aren't applied yet.
    pub(crate) fn unapplied(&self) -> u64 {
        self.committed().saturating_sub(self.applied())
    }

    /// Index up to which every member has the log durably; 0 where this one doesn't know.
    pub(crate) fn replicated(&self) -> u64 {
        self.replicated.load(Ordering::Relaxed)
    }

    /// Whether a local read at this moment is linearizable without asking anyone.
    pub(crate) fn reads_are_linearizable(&self) -> bool {
        let from = self.lone_leader_from.load(Ordering::Acquire);
        from != 0 && self.applied() >= from && !self.is_stopped()
    }

    /// Whether this member only learns.
    pub(crate) fn learns(&self) -> bool {
        self.learns.load(Ordering::Acquire)
    }

    /// Publishes whether this member only learns.
    pub(crate) fn set_learns(&self, learns: bool) {
        self.learns.store(learns, Ordering::Release);
    }

    /// Whether the member stopped, by request or after an error.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Publishes what raft says now.
    pub(crate) fn set_raft(&self, raft: &retcd_raft_glue::Status, lone_leader_from: u64) {
        self.committed.fetch_max(raft.committed, Ordering::AcqRel);
        self.replicated.store(raft.replicated, Ordering::Relaxed);
        let same = self.term.swap(raft.term, Ordering::Relaxed) == raft.term
            && self.leader.swap(raft.leader, Ordering::Relaxed) == raft.leader
            && self.lone_leader_from.swap(lone_leader_from, Ordering::AcqRel) == lone_leader_from;
        if !same {
            self.changed.notify_waiters();
        }
    }

    /// Publishes the applied index, after its effects are readable.
    pub(crate) fn set_applied(&self, index: u64) {
        let from = self.lone_leader_from.load(Ordering::Acquire);
        let before = self.applied.fetch_max(index, Ordering::AcqRel);
        if before < from && index >= from {
            self.changed.notify_waiters();
        }
    }

    /// Says that the member stopped.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until `condition` holds; false if the member stopped first.
    pub(crate) async fn wait_until(&self, condition: impl Fn(&Status) -> bool) -> bool {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_stopped() {
                return false;
            }
            if condition(self) {
                return true;
            }
            changed.await;
        }
    }
}
