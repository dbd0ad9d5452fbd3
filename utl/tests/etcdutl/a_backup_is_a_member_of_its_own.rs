//! A backup has everything that the member had, also what only its log has, and is the only member
//! of another cluster. The directory that it is made of stays as it is, and a machine that stops at
//! any operation leaves either no member or the complete one.

use crate::support::*;
use prost::Message;
use retcd_engine::Engine;
use retcd_raft_glue::{Error, Inline, Input};
use retcd_vfs::{CrashVfs, MemVfs, Vfs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const BACKUP: [&str; 3] = ["backup", "--data-dir=data", "--backup-dir=backup"];
const WRITES: i64 = 5;
/// Of the snapshot.
const REVISION: i64 = 53;

/// Does what is due, except in the background.
fn settle_without_flush(member: &mut Inline) {
    let mut work = || -> retcd_raft_glue::Result<bool> {
        Ok(member.consult()?
            || member.submit()?
            || member.complete()?
            || member.apply(usize::MAX)?)
    };
    while work().expect("memory doesn't fail") {}
}

/// Lets a lone member write a few keys, and stops it without a flush.
fn write_more(vfs: &(impl Vfs + Clone)) -> u32 {
    let mut member = Inline::new(open(vfs, None));
    settle_without_flush(&mut member);
    for number in 0..WRITES {
        let data = put(&format!("late{number}"), "x", LEASE).encode_to_vec().into();
        member.step(Input::Propose { token: 0, data }).expect("memory doesn't fail");
        settle_without_flush(&mut member);
    }
    assert_eq!(member.store().revision(), REVISION + WRITES, "it leads and has written");
    assert!(member.parts().engine.flushed().index < member.store().applied_index());
    member.store().hash_kv(0).expect("it can be hashed").hash
}

/// Every file below a folder with its bytes.
fn files(vfs: &impl Vfs, dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for name in vfs.list(dir).expect("it is there") {
        let path = dir.join(name);
        if vfs.list(&path).is_ok() {
            files(vfs, &path, found);
            continue;
        }
        let file = vfs.open_read(&path).expect("it is there");
        let mut bytes = vec![0; file.len().expect("memory") as usize];
        file.read_exact_at(0, &mut bytes).expect("memory");
        found.insert(path, bytes);
    }
}

fn all_files(vfs: &impl Vfs) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(vfs, Path::new("data"), &mut found);
    found
}

fn restore(vfs: &(impl Vfs + Clone), more: &[&str]) {
    write(vfs, "snap.db", &snapshot(&store()));
    let arguments = [&["snapshot", "restore", "snap.db", "--data-dir=data"], more].concat();
    assert_eq!(etcdutl(vfs, &arguments).code, 0);
}

#[test]
fn of_a_lone_member_with_what_only_its_log_has() {
    let vfs = MemVfs::new();
    restore(&vfs, &[]);
    let hash = write_more(&vfs);
    let before = all_files(&vfs);
    let ran = etcdutl(&vfs, &BACKUP);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("restored revision 58, compacted 30"), "{}", ran.err);
    assert_eq!(all_files(&vfs), before, "the old directory is as it was");
    let old = open(&vfs, None).identity;
    let new = try_open_in(&vfs, "backup", None).expect("it is a member's");
    assert_ne!(new.identity.member, old.member);
    assert_ne!(new.identity.cluster, old.cluster);
    assert_eq!(voters(&new), [new.identity.member]);
    assert_eq!(new.store.revision(), REVISION + WRITES);
    assert_eq!(new.store.hash_kv(0).expect("it can be hashed").hash, hash);
    assert_eq!(new.store.leases(), [LEASE]);
    let leased = new.store.lease_keys(LEASE).expect("memory");
    assert_eq!(leased.len() as i64, WRITES + 1, "leases come along with their keys");
    assert!(!vfs.exists(Path::new("backup/member/copy")).expect("memory"));
}

