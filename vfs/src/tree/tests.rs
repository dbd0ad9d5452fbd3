//! What crashes leave of names.

use super::*;
use crate::content::Tracking;

fn survivors(tree: &Tree, path: &str) -> usize {
    (0..64).filter(|&seed| tree.crashed(&mut Random::new(seed)).exists(Path::new(path))).count()
}

#[test]
fn a_name_is_certain_only_after_its_folder_is_synced() {
    let mut tree = Tree::default();
    tree.create_dir_all(Path::new("/d")).unwrap();
    tree.create(Path::new("/d/f")).unwrap();
    assert!((1..64).contains(&survivors(&tree, "/d/f")));
    tree.sync_dir(Path::new("/d")).unwrap();
    assert!((1..64).contains(&survivors(&tree, "/d/f")), "the folder itself may be lost");
    tree.sync_dir(Path::new("/")).unwrap();
    assert_eq!(survivors(&tree, "/d/f"), 64);
}

#[test]
fn a_rename_in_one_folder_is_kept_or_dropped_as_a_whole() {
    let mut tree = Tree::default();
    tree.create(Path::new("/a")).unwrap();
    tree.sync_dir(Path::new("/")).unwrap();
    tree.rename(Path::new("/a"), Path::new("/b")).unwrap();
    for seed in 0..64 {
        let left = tree.crashed(&mut Random::new(seed));
        assert!(left.exists(Path::new("/a")) != left.exists(Path::new("/b")));
    }
    assert!((1..64).contains(&survivors(&tree, "/b")));
}

#[test]
fn a_renamed_folder_keeps_what_is_durable_in_it() {
    let mut tree = Tree::default();
    tree.create_dir_all(Path::new("/a")).unwrap();
    tree.create(Path::new("/a/kept")).unwrap();
    tree.sync_dir(Path::new("/a")).unwrap();
    tree.sync_dir(Path::new("/")).unwrap();
    tree.create(Path::new("/a/pending")).unwrap();
    tree.rename(Path::new("/a"), Path::new("/b")).unwrap();
    for seed in 0..64 {
        let left = tree.crashed(&mut Random::new(seed));
        assert!(left.exists(Path::new("/a/kept")) != left.exists(Path::new("/b/kept")));
    }
    assert!((1..64).contains(&survivors(&tree, "/a/pending")), "as the folder's name");
    assert!((1..64).contains(&survivors(&tree, "/b/pending")));
    assert!((1..64).contains(&survivors(&tree, "/b/kept")));
    tree.sync_dir(Path::new("/")).unwrap();
    assert_eq!(survivors(&tree, "/b/kept"), 64);
    assert!((1..64).contains(&survivors(&tree, "/b/pending")));
    tree.sync_dir(Path::new("/b")).unwrap();
    assert_eq!(survivors(&tree, "/b/pending"), 64);
    assert!(tree.rename(Path::new("/b"), Path::new("/b/kept")).is_err());
}

/// Folders with a file each, all durable.
fn with_folders(folders: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (folder, file) in folders {
        tree.create_dir_all(Path::new(folder)).unwrap();
        tree.create(&Path::new(folder).join(file)).unwrap();
        tree.sync_dir(Path::new(folder)).unwrap();
    }
    tree.sync_dir(Path::new("/")).unwrap();
    tree
}

/// How many of the names there are after a crash, for many crashes.
fn counts(tree: &Tree, names: &[&str]) -> Vec<usize> {
    let left = (0..64).map(|seed| tree.crashed(&mut Random::new(seed)));
    left.map(|left| names.iter().filter(|name| left.exists(Path::new(name))).count()).collect()
}

#[test]
fn what_happened_in_a_folder_that_is_gone_spares_the_one_that_gets_its_name() {
    let mut tree = with_folders(&[("/a", "f"), ("/b", "f")]);
    let moved = tree.file(Path::new("/b/f")).unwrap();
    moved.lock().write(0, b"b", Tracking::On);
    moved.lock().sync();
    tree.remove_file(Path::new("/a/f")).unwrap();
    tree.remove_dir(Path::new("/a")).unwrap();
    tree.rename(Path::new("/b"), Path::new("/a")).unwrap();
    for seed in 0..64 {
        let left = tree.crashed(&mut Random::new(seed));
        let place = if left.exists(Path::new("/b")) { "/b/f" } else { "/a/f" };
        assert_eq!(left.file(Path::new(place)).unwrap().lock().len(), 1, "seed {seed}");
    }
    assert!((1..64).contains(&survivors(&tree, "/b/f")));
    tree.sync_dir(Path::new("/")).unwrap();
    assert_eq!(survivors(&tree, "/a/f"), 64);
    tree.sync_dir(Path::new("/a")).unwrap();
    assert_eq!(survivors(&tree, "/a/f"), 64);
}

#[test]
fn a_folder_that_is_made_again_is_empty() {
    let mut tree = with_folders(&[("/a", "old")]);
    tree.remove_file(Path::new("/a/old")).unwrap();
    tree.remove_dir(Path::new("/a")).unwrap();
    tree.create_dir_all(Path::new("/a")).unwrap();
    tree.create(Path::new("/a/new")).unwrap();
    tree.sync_dir(Path::new("/a")).unwrap();
    assert!(counts(&tree, &["/a/old", "/a/new"]).iter().all(|&count| count <= 1));
    assert!((1..64).contains(&survivors(&tree, "/a/new")));
    tree.sync_dir(Path::new("/")).unwrap();
    assert_eq!(survivors(&tree, "/a/new"), 64);
    assert_eq!(survivors(&tree, "/a/old"), 0);
}

