//! What a member that starts would make of the log.
//!
//! It is recovery itself that is asked: [`Log::inspect`] reads what a start reads, judges it in the
//! same way, and changes nothing.

use super::line::{Recovered, VerdictKind, VerdictLine};
use super::place::Source;
use retcd_vfs::Vfs;
use retcd_wal::{Error, Flushed, Log, Recovery, Verdict};
use std::path::Path;

/// How often a log is judged that a running member goes on with meanwhile.
const ATTEMPTS: usize = 4;

/// Asks recovery. `source` says `flushed`, and `ask` says it anew.
///
/// The engine of a running member may flush, and old segments go, before the log is read: then it
/// is judged again, by what the engine says by then.
pub(super) fn judge(
    vfs: &dyn Vfs,
    dir: &Path,
    mut flushed: Flushed,
    source: Source,
    ask: &dyn Fn() -> Option<Flushed>,
) -> VerdictLine {
    for _ in 1..ATTEMPTS {
        let verdict = judge_once(vfs, dir, flushed, source);
        if verdict.starts || source != Source::Engine {
            return verdict;
        }
        match ask() {
            Some(now) if now != flushed => flushed = now,
            _ => return verdict,
        }
    }
    judge_once(vfs, dir, flushed, source)
}

fn judge_once(vfs: &dyn Vfs, dir: &Path, flushed: Flushed, source: Source) -> VerdictLine {
    match Log::inspect(vfs, dir, flushed) {
        Ok(recovery) => accepted(recovery, flushed, source),
        Err(error) => refused(error, flushed, source),
    }
}

fn accepted(recovery: Recovery, flushed: Flushed, flushed_source: Source) -> VerdictLine {
    let Recovery { state, verdict, truncated_bytes, restarted, discarded, .. } = recovery;
    let (verdict, place) = match verdict {
        Verdict::Closed => (VerdictKind::Closed, None),
        Verdict::Unmarked => (VerdictKind::Unmarked, None),
        Verdict::TornTail { path, offset } => (VerdictKind::TornTail, Some((path, offset))),
        Verdict::Hole { path, offset } => (VerdictKind::Hole, Some((path, offset))),
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
        Error::Damaged { path, offset, .. } => (VerdictKind::Refused, Some(path), Some(*offset)),
        Error::Version { path, .. } | Error::Foreign { path, .. } => {
            (VerdictKind::Refused, Some(path), None)
        }
        Error::Io { path, .. } => (VerdictKind::Unreadable, Some(path), None),
        _ => (VerdictKind::Refused, None, None),
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use retcd_vfs::MemVfs;
    use retcd_wal::Options;
    use retcd_wal::{Group, Identity, LogEntry, SnapshotMark};
    use std::cell::Cell;
    use std::sync::Arc;

    /// A log whose first segment, with the entries up to 2, is gone.
    fn log() -> MemVfs {
        let vfs = MemVfs::new();
        let options = Options { segment_bytes: retcd_wal::SEGMENT_BYTES_MIN, ..Options::default() };
        let identity = Identity { cluster: 1, member: 2 };
        let (shared, dir) = (Arc::new(vfs.clone()), Path::new("wal"));
        let mut log = Log::create(shared, dir, options, identity, SnapshotMark::default()).unwrap();
        for index in 1..=3 {
            let entries = [LogEntry { index, term: 1, kind: 0, data: Bytes::new() }];
            log.append(&Group { entries: &entries, ..Group::default() }).unwrap();
        }
        let first = dir.join("0000000000000000-0000000000000001.wal");
        vfs.remove_file(&first).unwrap();
        vfs
    }

    #[test]
    fn what_a_running_engine_flushed_meanwhile_counts() {
        let asked = Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            Some(Flushed { index: asked.get(), term: 1 })
        };
        let judge = |source| judge(&log(), Path::new("wal"), Flushed::default(), source, &ask);
        assert!(!judge(Source::Given).starts);
        assert_eq!(asked.get(), 0, "nobody is asked who hasn't said it");
        let verdict = judge(Source::Engine);
        assert_eq!((verdict.starts, verdict.flushed.index, asked.get()), (true, 2, 2));
    }

    #[test]
    fn an_engine_that_stays_where_it_is_isnt_asked_for_ever() {
        let same = || Some(Flushed::default());
        let dir = Path::new("wal");
        assert!(!judge(&log(), dir, Flushed::default(), Source::Engine, &same).starts);
        assert!(!judge(&log(), dir, Flushed::default(), Source::Engine, &|| None).starts);
    }
}
