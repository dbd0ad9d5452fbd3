//! The other members: raft's messages to them and from them, over etcd's peer protocol.
//!
//! ```text
//! raft thread ─▶ lines with limits ─▶ bodies of streams that the peer has dialled ─▶ peer
//!                     └─ no stream yet ─▶ posts, one after the other ──────────────▶ peer
//! peer ─▶ streams that this member dials, and posts ─▶ raft thread, as it has room
//! ```
//!
//! Nothing here keeps a message that can't be sent: raft sends again what matters, and is told that
//! the peer wasn't reached. So a slow or dead peer costs its own line's length and nothing else.

mod answers;
mod client;
mod compatible;
mod forward;
mod incoming;
mod line;
mod outgoing;
mod peer;
mod pipeline;
mod probe;
mod registry;
mod remote;
mod site;
mod snapshot;

pub(crate) use forward::{LeaseAnswer, ask_leader, is_not_primary};
pub(crate) use registry::{Local, Peers};
pub(crate) use remote::{
    RemoteCluster, RemoteHash, RemoteMember, cluster_of, hash_of, post, version_of,
};
pub(crate) use site::PeerSite;
pub(crate) use snapshot::{Receiver, Sender};
