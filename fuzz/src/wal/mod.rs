//! The log under fuzzing: one program of bytes writes a history, damages what it left, and opens
//! it.
//!
//! 1. [`history`] acts on a log in memory that crashes, beside a [`model`] that keeps the state
//!    behind every write.
//! 2. [`places`] finds, after every action, which bytes on the disk are which of these writes.
//! 3. [`damage`] changes the files.
//! 4. [`reference`](mod@reference) says, from the bytes and `docs/format.md` alone, whether the log
//!    must be refused or where it ends; [`evidence`] says what may not be missing. [`judge`]
//!    compares the log with both.
//!
//! The bytes are read by [`parse`], which shares no code with the log. It knows places, checksums
//! and claims, not records: what a group says comes from the model.

pub mod damage;
pub mod disk;
pub mod evidence;
pub mod history;
pub mod judge;
pub mod model;
pub mod parse;
pub mod places;
pub mod reference;

use retcd_vfs::Vfs;
use retcd_wal::{Flushed, Identity, Log, LogEntry, Options, Recovery, Result};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The log's folder.
pub const DIR: &str = "/wal";
/// Who writes the log.
pub const IDENTITY: Identity = Identity { cluster: 1, member: 2 };

/// Opens the log; returns it, what it says of itself, and the entries above the flushed index.
pub fn open(
    vfs: Arc<dyn Vfs>,
    options: Options,
    flushed: Flushed,
) -> Result<(Log, Recovery, Vec<LogEntry>)> {
    let (log, recovery) = Log::open(vfs, Path::new(DIR), options, IDENTITY, flushed)?;
    let entries = recovered_entries(&log, &recovery)?;
    Ok((log, recovery, entries))
}

/// The entries above the flushed index.
fn recovered_entries(log: &Log, recovery: &Recovery) -> Result<Vec<LogEntry>> {
    let Range { start, end } = recovery.unflushed.clone();
    log.reader().entries(start, end, u64::MAX)
}
