//! `etcd-dump check` on directories of ours: what it says of whole ones, that each kind of damage
//! is named with its weight, and that a member starts if and only if it says so.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::database::{Database, folder};
use crate::directories::*;
use crate::support::*;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use retcd_engine::{Applied, Btree, Engine, Header, Keyspace, Lsm, Record, Version, btree, lsm};
use retcd_mvcc::Config;
use retcd_raft_glue::{BootstrapOptions, DataDir, bootstrap};
use retcd_vfs::{MemVfs, Vfs};
use retcd_wal::Group;
use std::path::Path;
use std::sync::Arc;

const NEWEST_SEGMENT: &str = "data/member/wal/000000000000001b-00000000000000a2.wal";
const SECOND_SEGMENT: &str = "data/member/wal/000000000000001a-000000000000009c.wal";
const OLDEST_SEGMENT: &str = "data/member/wal/0000000000000019-0000000000000096.wal";
const MANIFEST: &str = "data/member/snap/db/MANIFEST-0000000000000173";
const TABLE: &str = "data/member/snap/db/000000000000018f.sst";
const TREE: &str = "data/member/snap/db/tree.db";

fn check(vfs: &dyn Vfs, arguments: &[&str]) -> Ran {
    etcd_dump(vfs, &[&["check", "data"], arguments].concat())
}

/// Makes sure that it is found, in both forms, and that the verdict is that of its weight.
fn assert_found(vfs: &dyn Vfs, arguments: &[&str], weight: &str, name: &str) {
    let json = check(vfs, &[arguments, &["--json"]].concat());
    let found = json.json("finding");
    let is_it =
        |finding: &&serde_json::Value| finding["name"] == name && finding["weight"] == weight;
    assert!(found.iter().any(|finding| is_it(&finding)), "{weight} {name}: {}", json.out);
    let verdict = &json.json("verdict")[0];
    assert_eq!(verdict["healthy"], weight == "note", "{name}: {}", json.out);
    assert_eq!(verdict["starts"], weight != "refused", "{name}: {}", json.out);
    let code = u8::from(weight != "note");
    let text = check(vfs, arguments);
    assert_eq!((json.code, text.code), (code, code), "{name}");
    let word = if weight == "note" { "note".to_owned() } else { weight.to_uppercase() };
    assert!(!text.lines_with(&format!("{word} {name}")).is_empty(), "{name}: {}", text.out);
    let verdict = match weight {
        "note" => "verdict: healthy, a server would start",
        "damaged" => "verdict: not healthy, though a server would start",
        _ => "verdict: not healthy, a server would not start",
    };
    assert_eq!(text.lines_with(verdict).len(), 1, "{name}: {}", text.out);
}

fn put_file(vfs: &MemVfs, path: &str) {
    write(vfs, Path::new(path), b"something");
}

/// Whether a member starts on a copy.
fn starts(vfs: &MemVfs) -> bool {
    let copy = copy_in_memory(vfs);
    let shared: Arc<dyn Vfs> = Arc::new(copy.clone());
    let Ok(data_dir) = DataDir::open(Arc::clone(&shared), Path::new("data"), None) else {
        return false;
    };
    let options = BootstrapOptions {
        name: "default".to_owned(),
        initial_cluster: Vec::new(),
        initial_cluster_token: String::new(),
        joins: None,
        stands_alone: None,
        log: options(),
        store: Config::default(),
        election_ticks: 10,
        pre_vote: true,
        seed: 1,
    };
    let is_tree = vfs.exists(Path::new(TREE)).unwrap();
    let started = bootstrap(data_dir, options, move |dir| {
        let shared = Arc::clone(&shared);
        Ok(match is_tree {
            true => {
                Arc::new(Btree::open(shared, dir, btree::Options::default())?) as Arc<dyn Engine>
            }
            false => Arc::new(Lsm::open(shared, dir, lsm::Options::default())?),
        })
    });
    started.is_ok()
}

