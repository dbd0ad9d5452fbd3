//! On real files: content, times and names are the same before and after, also where nothing may be
//! written and where a member holds the lock.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use crate::database::{Database, VIEWS, tree_views};
use crate::support::{IDENTITY, etcd_dump, fill, options};
use retcd_raft_glue::DataDir;
use retcd_vfs::{RealVfs, Vfs};
use retcd_wal::{Log, SnapshotMark};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Everything below a folder: names, modes, times of change in nanoseconds, content.
fn picture(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for found in fs::read_dir(&folder).unwrap() {
            let path = found.unwrap().path();
            let meta = fs::metadata(&path).unwrap();
            let content = if meta.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
            seen.insert(path.clone(), (meta.mode(), meta.mtime_nsec(), meta.ctime_nsec(), content));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    seen
}

#[test]
fn with_a_member_that_runs() {
    let root = tempfile::tempdir().unwrap();
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let held = DataDir::open(vfs.clone(), root.path(), None).unwrap();
    let mut log =
        Log::create(vfs, held.log(), options(), IDENTITY, SnapshotMark::default()).unwrap();
    fill(&mut log, 1, 9, 1);
    let mut database = Database::small(&RealVfs, held.engine());
    database.delete("single");
    let before = picture(root.path());
    let data = root.path().to_str().unwrap();
    for form in ["text", "json"] {
        let ran = etcd_dump(&RealVfs, &["wal", data, "-w", form]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for view in VIEWS {
            let ran = etcd_dump(&RealVfs, &[&["db", data, "-w", form], view].concat());
            assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        }
        let ran = etcd_dump(&RealVfs, &["meta", data, "-w", form]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let ran = etcd_dump(&RealVfs, &["check", data, "-w", form]);
        assert_eq!((ran.code, ran.lines_with("lock-held").len()), (1, 1), "{}", ran.out);
    }
    let ran = etcd_dump(&RealVfs, &["db", data, "--keys"]);
    assert_eq!(ran.lines_with("single").len(), 1, "it is gone in memory only");
    let ran = etcd_dump(&RealVfs, &["db", data]);
    assert_eq!(ran.lines_with("a member seems to run on it").len(), 1, "{}", ran.out);
    assert_eq!(picture(root.path()), before);
    // The member goes on.
    fill(&mut log, 10, 11, 1);
    database.flush();
    drop((database, log, held));
    let ran = etcd_dump(&RealVfs, &["db", data]);
    assert_eq!(ran.lines_with("a member seems to run on it").len(), 0, "{}", ran.out);
}

#[test]
fn where_nothing_may_be_written() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("copy");
    fs::create_dir(&dir).unwrap();
    let vfs = Arc::new(RealVfs);
    let mut log = Log::create(vfs, &dir, options(), IDENTITY, SnapshotMark::default()).unwrap();
    fill(&mut log, 1, 9, 1);
    log.close().unwrap();
    let engine = root.path().join("engine");
    drop(Database::small(&RealVfs, &engine));
    let tree = root.path().join("tree");
    drop(Database::small_tree(&RealVfs, &tree));
    for dir in [&dir, &engine, &tree] {
        for path in picture(dir).into_keys() {
            fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(0o500)).unwrap();
    }
    let of_engine = VIEWS.into_iter().map(|view| (&engine, view));
    for (engine, view) in of_engine.chain(tree_views().map(|view| (&tree, view))) {
        let before = picture(engine);
        let path = engine.to_str().unwrap();
        let ran = etcd_dump(&RealVfs, &[&["db", path], view].concat());
        assert_eq!((ran.code, picture(engine) == before), (0, true), "{}{}", ran.out, ran.err);
    }
    for engine in [&engine, &tree] {
        fs::set_permissions(engine, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let before = picture(&dir);
    let ran = etcd_dump(&RealVfs, &["wal", dir.to_str().unwrap(), "--summary"]);
    assert_eq!(picture(&dir), before);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.lines_with("verdict: whole, ends with a clean stop").len(), 1);
}

#[test]
fn of_etcds_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/etcd-3.5.1-data");
    let before = picture(&root);
    let data = root.to_str().unwrap();
    let database = root.join("member/snap/db");
    let runs = [["meta", data], ["check", data], ["snapshot", database.to_str().unwrap()]];
    for arguments in runs {
        let ran = etcd_dump(&RealVfs, &arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}: {}", ran.out);
    }
    assert_eq!(picture(&root), before);
}

#[test]
fn a_page_is_the_only_thing_that_is_made() {
    let root = tempfile::tempdir().unwrap();
    let engine = root.path().join("engine");
    drop(Database::small(&RealVfs, &engine));
    let before = picture(&engine);
    let page = root.path().join("page.html");
    let arguments = ["db", engine.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let ran = etcd_dump(&RealVfs, &arguments);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_eq!(picture(&engine), before);
    let made: Vec<_> = fs::read_dir(root.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert!(made.len() == 2 && made.contains(&page), "{made:?}");
}

#[test]
fn the_program_itself_stops_with_its_reader() {
    let root = tempfile::tempdir().unwrap();
    let vfs = Arc::new(RealVfs);
    let mut log =
        Log::create(vfs, root.path(), options(), IDENTITY, SnapshotMark::default()).unwrap();
    fill(&mut log, 1, 600, 1);
    let program = || Command::new(env!("CARGO_BIN_EXE_etcd-dump"));
    let mut child = program()
        .arg("wal")
        .arg(root.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));
    let refused = program().arg("wal").arg(root.path().join("nothing")).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.starts_with(b"etcd-dump: "));
    let segment = fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    let refused = program().arg("wal").arg(segment).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not a folder"));
    assert_eq!(program().output().unwrap().status.code(), Some(2));
}
