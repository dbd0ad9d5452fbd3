//! Where peers' messages wait for the raft thread: with a limit in bytes, so that a peer which
//! sends faster than this member takes is slowed down by its own connection.

use super::handle::Event;
use crossbeam_channel::{Receiver, Sender, unbounded};
use retcd_api::raftpb::Message;
use retcd_raft_glue::Input;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Units of room: 64 MiB.
const ROOM: u32 = 64 << 10;

/// Bytes in a unit.
const UNIT_BYTES: usize = 1 << 10;

/// A message's share of the room, until the raft thread has stepped it.
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// See the module's text.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(super) events: Sender<Event>,
    room: Arc<Semaphore>,
}

/// What the raft thread takes from.
pub(crate) struct Events(pub(super) Receiver<Event>);

/// Makes the raft thread's queue.
pub(crate) fn mailbox() -> (Mailbox, Events) {
    let (events, queue) = unbounded();
    (Mailbox { events, room: Arc::new(Semaphore::new(ROOM as usize)) }, Events(queue))
}

impl Mailbox {
    /// Hands a peer's message over once there is room for it.
    pub(crate) async fn deliver(&self, message: Message) {
        let payload = |entry: &retcd_api::raftpb::Entry| entry.data.as_ref().map_or(0, |d| d.len());
        let bytes: usize = message.entries.iter().map(payload).sum();
        let units = u32::try_from(bytes / UNIT_BYTES + 1).map_or(ROOM, |units| units.min(ROOM));
        let Ok(permit) = self.room.clone().acquire_many_owned(units).await else {
            return;
        };
        let room = Room { _permit: permit };
        // At shutdown nobody takes it any more, and nobody needs it.
        let _ = self.events.send(Event::Peer(Box::new(message), room));
    }

    /// A message to this peer couldn't be delivered.
    pub(crate) fn unreachable(&self, peer: u64) {
        let _ = self.events.send(Event::Input(Input::Unreachable { peer }));
    }

    /// This member learned from a peer that it was removed.
    pub(crate) fn removed(&self) {
        let _ = self.events.send(Event::Removed);
    }
}