#[test]
fn of_one_member_of_several() {
    let vfs = MemVfs::new();
    let cluster = "--initial-cluster=m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2381";
    restore(&vfs, &["--name=m1", cluster, "--initial-advertise-peer-urls=http://127.0.0.1:2380"]);
    let ran = etcdutl(&vfs, &[&BACKUP[..], &["--backup-wal-dir=log"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let new = try_open_in(&vfs, "backup", Some("log")).expect("it is a member's");
    assert_eq!(voters(&new), [new.identity.member]);
    assert_eq!(new.store.revision(), REVISION);
}

#[test]
fn with_the_log_named_where_it_is() {
    let vfs = MemVfs::new();
    restore(&vfs, &[]);
    let ran = etcdutl(&vfs, &[&BACKUP[..], &["--wal-dir=data/member/wal"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let new = try_open_in(&vfs, "backup", None).expect("it is a member's");
    assert_eq!(new.store.revision(), REVISION);
}

#[test]
fn into_what_is_backed_up_is_refused() {
    let vfs = MemVfs::new();
    restore(&vfs, &[]);
    for made in ["--backup-dir=data/member/backup", "--backup-dir=./data/member"] {
        let ran = etcdutl(&vfs, &["backup", "--data-dir=data", made]);
        assert_eq!(ran.code, 128, "{}", ran.err);
        assert!(ran.err.contains("which is to be backed up"), "{}", ran.err);
    }
    assert!(!vfs.exists(Path::new("data/member/backup")).expect("memory"));
    assert_eq!(open(&vfs, None).store.revision(), REVISION);
}

#[test]
fn what_is_in_use_or_there_is_refused() {
    let vfs = MemVfs::new();
    restore(&vfs, &[]);
    let running = open(&vfs, None);
    let ran = etcdutl(&vfs, &BACKUP);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("data/member/lock"), "{}", ran.err);
    assert!(!vfs.exists(Path::new("backup/member")).expect("memory"));
    drop(running);
    assert_eq!(etcdutl(&vfs, &BACKUP).code, 0);
    let ran = etcdutl(&vfs, &BACKUP);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("data-dir \"backup\" not empty"), "{}", ran.err);
    let ran = etcdutl(&vfs, &[&BACKUP[..], &["--with-v3=false"]].concat());
    assert_eq!(ran.code, 128, "{}", ran.err);
}

/// A disk with a member on it.
fn disk() -> CrashVfs {
    let disk = CrashVfs::new();
    restore(&disk, &[]);
    disk.settle();
    disk
}

/// Calls of the file system in which the backup gets its name, at least.
const LAST_CALLS: u64 = 4;

#[test]
fn wherever_the_machine_stops() {
    let whole = disk();
    let before = whole.operations();
    assert_eq!(etcdutl(&whole, &BACKUP).code, 0);
    let (count, mut complete) = (whole.operations() - before, 0);
    // Only the last calls give the member its name, and a crash may undo that: several are tried.
    let last =
        (count - LAST_CALLS..=count).flat_map(|operation| (0..8).map(move |n| (operation, n)));
    for (operation, seed) in (1..=count).map(|operation| (operation, operation)).chain(last) {
        let disk = disk();
        disk.stop_at(disk.operations() + operation);
        etcdutl(&disk, &BACKUP);
        let disk = disk.crash(seed);
        let context = format!("operation {operation}, seed {seed}");
        if disk.exists(Path::new("backup/member")).expect("memory") {
            complete += 1;
        } else {
            if disk.exists(Path::new("backup/member.part")).expect("memory") {
                let refused = try_open_in(&disk, "backup", None).err();
                assert!(matches!(refused, Some(Error::Unfinished { .. })), "{refused:?}");
            }
            let ran = etcdutl(&disk, &BACKUP);
            assert_eq!(ran.code, 0, "{context}: {}", ran.err);
        }
        let parts = try_open_in(&disk, "backup", None).expect("it is complete");
        assert_eq!(parts.store.revision(), REVISION, "{context}");
        assert_eq!(open(&disk, None).store.revision(), REVISION, "{context}");
    }
    assert!(complete > 0 && complete < count, "{complete} of {count}");
}
