//! How fast a log is read again at start, with its files in the page cache.

use super::tended::IDENTITY;
use crate::Error;
use crate::stats::median;
use bytes::Bytes;
use retcd_vfs::RealVfs;
use retcd_wal::{Flushed, Group, IoMode, Log, LogEntry, Options, SnapshotMark, Step};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Starts of which the median counts.
const STARTS: usize = 5;
/// A group's header and a record's head, in bytes: an estimate for how many entries make a group.
const GROUP_BYTES_BESIDES: usize = 64;
const RECORD_BYTES_BESIDES: usize = 24;

/// How long it took to open a log.
#[derive(Clone, Copy, Debug)]
pub struct Recovered {
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Entries that were read.
    pub entries: u64,
    /// Median time in seconds.
    pub seconds: f64,
}

/// Fills `segments` segments in `folder`, which doesn't exist yet, with entries of `payload` in
/// groups of about `group_bytes`; then opens the log a few times, each time reading all of it.
pub fn measure(
    folder: &Path,
    payload: &Bytes,
    group_bytes: usize,
    segments: u64,
) -> Result<Recovered, Error> {
    // What is measured is reading: no sync makes the filling longer.
    let options = Options { unsynced: true, salt: 5, compress_from_bytes: 0, ..Options::default() };
    let entries = fill(folder, payload, group_bytes, segments, options)?;
    let options = Options { unsynced: false, io: IoMode::Auto, ..options };
    let open = || Log::open(Arc::new(RealVfs), folder, options, IDENTITY, Flushed::default());
    // Once for the cache, and so that what the filling left unsynced is synced.
    drop(open()?);
    let mut seconds = Vec::new();
    for _ in 0..STARTS {
        let started_at = Instant::now();
        let opened = open()?;
        seconds.push(started_at.elapsed().as_secs_f64());
        assert_eq!(opened.0.last_index(), entries, "everything was read");
    }
    let file_bytes = segments * options.segment_bytes;
    Ok(Recovered { file_bytes, entries, seconds: median(&seconds) })
}

/// Returns the last index.
fn fill(
    folder: &Path,
    payload: &Bytes,
    group_bytes: usize,
    segments: u64,
    options: Options,
) -> Result<u64, Error> {
    let start = SnapshotMark::default();
    let mut log = Log::create(Arc::new(RealVfs), folder, options, IDENTITY, start)?;
    let record_bytes = payload.len() + RECORD_BYTES_BESIDES;
    let count = ((group_bytes - GROUP_BYTES_BESIDES) / record_bytes).max(1) as u64;
    loop {
        let next = log.last_index() + 1;
        let entries: Vec<_> = (next..next + count)
            .map(|index| LogEntry { index, term: 1, kind: 0, data: payload.clone() })
            .collect();
        let group = Group { entries: &entries, ..Group::default() };
        if log.stats().segments == segments && log.begins_segment(&group) {
            let last = log.last_index();
            log.close()?;
            return Ok(last);
        }
        log.append(&group)?;
        let is_last = log.stats().segments == segments;
        while !is_last && log.prepare()? == Step::Worked {}
    }
}
