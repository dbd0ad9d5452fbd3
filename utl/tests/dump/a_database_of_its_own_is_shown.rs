//! `etcd-dump db` on a folder of our own engine: each view as text and as JSON, what can be chosen
//! in it, and what a copy looks like that was taken from a member that runs.

use crate::database::*;
use crate::support::*;
use retcd_engine::Engine;
use retcd_vfs::{MemVfs, RealVfs};
use std::fs;
use std::path::Path;

fn small() -> MemVfs {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    vfs
}

#[test]
fn in_all_views() {
    let vfs = small();
    write(&vfs, &folder().join("00000000000000aa.sst"), b"left over");
    write(&vfs, &folder().join("notes"), b"");
    let first = &db(&vfs, &["--tables", "-w", "json"]).json("table")[0];
    let table = first["file"].as_str().expect("a name").to_owned();
    let of_table: [&[&str]; 2] = [&["--table", &table], &["--table", &table, "--blocks"]];
    assert_golden_views(&vfs, VIEWS.into_iter().chain(of_table), "db");
}

#[test]
fn keys_are_chosen_by_range_revision_and_number() {
    let vfs = small();
    let keys = |arguments: &[&str]| {
        let ran = db(&vfs, &[&["--keys", "-w", "json"], arguments].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.json("key")
    };
    assert_eq!(keys(&[]).len(), 17, "12 pods, 6 events, one more, two of them deleted");
    assert_eq!(keys(&["--prefix", "/registry/events/"]).len(), 5);
    assert_eq!(keys(&["--prefix", "/registry/events/", "--rev", "26"]).len(), 6);
    assert_eq!(keys(&["--from", "/registry/pods/", "--to", "single"]).len(), 11);
    assert_eq!(keys(&["--limit", "3"]).len(), 3);
    assert_eq!(keys(&["--limit", "0"]).len(), 0);
    let versions = keys(&["--all-versions", "--prefix", "/registry/pods/default/pod-5", "--full"]);
    let revisions: Vec<_> = versions.iter().map(|key| key["mod_revision"].as_u64()).collect();
    assert_eq!(revisions, [Some(28), Some(23), Some(7)]);
    assert_eq!(versions[0]["deleted"], true);
    assert_eq!((&versions[1]["version"], &versions[1]["create_revision"]), (&2.into(), &7.into()));
    assert!(versions[1]["value"].is_string() && versions[0].get("value").is_none());
    for (revision, said) in [("22", "23 is the compacted one"), ("29", "28 the newest")] {
        let ran = db(&vfs, &["--keys", "--rev", revision]);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn space_adds_up() {
    let vfs = small();
    let stored = |lines: &[serde_json::Value]| {
        lines.iter().filter_map(|line| line["stored_bytes"].as_f64()).sum::<f64>()
    };
    for limit in ["1", "2", "20"] {
        let ran = db(&vfs, &["--space", "-w", "json", "--limit", limit]);
        let lines = ran.json("space");
        let (total, parts) = lines.split_last().expect("a line for all keys");
        assert_eq!(total["of"], "all-keys");
        assert_eq!((&total["keys"], &total["versions"]), (&17.into(), &27.into()));
        let (superseded, reclaimable) = (&total["superseded_bytes"], &total["reclaimable_bytes"]);
        assert_eq!((superseded, reclaimable), (&787.into(), &300.into()), "three old pods");
        let difference = stored(parts) - stored(std::slice::from_ref(total));
        assert!(difference.abs() <= parts.len() as f64, "{}", ran.out);
        let rest: u64 = ran.json("rest").iter().filter_map(|line| line["bytes"].as_u64()).sum();
        let files: u64 = files(&vfs, ".sst").iter().map(|path| read(&vfs, path).len() as u64).sum();
        assert!(files.abs_diff(rest + stored(std::slice::from_ref(total)) as u64) <= 1);
    }
}

#[test]
fn after_merges_only_what_counts_is_there() {
    let vfs = MemVfs::new();
    let database = Database::small(&vfs, folder());
    database.engine.request_merge().expect("in memory");
    database.work();
    let ran = db(&vfs, &["--verify"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(ran.lines_with("verdict: whole").len(), 1);
    let space = db(&vfs, &["--space", "-w", "json", "--depth", "9"]).json("space");
    let total = space.last().expect("a line for all keys");
    assert_eq!((&total["versions"], &total["reclaimable_bytes"]), (&24.into(), &0.into()));
    let runs = db(&vfs, &["-w", "json"]).json("run");
    assert!(runs.iter().any(|run| run["tier"] == "last"), "{runs:?}");
    let edits = db(&vfs, &["--manifest"]);
    assert!(!edits.lines_with("  - 0000").is_empty(), "{}", edits.out);
}

#[test]
fn a_copy_of_a_member_that_runs() {
    // Its last edit was under way.
    let vfs = MemVfs::new();
    let mut database = Database::create(&vfs, folder());
    for key in ["a", "b"] {
        database.put(key, "value", 0);
        database.flush();
    }
    drop(database);
    let manifest = manifest(&vfs);
    let whole = read(&vfs, &manifest);
    replace(&vfs, &manifest, &whole[..whole.len() - 20]);
    let ran = db(&vfs, &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(ran.lines_with("its end is torn").len(), 1, "{}", ran.out);
    assert_eq!(ran.lines_with("not named by the manifest").len(), 2, "{}", ran.out);
    assert_eq!(db(&vfs, &["--keys"]).out, "2.0 put \"a\" created 2 version 1\n");
    assert_eq!(db(&vfs, &["--manifest"]).lines_with("cut short").len(), 1);
    let ran = db(&vfs, &["--verify"]);
    assert_eq!((ran.code, ran.lines_with("was cut short").len()), (0, 1), "{}", ran.out);

    // `CURRENT` was copied before a manifest was, and a table went.
    let vfs = small();
    replace(&vfs, &folder().join("CURRENT"), b"old");
    let gone = files(&vfs, ".sst").remove(0);
    retcd_vfs::Vfs::remove_file(&vfs, &gone).expect("it is there");
    for view in VIEWS {
        let ran = db(&vfs, view);
        assert_eq!(ran.code, 1, "{view:?}");
        assert!(ran.lines_with("FAULT in data/member/snap/db/CURRENT at 0").len() == 1);
        assert!(!ran.out.is_empty() && ran.err.is_empty(), "{view:?}: {}", ran.err);
    }
    let named = gone.display().to_string();
    assert_eq!(db(&vfs, &["--tables"]).lines_with(&named).len(), 1);
}

#[test]
fn of_each_version_of_the_format() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../raft-glue/tests/golden");
    let versions = fs::read_dir(&golden).expect("it is in the tree");
    let mut seen = 0;
    for version in versions {
        let path = version.expect("it is listed").path();
        let path = path.to_str().expect("a name of ours");
        if path.contains("btree") {
            for view in tree_views() {
                let ran = etcd_dump(&RealVfs, &[&["db", path], view].concat());
                assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path} {view:?}: {}", ran.out);
            }
            continue;
        }
        for view in VIEWS {
            let ran = etcd_dump(&RealVfs, &[&["db", path], view].concat());
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path} {view:?}: {}", ran.out);
        }
        let ran = etcd_dump(&RealVfs, &["db", path, "--keyspace", "meta"]);
        assert!(!ran.lines_with("member ").is_empty(), "{}", ran.out);
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn where_it_may_be_found() {
    let vfs = small();
    for path in ["data", "data/member", "data/member/snap/db"] {
        let ran = etcd_dump(&vfs, &["db", path]);
        assert_eq!(ran.code, 0, "{path}: {}", ran.err);
        assert!(ran.out.starts_with("engine data/member/snap/db\n"), "{}", ran.out);
    }
    let ran = db(&vfs, &["--table", "0x7777"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("names no table 0000000000007777"), "{}", ran.err);
}
