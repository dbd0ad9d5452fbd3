//! A whole data directory that was written once, by the first program of each format, is opened for
//! ever: its log, its engine, and what both say about each other.
//!
//! `RETCD_WRITE_GOLDEN=1` writes the directory that isn't there yet, for the day when a format of
//! the log, the engine or the records gets a new version. One that is there is never written again.
//!
//! | directory | log | engine |
//! |---|---|---|
//! | `data-1` | 2 | manifest 1, tables 1 |
//! | `data-2` | 2 | manifest 2, tables 2 |
//! | `data-3` | 2 | manifest 2, tables 3 |
//! | `data-btree-1` | 2 | B+tree 1 |

use crate::support::{DATA, Kind, encode, open_on, open_on_oracle, put};
use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, InternalRaftRequest, LeaseGrantRequest, PutRequest,
    RequestOp, TxnRequest,
};
use retcd_engine::Engine as _;
use retcd_mvcc::membership::{self, MemberChange};
use retcd_raft_glue::{Inline, Input, Opened};
use retcd_vfs::{MemVfs, Vfs};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Requests that the directory holds, and those after which nothing was flushed any more.
const REQUESTS: u64 = 160;
const LAST_FLUSHED: u64 = 150;

/// What the compaction names.
const COMPACTED: i64 = 40;

/// HashKV at the compacted and at the last revision: etcd's number for these pairs.
const HASHES: [u32; 2] = [2_734_521_731, 2_304_774_453];

/// The folders of a data directory that have files.
const FOLDERS: [&str; 3] = ["member", "member/wal", "member/snap/db"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Must stay as it is: the directories hold what it makes.
fn request(id: u64) -> Input {
    let key = |number: u64| Bytes::from(format!("/keys/{:02}", number * 7 % 40));
    let mut request = InternalRaftRequest::default();
    match id {
        1..=3 => {
            let (id, ttl) = (id.cast_signed(), 3600);
            request.lease_grant = Some(LeaseGrantRequest { id, ttl });
        }
        50 => {
            request.compaction = Some(CompactionRequest { revision: COMPACTED, physical: false });
        }
        60 => return learner(id),
        70 | 155 => return propose(id, put(id, b"/large", &b"much of the same, ".repeat(500))),
        _ if id.is_multiple_of(9) => {
            let (key, range_end) = (key(id), key(id + 1));
            request.delete_range = Some(DeleteRangeRequest { key, range_end, prev_kv: true });
        }
        _ if id.is_multiple_of(7) => {
            let put = |number| RequestOp {
                request: Some(Request::RequestPut(PutRequest {
                    key: key(number),
                    value: Bytes::from(format!("value {number} of transaction {id}")),
                    ..PutRequest::default()
                })),
            };
            let success = vec![put(id), put(id + 1)];
            request.txn = Some(TxnRequest { success, ..TxnRequest::default() });
        }
        _ => {
            request.put = Some(PutRequest {
                key: key(id),
                value: Bytes::from(format!("value {id}").repeat(1 + id as usize % 20)),
                lease: (id % 4).cast_signed(),
                ..PutRequest::default()
            });
        }
    }
    propose(id, encode(id, request))
}

fn propose(token: u64, data: Bytes) -> Input {
    Input::Propose { token, data }
}

fn learner(token: u64) -> Input {
    let change = MemberChange::Add(membership::Member {
        id: 77,
        peer_urls: vec!["http://127.0.0.1:1".to_owned()],
        is_learner: true,
        ..membership::Member::default()
    });
    let data = change.to_conf_change(token).encode_to_vec().into();
    Input::ProposeConfChange { token, data }
}

/// Sends the requests one by one. The last ones come without background work.
fn play(member: &mut Inline) {
    member.settle().expect("memory doesn't fail");
    for id in 1..=REQUESTS {
        member.step(request(id)).expect("memory doesn't fail");
        if id <= LAST_FLUSHED {
            member.settle().expect("memory doesn't fail");
        } else {
            serve(member);
        }
    }
}

fn serve(member: &mut Inline) {
    let work = |member: &mut Inline| {
        Ok::<_, retcd_raft_glue::Error>(
            member.consult()?
                || member.submit()?
                || member.complete()?
                || member.apply(usize::MAX)?,
        )
    };
    while work(member).expect("memory doesn't fail") {}
}

/// The same requests on the oracle engine, from the founding on.
fn expected() -> Inline {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut member = open_on_oracle(&vfs).expect("a new member");
    play(&mut member);
    member
}

fn write_golden(kind: Kind, to: &Path) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let mut member = open_on(kind, &vfs).expect("a new member");
    play(&mut member);
    // As a killed process leaves it: nothing is closed.
    for folder in FOLDERS {
        let from = Path::new(DATA).join(folder);
        fs::create_dir_all(to.join(folder)).expect("a folder of the sources");
        for name in vfs.list(&from).expect("memory doesn't fail") {
            let is_file = name.extension().is_some() || folder == "member/snap/db";
            if is_file && name.extension().is_none_or(|extension| extension != "tmp") {
                let file = vfs.open_read(&from.join(&name)).expect("memory doesn't fail");
                let mut bytes = vec![0; file.len().expect("memory doesn't fail") as usize];
                file.read_exact_at(0, &mut bytes).expect("memory doesn't fail");
                fs::write(to.join(folder).join(name), bytes).expect("a folder of the sources");
            }
        }
    }
}

