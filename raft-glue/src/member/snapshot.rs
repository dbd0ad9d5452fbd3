//! Snapshots: what a leader orders for a member that lags, and what a follower makes its state.
//!
//! The leader's order says who needs one and from where on. The driver makes a checkpoint, which
//! may be newer, sends it with the message, and reports how that went.
//!
//! The follower is offered the message when the checkpoint is there and verified. If raft takes it:
//!
//! 1. raft's log restarts behind the snapshot at once, in memory;
//! 2. when every group of before is durable, [`Output::install`](crate::Output::install) goes out.
//!    Groups are held back from here on: the log must not say that it restarts before the engine
//!    has the snapshot;
//! 3. the driver switches the engine and steps [`Input::Installed`](crate::Input::Installed); the
//!    groups go out, the first of them with the mark that restarts the log;
//! 4. when that is durable, the leader is told.
//!
//! A crash between 3 and 4 leaves an engine that is ahead of its log, which recovery restarts.

use super::Member;
use crate::AppendGroup;
use crate::convert::snapshot_from_etcd;
use raft::eraftpb::Snapshot;
use raft::{SnapshotStatus, Storage};
use retcd_api::raftpb::{self, ConfState};
use retcd_wal::SnapshotMark;

/// A snapshot to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotOrder {
    /// Who needs it.
    pub to: u64,
    /// What is to be offered there. Its snapshot's metadata say the least that is needed: the
    /// sender puts those of the checkpoint in their place.
    pub message: raftpb::Message,
}

/// A snapshot that is to become the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Install {
    /// Its position.
    pub mark: SnapshotMark,
}

/// How sending a snapshot went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// The receiver has all of it.
    Sent,
    /// It doesn't, and won't get it any more.
    Failed,
}

/// A snapshot on its way to be the state.
pub(super) struct Installing {
    mark: SnapshotMark,
    /// The ready that brought it.
    number: u64,
    /// Whether the driver was told.
    is_told: bool,
    /// What the log mustn't have before the engine has the snapshot.
    groups: Vec<AppendGroup>,
}

impl Member {
    /// Offers a snapshot to raft, whose files are here.
    pub(super) fn offer(&mut self, message: raftpb::Message) {
        let is_busy = self.installing.is_some() || self.raw.snap().is_some();
        let for_this = message.to == self.config.id
            && message.from != self.config.id
            && message.from != raft::INVALID_ID
            && message.term != 0;
        if !is_busy
            && for_this
            && can_be_restored(&message.snapshot, self.config.id)
            && let Some(message) = snapshot_from_etcd(message)
        {
            // An old term or a sender that isn't known any more: then it isn't needed.
            let _ = self.raw.step(message);
        }
        self.output.snapshot_unneeded |= is_busy || self.raw.snap().is_none();
    }

    pub(super) fn report_snapshot(&mut self, to: u64, outcome: SnapshotOutcome) {
        let status = match outcome {
            SnapshotOutcome::Sent => SnapshotStatus::Finish,
            SnapshotOutcome::Failed => SnapshotStatus::Failure,
        };
        self.raw.report_snapshot(to, status);
    }

    /// Whether a snapshot that raft has taken isn't durable yet, in the engine and in the log.
    /// Until then this member mustn't campaign: raft would look for membership changes in entries
    /// between what is applied and the snapshot, which are in no log.
    pub(super) fn awaits_snapshot(&self) -> bool {
        let applied = self.raw.raft.raft_log.applied;
        self.raw.store().first_index().is_ok_and(|first| applied + 1 < first)
    }

    /// Raft has taken a snapshot: its log restarts there. What was handed out before is applied in
    /// vain.
    pub(super) fn begin_install(&mut self, number: u64, snapshot: &Snapshot) {
        let metadata = snapshot.get_metadata();
        let mark = SnapshotMark { index: metadata.index, term: metadata.term };
        self.raw.mut_store().restart(mark, metadata.get_conf_state().clone());
        self.changes_superseded += self.changes_out.len();
        self.changes_out.clear();
        self.handed_out = mark.index;
        let groups = Vec::new();
        self.installing = Some(Installing { mark, number, is_told: false, groups });
    }

    /// Tells the driver to install, if nothing is on its way to the log any more.
    pub(super) fn tell_install(&mut self) {
        let Some(installing) = self.installing.as_mut().filter(|installing| !installing.is_told)
        else {
            return;
        };
        let number = installing.number;
        if self.unpersisted.iter().any(|ready| ready.is_group && ready.number < number) {
            return;
        }
        installing.is_told = true;
        self.output.install = Some(Install { mark: installing.mark });
    }

    /// Gives groups out, or keeps them until the snapshot is installed.
    pub(super) fn give_out(&mut self, mut groups: Vec<AppendGroup>, number: u64) {
        let Some(installing) = &mut self.installing else {
            self.output.groups.append(&mut groups);
            return;
        };
        if installing.number == number
            && let Some(first) = groups.first_mut()
        {
            first.snapshot = Some(installing.mark);
        }
        installing.groups.append(&mut groups);
    }

    /// The engine has the snapshot durably.
    pub(super) fn installed(&mut self, index: u64) {
        let installing = self.installing.take().expect("only what was told is installed");
        assert!(
            installing.is_told && installing.mark.index == index,
            "installed {index}, but {:?} was to be",
            installing.mark
        );
        self.output.groups.extend(installing.groups);
        self.applied(index);
    }
}

/// Whether raft can go on from there: it insists on what it expects of a snapshot.
fn can_be_restored(snapshot: &raftpb::Snapshot, id: u64) -> bool {
    let raftpb::SnapshotMetadata { conf_state, index, term } = &snapshot.metadata;
    let ConfState { voters, learners, voters_outgoing, learners_next, auto_leave } = conf_state;
    let mut all: Vec<u64> = voters.iter().chain(learners).copied().collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    *index > 0
        && *term > 0
        && !voters.is_empty()
        && all.len() == count
        && all.first() != Some(&raft::INVALID_ID)
        && all.contains(&id)
        && voters_outgoing.is_empty()
        && learners_next.is_empty()
        && !auto_leave
}
