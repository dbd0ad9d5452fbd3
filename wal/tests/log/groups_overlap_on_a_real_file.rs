//! A log on real files with eight groups under way: they are submitted ahead of their completions,
//! across many segments, and the log is dropped at some point as if the process had been killed.
//! Everything acknowledged is there again, and what else is there follows it without a gap. Another
//! thread may sleep on completions meanwhile.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::*;
use retcd_vfs::{LogMode, RealVfs};
use retcd_wal::{Error, Flushed, IoMode, Log, Options, SnapshotMark, Step};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const DEPTH: usize = 8;
const OVERLAPPED: Options =
    Options { io: IoMode::Uring, depth: DEPTH, replay_bytes_max: 1 << 30, ..OPTIONS };

/// Long enough that a test which comes to it has failed.
const FOR_EVER: Duration = Duration::from_secs(600);

/// A log in `dir`; `None`, and a line that says why, where io_uring isn't to be had.
fn create_in(dir: &Path) -> Option<Log> {
    let start = SnapshotMark::default();
    match Log::create(Arc::new(RealVfs), dir, OVERLAPPED, IDENTITY, start) {
        Ok(log) => Some(log),
        Err(refused @ Error::Refused { .. }) => {
            println!("passed over: {refused}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = folder();
    let dir = folder.path().join("wal");
    let Some(mut log) = create_in(&dir) else { return };
    assert_eq!(log.mode(), LogMode::Uring { depth: DEPTH });
    let (mut submitted, mut acknowledged) = (0, 0);
    for round in 0..12u64 {
        for nth in 0..30 {
            if log.under_way() == log.depth() {
                acknowledged += u64::from(log.complete().unwrap().is_some());
            }
            submitted += 1;
            let bytes = [10, 5000, 300, 9000][((round + nth) % 4) as usize];
            log.submit(&group(&[entry(submitted, round + 1, bytes)])).unwrap();
            if nth % 7 == 0 {
                while log.prepare().unwrap() == Step::Worked {}
            }
        }
        drop(log);
        let at = Flushed::default();
        let (again, recovery) =
            Log::open(Arc::new(RealVfs), &dir, OVERLAPPED, IDENTITY, at).unwrap();
        let found = recovery.state.last_index;
        assert!((acknowledged..=submitted).contains(&found), "{acknowledged} {found} {submitted}");
        assert_eq!(indexes(&recovery), (1..=found).collect::<Vec<_>>());
        (log, submitted, acknowledged) = (again, found, found);
    }
    assert!(log.stats().segments > 20);
    log.close().unwrap();
}

#[test]
fn completions_are_slept_on_while_groups_are_submitted() {
    let folder = folder();
    let dir = folder.path().join("wal");
    let Some(log) = create_in(&dir) else { return };
    let log = Arc::new(Mutex::new(Some(log)));
    let (completed, tickets) = mpsc::channel();
    let sleeper = std::thread::spawn({
        let log = log.clone();
        move || {
            loop {
                // The waiter is another one after a segment was begun; the old one has rung then.
                let Some(waiter) = log.lock().unwrap().as_ref().map(Log::waiter) else { return };
                waiter.expect("io_uring has one").wait(FOR_EVER).unwrap();
                let mut log = log.lock().unwrap();
                let Some(log) = log.as_mut() else { return };
                while let Some(ticket) = log.try_complete().unwrap() {
                    completed.send(ticket.0).unwrap();
                }
            }
        }
    });
    let mut index = 0;
    for _ in 0..40 {
        for _ in 0..DEPTH {
            index += 1;
            let mut log = log.lock().unwrap();
            log.as_mut().unwrap().submit(&group(&[entry(index, 1, 100)])).unwrap();
        }
        let told: Vec<u64> = tickets.iter().take(DEPTH).collect();
        assert_eq!(told, (index - DEPTH as u64..index).collect::<Vec<_>>());
    }
    let log = log.lock().unwrap().take().unwrap();
    assert!(log.stats().rotations > 20);
    log.close().unwrap();
    sleeper.join().unwrap();
}
