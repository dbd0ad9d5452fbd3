//! `etcd-dump meta`: ids, terms, indexes, formats and members of directories of ours, with both
//! engines, and of etcd's; and what is said where parts are damaged or missing.

use crate::directories::*;
use crate::support::*;
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;

fn meta(vfs: &MemVfs, arguments: &[&str]) -> Ran {
    etcd_dump(vfs, &[&["meta", "data"], arguments].concat())
}

#[test]
fn of_each_kind_of_directory() {
    let (mut text, mut json) = (String::new(), String::new());
    for (name, vfs) in [
        ("data-1", ours("data-1")),
        ("data-3", ours("data-3")),
        ("data-btree-1", ours("data-btree-1")),
        ("etcd-3.5.1-data", etcds()),
    ] {
        let ran = meta(&vfs, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        text.push_str(&format!("{name}\n{}\n", ran.out));
        let ran = meta(&vfs, &["--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        assert_eq!(ran.out, meta(&vfs, &["-w", "json"]).out);
        json.push_str(&ran.out);
    }
    assert_golden("meta.txt", &text);
    assert_golden("meta.jsonl", &json);
}

/// What etcdctl told while that etcd ran.
#[test]
fn of_etcds_it_is_what_etcd_itself_said() {
    let ran = meta(&etcds(), &["--json"]);
    let log = &ran.json("log")[0];
    assert_eq!(log["cluster"], 6_012_025_715_201_963_436_u64);
    assert_eq!(log["member"], 6_662_698_563_040_693_991_u64);
    assert_eq!((&log["last_index"], &log["last_term"]), (&26.into(), &2.into()));
    let database = &ran.json("database")[0];
    assert_eq!((&database["revision"], &database["compacted_revision"]), (&18.into(), &8.into()));
    assert_eq!((&database["consistent_index"], &database["log_only"]), (&26.into(), &0.into()));
    assert_eq!(ran.json("member")[0]["name"], "golden");
}

#[test]
fn of_a_part_of_a_directory() {
    let vfs = ours("data-3");
    let whole = meta(&vfs, &[]);
    let ran = etcd_dump(&vfs, &["meta", "data/member"]);
    assert_eq!(
        ran.out.lines().skip(1).collect::<Vec<_>>(),
        whole.out.lines().skip(1).collect::<Vec<_>>()
    );
    vfs.create_dir_all(Path::new("fast")).expect("in memory");
    vfs.rename(Path::new("data/member/wal"), Path::new("data/member/log")).expect("in memory");
    let ran = meta(&vfs, &["--wal-dir", "data/member/log", "--json"]);
    assert_eq!((ran.code, &ran.json("log")[0]["last_index"]), (0, &162.into()));
    let ran = etcd_dump(&vfs, &["meta", "fast"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("neither member nor wal nor snap"), "{}", ran.err);
    let ran = etcd_dump(&vfs, &["meta", "nowhere"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    vfs.create_dir_all(Path::new("fast/member.part")).expect("in memory");
    let ran = etcd_dump(&vfs, &["meta", "fast"]);
    assert!(ran.code == 1 && ran.err.contains("a restore is under way"), "{}", ran.err);
}

#[test]
fn faults_are_told_and_the_rest_is_shown() {
    let faults = |vfs: &MemVfs| {
        let ran = meta(vfs, &[]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert_eq!(ran.out, meta(vfs, &[]).out);
        ran
    };
    let vfs = ours("data-3");
    remove_all(&vfs, "data/member/wal");
    let ran = faults(&vfs);
    assert_eq!(ran.lines_with("FAULT in data/member/wal").len(), 1, "{}", ran.out);
    assert_eq!(ran.lines_with("member b71f75320dc06a6c \"default\"").len(), 1, "{}", ran.out);

    for name in ["data-3", "data-btree-1"] {
        let vfs = ours(name);
        remove_all(&vfs, "data/member/snap");
        let ran = faults(&vfs);
        assert_eq!(ran.lines_with("there is no database").len(), 1, "{}", ran.out);
        assert_eq!(ran.lines_with("entries 150 to 162").len(), 1, "{}", ran.out);
    }
    let vfs = etcds();
    change(&vfs, ETCDS_LOG, |bytes| bytes[0x80] ^= 1);
    let ran = faults(&vfs);
    assert_eq!(ran.lines_with("a record's checksum is wrong").len(), 1, "{}", ran.out);
    assert_eq!(ran.lines_with("consistent index 26").len(), 1, "{}", ran.out);
    let vfs = etcds();
    change(&vfs, ETCDS_DATABASE, |bytes| bytes.truncate(8192));
    let ran = faults(&vfs);
    assert_eq!(ran.lines_with("FAULT in data/member/snap/db").len(), 1, "{}", ran.out);
    assert_eq!(ran.lines_with("entries 1 to 26").len(), 1, "{}", ran.out);
}

#[test]
fn an_end_that_is_torn_is_told() {
    let vfs = etcds();
    change(&vfs, ETCDS_LOG, |bytes| {
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("it isn't blank") + 1;
        bytes.truncate(end - 3);
    });
    let ran = meta(&vfs, &["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.json("log")[0]["torn"]["offset"].as_u64() > Some(0), "{}", ran.out);
}

#[test]
fn a_member_that_runs_is_told() {
    let vfs = ours("data-3");
    let held = vfs.lock(Path::new("data/member/lock")).expect("nobody has it");
    let ran = meta(&vfs, &[]);
    assert_eq!(ran.lines_with("a member seems to run on it").len(), 1, "{}", ran.out);
    drop(held);
    assert_eq!(meta(&vfs, &["--json"]).json("directory")[0]["in_use"], false);
}