fn read_golden(from: &Path) -> Arc<dyn Vfs> {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    for folder in FOLDERS {
        let to = Path::new(DATA).join(folder);
        vfs.create_dir_all(&to).expect("memory doesn't fail");
        for entry in fs::read_dir(from.join(folder)).expect("it is part of the sources") {
            let entry = entry.expect("it can be listed");
            if entry.file_type().expect("it can be asked").is_file() {
                let bytes = fs::read(entry.path()).expect("it can be read");
                let file = vfs.create_append(&to.join(entry.file_name()));
                file.and_then(|mut file| file.append(&bytes)).expect("memory doesn't fail");
            }
        }
    }
    vfs
}

fn assert_same(found: &Inline, expected: &Inline) {
    let (found, expected) = (found.store(), expected.store());
    assert_eq!(found.applied_index(), expected.applied_index());
    assert_eq!(found.revision(), expected.revision());
    assert_eq!(found.compacted_revision(), COMPACTED);
    assert_eq!(found.key_count(), expected.key_count());
    assert_eq!(found.conf_state(), expected.conf_state());
    assert_eq!(found.members(), expected.members());
    assert_eq!(found.leases(), expected.leases());
    for lease in found.leases() {
        let keys = |store: &retcd_mvcc::Store| store.lease_keys(lease).expect("readable");
        assert_eq!(keys(found), keys(expected), "keys of lease {lease}");
    }
    for revision in COMPACTED..=found.revision() {
        let hash = |store: &retcd_mvcc::Store| store.hash_kv(revision).expect("readable").hash;
        assert_eq!(hash(found), hash(expected), "hash of revision {revision}");
    }
}

fn check(kind: Kind, name: &str) {
    let folder = golden(name);
    if std::env::var_os("RETCD_WRITE_GOLDEN").is_some() && !folder.exists() {
        write_golden(kind, &folder);
    }
    let mut expected = expected();
    let vfs = read_golden(&folder);
    let mut member = open_on(kind, &vfs).expect("it is whole");
    let Opened::Existing { replayed, .. } = member.parts().opened else {
        panic!("the member is forgotten");
    };
    assert!(replayed as u64 >= REQUESTS - LAST_FLUSHED, "{replayed} entries come from the log");
    let flushed = member.parts().engine.flushed().index;
    assert!(flushed > REQUESTS / 2, "the first {flushed} come from the engine");
    serve(&mut member);
    // A leader's first entry is one more than the member had when it was written.
    serve_one(&mut expected);
    assert_same(&member, &expected);
    let hash = |revision| member.store().hash_kv(revision).expect("readable").hash;
    assert_eq!([hash(COMPACTED), hash(0)], HASHES);

    for id in REQUESTS + 1..REQUESTS + 40 {
        for member in [&mut member, &mut expected] {
            member.step(request(id)).expect("memory doesn't fail");
            member.settle().expect("memory doesn't fail");
        }
    }
    member.close().expect("memory doesn't fail");
    let mut member = open_on(kind, &vfs).expect("it went on in the same directory");
    serve(&mut member);
    serve_one(&mut expected);
    assert_same(&member, &expected);
}

/// Adds an entry that does nothing, as a new leader does.
fn serve_one(member: &mut Inline) {
    let nothing = encode(u64::MAX, InternalRaftRequest::default());
    member.step(propose(u64::MAX, nothing)).expect("memory doesn't fail");
    member.settle().expect("memory doesn't fail");
}

#[test]
fn of_the_first_tables() {
    check(Kind::Lsm, "data-1");
}

#[test]
fn of_the_second_tables() {
    check(Kind::Lsm, "data-2");
}

#[test]
fn of_the_third_tables() {
    check(Kind::Lsm, "data-3");
}

#[test]
fn of_the_first_tree() {
    check(Kind::Btree, "data-btree-1");
}
