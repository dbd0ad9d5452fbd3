//! A history that rotates, truncates, recycles, purges, restarts at snapshots and is opened again
//! several times is stopped at every single operation on the file system. Whatever the crash leaves
//! of the unsynced rest, everything acknowledged is there, and what is there was submitted in this
//! order. Then the log goes on, crashes again, and still has it.

use crate::model::{Action, Harness};
use retcd_vfs::{CrashVfs, Fault};
use retcd_wal::Error;

fn history() -> Vec<Action> {
    use Action::*;
    let append = |entries, bytes, back| Append { entries, bytes, back };
    vec![
        append(1, 10, 0),
        append(3, 900, 0),
        Vote,
        append(2, 3000, 1),
        Flush { but: 1 },
        Prepare,
        append(1, 5000, 0),
        append(2, 600, 0),
        append(1, 9000, 2),
        Flush { but: 1 },
        Purge { segments_max: 0 },
        Drop,
        append(2, 6000, 0),
        Flush { but: 2 },
        append(1, 12_000, 0),
        Purge { segments_max: 2 },
        append(1, 100, 0),
        Close,
        append(4, 2500, 3),
        Snapshot { ahead: 10, entries: 0 },
        append(3, 100, 0),
        Flush { but: 1 },
        append(1, 15_000, 0),
        Purge { segments_max: 1 },
        append(3, 100, 0),
        Snapshot { ahead: 1, entries: 2 },
        append(1, 15_000, 0),
        Flush { but: 0 },
        Purge { segments_max: 1 },
        append(1, 15_000, 0),
        append(1, 15_000, 0),
        Vote,
        UntoldSnapshot { ahead: 2 },
        append(2, 100, 0),
        Close,
    ]
}

/// Groups that go out while others are on their way.
fn history_of_depth() -> Vec<Action> {
    let mut actions = Vec::new();
    for round in 0..14u64 {
        for nth in 0..3 {
            let bytes = [100, 3000, 6000][(round + nth) as usize % 3];
            let back = u64::from(round % 4 == 3 && nth == 0) * 2;
            actions.push(Action::Submit { entries: 1 + nth, bytes, back });
        }
        actions.push(Action::Complete);
        match round % 5 {
            2 => actions.extend([Action::Flush { but: 1 }, Action::Purge { segments_max: 1 }]),
            3 => actions.push(Action::Snapshot { ahead: 5, entries: round % 2 }),
            4 => actions.push(Action::Prepare),
            _ => {}
        }
    }
    actions.push(Action::Close);
    actions
}

fn all(vfs: CrashVfs, actions: &[Action]) -> u64 {
    let mut harness = Harness::new(vfs);
    harness.create().expect("nothing fails");
    harness.run(actions).expect("nothing fails");
    harness.vfs.operations()
}

/// What happens after a start, however it came about: the log goes on, and is whole after that too.
fn goes_on(harness: &mut Harness, label: &str) {
    harness.open().unwrap_or_else(|e| panic!("{label}: {e}"));
    let more = [
        Action::Append { entries: 2, bytes: 3000, back: 0 },
        Action::Append { entries: 1, bytes: 100, back: 1 },
        Action::Flush { but: 1 },
        Action::Purge { segments_max: 1 },
        Action::Append { entries: 1, bytes: 15_000, back: 0 },
        Action::Append { entries: 1, bytes: 15_000, back: 0 },
    ];
    harness.run(&more).unwrap_or_else(|e| panic!("{label}: {e}"));
    let mut again = harness.after_crash(99);
    again.open().unwrap_or_else(|e| panic!("{label}, crashed again: {e}"));
}

fn stop_everywhere(make: impl Fn() -> CrashVfs, actions: &[Action], seeds: u64) {
    let operations = all(make(), actions);
    for k in 1..=operations {
        let mut harness = Harness::new(make());
        harness.vfs.stop_at(harness.vfs.operations() + k);
        let stopped = harness.create().and_then(|()| harness.run(actions));
        assert!(matches!(stopped, Err(Error::Io { .. })), "operation {k}: {stopped:?}");
        for seed in 0..seeds {
            goes_on(&mut harness.after_crash(seed), &format!("operation {k}, seed {seed}"));
        }
    }
}

#[test]
fn with_one_group_under_way() {
    stop_everywhere(prepared, &history(), 6);
}

#[test]
fn with_several_groups_under_way() {
    let make = || with_parents(CrashVfs::with_log_depth(3));
    stop_everywhere(make, &history_of_depth(), 6);
    stop_everywhere(make, &history(), 2);
}

#[test]
fn without_direct_writes() {
    stop_everywhere(|| with_parents(CrashVfs::without_direct_io()), &history(), 2);
}

fn prepared() -> CrashVfs {
    with_parents(CrashVfs::new())
}

/// The folders above the log are the caller's, and durable before it is created.
fn with_parents(vfs: CrashVfs) -> CrashVfs {
    crate::support::make_parents(&vfs);
    vfs.settle();
    vfs.crash(0)
}

#[test]
fn an_error_at_any_operation_poisons_the_log_and_loses_nothing() {
    fail_everywhere(prepared, &history());
}

#[test]
fn nor_does_one_while_several_groups_are_under_way() {
    fail_everywhere(|| with_parents(CrashVfs::with_log_depth(3)), &history_of_depth());
}

fn fail_everywhere(make: impl Fn() -> CrashVfs, actions: &[Action]) {
    let operations = all(make(), actions);
    for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite] {
        let mut told = 0;
        for k in 1..=operations {
            let label = format!("{fault:?} at operation {k}");
            let mut harness = Harness::new(make());
            harness.vfs.fail_at(k, fault);
            let failed = harness.create().and_then(|()| harness.run(actions));
            match failed {
                Err(Error::PreparationDiskFull { .. }) => {
                    told += 1;
                    if let Some(mut log) = harness.log.take() {
                        log.prepare().unwrap_or_else(|e| panic!("{label}: {e}"));
                    }
                }
                Err(Error::Io { .. }) => {
                    if let Some(mut log) = harness.log.take() {
                        assert!(matches!(log.prepare(), Err(Error::Poisoned)), "{label}");
                        assert!(matches!(log.complete(), Err(Error::Poisoned)), "{label}");
                        assert!(matches!(log.close(), Err(Error::Poisoned)), "{label}");
                    }
                }
                other => panic!("{label}: {other:?}"),
            }
            goes_on(&mut harness.after_crash(k), &format!("{label}, crashed"));
            goes_on(&mut harness.after_kill(), &label);
        }
        assert_eq!(told > 0, fault == Fault::NoSpace);
    }
}
