//! Feeds followers that lag, as fast as [`super::feed`] lets it.
//!
//! raft sends a follower what it can whenever that one answers. If that isn't near the log's end,
//! the tail tells it to ask later; here it is had ask, one portion at a time. A follower without
//! whom nothing can be committed, or who is to lead, gets all that it takes.

use super::Member;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::tail::cost;
use raft::StateRole;
use raft::eraftpb::Entry;

impl Member {
    /// Notes what this member adds to the log, if it leads.
    pub(super) fn note_ingested(&mut self, entries: &[Entry]) {
        if self.raw.raft.state == StateRole::Leader {
            self.feed.ingested(entries.iter().map(|entry| cost(entry) as u64).sum());
        }
    }

    /// Sends followers that lag what they may have by now.
    pub(super) fn feed_followers(&mut self) {
        let lagging = self.lagging();
        self.feed.keep(&lagging);
        if lagging.is_empty() {
            return;
        }
        let needs_all = !self.has_quorum_without(&lagging);
        for follower in lagging {
            if needs_all || self.raw.raft.lead_transferee == Some(follower) {
                while self.send_portion(follower, MESSAGE_BYTES_MAX).is_some() {}
                continue;
            }
            while let Some(portion) = self.feed.portion(follower)
                && let Some(cost) = self.send_portion(follower, portion)
            {
                self.feed.fed(follower, cost);
            }
        }
    }

    /// Followers whose next entry isn't near the log's end.
    fn lagging(&self) -> Vec<u64> {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader {
            return Vec::new();
        }
        let near = self.raw.store().near();
        let lags = raft.prs().iter().filter(|(_, progress)| progress.next_idx < near);
        lags.map(|(&id, _)| id).filter(|&id| id != self.config.id).collect()
    }

    fn has_quorum_without(&self, lagging: &[u64]) -> bool {
        let progress = self.raw.raft.prs();
        let others = progress.iter().map(|(&id, _)| id).filter(|id| !lagging.contains(id));
        progress.has_quorum(&others.collect())
    }

    /// Sends a follower a portion, if it lags and takes more. Answers what that cost.
    fn send_portion(&mut self, follower: u64, portion: u64) -> Option<u64> {
        let progress = self.raw.raft.prs().get(follower)?;
        if progress.is_paused() || progress.next_idx >= self.raw.store().near() {
            return None;
        }
        self.raw.mut_store().grant(portion);
        self.raw.raft.send_append(follower);
        // Nothing is read if it has to be sent a snapshot, or if reading has failed.
        Some(self.raw.mut_store().settle()).filter(|&cost| cost > 0)
    }
}
