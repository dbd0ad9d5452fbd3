//! What is refused before anything is done, with etcd's words and exit codes; and what help says.

use crate::support::*;
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;

#[test]
fn with_etcds_words_and_codes() {
    let (vfs, _) = with_snapshot();
    for (arguments, code, error) in [
        (&["snapshot", "status"][..], 128, "snapshot status requires exactly one argument"),
        (&["snapshot", "status", "a", "b"], 128, "snapshot status requires exactly one argument"),
        (&["snapshot", "status", "none.db"], 1, "stat none.db: no such file or directory"),
        (&["snapshot", "status", "snap.db", "-w", "xml"], 4, "unsupported output format"),
        (
            &["snapshot", "status", "snap.db", "-w", "protobuf"],
            4,
            "protobuf not supported as output format",
        ),
        (&["snapshot", "restore"], 128, "snapshot restore requires exactly one argument"),
        (&["snapshot", "restore", "snap.db"], 1, "required flag(s) \"data-dir\" not set"),
        (
            &["snapshot", "restore", "snap.db", "--data-dir=d", "--name=m1"],
            1,
            "couldn't find local name \"m1\" in the initial cluster configuration",
        ),
        (
            &["snapshot", "restore", "snap.db", "--data-dir=d", "--bump-revision=5"],
            128,
            "--mark-compacted required if --bump-revision > 0, and allowed only then",
        ),
        (
            &["snapshot", "restore", "snap.db", "--data-dir=d", "--mark-compacted"],
            128,
            "--mark-compacted required if --bump-revision > 0, and allowed only then",
        ),
        (&["backup", "--data-dir=d"], 1, "required flag(s) \"backup-dir\" not set"),
        (&["backup", "--backup-dir=d"], 1, "required flag(s) \"data-dir\" not set"),
        (
            &["backup", "--data-dir=none", "--backup-dir=d"],
            1,
            "stat none/member: no such file or directory",
        ),
        (&["defrag"], 1, "required flag(s) \"data-dir\" not set"),
        (&["defrag", "--data-dir=none"], 1, "stat none/member: no such file or directory"),
        (&["hashkv"], 128, "hashkv requires exactly one argument"),
        (&["hashkv", "none.db"], 1, "stat none.db: no such file or directory"),
    ] {
        let ran = etcdutl(&vfs, arguments);
        assert_eq!((ran.code, ran.err), (code, format!("Error: {error}\n")), "{arguments:?}");
        assert_eq!(ran.out, "", "{arguments:?}");
    }
    assert!(!vfs.exists(Path::new("d")).expect("memory"), "nothing was written");
    assert!(!vfs.exists(Path::new("none")).expect("memory"), "nothing was written");
}

#[test]
fn what_has_nothing_to_do_here_says_so() {
    let ran = etcdutl(&MemVfs::new(), &["migrate", "--data-dir", "d"]);
    assert_eq!(ran.code, 1);
    let is_told = ran.err.starts_with("Error: ") && ran.err.contains("no storage version");
    assert!(is_told, "{}", ran.err);
}

#[test]
fn what_etcd_made_is_left_alone() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("theirs/member/snap")).expect("memory");
    write(&vfs, "theirs/member/snap/db", &[0; 64]);
    let backup = ["backup", "--data-dir=theirs", "--backup-dir=b"];
    for arguments in [&["defrag", "--data-dir=theirs"][..], &["hashkv", "theirs"], &backup] {
        let ran = etcdutl(&vfs, arguments);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("etcd itself wrote this data directory"), "{}", ran.err);
    }
}

#[test]
fn help_is_printed_where_it_is_asked_for() {
    let vfs = MemVfs::new();
    for (arguments, part) in [
        (&[][..], "snapshot restore backup.db"),
        (&["snapshot"], "Make a data directory for a member of a new cluster"),
        (&["snapshot", "restore", "--help"], "--bump-revision 1000000000 --mark-compacted"),
        (&["completion", "bash"], "_etcdutl()"),
        (&["completion", "zsh"], "#compdef etcdutl"),
        (&["completion", "fish"], "complete -c etcdutl"),
        (&["version"], "etcdutl version: 3.5.33\nAPI version: 3.5\n"),
    ] {
        let ran = etcdutl(&vfs, arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        assert!(ran.out.contains(part), "{arguments:?}: {}", ran.out);
    }
    let ran = etcdutl(&vfs, &["nothing"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("Error: "), "{}", ran.err);
}
