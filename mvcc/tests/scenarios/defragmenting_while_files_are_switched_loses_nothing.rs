//! etcd 20271: a member that was asked to defragment while it took over a snapshot wrote into a
//! file that was gone.
//!
//! Both replace the database's file. The snapshot's file was opened, then the defragmentation
//! renamed its own copy of the old state over it, and the member went on with the file that had no
//! name any more: everything from then on was lost with the next restart. (What was reported is a
//! page that isn't the expected one.)
//!
//! A defragmentation here is a merge, and replaces no file as a whole; what is switched is the
//! manifest, by renaming `CURRENT`, and taking over a snapshot is a switch of the folder at start,
//! when nothing else runs. So this is the nearest there is: every edit begins a new manifest, two
//! threads flush and merge, a third one writes and asks for defragmentations. What a flush has said
//! to be durable must be in the files that the next start finds, without any replay.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use prost::Message;
use retcd_engine::Step;
use retcd_engine::lsm::{Lsm, Options};
use retcd_engine::oracle::Oracle;
use retcd_mvcc::CommittedEntry;
use retcd_vfs::{CrashVfs, Vfs};

use crate::crashing::Member;
use crate::support::{IntoEntry, delete, put};

const ENTRIES: u64 = 300;

/// Entries that may be in memory only.
const LAG: u64 = 15;

fn open(disk: &CrashVfs) -> Member {
    let options = Options {
        memtable_bytes: 1 << 10,
        table_bytes: 1 << 10,
        concatenated_bytes: 1 << 10,
        slice_bytes: 200,
        manifest_bytes: 64,
        ..Options::default()
    };
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let engine = Lsm::open(vfs, Path::new("/db"), options).expect("what was written opens");
    Member::on(Arc::new(engine)).expect("what was written opens")
}

fn entry(index: u64) -> CommittedEntry {
    let key = format!("key-{:02}", index * 7 % 30);
    let request = match index % 5 {
        0 => delete(&key, "").into_entry(),
        _ => put(&key, &"v".repeat(index as usize % 90)).into_entry(),
    };
    CommittedEntry { index, term: 1, data: request.encode_to_vec().into() }
}

/// Executes the entries up to this one.
fn execute(member: &mut Member, through: u64) {
    for index in member.applier.index() + 1..=through {
        member.execute(&entry(index)).expect("no error was planned").expect("it is allowed");
        member.applier.publish().expect("no error was planned");
    }
}

/// Lets other threads end, also when this one panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn defragmenting_while_files_are_switched_loses_nothing() {
    let disk = CrashVfs::new();
    let mut member = open(&disk);
    let engine = Arc::clone(&member.engine);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst)
                    || engine.step().expect("no error was planned") == Step::Worked
                {
                    engine.step().expect("no error was planned");
                    thread::yield_now();
                }
            });
        }
        let _stop = SetOnDrop(&done);
        for index in (10..=ENTRIES).step_by(10) {
            execute(&mut member, index);
            engine.request_merge().expect("no error was planned");
            // Not far ahead of the flushes, or there would be few.
            while engine.flushed().index + LAG < index {
                engine.step().expect("no error was planned");
            }
            let flushed = engine.flushed().index;
            let found = open(&disk.crash(index)).store.applied_index();
            assert!(found >= flushed, "{found} of {flushed} entries are there");
        }
        engine.request_flush().expect("no error was planned");
    });
    assert_eq!(engine.flushed().index, ENTRIES);
    drop((member, engine));
    for seed in 1000..1004 {
        let found = open(&disk.crash(seed));
        assert_eq!(found.store.applied_index(), ENTRIES);
        let mut expected = Member::on(Arc::new(Oracle::new())).expect("an empty engine opens");
        execute(&mut expected, ENTRIES);
        assert_eq!(found.store.revision(), expected.store.revision());
        let hash = |member: &Member| member.store.hash_kv(0).expect("no error was planned");
        assert_eq!(hash(&found), hash(&expected));
    }
}