#[test]
fn whole_directories_are_healthy() {
    let mut text = String::new();
    for name in ["data-1", "data-2", "data-3", "data-btree-1"] {
        let vfs = ours(name);
        let ran = check(&vfs, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        text.push_str(&format!("{name}\n{}\n", ran.out));
        assert!(starts(&vfs), "{name}");
    }
    assert_golden("check.txt", &text);
    assert_eq!(
        check(&ours("data-btree-1"), &["--backend-engine", "btree"]).lines_with("note"),
        [""; 0]
    );
}

#[test]
fn who_uses_it_and_with_which_engine() {
    let vfs = ours("data-3");
    let held = vfs.lock(Path::new("data/member/lock")).unwrap();
    assert_found(&vfs, &[], "refused", "lock-held");
    drop(held);
    assert_found(&vfs, &["--backend-engine", "btree"], "refused", "wrong-engine");
    assert_found(&ours("data-btree-1"), &["--backend-engine", "lsm"], "refused", "wrong-engine");
    assert_found(&ours("data-btree-1"), &[], "note", "engine");
    put_file(&vfs, "data/member/snap/db/tree.db");
    assert_found(&vfs, &[], "refused", "wrong-engine");
    let vfs = ours("data-btree-1");
    put_file(&vfs, "data/member/snap/db/CURRENT");
    assert_found(&vfs, &[], "refused", "wrong-engine");
}

#[test]
fn whether_there_is_room() {
    const MIB: u64 = 1 << 20;
    // The first one's log ends as it should, the second one's is cut.
    let (whole, cut) = (ours("data-3"), ours("data-3"));
    change(&cut, NEWEST_SEGMENT, |bytes| bytes[4096 + 70] ^= 1);
    for (vfs, name) in [(&whole, "whole"), (&cut, "cut")] {
        let json = check(vfs, &["--json"]);
        assert_eq!(json.out.contains("torn-tail"), name == "cut", "{}", json.out);
        vfs.pretend_free_bytes(128 * MIB);
        assert_eq!(check(vfs, &[]).lines_with("room"), [""; 0], "{name}");
        assert_eq!(check(vfs, &[]).code, 0, "{name}");
        vfs.pretend_free_bytes(128 * MIB - 1);
        assert_found(vfs, &[], "note", "low-room");
        vfs.pretend_free_bytes(64 * MIB - 1);
    }
    assert_found(&whole, &[], "note", "low-room");
    assert_found(&cut, &[], "refused", "no-room");
    whole.pretend_free_bytes(0);
    assert_found(&whole, &[], "note", "low-room");
    let unfounded = ours("data-3");
    remove_all(&unfounded, "data/member/snap");
    unfounded.pretend_free_bytes(4095);
    assert_found(&unfounded, &[], "refused", "no-room");
    // A segment that was prepared is taken.
    let mut prepared = cut.create_append(Path::new("data/member/wal/0.tmp")).unwrap();
    prepared.append(&vec![0; 64 << 20]).unwrap();
    assert_found(&cut, &[], "note", "low-room");
    cut.pretend_free_bytes(64 * MIB);
    assert_eq!(check(&cut, &[]).lines_with("room"), [""; 0]);
    let tree = ours("data-btree-1");
    tree.pretend_free_bytes(0);
    assert_found(&tree, &["--backend-engine", "btree"], "note", "low-room");
    let etcds = etcds();
    etcds.pretend_free_bytes(64 * MIB);
    assert_found(&etcds, &[], "note", "low-room");
}

#[test]
fn what_restores_and_transfers_leave() {
    let vfs = ours("data-3");
    for folder in ["data/member/snap/incoming", "data/member.part"] {
        vfs.create_dir_all(Path::new(folder)).unwrap();
    }
    assert_found(&vfs, &[], "note", "leftover");
    assert_eq!(check(&vfs, &[]).lines_with("note leftover").len(), 2);
    remove_all(&vfs, "data/member");
    assert_found(&vfs, &[], "refused", "unfinished-restore");
    // A received snapshot that is on its way into the engine's place.
    let vfs = ours("data-3");
    vfs.rename(folder(), Path::new("data/member/snap/db.next")).unwrap();
    let ran = check(&vfs, &[]);
    assert_eq!((ran.code, ran.lines_with("applied index 150").len()), (0, 1), "{}", ran.out);
}

#[test]
fn of_manifest_and_tables() {
    let with = |path: &str, with: &dyn Fn(&mut Vec<u8>)| {
        let vfs = ours("data-3");
        change(&vfs, path, with);
        vfs
    };
    let without = |path: &str| {
        let vfs = ours("data-3");
        vfs.remove_file(Path::new(path)).unwrap();
        vfs
    };
    let current = "data/member/snap/db/CURRENT";
    assert_found(&with(current, &|bytes| bytes[9] ^= 1), &[], "refused", "manifest");
    assert_found(&without(MANIFEST), &[], "refused", "manifest");
    assert_found(&without(current), &[], "refused", "manifest");
    assert_found(&with(MANIFEST, &|bytes| bytes[60] ^= 1), &[], "refused", "manifest");
    assert_found(&with(MANIFEST, &|bytes| bytes.extend([1; 5])), &[], "note", "manifest-torn");
    assert_found(&without(TABLE), &[], "refused", "table-missing");
    let foot = |bytes: &mut Vec<u8>| {
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
    };
    assert_found(&with(TABLE, &foot), &[], "refused", "table");
    assert_found(&with(TABLE, &|bytes| bytes[100] ^= 1), &[], "damaged", "table");
    let vfs = ours("data-3");
    put_file(&vfs, "data/member/snap/db/00000000000000ff.sst");
    assert_found(&vfs, &[], "note", "orphans");
}

#[test]
fn of_a_tree() {
    let vfs = ours("data-btree-1");
    change(&vfs, TREE, |bytes| bytes.truncate(6000));
    assert_found(&vfs, &[], "refused", "tree");
    // A page that a start doesn't read.
    let found = (2..19).find(|page| {
        let vfs = ours("data-btree-1");
        change(&vfs, TREE, |bytes| bytes[page * 4096 + 40] ^= 1);
        let ran = check(&vfs, &["--json"]);
        let is_it = ran.code == 1 && ran.json("verdict")[0]["starts"] == true;
        if is_it {
            assert_found(&vfs, &[], "damaged", "tree");
        }
        is_it
    });
    assert!(found.is_some(), "no page is of that kind");
}

/// A database whose state or names are what `commit` and `record` say, without a log.
fn with_state(state: Bytes, name: &str, value: &str) -> MemVfs {
    let vfs = MemVfs::new();
    let lsm = Lsm::open(shared(&vfs), folder(), lsm::Options::default()).unwrap();
    let mut records = vec![Record {
        key: name.to_owned().into(),
        version: Version { main: 1, sub: 0 },
        tombstone: false,
        header: Header::default(),
        value: value.to_owned().into(),
        keys_added: None,
    }];
    lsm.write(Keyspace::Meta, &mut records).unwrap();
    lsm.commit(Applied { index: 5, term: 1, watermark: 0, state }).unwrap();
    lsm.request_flush().unwrap();
    while lsm.step().unwrap() != retcd_engine::Step::Idle {}
    drop(lsm);
    fill(&mut create(&vfs), 1, 8, 1);
    vfs
}

#[test]
fn of_the_state() {
    let reasons = |vfs: &MemVfs, name: &str| {
        assert_found(vfs, &[], "refused", name);
        let found = check(vfs, &["--json"]).json("finding");
        let found = found.iter().filter(|finding| finding["name"] == name);
        found.map(|finding| finding["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let vfs = with_state("?".into(), "cluster/version", "3.5.0");
    assert_eq!(reasons(&vfs, "state").len(), 1);
    let vfs = with_state("?".into(), "member/000000000000000a", "{");
    assert_eq!(reasons(&vfs, "state").iter().filter(|text| text.contains("member/")).count(), 1);
    let vfs = with_state("?".into(), "auth/enabled", "\x01");
    assert!(reasons(&vfs, "auth-enabled")[0].contains("authentication is enabled"));
}

#[test]
fn of_the_log() {
    let with = |path: &str, with: &dyn Fn(&mut Vec<u8>)| {
        let vfs = ours("data-3");
        change(&vfs, path, with);
        vfs
    };
    let vfs = ours("data-3");
    remove_all(&vfs, "data/member/wal");
    assert_found(&vfs, &[], "refused", "log-missing");
    let vfs = ours("data-3");
    vfs.remove_file(Path::new(SECOND_SEGMENT)).unwrap();
    assert_found(&vfs, &[], "refused", "log-missing");
    assert_found(&with(SECOND_SEGMENT, &|bytes| bytes[4096 + 70] ^= 1), &[], "refused", "log");
    assert_found(&with(SECOND_SEGMENT, &|bytes| bytes[8] = 9), &[], "refused", "log-version");
    assert_found(&with(NEWEST_SEGMENT, &|bytes| bytes[4096 + 70] ^= 1), &[], "note", "torn-tail");
    let torn = check(&with(NEWEST_SEGMENT, &|bytes| bytes[4096 + 70] ^= 1), &["--json"]);
    assert!(torn.json("verdict")[0]["given_up_bytes"].as_u64() > Some(0), "{}", torn.out);
    let never_finished = with(NEWEST_SEGMENT, &|bytes| bytes.fill(0));
    assert_found(&never_finished, &[], "note", "unfinished-segment");
    // The newest segment alone, whose entries are all behind what is applied.
    let vfs = ours("data-3");
    vfs.remove_file(Path::new(OLDEST_SEGMENT)).unwrap();
    vfs.remove_file(Path::new(SECOND_SEGMENT)).unwrap();
    assert_found(&vfs, &[], "refused", "log-missing");
}

#[test]
fn of_a_log_that_was_there_first() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(dir()).unwrap();
    assert_found(&vfs, &[], "damaged", "nothing-here");
    let mut log = create(&vfs);
    fill(&mut log, 1, 20, 1);
    assert_found(&vfs, &[], "note", "database-missing");
    // raft's own rules: a term that falls, a kind that nobody knows, a commit index too high.
    let group = |entries: &[_], hard_state| {
        let vfs = MemVfs::new();
        let mut log = create(&vfs);
        fill(&mut log, 1, 3, 2);
        log.append(&Group { entries, hard_state, snapshot: None }).unwrap();
        vfs
    };
    assert_found(&group(&[put(4, 1, "k", "v")], None), &[], "refused", "log");
    assert_found(&group(&[entry(4, 2, 9, "")], None), &[], "refused", "log");
    assert_found(&group(&[], hard(2, 9)), &[], "refused", "log");
    assert_found(&group(&[put(4, 3, "k", "v")], hard(2, 3)), &[], "refused", "log");
}

#[test]
fn of_a_log_that_the_database_has_left_behind() {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    // The database goes up to entry 31 or so; older segments aren't read by a start.
    let applied = check(&vfs, &["--json"]).json("checked")[0]["applied_index"].as_u64().unwrap();
    let mut log = create(&vfs);
    fill(&mut log, 1, applied + 2, 1);
    let ran = check(&vfs, &[]);
    assert_eq!(
        (ran.code, ran.lines_with("2 entries are in the log only").len()),
        (0, 1),
        "{}",
        ran.out
    );
    damage(&vfs, &paths(&vfs)[0], |bytes| bytes[40] ^= 1);
    assert_found(&vfs, &[], "note", "old-segment");

    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    fill(&mut create(&vfs), 1, 3, 1);
    assert_found(&vfs, &[], "note", "log-restarts");
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    assert_found(&vfs, &[], "refused", "log-missing");
}

#[test]
fn of_a_hole_in_the_log() {
    let vfs = retcd_vfs::CrashVfs::with_log_depth(4);
    let mut log = create(&vfs);
    fill(&mut log, 1, 2, 1);
    for index in 3..=6 {
        let entries = [put(index, 1, "k", "v")];
        log.submit(&Group { entries: &entries, ..Group::default() }).unwrap();
    }
    vfs.settle();
    let left = vfs.crash(0);
    damage(&left, &paths(&left)[0], |bytes| bytes[at(4)..at(5)].fill(0));
    assert_found(&left, &[], "note", "log-hole");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_member_starts_if_and_only_if_it_is_said(
        changes in vec((any::<prop::sample::Index>(), any::<usize>(), 1..=255u8), 1..3),
        cut in 0..8usize,
        is_tree in any::<bool>(),
    ) {
        let vfs = ours(if is_tree { "data-btree-1" } else { "data-3" });
        let all = files_in(&vfs, Path::new("data"));
        for (file, at, bits) in changes {
            change(&vfs, file.get(&all).to_str().unwrap(), |bytes| {
                let Some(at) = at.checked_rem(bytes.len()) else { return };
                bytes[at] ^= bits;
                if cut == 0 {
                    bytes.truncate(at + 1);
                }
            });
        }
        let ran = check(&vfs, &["--json"]);
        let verdict = &ran.json("verdict")[0];
        prop_assert_eq!(verdict["starts"].as_bool(), Some(starts(&vfs)), "{}", ran.out);
        prop_assert_eq!(verdict["healthy"].as_bool(), Some(ran.code == 0), "{}", ran.out);
    }
}
