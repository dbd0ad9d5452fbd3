//! Snapshots: a checkpoint of the sender is copied to the receiver's disk and offered there.

use super::Simulation;
use crate::network::Place;
use retcd_raft_glue::{Input, SnapshotOrder, SnapshotOutcome};
use std::path::Path;

/// Where a checkpoint is made.
const SENDING: &str = "data/member/snap/sending";

impl Simulation {
    /// Makes a checkpoint and brings it to who needs it, if both are there and reach each other.
    pub(super) fn send_snapshot(&mut self, place: Place, order: SnapshotOrder) {
        let to = order.to;
        let life = self.nodes[place].life;
        let arrived = self.bring(place, order);
        self.note(&format!("m{}'s snapshot for {to:x} arrived: {arrived}", place + 1));
        if self.nodes[place].life == life {
            let outcome = if arrived { SnapshotOutcome::Sent } else { SnapshotOutcome::Failed };
            self.drive(place, |driver| driver.step(Input::SnapshotReport { to, outcome }));
        }
    }

    fn bring(&mut self, from: Place, order: SnapshotOrder) -> bool {
        let Some(to) = self.nodes.iter().position(|node| node.id == order.to) else {
            return false;
        };
        let accepts = |driver: &crate::driver::Driver| !driver.is_installing();
        let is_there = self.nodes[to].driver.as_ref().is_some_and(accepts)
            && self.nodes[to].paused_until <= self.schedule.now();
        if !is_there || self.network.is_cut(from, to) {
            return false;
        }
        let source = Path::new(SENDING);
        let removed = self.nodes[from].remove(source).map_err(|error| error.to_string());
        let Some(driver) = &mut self.nodes[from].driver else { return false };
        let made = removed.and_then(|()| {
            driver.checkpoint(order.message, source).map_err(|error| error.to_string())
        });
        let message = match made {
            Ok(message) => message,
            Err(error) => {
                self.fails(from, &error);
                return false;
            }
        };
        let disk = self.nodes[from].disk();
        if let Err(error) = self.nodes[to].receive(&disk, source) {
            let blamed = if self.nodes[to].planned_end().is_some() { to } else { from };
            self.fails(blamed, &error.to_string());
            return false;
        }
        self.drive(to, |driver| driver.step(Input::Snapshot(Box::new(message))));
        true
    }

    /// A snapshot has become a member's state.
    pub(super) fn is_installed(&mut self, place: Place, index: u64) {
        self.snapshots += 1;
        self.note(&format!("m{} has the snapshot at {index}", place + 1));
        self.nodes[place].applied = index;
        let node = &self.nodes[place];
        let Some(driver) = &node.driver else { return };
        self.judge.publishes(&node.name, index, driver.store());
    }
}
