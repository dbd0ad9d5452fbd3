//! Opens what is left of a log and compares it with what it must say.

use super::disk::Disk;
use super::evidence::{is_harmless, must_refuse};
use super::history::History;
use super::model::{State, found};
use super::open;
use super::reference::{Expected, expected};
use crate::memory::peak_of;
use retcd_vfs::MemVfs;
use retcd_wal::{Group, LogEntry};
use std::sync::Arc;

/// Opening may hold this many bytes for each byte of the files: the model of a file system grows
/// the next segment's file, the log reads groups and copies entries out of them.
const BYTES_HELD_PER_BYTE: usize = 6;
/// And so many besides.
const BYTES_HELD_BESIDES: usize = 1 << 20;

/// Opens `after`, which was `before` until it was damaged. Undamaged it must tell of the first
/// `needed` writes.
///
/// # Panics
///
/// If the log says anything else than it must.
pub fn judge(history: &mut History, before: &Disk, after: &Disk, needed: usize) {
    let flushed = history.model.flushed;
    let vfs = after.mount();
    let (opened, held) = peak_of(|| open(Arc::new(vfs.clone()), history.next_options(), flushed));
    let limit = BYTES_HELD_BESIDES + BYTES_HELD_PER_BYTE * (after.bytes() + before.bytes());
    assert!(held <= limit, "{held} bytes held for {} bytes of log", after.bytes());
    let expected = expected(after, flushed, &history.places);
    let (log, recovery, entries) = match opened {
        Err(error) => {
            assert!(!is_harmless(before, after, flushed), "nothing is damaged: {error}");
            let Expected::Refused(_) = expected else {
                panic!("refused without a reason: {error}; {expected:?}");
            };
            return;
        }
        Ok(opened) => opened,
    };
    let found = found(recovery.state, &entries, flushed);
    assert_eq!(must_refuse(before, after, flushed), None, "accepted {found:?}");
    match expected {
        Expected::Refused(reason) => panic!("accepted although {reason}: {found:?}"),
        Expected::Ends(Some(state)) if history.places.is_certain => {
            assert_eq!(found, state.opened(flushed));
        }
        Expected::Ends(_) => {
            let mut ever = history.model.ever.iter();
            assert!(ever.any(|state| state.opened(flushed) == found), "{found:?}");
        }
    }
    if before == after {
        history.model.go_on_from(&found, needed);
    }
    drop(log);
    goes_on(&vfs, history, &found);
}

/// What was accepted is a log: it opens again, can be appended to, and says it all once more.
fn goes_on(vfs: &MemVfs, history: &mut History, state: &State) {
    let flushed = history.model.flushed;
    let again = |history: &mut History| {
        let options = history.next_options();
        open(Arc::new(vfs.clone()), options, flushed).expect("it was accepted before")
    };
    let (mut log, recovery, entries) = again(history);
    assert_eq!(&found(recovery.state, &entries, flushed), state);
    let index = state.log.last_index + 1;
    let data = vec![7; 5000].into();
    let entry = LogEntry { index, term: history.model.term + 1, kind: 0, data };
    let group = Group { entries: &[entry], ..Group::default() };
    log.append(&group).expect("memory doesn't fail");
    log.close().expect("memory doesn't fail");
    let (_, recovery, mut all) = again(history);
    assert_eq!(all.pop().as_ref(), group.entries.first());
    assert_eq!(all, entries);
    assert_eq!(recovery.state.hard_state, state.log.hard_state);
}
