//! Every implementation of the trait is walked through the same calls: what one of them accepts,
//! refuses, and shows afterwards, the others must too.

use retcd_vfs::{AlignedBuf, CrashVfs, LOG_ALIGNMENT, LogMode, MemVfs, RealVfs, Vfs, is_refusal};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn each(check: impl Fn(&dyn Vfs, &Path)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check(&RealVfs, &folder.path().join("root"));
    check(&MemVfs::new(), Path::new("/root"));
    check(&CrashVfs::new(), Path::new("/root"));
    check(&MemVfs::new(), Path::new("relative"));
}

#[test]
fn a_folder_is_renamed_with_what_is_in_it() {
    each(|vfs, root| {
        vfs.create_dir_all(&root.join("a/b")).unwrap();
        vfs.create_append(&root.join("a/x")).unwrap().append(b"hello").unwrap();
        vfs.rename(&root.join("a"), &root.join("c")).unwrap();
        assert!(!vfs.exists(&root.join("a")).unwrap());
        assert_eq!(vfs.list(&root.join("c")).unwrap(), [PathBuf::from("b"), PathBuf::from("x")]);
        vfs.create_dir_all(&root.join("d/e")).unwrap();
        assert!(vfs.rename(&root.join("c"), &root.join("d")).is_err(), "the name is taken");
        assert_eq!(vfs.open_read(&root.join("c/x")).unwrap().len().unwrap(), 5);
    });
}

#[test]
fn names_come_and_go() {
    each(|vfs, root| {
        let dir = root.join("a/b");
        vfs.create_dir_all(&dir).unwrap();
        vfs.create_dir_all(&dir).unwrap();
        let file = dir.join("x");
        vfs.create_append(&file).unwrap().append(b"hello").unwrap();
        let taken = vfs.create_append(&file).err().unwrap();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        vfs.hard_link(&file, &dir.join("y")).unwrap();
        vfs.rename(&file, &dir.join("w")).unwrap();
        assert_eq!(vfs.list(&dir).unwrap(), [PathBuf::from("w"), PathBuf::from("y")]);
        assert_eq!(vfs.list(root).unwrap(), [PathBuf::from("a")]);
        assert!(!vfs.exists(&file).unwrap());
        assert_eq!(vfs.open_read(&file).err().unwrap().kind(), ErrorKind::NotFound);
        assert!(vfs.remove_dir(&dir).is_err(), "not empty");
        vfs.remove_file(&dir.join("w")).unwrap();
        vfs.sync_file(&dir.join("y")).unwrap();
        vfs.remove_file(&dir.join("y")).unwrap();
        vfs.sync_dir(&dir).unwrap();
        vfs.remove_dir(&dir).unwrap();
        assert!(!vfs.exists(&dir).unwrap());
    });
}

