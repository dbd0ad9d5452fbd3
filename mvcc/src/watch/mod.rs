//! Watches: who is told of which change, in which order, and what it costs.
//!
//! 1. The apply thread hands each main revision's changes to [`Hub::publish`]. The hub knows which
//!    *streams* (one per gRPC stream) watch a key, puts the batch into a bounded ring of recent
//!    history, and a reference to it into the bounded queue of each stream concerned.
//! 2. A [`WatchStream`] is owned by one network task. It finds out which of its *watchers* a batch
//!    is for, and assembles responses by copying events that are encoded once for everybody.
//! 3. A stream that doesn't take what is queued loses its queue, not its events: from the first
//!    revision that didn't fit, its watchers read the ring or, when they are further behind, the
//!    stored [`History`]. Watchers with a start revision in the past begin in the same way.
//!
//! A watcher is *synced* when everything that it still has to get is in the queue or yet to come,
//! *unsynced* while it reads the past. Each keeps the lowest revision that it still wants (`next`),
//! so what arrives on both ways is delivered once.
//!
//! Not done here: checking permissions (the server does, before [`WatchStream::create`]), timers
//! ([`WatchStream::progress_tick`] is called from outside), and gRPC framing.

mod catchup;
mod delivery;
mod event;
mod history;
mod hub;
mod interval;
mod matcher;
mod previous;
mod queue;
mod range;
mod ring;
mod stream;
mod watchers;
mod wire;

pub use history::{History, HistoryPiece, InlineReaders, Job, Need, PieceLimit, Readers};
pub use hub::{Hub, HubLimits, HubStats};
pub use range::{EmptyRange, WatchRange};
pub use stream::{Identity, Response, StreamConfig, WatchStream};
