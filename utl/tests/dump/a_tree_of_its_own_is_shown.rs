//! `etcd-dump db` on a folder of our B+tree: the views that it has, that they say what those of
//! tables say, and what is refused.

use crate::database::*;
use crate::support::*;
use retcd_vfs::MemVfs;
use std::path::PathBuf;

const PAGE_BYTES: usize = 4096;

fn small() -> MemVfs {
    let vfs = MemVfs::new();
    drop(Database::small_tree(&vfs, folder()));
    vfs
}

fn file() -> PathBuf {
    folder().join("tree.db")
}

#[test]
fn in_all_views() {
    assert_golden_views(&small(), tree_views(), "db-btree");
}

#[test]
fn it_says_what_tables_say() {
    let (tree, tables) = (small(), MemVfs::new());
    drop(Database::small(&tables, folder()));
    for view in [
        &["--keys", "--values"][..],
        &["--keys", "--rev", "24"],
        &["--keys", "--limit", "3", "--from", "/registry/pods/"],
        &["--keyspace", "kv"],
        &["--keyspace", "lease"],
        &["--keyspace", "meta"],
    ] {
        let (tree, tables) = (db(&tree, view), db(&tables, view));
        assert_eq!((tree.code, &tree.out), (0, &tables.out), "{view:?}: {}", tree.err);
        assert!(tree.out.lines().count() > 1, "{view:?}: {}", tree.out);
    }
    let ran = db(&tree, &["--keys", "--rev", "22"]);
    assert!(ran.code == 1 && ran.err.contains("23 is the compacted one"), "{}", ran.err);
}

#[test]
fn what_only_tables_have_is_refused() {
    let vfs = small();
    for view in
        [&["--manifest"][..], &["--tables"], &["--table", "1"], &["--table", "1", "--blocks"]]
    {
        let ran = db(&vfs, view);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{view:?}");
        let said = "tree.db: a B+tree has neither manifest nor tables";
        assert!(ran.err.contains(said), "{view:?}: {}", ran.err);
    }
    for view in [&["--limit", "1"][..], &["--verify", "--rev", "24"], &["--values"]] {
        assert_eq!(db(&vfs, view).code, 2, "{view:?}");
    }
    // As bbolt's tools see it.
    let ran = db(&vfs, &["--bucket", "meta", "--limit", "1"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.err);
    let ran = etcd_dump(&vfs, &["db", "data/member/snap/db/tree.db"]);
    assert!(ran.code == 0 && ran.out.starts_with("database "), "{}{}", ran.out, ran.err);
}

#[test]
fn space_adds_up_to_the_file() {
    let vfs = small();
    let ran = db(&vfs, &["--space", "-w", "json"]);
    let lines = ran.json("space");
    let total = lines.last().expect("a line for all keys");
    assert_eq!((&total["of"], &total["keys"]), (&"all-keys".into(), &17.into()));
    let stored = total["stored_bytes"].as_f64().expect("a number") as u64;
    let rest: u64 = ran.json("rest").iter().filter_map(|line| line["bytes"].as_u64()).sum();
    let pages = db(&vfs, &["-w", "json"]).json("tree")[0]["pages"].as_u64().expect("a number");
    assert_eq!(stored + rest, pages * PAGE_BYTES as u64, "{}", ran.out);
}

#[test]
fn damage_has_a_place() {
    let vfs = small();
    let whole = read(&vfs, &file());
    let mut found = 0;
    for page in 2..whole.len() / PAGE_BYTES {
        let mut bytes = whole.clone();
        bytes[page * PAGE_BYTES + 1000] ^= 1;
        replace(&vfs, &file(), &bytes);
        let ran = db(&vfs, &["--verify"]);
        if ran.code == 0 {
            continue;
        }
        found += 1;
        // Without the pages that are read at the start there is no tree to show.
        let at = page * PAGE_BYTES;
        let said = [ran.out, ran.err].concat();
        let places = [format!("at {at}:"), format!("at offset {at}:")];
        assert!(places.iter().any(|place| said.contains(place)), "{said}");
        for view in tree_views() {
            let ran = db(&vfs, view);
            let is_told = ran.out.contains("FAULT") || !ran.err.is_empty();
            assert_eq!((ran.code, is_told), (u8::from(is_told), ran.code == 1), "{view:?}");
        }
    }
    assert!(found > 5, "{found} pages");
}
