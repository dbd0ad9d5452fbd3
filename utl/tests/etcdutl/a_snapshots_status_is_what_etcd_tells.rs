//! `etcdutl snapshot status` on a snapshot of etcd 3.5.1, as its own etcdutl 3.5.1 printed it: the
//! golden files are what both left. And on damaged files.

use crate::support::*;
use retcd_vfs::MemVfs;

/// What etcd 3.5.1 saved: keys with history, a lease, users, roles, a compaction.
const SAVED: &[u8] = include_bytes!("../golden/etcd-3.5.1.snapshot");

#[test]
fn in_every_form() {
    let vfs = MemVfs::new();
    write(&vfs, "snap.db", SAVED);
    for (form, expected) in [
        ("simple", include_str!("../golden/status-simple.txt")),
        ("json", include_str!("../golden/status-json.txt")),
        ("fields", include_str!("../golden/status-fields.txt")),
        ("table", include_str!("../golden/status-table.txt")),
    ] {
        let ran = etcdutl(&vfs, &["snapshot", "status", "snap.db", "-w", form]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""), "{form}");
    }
}

#[test]
fn its_keys_and_its_hash_are_etcds() {
    let vfs = MemVfs::new();
    write(&vfs, "snap.db", SAVED);
    for line in include_str!("../golden/hashkv.txt").lines() {
        let (revision, hash) = line.split_once(' ').expect("revision and hash");
        let ran = etcdutl(&vfs, &["hashkv", "snap.db", "--rev", revision]);
        assert!(ran.out.starts_with(&format!("{hash}, {revision}, ")), "{line}: {}", ran.out);
    }
}

#[test]
fn of_a_damaged_file() {
    let vfs = MemVfs::new();
    let mut torn = SAVED.to_vec();
    torn.truncate(torn.len() / 2);
    write(&vfs, "torn.db", &torn);
    write(&vfs, "text.db", b"not a database");
    for file in ["torn.db", "text.db"] {
        let ran = etcdutl(&vfs, &["snapshot", "status", file]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{file}");
        assert!(ran.err.starts_with(&format!("Error: {file}")), "{}", ran.err);
    }
    let mut damaged = SAVED.to_vec();
    damaged[8192..8192 + 64].fill(0xff);
    write(&vfs, "damaged.db", &damaged);
    let ran = etcdutl(&vfs, &["snapshot", "status", "damaged.db"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("Error: snapshot file integrity check failed."), "{}", ran.err);
}
