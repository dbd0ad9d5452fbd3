//! What etcd itself has on disk, 3.4 and 3.5: its log, its snapshots' files, and its database.
//!
//! Everything is only opened for reading. What the files look like is etcd's choice; each module
//! says it.

mod facts;
mod log;
mod pairs;
mod record;
mod snap;

pub(super) use facts::Facts;
pub(super) use log::{EtcdLog, LogFault, Position, TornTail};
pub(super) use pairs::{Pairs, Sums};
pub(super) use snap::{SnapFile, read_all as read_snap_files};

/// A number as etcd's names of files have it: sixteen hexadecimal digits.
fn hex(digits: &str) -> Option<u64> {
    let is_hex = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(digits, 16).ok())?
}
