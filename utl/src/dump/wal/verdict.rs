//! What a member that starts would make of the log.
//!
//! It is recovery itself that is asked: [`Log::inspect`] reads what a start reads, judges it in the
//! same way, and changes nothing.

use super::line::{Recovered, VerdictLine};
use super::place::Source;
use retcd_vfs::Vfs;
use retcd_wal::{Error, Flushed, Log, Recovery, Verdict};
use std::path::Path;

/// Asks recovery.
pub(super) fn judge(vfs: &dyn Vfs, dir: &Path, flushed: Flushed, source: Source) -> VerdictLine {
    match Log::inspect(vfs, dir, flushed) {
        Ok(recovery) => accepted(recovery, flushed, source),
        Err(error) => refused(error, flushed, source),
    }
}

fn accepted(recovery: Recovery, flushed: Flushed, flushed_source: Source) -> VerdictLine {
    let Recovery { state, verdict, truncated_bytes, restarted, discarded, .. } = recovery;
    let (verdict, place) = match verdict {
        Verdict::Closed => ("closed", None),
        Verdict::Unmarked => ("unmarked", None),
        Verdict::TornTail { path, offset } => ("torn-tail", Some((path, offset))),
        Verdict::Hole { path, offset } => ("hole", Some((path, offset))),
    };
    VerdictLine {
        verdict,
        starts: true,
        file: place.as_ref().map(|(path, _)| name_of(path)),
        offset: place.map(|(_, offset)| offset),
        reason: None,
        recovered: Some(Recovered {
            last_index: state.last_index,
            last_term: state.last_term,
            hard_state: state.hard_state,
            snapshot: state.snapshot,
            given_up_bytes: truncated_bytes,
            restarts: restarted,
            discards: discarded.as_deref().map(name_of),
        }),
        flushed,
        flushed_source,
    }
}

fn refused(error: Error, flushed: Flushed, flushed_source: Source) -> VerdictLine {
    let (verdict, path, offset) = match &error {
        Error::Damaged { path, offset, .. } => ("refused", Some(path), Some(*offset)),
        Error::Version { path, .. } | Error::Foreign { path, .. } => ("refused", Some(path), None),
        Error::Io { path, .. } => ("unreadable", Some(path), None),
        _ => ("refused", None, None),
    };
    VerdictLine {
        verdict,
        starts: false,
        file: path.map(|path| name_of(path)),
        offset,
        reason: Some(error.to_string()),
        recovered: None,
        flushed,
        flushed_source,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
