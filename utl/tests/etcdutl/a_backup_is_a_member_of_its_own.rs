//! A backup has everything that the member had, also what only its log has, and is the only member
//! of another cluster. The directory that it is made of stays as it is, and a machine that stops at
//! any operation leaves either no member or the complete one.

use crate::support::*;
use prost::Message;
use retcd_engine::{Engine, Lsm, Options};
use retcd_raft_glue::{BootstrapOptions, DataDir, Error, FoundingMember, Inline, Input, bootstrap};
use retcd_vfs::{
    AppendFile, CrashVfs, FileLock, LogFile, LogMode, MemVfs, PageFile, ReadFile, RealVfs, Vfs,
};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io};

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
    all_files_in(vfs, Path::new("data"))
}

fn all_files_in(vfs: &impl Vfs, dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(vfs, dir, &mut found);
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
fn into_what_is_backed_up_by_a_link_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let vfs = RealVfs;
    write(&vfs, &at("snap.db"), &snapshot(&store()));
    let data_dir = format!("--data-dir={}", at("data"));
    let ran = etcdutl(&vfs, &["snapshot", "restore", &at("snap.db"), &data_dir]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // The log is elsewhere, by a link, as some have it.
    fs::rename(at("data/member/wal"), at("fast")).expect("it is there");
    symlink(at("fast"), at("data/member/wal")).expect("a link");
    symlink(at("data/member/snap"), at("link")).expect("a link");
    symlink("link", at("backup")).expect("a link");
    let before = all_files_in(&vfs, folder.path());
    for made in ["backup", "backup/deeper", "link/../backup", "fast", "fast/backup"] {
        let made = format!("--backup-dir={}", at(made));
        let ran = etcdutl(&vfs, &["backup", &data_dir, &made]);
        assert_eq!(ran.code, 128, "{made}: {}", ran.err);
        assert!(ran.err.contains("which is to be backed up"), "{}", ran.err);
        let log = format!("--backup-wal-dir={}", at("link/log"));
        let elsewhere = format!("--backup-dir={}", at("elsewhere"));
        assert_eq!(etcdutl(&vfs, &["backup", &data_dir, &elsewhere, &log]).code, 128);
    }
    assert_eq!(all_files_in(&vfs, folder.path()), before);
    symlink(at(""), at("outer")).expect("a link");
    let beside = format!("--backup-dir={}", at("outer/beside"));
    let ran = etcdutl(&vfs, &["backup", &data_dir, &beside]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let made = try_open_in(&vfs, &at("beside"), None).expect("it is a member's");
    assert_eq!(made.store.revision(), REVISION);
}

#[test]
fn without_the_log_that_lies_elsewhere_says_so() {
    // Nothing is flushed, so nothing but the log says that there is a member.
    let vfs = MemVfs::new();
    found_with_log(&vfs, "fast");
    let ran = etcdutl(&vfs, &BACKUP);
    assert_eq!(ran.code, 1);
    let reason = "there is no log in \"data/member/wal\": --wal-dir says where it lies";
    assert_eq!(ran.err, format!("Error: {reason}\n"));
    assert!(!vfs.exists(Path::new("backup")).expect("memory"), "nothing is made");
    let ran = etcdutl(&vfs, &[&BACKUP[..], &["--wal-dir=nowhere"]].concat());
    assert!(ran.err.contains("there is no log in \"nowhere\""), "{}", ran.err);
    let ran = etcdutl(&vfs, &[&BACKUP[..], &["--wal-dir=fast"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let made = try_open_in(&vfs, "backup", None).expect("it is a member's");
    assert_eq!(voters(&made), [made.identity.member]);
}

/// Founds a member whose log lies elsewhere, and stops it before anything is flushed.
fn found_with_log(vfs: &MemVfs, log: &str) {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let data_dir = DataDir::open(shared.clone(), Path::new("data"), Some(Path::new(log)));
    let founder = FoundingMember {
        name: "default".to_owned(),
        peer_urls: vec!["http://localhost:2380".to_owned()],
    };
    let options = BootstrapOptions {
        name: founder.name.clone(),
        initial_cluster: vec![founder],
        ..bootstrap_options()
    };
    let parts = bootstrap(data_dir.expect("memory"), options, move |dir| {
        let lsm = Lsm::open(shared.clone(), dir, Options::default())?;
        Ok(Arc::new(lsm) as Arc<dyn Engine>)
    });
    let mut member = Inline::new(parts.expect("memory"));
    settle_without_flush(&mut member);
    assert_eq!(member.parts().engine.flushed().index, 0);
}

#[test]
fn nobody_else_begins_in_its_place_meanwhile() {
    let files = MemVfs::new();
    restore(&files, &[]);
    let vfs = Watched { files: files.clone(), rivals: Arc::default() };
    let ran = etcdutl(&vfs, &BACKUP);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(vfs.rivals.load(Ordering::Relaxed) > 20, "others tried");
    let made = try_open_in(&files, "backup", None).expect("it is a member's");
    assert_eq!(made.store.revision(), REVISION);
}

/// Files in memory. Whenever something appears in the new member's folder, its log included, others
/// try to begin in the same place.
#[derive(Clone)]
struct Watched {
    files: MemVfs,
    rivals: Arc<AtomicUsize>,
}

impl Watched {
    fn let_others_try(&self, path: &Path) {
        let part = Path::new("backup/member.part");
        let is_begun = self.files.exists(&part.join("lock")).expect("memory");
        if !is_begun || !path.starts_with(part) {
            return;
        }
        let ran = etcdutl(&self.files, &["snapshot", "restore", "snap.db", "--data-dir=backup"]);
        let context = format!("beside {}: {}", path.display(), ran.err);
        assert!(ran.err.contains("another restore runs here"), "{context}");
        self.rivals.fetch_add(1, Ordering::Relaxed);
    }
}

impl Vfs for Watched {
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.files.open_read(path)
    }

    fn create_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.let_others_try(path);
        self.files.create_append(path)
    }

    fn open_log(&self, path: &Path, mode: LogMode) -> io::Result<Box<dyn LogFile>> {
        self.let_others_try(path);
        self.files.open_log(path, mode)
    }

    fn open_pages(&self, path: &Path) -> io::Result<Arc<dyn PageFile>> {
        self.files.open_pages(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.let_others_try(from);
        self.files.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.let_others_try(path);
        self.files.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.files.remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.let_others_try(path);
        self.files.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.files.exists(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.files.sync_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.files.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.files.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.files.is_locked(path)
    }

    fn leads_into(&self, path: &Path, folder: &Path) -> io::Result<bool> {
        self.files.leads_into(path, folder)
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        self.files.free_bytes(folder)
    }
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
