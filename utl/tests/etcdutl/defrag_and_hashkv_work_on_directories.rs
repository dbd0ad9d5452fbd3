//! `etcdutl defrag` and `etcdutl hashkv` on a data directory, and `hashkv` on a snapshot: the
//! number is that of a member's HashKV, and a directory that a member runs on is refused.

use crate::support::*;
use retcd_vfs::Vfs;
use std::path::Path;

#[test]
fn the_number_is_a_members() {
    let (vfs, store) = with_snapshot();
    let restore = ["snapshot", "restore", "snap.db", "--data-dir=data"];
    assert_eq!(etcdutl(&vfs, &restore).code, 0);
    for revision in [0, 30, 41] {
        let hash = store.hash_kv(revision).expect("memory");
        let expected = format!("{}, {}, 30\n", hash.hash, hash.hash_revision);
        for path in ["snap.db", "data"] {
            let ran = etcdutl(&vfs, &["hashkv", path, &format!("--rev={revision}")]);
            assert_eq!((ran.code, &ran.out), (0, &expected), "{}", ran.err);
        }
    }
    assert!(!vfs.exists(Path::new("scratch")).expect("memory"), "scratch files are gone");
    let hash = store.hash_kv(0).expect("memory").hash;
    let ran = etcdutl(&vfs, &["hashkv", "snap.db", "-w", "json"]);
    let expected = format!("{{\"hash\":{hash},\"hashRevision\":53,\"compactRevision\":30}}\n");
    assert_eq!(ran.out, expected);
    let ran = etcdutl(&vfs, &["hashkv", "snap.db", "--rev=29"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("required revision has been compacted"), "{}", ran.err);
}

#[test]
fn defragmenting_keeps_everything() {
    let (vfs, store) = with_snapshot();
    let restore = ["snapshot", "restore", "snap.db", "--data-dir=data"];
    assert_eq!(etcdutl(&vfs, &restore).code, 0);
    let ran = etcdutl(&vfs, &["defrag", "--data-dir=data"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("finished defragmenting data/member/snap/db: "), "{}", ran.err);
    let parts = open(&vfs, None);
    assert_eq!(parts.store.hash_kv(0).expect("memory"), store.hash_kv(0).expect("memory"));
    for arguments in [&["defrag", "--data-dir=data"][..], &["hashkv", "data"]] {
        let ran = etcdutl(&vfs, arguments);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("another process uses this data directory"), "{}", ran.err);
    }
}

#[test]
fn a_tree_is_defragmented_too() {
    let (vfs, store) = with_snapshot();
    let restore = ["snapshot", "restore", "snap.db", "--data-dir=data", "--backend-engine=btree"];
    assert_eq!(etcdutl(&vfs, &restore).code, 0);
    assert!(vfs.exists(Path::new("data/member/snap/db/tree.db")).expect("memory"));
    assert_eq!(etcdutl(&vfs, &["defrag", "--data-dir=data"]).code, 0);
    let hash = store.hash_kv(0).expect("memory").hash;
    let ran = etcdutl(&vfs, &["hashkv", "data"]);
    assert_eq!(ran.out, format!("{hash}, 53, 30\n"));
}
