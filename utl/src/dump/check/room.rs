//! Whether the disk has room for what a start writes, and for what the member writes soon after it.
//!
//! A start of ours begins a segment of the log at full length if the last one has to be cut, and
//! writes a manifest where there is none; one that is there has to do if it can't be written anew.
//! Everything else goes into files of full length that are there. Soon after, the next segment is
//! prepared and memtables are flushed: without room for the first the alarm NOSPACE is raised,
//! without room for the second the member stops. etcd's segments are as long as ours, but for the
//! units.

use super::super::directory::{Directory, Kind};
use super::report::{Finding, Report, Weight};
use crate::notation::Size;
use retcd_vfs::Vfs;
use retcd_wal::SEGMENT_BYTES_DEFAULT;
use std::path::Path;

/// What a start writes of the database at least: a block for the manifest.
const MANIFEST_BYTES: u64 = 4096;
/// What a flush writes at most, if nothing is compressed: the server's default of a memtable.
const FLUSH_BYTES: u64 = 64 << 20;

/// How a start goes on with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogEnd {
    /// In the segment that is there, or it isn't known.
    InPlace,
    /// In a new one: the end is cut off.
    NewSegment,
}

/// Adds what there is no room for to `report`.
pub(super) fn check(vfs: &dyn Vfs, directory: &Directory, end: LogEnd, report: &mut Report) {
    let Directory { log, dir, kind, .. } = directory;
    // The database's own folder isn't there before the first start.
    let (Some(for_log), Some(for_database)) = (free_bytes(vfs, log), free_bytes(vfs, dir)) else {
        return;
    };
    let segment_bytes = if has_prepared(vfs, log) { 0 } else { SEGMENT_BYTES_DEFAULT };
    let refuse = |path: &Path, free: u64, what: &str| {
        let reason = format!("{} are left on its disk: {what}", Size(free));
        Finding::new(Weight::Refused, "no-room", reason).of(path)
    };
    if *kind != Kind::Bbolt && end == LogEnd::NewSegment && for_log < segment_bytes {
        let segment = Size(segment_bytes);
        let what =
            format!("a start cuts the log's end off and goes on in a new segment of {segment}");
        report.add(refuse(log, for_log, &what));
        return;
    }
    if *kind == Kind::NoEngine && for_database < MANIFEST_BYTES {
        report.add(refuse(dir, for_database, "a start begins the database"));
        return;
    }
    let shares = log.starts_with(dir);
    let log_bytes = segment_bytes + if shares { FLUSH_BYTES } else { 0 };
    if for_log < log_bytes || for_database < FLUSH_BYTES {
        let reason = format!(
            "{} are left on its disk. A start is none the worse for it, but the log's next segment \
             takes {} soon, and what is written to the database {}: without room the server \
             takes no more writes, or stops",
            Size(for_log.min(for_database)),
            Size(SEGMENT_BYTES_DEFAULT),
            Size(FLUSH_BYTES),
        );
        let path = if for_database < FLUSH_BYTES { dir } else { log };
        report.add(Finding::new(Weight::Note, "low-room", reason).of(path));
    }
}

/// `None` also where the system doesn't tell.
fn free_bytes(vfs: &dyn Vfs, folder: &Path) -> Option<u64> {
    vfs.free_bytes(folder).ok()
}

/// Whether the log's next segment is there already, which a start takes.
fn has_prepared(vfs: &dyn Vfs, log: &Path) -> bool {
    let names = vfs.list(log).unwrap_or_default();
    names.iter().any(|name| {
        let is_prepared = name.extension().is_some_and(|extension| extension == "tmp");
        let bytes = |path: &Path| vfs.open_read(path).and_then(|file| file.len());
        is_prepared && bytes(&log.join(name)).is_ok_and(|bytes| bytes == SEGMENT_BYTES_DEFAULT)
    })
}
