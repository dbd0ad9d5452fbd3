//! etcd 14370: a cluster of one member could lose a write that it had acknowledged.
//!
//! In a cluster of one, what is in the member's own log is committed. etcd's raft library counted
//! an entry in as soon as it was handed out to be written, so a lone member executed and answered
//! it at the same time as it wrote its log; with more members the others' answers had hidden that.
//! A crash in between left an answer without an entry.
//!
//! Here a member counts itself in when its log has reported the group as durable. The machine stops
//! right behind every single answer, with the least and with chance left on the disk, and what was
//! answered must be there, at the revision that was told.

use crate::support::{open, put};
use retcd_api::etcdserverpb::RangeRequest;
use retcd_mvcc::Response;
use retcd_raft_glue::{Inline, Input, Result};
use retcd_vfs::{CrashVfs, Vfs};
use std::sync::Arc;

const PUTS: u64 = 40;
const CRASHES: u64 = 3;

/// The pieces of a member's work, the eager ones first: whatever can be executed and answered is,
/// before the log gets to do anything.
const PIECES: [fn(&mut Inline) -> Result<bool>; 5] =
    [|member| member.apply(1), Inline::consult, Inline::submit, Inline::complete, Inline::maintain];

fn key(id: u64) -> Vec<u8> {
    format!("key-{id}").into_bytes()
}

/// Asks a member that starts from what each of some crashes leaves.
fn assert_is_there(disk: &CrashVfs, id: u64, revision: i64) {
    for seed in 0..CRASHES {
        let left: Arc<dyn Vfs> = Arc::new(disk.crash(id * CRASHES + seed));
        let mut member = open(&left).expect("a crash leaves what can be opened");
        member.settle().expect("nothing fails");
        let request = RangeRequest { key: key(id).into(), ..RangeRequest::default() };
        let found = member.store().range(&request).expect("it can be read");
        let pair = found.kvs.first().unwrap_or_else(|| panic!("put {id} is lost"));
        assert_eq!(pair.mod_revision, revision);
    }
}

fn play(disk: &CrashVfs) {
    let shared: Arc<dyn Vfs> = Arc::new(disk.clone());
    let mut member = open(&shared).expect("a new member");
    member.settle().expect("nothing fails");
    member.told();
    let mut answered = 0;
    for id in 1..=PUTS {
        let data = put(id, &key(id), b"value");
        member.step(Input::Propose { token: id, data }).expect("nothing fails");
        // Every third one waits until more have gathered.
        if id % 3 == 0 {
            continue;
        }
        while PIECES.iter().any(|piece| piece(&mut member).expect("nothing fails")) {
            for outcome in member.told().outcomes {
                let Ok(Response::Put(response)) = outcome.result else {
                    panic!("a put is answered as one");
                };
                let revision = response.header.expect("it has one").revision;
                assert_is_there(disk, outcome.request_id, revision);
                answered += 1;
            }
        }
    }
    assert!(answered >= PUTS - 1, "{answered}");
}

#[test]
fn with_one_group_at_a_time() {
    play(&CrashVfs::new());
}

#[test]
fn with_several_groups_under_way() {
    play(&CrashVfs::with_log_depth(4));
}
