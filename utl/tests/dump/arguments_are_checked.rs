//! What is wrong is said on standard error with exit code 2; help goes to standard output.

use crate::database::{Database, db, folder};
use crate::support::*;
use retcd_utl::dump::Surroundings;
use retcd_vfs::{MemVfs, Vfs};
use std::io::{self, Write};

#[test]
fn wrong_arguments_are_named() {
    let vfs = MemVfs::new();
    for (arguments, named) in [
        (&["wal"][..], "<DIR>"),
        (&["wal", "d", "--kind", "puts"], "delete-range, txn"),
        (&["wal", "d", "--from-index", "x"], "--from-index"),
        (&["wal", "d", "--flushed", "7"], "INDEX:TERM"),
        (&["wal", "d", "--segment", "0y"], "--segment"),
        (&["wal", "d", "--values", "some"], "--values"),
        (&["wal", "d", "-w", "yaml"], "json"),
        (&["wal", "d", "--key", "a\\q"], "backslash"),
        (&["wal", "d", "--prefix"], "--key"),
        (&["wal", "d", "--summary", "--groups-only"], "--groups-only"),
        (&["wal", "d", "--nonsense"], "--nonsense"),
        (&["db"], "<PATH>"),
        (&["db", "d", "--keys", "--space"], "--space"),
        (&["db", "d", "--blocks"], "--table"),
        (&["db", "d", "--table", "1g"], "--table"),
        (&["db", "d", "--keys", "--prefix", ""], "empty"),
        (&["db", "d", "--keys", "--prefix", "a", "--from", "b"], "--from"),
        (&["db", "d", "--keyspace", "auth"], "lease"),
        (&["db", "d", "--space", "--depth", "0"], "--depth"),
        (&["db", "d", "--depth", "1"], "--space"),
        (&["db", "d", "--keys", "--full", "--values"], "--values"),
        (&["meta"], "<DIR>"),
        (&["meta", "d", "-w", "text", "--json"], "--json"),
        (&["check"], "<DIR>"),
        (&["check", "d", "--backend-engine", "bolt"], "btree"),
        (&["snapshot"], "<FILE>"),
        (&["snapshot", "f", "--depth", "0"], "--depth"),
        (&["nonsense"], "nonsense"),
        (&[], "Usage"),
    ] {
        let ran = etcd_dump(&vfs, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(named), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn help_is_no_error() {
    let vfs = MemVfs::new();
    let ran = etcd_dump(&vfs, &["--help"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("wal"), "{}", ran.out);
    let ran = etcd_dump(&vfs, &["wal", "--help"]);
    for part in ["--from-index", "Exit code", "no lock is taken", "running member"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let ran = etcd_dump(&vfs, &["db", "--help"]);
    for part in ["--space", "Exit code", "no lock is taken", "what fills my database?"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let ran = etcd_dump(&vfs, &["meta", "--help"]);
    for part in ["--wal-dir", "Exit code", "no lock is taken", "which member is this"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let ran = etcd_dump(&vfs, &["check", "--help"]);
    for part in ["--backend-engine", "Exit code", "no lock is taken", "is this copy good"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let ran = etcd_dump(&vfs, &["snapshot", "--help"]);
    for part in ["--delimiter", "Exit code", "is it whole, and of when is it?"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert_eq!(etcd_dump(&vfs, &["--version"]).out, "etcd-dump 0.1.0\n");
}

#[test]
fn a_folder_without_a_log_is_an_error() {
    let vfs = MemVfs::new();
    let ran = dump(&vfs, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(ran.err, "etcd-dump: data: there is no such folder\n");
    vfs.create_dir_all(dir()).expect("in memory");
    let ran = dump(&vfs, &[]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "etcd-dump: data/member/wal: there is no log segment here\n");
}

#[test]
fn etcds_own_log_is_told_apart() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(dir()).expect("in memory");
    let record = [4, 0, 0, 0, 0, 0, 0, 0x84, 0x08, 4, 0x10, 0, 0, 0, 0, 0];
    write(&vfs, &dir().join("0000000000000000-0000000000000000.wal"), &record);
    let ran = dump(&vfs, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("etcd itself wrote this"), "{}", ran.err);
}

#[test]
fn a_log_elsewhere_is_found() {
    let vfs = MemVfs::new();
    fill(&mut create(&vfs), 1, 2, 1);
    for arguments in [
        &["wal", "data/member"][..],
        &["wal", "data/member/wal"],
        &["wal", "nowhere", "--wal-dir", "data/member/wal"],
    ] {
        let ran = etcd_dump(&vfs, arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.starts_with("log data/member/wal: 1 segment\n"), "{}", ran.out);
    }
}

#[test]
fn flags_go_with_the_view_and_the_database_that_is_found() {
    let vfs = MemVfs::new();
    drop(Database::small(&vfs, folder()));
    for (arguments, named) in [
        (&["--bucket", "key"][..], "no buckets; see --keyspace"),
        (&["--prefix", "a"], "goes with --keys"),
        (&["--space", "--rev", "3"], "--rev goes with --keys"),
        (&["--space", "--all-versions"], "--all-versions goes with"),
        (&["--tables", "--limit", "3"], "--limit of what?"),
        (&["--manifest", "--full"], "values go with"),
        (&["--keys", "--depth", "1"], "--space|--html <FILE>"),
        (&["--html", "x", "--space"], "cannot be used with"),
        (&["--html", "x", "--full"], "values go with"),
        (&["--keys", "--blocks"], "goes with --table"),
    ] {
        let ran = db(&vfs, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(named), "{arguments:?}: {}", ran.err);
    }
}

/// A reader that goes away, or a disk that fills up, after some bytes.
struct Closing {
    left: usize,
    kind: io::ErrorKind,
}

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        if taken == 0 { Err(self.kind.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let vfs = MemVfs::new();
    fill(&mut create(&vfs), 1, 2, 1);
    drop(Database::small(&vfs, folder()));
    for (kind, code) in [(io::ErrorKind::BrokenPipe, 0), (io::ErrorKind::StorageFull, 1)] {
        for form in ["text", "json"] {
            for (what, left) in [
                ("wal", 0),
                ("wal", 10),
                ("wal", 300),
                ("wal", 900),
                ("db", 9),
                ("meta", 9),
                ("check", 9),
            ] {
                let arguments = ["etcd-dump", what, "data", "-w", form];
                let arguments = arguments.iter().map(Into::into);
                let mut err = Vec::new();
                let mut surroundings = Surroundings {
                    vfs: &vfs,
                    out: &mut Closing { left, kind },
                    err: &mut err,
                    shows_progress: false,
                };
                assert_eq!(retcd_utl::dump::run(arguments, &mut surroundings), code);
                assert_eq!(err.is_empty(), code == 0, "{}", String::from_utf8_lossy(&err));
            }
        }
    }
}
