//! One thread submits groups, replaces, rotates and purges on real files while others read: in
//! sequence from the oldest entry on, and anywhere. Each read gives entries that were written,
//! without a gap, or says that they are gone. Nothing is taken for damage, although files are used
//! again under a reader's hands.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{IDENTITY, OPTIONS, entry, group};
use retcd_vfs::RealVfs;
use retcd_wal::{Error, IoMode, Log, LogEntry, LogReader, Options, Purge, SnapshotMark, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long an entry is follows from its index and term.
fn written(index: u64, term: u64) -> LogEntry {
    entry(index, term, ((index * 37 + term * 11) % 5000) as usize)
}

fn check(from: u64, entries: &[LogEntry]) {
    let mut term = 0;
    for (found, index) in entries.iter().zip(from..) {
        assert_eq!(*found, written(index, found.term));
        assert!(found.term >= term, "terms fall at {index}");
        term = found.term;
    }
}

/// Reads until told to stop, and then the whole log once more; says how often something came.
fn read(reader: &LogReader, stop: &AtomicBool) -> usize {
    let (mut reads, mut next, mut anywhere) = (0, 1, 7);
    loop {
        let is_last_pass = stop.load(Ordering::Acquire);
        if is_last_pass {
            next = reader.first_index();
        }
        loop {
            match reader.entries(next, u64::MAX, 20_000) {
                Ok(entries) => {
                    check(next, &entries);
                    next += entries.len() as u64;
                    reads += entries.len().min(1);
                    if entries.is_empty() {
                        break;
                    }
                }
                Err(Error::NotInLog { .. }) => next = reader.first_index(),
                Err(error) => panic!("{error}"),
            }
            let (first, last) = (reader.first_index(), reader.last_index());
            anywhere = (anywhere * 31 + 17) % 1_000_003;
            let index = first + anywhere % (last + 1 - first.min(last));
            match reader.entries(index, index + 3, u64::MAX) {
                Ok(entries) => check(index, &entries),
                Err(Error::NotInLog { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(matches!(reader.term(index), Ok(_) | Err(Error::NotInLog { .. })));
        }
        if is_last_pass {
            return reads;
        }
    }
}

fn write(log: &mut Log, groups: u64) {
    let mut term = 1;
    for round in 1..=groups {
        let last = log.last_index();
        // Nothing that may be flushed is replaced.
        let back = if round % 9 == 0 { 3.min(last) } else { 0 };
        term += u64::from(back > 0);
        let first = last + 1 - back;
        let entries: Vec<_> =
            (first..first + 1 + round % 4).map(|index| written(index, term)).collect();
        if log.under_way() == log.depth() {
            log.complete().unwrap();
        }
        log.submit(&group(&entries)).unwrap();
        let flushed = log.reader().last_index().saturating_sub(10);
        let limits = Purge { flushed, replicated: flushed, segments_max: 0 };
        if round % 5 == 0 {
            log.purge(limits).unwrap();
        }
        while log.prepare().unwrap() == Step::Worked {}
    }
    while log.complete().unwrap().is_some() {}
}

fn run(options: Options, groups: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = folder.path().join("wal");
    let start = SnapshotMark::default();
    let mut log = match Log::create(Arc::new(RealVfs), &dir, options, IDENTITY, start) {
        Err(Error::Refused { .. }) if options.io == IoMode::Uring => return,
        created => created.unwrap(),
    };
    let readers = [log.reader(), log.reader()];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = readers.each_ref().map(|reader| scope.spawn(|| read(reader, &stop)));
        write(&mut log, groups);
        stop.store(true, Ordering::Release);
        for reading in reading {
            assert!(reading.join().unwrap() > 0);
        }
    });
    assert!(log.stats().rotations > 5 && log.stats().recycled > 3, "{:?}", log.stats());
    assert_eq!(readers[0].last_index(), log.last_index());
}

#[test]
fn with_durable_writes() {
    run(OPTIONS, 150);
}

#[test]
fn with_groups_that_overlap_where_io_uring_is_to_be_had() {
    run(Options { io: IoMode::Uring, depth: 4, ..OPTIONS }, 300);
}

#[test]
fn with_writes_that_come_as_fast_as_can_be() {
    run(Options { unsynced: true, ..OPTIONS }, 1500);
}
