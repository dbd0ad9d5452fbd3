//! `etcd-dump snapshot`: hash, revisions, keys, members and prefixes of snapshots of etcd's and of
//! ours, and what is said of damaged ones.

use crate::database::{Database, folder};
use crate::support::*;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use retcd_api::mvccpb::KeyValue;
use retcd_engine::bolt::Writer;
use retcd_vfs::{MemVfs, Vfs};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;

const ETCDS: &[u8] = include_bytes!("../golden/etcd-3.5.1.snapshot");

fn file(bytes: &[u8]) -> MemVfs {
    let vfs = MemVfs::new();
    write(&vfs, Path::new("snap.db"), bytes);
    vfs
}

fn snapshot(vfs: &MemVfs, arguments: &[&str]) -> Ran {
    etcd_dump(vfs, &[&["snapshot", "snap.db"], arguments].concat())
}

/// The small database as a snapshot of ours, and how many keys it has.
fn ours() -> (Vec<u8>, u64) {
    let vfs = MemVfs::new();
    let database = Database::small(&vfs, folder());
    let bytes = database.snapshot();
    drop(database);
    let keys = etcd_dump(&vfs, &["db", "data", "-w", "json"]).json("engine")[0]["keys"].as_u64();
    (bytes, keys.expect("it is a number"))
}

#[test]
fn of_etcds_and_of_ours() {
    let (mut text, mut json) = (String::new(), String::new());
    for (name, bytes) in [("etcd 3.5.1", ETCDS), ("retcd", &ours().0)] {
        let vfs = file(bytes);
        let ran = snapshot(&vfs, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        text.push_str(&format!("{name}\n{}\n", ran.out));
        let ran = snapshot(&vfs, &["--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        assert_eq!(ran.out, snapshot(&vfs, &["-w", "json"]).out);
        json.push_str(&ran.out);
    }
    assert_golden("snapshot.txt", &text);
    assert_golden("snapshot.jsonl", &json);
}

#[test]
fn keys_are_counted_as_the_member_counts_them() {
    let (bytes, keys) = ours();
    let pairs = &snapshot(&file(&bytes), &["--json"]).json("pairs")[0];
    assert_eq!((pairs["keys"].as_u64(), &pairs["revision"]), (Some(keys), &28.into()));
    assert_eq!(pairs["compacted_revision"], 23);
}

#[test]
fn prefixes_are_those_that_are_asked_for() {
    let vfs = file(&ours().0);
    let shown = |arguments: &[&str]| {
        let ran = snapshot(&vfs, &[arguments, &["--json"]].concat());
        let sum = |kind: &str| -> u64 {
            ran.json(kind).iter().filter_map(|line| line["versions"].as_u64()).sum()
        };
        let all = ran.json("pairs")[0]["versions"].as_u64();
        assert_eq!(Some(sum("prefix") + sum("other-prefixes")), all, "{}", ran.out);
        (ran.json("prefix").len(), ran.json("other-prefixes").len())
    };
    assert_eq!(shown(&[]), (3, 0));
    assert_eq!(shown(&["--limit", "1"]), (1, 1));
    assert_eq!(shown(&["--depth", "1"]), (2, 0));
    assert_eq!(shown(&["--delimiter", "-"]), (3, 0));
    assert_eq!(snapshot(&vfs, &["--depth", "0"]).code, 2);
}

#[test]
fn keys_arent_counted_while_a_compaction_is_half_done() {
    let pairs = |scheduled: u64| {
        let mut writer = Writer::new(Vec::new());
        let revision = |main: u64| [&main.to_be_bytes()[..], b"_", &[0; 8]].concat();
        writer.bucket(b"key").expect("in memory");
        for (main, version) in [(2, 1), (5, 2), (6, 1)] {
            let pair = KeyValue {
                key: if main == 6 { "b".into() } else { "a".into() },
                version,
                ..KeyValue::default()
            };
            writer.put(&revision(main), &pair.encode_to_vec()).expect("in memory");
        }
        writer.bucket(b"meta").expect("in memory");
        for (name, main) in [("finishedCompactRev", 3), ("scheduledCompactRev", scheduled)] {
            writer.put(name.as_bytes(), &revision(main)).expect("in memory");
        }
        let (head, _, body) = writer.finish().expect("in memory");
        let ran = snapshot(&file(&[head.as_slice(), &body].concat()), &["--json"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.json("pairs")[0].clone()
    };
    let done = pairs(3);
    assert_eq!((&done["keys"], &done["compacting_revision"]), (&2.into(), &Value::Null));
    let half_done = pairs(5);
    assert_eq!((&half_done["keys"], &half_done["compacting_revision"]), (&Value::Null, &5.into()));
}

#[test]
fn what_is_wrong_is_told() {
    let (whole, _) = ours();
    let database = &whole[..whole.len() - 32];
    let ran = snapshot(&file(database), &[]);
    assert_eq!((ran.code, ran.lines_with("--skip-hash-check").len()), (0, 1), "{}", ran.out);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        let ran = snapshot(&file(&bytes), &["--json"]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert_eq!(snapshot(&file(&bytes), &[]).code, 1);
        ran
    };
    let ran = with(&|bytes| *bytes.last_mut().expect("there are some") ^= 1);
    let line = &ran.json("snapshot")[0];
    assert_eq!((&line["hash"], &line["whole"]), (&"wrong".into(), &false.into()));
    assert_eq!(ran.json("pairs").len(), 1, "the rest is shown");
    // Damage that whoever made the hash didn't mind.
    let ran = with(&|bytes| {
        bytes.truncate(bytes.len() - 32);
        bytes[3 * 4096] ^= 1;
        let hash = Sha256::digest(&*bytes);
        bytes.extend_from_slice(&hash);
    });
    let line = &ran.json("snapshot")[0];
    assert_eq!((&line["hash"], &line["whole"]), (&"right".into(), &false.into()));
    assert_eq!(ran.json("fault")[0]["offset"], 3 * 4096);
    let error = |vfs: &MemVfs, code: u8, part: &str| {
        let ran = snapshot(vfs, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""));
        assert!(ran.err.contains(part), "{}", ran.err);
    };
    error(&file(b"not a database"), 1, "isn't a bbolt database");
    error(&MemVfs::new(), 1, "snap.db");
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("snap.db")).expect("in memory");
    error(&vfs, 2, "this is a folder");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_damage_is_survived(
        changes in vec((any::<usize>(), 1..=255u8), 1..6),
        cut in 0..6usize,
        is_etcds in any::<bool>(),
    ) {
        let mut bytes = if is_etcds { ETCDS.to_vec() } else { ours().0 };
        for (at, bits) in changes {
            let at = at % bytes.len();
            bytes[at] ^= bits;
            if cut == 0 && at > 0 {
                bytes.truncate(at);
            }
        }
        let vfs = file(&bytes);
        let (text, json) = (snapshot(&vfs, &[]), snapshot(&vfs, &["--json"]));
        prop_assert_eq!(text.code, json.code);
        let is_told = !json.json("fault").is_empty() || !json.err.is_empty();
        prop_assert_eq!(is_told, json.code == 1, "{}", json.out);
    }
}
