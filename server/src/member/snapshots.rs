//! Snapshots between members, as the member's threads see them.

use super::handle::{Event, Member};
use crate::metrics::Metrics;
use crate::peers::{Receiver, Sender};
use retcd_api::raftpb;
use retcd_engine::Replaceable;
use retcd_raft_glue::{DataDir, Input, SnapshotOutcome};
use std::io;
use std::sync::Arc;

/// Both directions.
pub(crate) struct Snapshots {
    /// To members that lag.
    pub(crate) sender: Sender,
    /// From a leader.
    pub(crate) receiver: Receiver,
    /// Opens engines of the member's kind beside its own.
    pub(crate) engine: Arc<Replaceable>,
}

impl Snapshots {
    /// Nothing is under way; what is left of an earlier life is removed.
    pub(super) fn open(
        data_dir: &DataDir,
        own: &Arc<Replaceable>,
        engine: &'static str,
        metrics: &Arc<Metrics>,
    ) -> io::Result<Snapshots> {
        let vfs = data_dir.vfs();
        Ok(Snapshots {
            engine: own.clone(),
            sender: Sender::open(vfs.clone(), data_dir.sending(), engine)?,
            receiver: Receiver::open(vfs.clone(), data_dir.incoming(), engine, metrics.clone())?,
        })
    }
}

impl Member {
    /// Says how sending a snapshot went.
    pub(crate) fn report_snapshot(&self, to: u64, outcome: SnapshotOutcome) {
        // At shutdown nobody takes it any more, and nobody needs it.
        let _ = self.events.send(Event::Input(Input::SnapshotReport { to, outcome }));
    }

    /// A snapshot is here and verified.
    pub(crate) fn offer_snapshot(&self, message: raftpb::Message) {
        let _ = self.events.send(Event::Input(Input::Snapshot(Box::new(message))));
    }

    /// The snapshot that was offered isn't needed.
    pub(super) fn discard_snapshot(&self) {
        tracing::info!("ignored a snapshot that isn't needed");
        if let Err(error) = self.snapshots.receiver.discard() {
            tracing::warn!(%error, "files of a snapshot that isn't needed stay behind");
        }
    }

    /// Has the maintenance threads look for something to do.
    pub(crate) fn ring_for_maintenance(&self) {
        self.background.doorbell.ring();
    }
}
