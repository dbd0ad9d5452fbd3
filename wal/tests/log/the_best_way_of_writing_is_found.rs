//! The log is asked to find a way of writing on file systems that refuse one or the other: it takes
//! the best that is left and tells what was refused. Asked for one way, it takes that or none.

use crate::support::*;
use retcd_vfs::{CrashVfs, LogMode, MemVfs};
use retcd_wal::{Error, Flushed, IoMode, Log, Options, Result};
use std::sync::Arc;

const DEEP: LogMode = LogMode::Uring { depth: 4 };

fn with(io: IoMode, depth: usize) -> Options {
    Options { io, depth, ..OPTIONS }
}

/// Which way is taken, and which were refused.
fn found(vfs: &impl Shareable, options: Options) -> Result<(LogMode, Vec<LogMode>)> {
    let of = |log: &Log| (log.mode(), log.refusals().iter().map(|refused| refused.mode).collect());
    let created = create_with(vfs, options)?;
    assert_eq!(
        created.depth(),
        if let LogMode::Uring { depth } = created.mode() { depth } else { 1 }
    );
    let found = of(&created);
    drop(created);
    let opened = Log::open(vfs.shared(), dir(), options, IDENTITY, Flushed::default())?;
    assert_eq!(of(&opened.0), found, "opening finds what creating found");
    Ok(found)
}

#[test]
fn the_best_that_is_to_be_had() {
    for (depth, all, no_uring, no_direct) in [
        (1, (LogMode::Direct, vec![]), (LogMode::Direct, vec![]), vec![LogMode::Direct]),
        (4, (DEEP, vec![]), (LogMode::Direct, vec![DEEP]), vec![DEEP, LogMode::Direct]),
    ] {
        let auto = with(IoMode::Auto, depth);
        assert_eq!(found(&CrashVfs::new(), auto).unwrap(), all);
        assert_eq!(found(&CrashVfs::without_uring(), auto).unwrap(), no_uring);
        let left = (LogMode::Buffered, no_direct);
        assert_eq!(found(&CrashVfs::without_direct_io(), auto).unwrap(), left);
    }
}

#[test]
fn one_way_or_none() {
    for (io, depth, mode) in [
        (IoMode::Direct, 1, LogMode::Direct),
        (IoMode::Uring, 1, LogMode::Uring { depth: 1 }),
        (IoMode::Uring, 4, DEEP),
    ] {
        assert_eq!(found(&MemVfs::new(), with(io, depth)).unwrap(), (mode, vec![]));
        let refused = found(&CrashVfs::without_direct_io(), with(io, depth)).unwrap_err();
        assert!(
            matches!(&refused, Error::Refused { mode: told, .. } if *told == mode),
            "{refused}"
        );
    }
    let refused =
        found(&CrashVfs::without_uring(), with(IoMode::Uring, 4)).unwrap_err().to_string();
    let reason = "io_uring of depth 4 here: io_uring: Operation not permitted (os error 1)";
    assert!(refused.ends_with(reason), "{refused}");
}

#[test]
fn an_error_is_not_a_refusal() {
    let vfs = CrashVfs::new();
    make_parents(&vfs);
    let mut failures = 0;
    for operation in 1.. {
        let vfs = vfs.crash(1);
        vfs.fail_at(operation, retcd_vfs::Fault::Io);
        let start = retcd_wal::SnapshotMark::default();
        match Log::create(Arc::new(vfs), dir(), with(IoMode::Auto, 4), IDENTITY, start) {
            Ok(log) => {
                assert!(log.refusals().is_empty());
                break;
            }
            Err(error) => assert!(matches!(error, Error::Io { .. }), "{error}"),
        }
        failures += 1;
    }
    assert!(failures > 8);
}