#[test]
fn bytes_are_read_back() {
    each(|vfs, root| {
        vfs.create_dir_all(root).unwrap();
        let path = root.join("f");
        let mut file = vfs.create_append(&path).unwrap();
        file.append(b"one ").unwrap();
        file.append(b"two").unwrap();
        file.sync().unwrap();
        let reader = vfs.open_read(&path).unwrap();
        assert_eq!(reader.len().unwrap(), 7);
        let mut buf = [0; 16];
        assert_eq!(reader.read_at(4, &mut buf).unwrap(), 3);
        assert_eq!(&buf[..3], b"two");
        assert_eq!(reader.read_at(99, &mut buf).unwrap(), 0);
        let eof = reader.read_exact_at(4, &mut buf).unwrap_err();
        assert_eq!(eof.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn log_files_are_written_in_place() {
    each(|vfs, root| {
        vfs.create_dir_all(root).unwrap();
        let path = root.join("log");
        assert!(vfs.open_log(&path, LogMode::Buffered).is_err(), "isn't created");
        let zeros = vec![0; 4 * LOG_ALIGNMENT];
        let mut file = vfs.create_append(&path).unwrap();
        file.append(&zeros).unwrap();
        file.sync().unwrap();
        let modes =
            [LogMode::Direct, LogMode::Uring { depth: 3 }, LogMode::Buffered, LogMode::Unsynced];
        for (mode, value) in modes.into_iter().zip(1..) {
            let may_be_refused = matches!(mode, LogMode::Direct | LogMode::Uring { .. });
            let mut log = match vfs.open_log(&path, mode) {
                Ok(log) => log,
                Err(e) if may_be_refused && is_refusal(&e) => {
                    println!("{mode:?} is passed over: {e}");
                    continue;
                }
                Err(e) => panic!("{e}"),
            };
            assert_eq!(log.depth(), if let LogMode::Uring { depth } = mode { depth } else { 1 });
            assert!(log.complete().unwrap().is_none());
            assert!(log.try_complete().unwrap().is_none());
            let mut buf = AlignedBuf::new(LOG_ALIGNMENT);
            buf.fill(value);
            log.submit(LOG_ALIGNMENT as u64, buf).unwrap();
            assert_eq!(log.complete().unwrap().unwrap().len(), LOG_ALIGNMENT);
            let mut seen = vec![0; 4 * LOG_ALIGNMENT];
            vfs.open_read(&path).unwrap().read_exact_at(0, &mut seen).unwrap();
            assert_eq!(seen[LOG_ALIGNMENT - 1], 0);
            assert!(seen[LOG_ALIGNMENT..2 * LOG_ALIGNMENT].iter().all(|&b| b == value));
            assert_eq!(seen[2 * LOG_ALIGNMENT], 0);
        }
    });
}

#[test]
fn pages_are_written_in_place_and_cut_off() {
    each(|vfs, root| {
        vfs.create_dir_all(root).unwrap();
        let path = root.join("pages");
        assert!(vfs.open_pages(&path).is_err(), "isn't created");
        vfs.create_append(&path).unwrap().append(&[1; 10]).unwrap();
        let pages = vfs.open_pages(&path).unwrap();
        pages.write_at(4, &[2; 3]).unwrap();
        pages.write_at(12, &[3; 2]).unwrap();
        let mut seen = [9; 16];
        assert_eq!(pages.read_at(0, &mut seen).unwrap(), 14);
        assert_eq!(seen[..14], [1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 0, 0, 3, 3]);
        pages.cut(20).unwrap();
        assert_eq!(pages.len().unwrap(), 14, "a cut makes nothing longer");
        pages.cut(5).unwrap();
        pages.write_at(7, &[4]).unwrap();
        pages.sync().unwrap();
        let reader = vfs.open_read(&path).unwrap();
        assert_eq!(reader.read_at(0, &mut seen).unwrap(), 8);
        assert_eq!(seen[..8], [1, 1, 1, 1, 2, 0, 0, 4], "what was cut off doesn't come back");
    });
}

#[test]
fn a_lock_has_one_holder() {
    each(|vfs, root| {
        vfs.create_dir_all(root).unwrap();
        let path = root.join("lock");
        assert!(!vfs.is_locked(&path).unwrap(), "there isn't even a file");
        let held = vfs.lock(&path).unwrap();
        assert!(vfs.is_locked(&path).unwrap());
        assert_eq!(vfs.lock(&path).err().unwrap().kind(), ErrorKind::WouldBlock);
        drop(held);
        assert!(!vfs.is_locked(&path).unwrap());
        vfs.lock(&path).unwrap();
    });
}

#[test]
fn what_leads_into_a_folder_is_told() {
    each(|vfs, root| {
        vfs.create_dir_all(&root.join("a/b")).unwrap();
        vfs.create_dir_all(&root.join("ab")).unwrap();
        let leads = |path: &str, folder: &str| {
            vfs.leads_into(&root.join(path), &root.join(folder)).unwrap()
        };
        for within in ["a", "a/b", "a/b/new/newer", "a/new", "./a/./b"] {
            assert!(leads(within, "a"), "{within}");
        }
        for beside in ["", "ab", "new", "ab/new"] {
            assert!(!leads(beside, "a"), "{beside}");
        }
        let missing = vfs.leads_into(&root.join("a"), &root.join("new"));
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(vfs.free_bytes(root).unwrap() > 0);
        assert_eq!(vfs.free_bytes(&root.join("new")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn links_lead_where_they_point() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("real/inner")).unwrap();
    std::os::unix::fs::symlink(at("real/inner"), at("link")).unwrap();
    std::os::unix::fs::symlink("link", at("link to a link")).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
    for within in ["link", "link/new", "link to a link/new/newer", "link/../new", "real/new"] {
        assert!(RealVfs.leads_into(&at(within), &at("real")).unwrap(), "{within}");
    }
    assert!(RealVfs.leads_into(&at("real/inner/new"), &at("link to a link")).unwrap());
    for beside in ["dangling", "dangling/new", "real", "real/new"] {
        assert!(!RealVfs.leads_into(&at(beside), &at("link")).unwrap(), "{beside}");
    }
}

#[test]
fn real_files_are_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("d");
    RealVfs.create_dir_all(&dir).unwrap();
    RealVfs.create_append(&dir.join("f")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("f")), 0o600);
}

#[test]
fn a_file_system_without_direct_io_says_so_in_a_way_that_allows_to_fall_back() {
    let uring = LogMode::Uring { depth: 2 };
    let refused = |vfs: &CrashVfs, mode| {
        vfs.open_log(Path::new("f"), mode).err().is_some_and(|error| is_refusal(&error))
    };
    let vfs = CrashVfs::without_direct_io();
    vfs.create_append(Path::new("f")).unwrap();
    assert!(refused(&vfs, LogMode::Direct) && refused(&vfs, uring));
    assert!(vfs.open_log(Path::new("f"), LogMode::Buffered).is_ok());
    let vfs = CrashVfs::without_uring();
    vfs.create_append(Path::new("f")).unwrap();
    assert!(refused(&vfs, uring) && !refused(&vfs, LogMode::Direct));
}
