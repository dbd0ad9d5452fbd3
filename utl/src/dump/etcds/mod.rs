//! What etcd itself has on disk, 3.4 and 3.5: its log and its database.
//!
//! Everything is only opened for reading. What the files look like is etcd's choice; each module
//! says it.

mod facts;
mod log;
mod record;

pub(super) use facts::Facts;
pub(super) use log::{EtcdLog, Position};