#[test]
fn folders_made_before_and_after_a_crash_are_different_ones() {
    let mut tree = with_folders(&[("/a", "f")]).crashed(&mut Random::new(1));
    tree.create_dir_all(Path::new("/b")).unwrap();
    assert_eq!(tree.list(Path::new("/b")).unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_always_has_one_name() {
    let mut tree = with_folders(&[("/a", "f")]);
    tree.rename(Path::new("/a"), Path::new("/b")).unwrap();
    tree.rename(Path::new("/b"), Path::new("/c")).unwrap();
    tree.create_dir_all(Path::new("/a")).unwrap();
    tree.rename(Path::new("/a"), Path::new("/d")).unwrap();
    let names = ["/a/f", "/b/f", "/c/f", "/d/f"];
    assert_eq!(counts(&tree, &names), [1; 64]);
    for name in &names[..3] {
        assert!((1..64).contains(&survivors(&tree, name)), "{name}");
    }
    assert_eq!(survivors(&tree, "/d/f"), 0, "that is another folder");
}

#[test]
fn a_file_is_renamed_as_a_whole_onto_the_name_of_a_folder() {
    let mut tree = Tree::default();
    tree.create_dir_all(Path::new("/d")).unwrap();
    tree.create(Path::new("/a")).unwrap();
    tree.sync_dir(Path::new("/")).unwrap();
    tree.remove_dir(Path::new("/d")).unwrap();
    tree.rename(Path::new("/a"), Path::new("/d")).unwrap();
    for seed in 0..64 {
        let left = tree.crashed(&mut Random::new(seed));
        let is_file = |name: &str| left.file(Path::new(name)).is_ok();
        assert!(is_file("/a") != is_file("/d"), "seed {seed}");
    }
}

#[test]
fn a_file_that_is_renamed_twice_has_one_name() {
    let mut tree = with_folders(&[("/d", "a")]);
    tree.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    tree.rename(Path::new("/d/b"), Path::new("/d/c")).unwrap();
    assert_eq!(counts(&tree, &["/d/a", "/d/b", "/d/c"]), [1; 64]);
}

#[test]
fn a_durable_file_keeps_a_name_when_another_takes_the_one_it_had() {
    let mut tree = Tree::default();
    let kept = tree.create(Path::new("/a")).unwrap();
    kept.lock().write(0, b"kept", Tracking::On);
    kept.lock().sync();
    tree.sync_dir(Path::new("/")).unwrap();
    tree.rename(Path::new("/a"), Path::new("/b")).unwrap();
    tree.create(Path::new("/a")).unwrap();
    tree.remove_file(Path::new("/a")).unwrap();
    for seed in 0..64 {
        let left = tree.crashed(&mut Random::new(seed));
        let lengths = ["/a", "/b"].map(|name| match left.file(Path::new(name)) {
            Ok(inode) => inode.lock().len(),
            Err(_) => 0,
        });
        assert!(lengths.contains(&4), "seed {seed}: {lengths:?}");
    }
}

#[test]
fn some_crashes_keep_what_happened_up_to_a_moment() {
    let mut tree = Tree::default();
    let names: Vec<String> = (0..30).map(|number| format!("/{number}")).collect();
    for name in &names {
        tree.create(Path::new(name)).unwrap();
    }
    let in_order = (0..64).filter(|&seed| {
        let left = tree.crashed(&mut Random::new(seed));
        let kept: Vec<bool> = names.iter().map(|name| left.exists(Path::new(name))).collect();
        kept.is_sorted_by(|before, after| before >= after)
    });
    assert!((8..32).contains(&in_order.count()));
}

#[test]
fn what_is_known_of_folders_that_are_gone_is_forgotten() {
    let mut tree = Tree::default();
    for _ in 0..3 {
        tree.create_dir_all(Path::new("/a/b")).unwrap();
        tree.create(Path::new("/a/b/f")).unwrap();
        for folder in ["/a/b", "/a", "/"] {
            tree.sync_dir(Path::new(folder)).unwrap();
        }
        tree.remove_file(Path::new("/a/b/f")).unwrap();
        tree.remove_dir(Path::new("/a/b")).unwrap();
        tree.remove_dir(Path::new("/a")).unwrap();
        tree.sync_dir(Path::new("/")).unwrap();
        assert_eq!((tree.durable.len(), tree.pending.len()), (0, 0));
    }
}

#[test]
fn paths_are_read_as_a_disk_reads_them() {
    let mut tree = Tree::default();
    tree.create_dir_all(Path::new("a")).unwrap();
    tree.create(Path::new("a/f")).unwrap();
    for path in ["./a/f", "a/./f", "a//f"] {
        assert!(tree.exists(Path::new(path)), "{path}");
    }
    assert!(!tree.exists(Path::new("/a")), "paths don't begin at the root");
    for path in ["", ".", "/"] {
        assert!(tree.exists(Path::new(path)), "{path}");
        let error = tree.create(Path::new(path)).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{path}");
    }
    let error = tree.create_dir_all(Path::new("a/../b")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(tree.hard_link(Path::new("a/f"), Path::new("./a/f")).is_err());
    tree.create_dir_all(Path::new("b")).unwrap();
    assert!(tree.rename(Path::new("b"), Path::new("a/b")).is_err());
}

#[test]
fn two_names_of_one_file_stay_one_file() {
    let mut tree = Tree::default();
    tree.create(Path::new("/a")).unwrap();
    tree.hard_link(Path::new("/a"), Path::new("/b")).unwrap();
    tree.sync_dir(Path::new("/")).unwrap();
    let left = tree.crashed(&mut Random::new(1));
    let (a, b) = (left.file(Path::new("/a")), left.file(Path::new("/b")));
    assert!(Arc::ptr_eq(&a.unwrap(), &b.unwrap()));
}
