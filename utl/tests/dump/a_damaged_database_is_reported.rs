//! `etcd-dump db --verify`: which file, where in it, and what; the rest is read all the same. And
//! the other views leave out what can't be read, say so, and go on.

use crate::database::*;
use crate::support::*;
use bytes::Bytes;
use retcd_engine::{Applied, Engine, Header, Keyspace, Record, Version};
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;

fn small() -> MemVfs {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    vfs
}

fn flip(vfs: &MemVfs, path: &Path, at: usize) {
    let mut bytes = read(vfs, path);
    bytes[at] ^= 0x10;
    replace(vfs, path, &bytes);
}

/// The first table of pairs, and its blocks of this kind.
fn blocks(vfs: &MemVfs, kind: &str) -> (std::path::PathBuf, Vec<u64>) {
    let table = &db(vfs, &["--tables", "-w", "json"]).json("table")[0];
    assert_eq!(table["keyspace"], "kv");
    let name = table["file"].as_str().expect("a name").to_owned();
    let listed = db(vfs, &["--table", &name, "--blocks", "-w", "json"]).json("block");
    let offsets = listed.iter().filter(|block| block["kind"] == kind);
    let offsets = offsets.filter_map(|block| block["offset"].as_u64()).collect();
    (folder().join(name), offsets)
}

#[test]
fn a_block_by_its_place() {
    for kind in ["keys", "values"] {
        let vfs = small();
        let (path, offsets) = blocks(&vfs, kind);
        assert!(offsets.len() > 1, "{kind}: {offsets:?}");
        for &offset in &offsets[..2] {
            flip(&vfs, &path, offset as usize + 1);
        }
        let ran = db(&vfs, &["--verify", "-w", "json"]);
        assert_eq!(ran.code, 1);
        let faults = ran.json("fault");
        let places: Vec<_> = faults.iter().map(|fault| fault["offset"].as_u64()).collect();
        assert_eq!(places, [Some(0), Some(offsets[0]), Some(offsets[1])], "{}", ran.out);
        let file = path.display().to_string();
        assert!(faults.iter().all(|fault| fault["file"] == file));
        let checked = ran.json("checked");
        assert!(checked.len() > 4 && checked[1..].iter().all(|table| table["faults"] == 0));
        let verdict = &ran.json("verdict")[0];
        assert_eq!((&verdict["whole"], &verdict["faults"]), (&false.into(), &3.into()));
        assert_eq!(verdict["compared"], false);
    }
}

#[test]
fn keys_behind_damage_are_shown() {
    let vfs = small();
    let before = db(&vfs, &["--keys", "--full"]);
    let (path, offsets) = blocks(&vfs, "keys");
    flip(&vfs, &path, offsets[1] as usize);
    let ran = db(&vfs, &["--keys", "--full"]);
    assert_eq!((ran.code, ran.lines_with("FAULT").len()), (1, 1), "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with("FAULT")).collect();
    assert!(lines.len() > 8 && lines.iter().all(|line| before.out.contains(line)));
    assert!(lines.is_sorted_by_key(|line| line.split(' ').nth(2)), "{}", ran.out);
    let ran = db(&vfs, &["--space"]);
    assert_eq!((ran.code, ran.lines_with("FAULT").len()), (1, 1), "{}", ran.out);
    assert_eq!(ran.lines_with("all ").len(), 1);
}

#[test]
fn a_table_that_cannot_be_opened() {
    let vfs = small();
    let (path, _) = blocks(&vfs, "keys");
    let bytes = read(&vfs, &path);
    replace(&vfs, &path, &bytes[..bytes.len() - 1]);
    let ran = db(&vfs, &["--verify"]);
    assert_eq!(ran.code, 1);
    let place = format!("FAULT in {} at {}: ", path.display(), bytes.len() - 1);
    assert_eq!(ran.lines_with(&place).len(), 1, "{}", ran.out);
    assert_eq!(ran.lines_with("verdict: damaged, 1 fault").len(), 1, "{}", ran.out);
}

#[test]
fn keyspaces_that_contradict_each_other() {
    let vfs = MemVfs::new();
    let database = Database::small(&vfs, folder());
    let applied = database.engine.applied();
    let applied = Applied { index: applied.index + 1, ..applied };
    let engine = &database.engine;
    // A pair that no revision made, with a lease that it isn't attached to.
    engine.write(Keyspace::Kv, &mut vec![odd_pair(5)]).expect("in memory");
    engine.commit(applied).expect("in memory");
    database.flush();
    let ran = db(&vfs, &["--verify"]);
    assert_eq!(ran.code, 1);
    for said in [
        "18 pairs exist, but the state says that 17 do",
        "kv has \"odd\" at 28.5, but rev doesn't",
        "\"odd\" has lease 0000000000000009, but isn't attached",
        "DON'T agree",
        "verdict: damaged, 3 faults",
    ] {
        assert_eq!(ran.lines_with(said).len(), 1, "{said}: {}", ran.out);
    }
}

#[test]
fn sums_that_count_what_is_not_there() {
    let vfs = MemVfs::new();
    let database = Database::small(&vfs, folder());
    let applied = database.engine.applied();
    // A put that says that it adds a key, and one over it that says the same.
    for (sub, index) in [(5, applied.index + 1), (6, applied.index + 2)] {
        let mut record = odd_pair(sub);
        record.keys_added = Some(1);
        database.engine.write(Keyspace::Kv, &mut vec![record]).expect("in memory");
        let applied = Applied { index, ..applied.clone() };
        database.engine.commit(applied).expect("in memory");
        database.flush();
    }
    let ran = db(&vfs, &["--verify"]);
    let said = "a scan finds 1 pair from \"odd\" to \"single\", but the sums say 2";
    assert_eq!((ran.code, ran.lines_with(said).len()), (1, 1), "{}", ran.out);
}

fn odd_pair(sub: u64) -> Record {
    Record {
        key: Bytes::from_static(b"odd"),
        version: Version { main: 28, sub },
        tombstone: false,
        header: Header::new(&[28, 1, 9]).expect("it is short"),
        value: Bytes::new(),
        keys_added: None,
    }
}

#[test]
fn a_manifest_that_cannot_be_used() {
    let vfs = small();
    let manifest = manifest(&vfs);
    flip(&vfs, &manifest, 30);
    let ran = db(&vfs, &["--manifest"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.lines_with("the first edit is damaged").len(), 1, "{}", ran.out);
    flip(&vfs, &manifest, 3);
    let ran = db(&vfs, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("damaged at offset 0: not a file of this kind"), "{}", ran.err);
    vfs.remove_file(&manifest).expect("it is there");
    assert!(db(&vfs, &[]).err.contains("CURRENT") || db(&vfs, &[]).err.contains("MANIFEST"));
}
