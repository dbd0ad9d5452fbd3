//! Names in memory: what a process sees, what is durable, and the operations between the two.
//!
//! An operation is a list of changes to names (a file's rename is two). A sync of a folder makes
//! durable what the pending operations did to names in that folder; a crash keeps or drops, as a
//! whole, what is left of each operation. A name whose folder is lost is lost with it. A folder
//! that is renamed takes along what is in it, as far as that is durable.

use crate::content::Content;
use crate::random::Random;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) type Inode = Arc<Mutex<Content>>;

#[derive(Clone)]
pub(crate) enum Node {
    Dir,
    File(Inode),
}

enum Change {
    /// A name that appears, or vanishes.
    Name { path: PathBuf, node: Option<Node> },
    /// A folder that gets another name beside its old one, with everything in it.
    Move { from: PathBuf, to: PathBuf },
}

impl Change {
    /// The folder whose sync makes it durable.
    fn folder(&self) -> &Path {
        match self {
            Change::Name { path, .. } => folder_of(path),
            Change::Move { to, .. } => folder_of(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Change::Name { path, node: Some(node) } => {
                names.insert(path.clone(), node.clone());
            }
            Change::Name { path, node: None } => {
                names.remove(path);
            }
            Change::Move { from, to } => {
                let moved: Vec<PathBuf> =
                    names.keys().filter(|name| name.starts_with(from)).cloned().collect();
                for name in moved {
                    let node = names.remove(&name).expect("it was just listed");
                    names.insert(moved_name(&name, from, to), node);
                }
            }
        }
    }
}

/// The name that `name`, which is `from` or below it, has once `from` is `to`.
fn moved_name(name: &Path, from: &Path, to: &Path) -> PathBuf {
    match name.strip_prefix(from) {
        Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
        _ => to.to_owned(),
    }
}

type Operation = Vec<Change>;

#[derive(Default)]
pub(crate) struct Tree {
    names: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Operation>,
}

fn error(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{}", path.display()))
}

/// The root and the working directory exist without having been made.
fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.parent().is_none() || path == Path::new(".")
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Tree {
    pub(crate) fn file(&self, path: &Path) -> io::Result<Inode> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(inode.clone()),
            Some(Node::Dir) => Err(error(io::ErrorKind::IsADirectory, path)),
            None => Err(error(io::ErrorKind::NotFound, path)),
        }
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        is_root(path) || self.names.contains_key(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        is_root(path) || matches!(self.names.get(path), Some(Node::Dir))
    }

    fn need_dir(&self, path: &Path) -> io::Result<()> {
        match self.is_dir(path) {
            true => Ok(()),
            false => Err(error(io::ErrorKind::NotFound, path)),
        }
    }

    pub(crate) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        self.need_dir(folder_of(path))?;
        if self.exists(path) {
            return Err(error(io::ErrorKind::AlreadyExists, path));
        }
        let inode = Inode::default();
        self.apply(vec![(path, Some(Node::File(inode.clone())))]);
        Ok(inode)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.is_dir(from) {
            return self.rename_dir(from, to);
        }
        let inode = self.file(from)?;
        self.need_dir(folder_of(to))?;
        if self.is_dir(to) {
            return Err(error(io::ErrorKind::IsADirectory, to));
        }
        if from != to {
            self.apply(vec![(from, None), (to, Some(Node::File(inode)))]);
        }
        Ok(())
    }

    fn rename_dir(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.exists(to) {
            return Err(error(io::ErrorKind::AlreadyExists, to));
        }
        if folder_of(from) != folder_of(to) {
            return Err(error(io::ErrorKind::Unsupported, to));
        }
        // What is pending below happened in the folder itself, whatever its name.
        for change in self.pending.iter_mut().flatten() {
            if let Change::Name { path, .. } = change
                && path.starts_with(from)
                && path != from
            {
                *path = moved_name(path, from, to);
            }
        }
        self.push(vec![Change::Move { from: from.to_owned(), to: to.to_owned() }]);
        Ok(())
    }

    pub(crate) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        self.need_dir(folder_of(to))?;
        if self.exists(to) {
            return Err(error(io::ErrorKind::AlreadyExists, to));
        }
        self.apply(vec![(to, Some(Node::File(inode)))]);
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.apply(vec![(path, None)]);
        Ok(())
    }

    pub(crate) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty, path));
        }
        self.apply(vec![(path, None)]);
        Ok(())
    }

    pub(crate) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        if is_root(path) {
            return Ok(());
        }
        match self.names.get(path) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(error(io::ErrorKind::AlreadyExists, path)),
            None => {
                self.create_dir_all(folder_of(path))?;
                self.apply(vec![(path, Some(Node::Dir))]);
                Ok(())
            }
        }
    }

    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.need_dir(path)?;
        Ok(self
            .names
            .range(path.to_owned()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(path))
            .filter(|name| name.parent() == Some(path))
            .filter_map(|name| name.file_name().map(PathBuf::from))
            .collect())
    }

    fn apply(&mut self, changes: Vec<(&Path, Option<Node>)>) {
        let changes = changes.into_iter();
        self.push(
            changes.map(|(path, node)| Change::Name { path: path.to_owned(), node }).collect(),
        );
    }

    fn push(&mut self, operation: Operation) {
        for change in &operation {
            change.apply(&mut self.names);
        }
        self.pending.push(operation);
    }

    pub(crate) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.need_dir(dir)?;
        for operation in &mut self.pending {
            operation.retain(|change| {
                let here = change.folder() == dir;
                if here {
                    change.apply(&mut self.durable);
                }
                !here
            });
        }
        self.pending.retain(|operation| !operation.is_empty());
        Ok(())
    }

    /// Makes every name and all content durable.
    pub(crate) fn settle(&mut self) {
        self.pending.clear();
        self.durable = self.names.clone();
        for node in self.names.values() {
            if let Node::File(inode) = node {
                inode.lock().sync();
            }
        }
    }

    /// Forgets what a crash would need: called where nothing crashes.
    pub(crate) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// What a crash leaves: the durable names, with each pending operation kept or dropped, and of
    /// each file what [`Content::crashed`] leaves.
    pub(crate) fn crashed(&self, random: &mut Random) -> Tree {
        let mut left = self.durable.clone();
        for operation in &self.pending {
            if random.coin() {
                operation.iter().for_each(|change| change.apply(&mut left));
            }
        }
        let mut copies: HashMap<*const Mutex<Content>, Inode> = HashMap::new();
        let mut names: BTreeMap<PathBuf, Node> = BTreeMap::new();
        // Ascending order meets a folder before the names in it.
        for (path, node) in left {
            let folder = folder_of(&path);
            if !is_root(folder) && !matches!(names.get(folder), Some(Node::Dir)) {
                continue;
            }
            let copy = match node {
                Node::Dir => Node::Dir,
                Node::File(inode) => Node::File(
                    copies
                        .entry(Arc::as_ptr(&inode))
                        .or_insert_with(|| Arc::new(Mutex::new(inode.lock().crashed(random))))
                        .clone(),
                ),
            };
            names.insert(path, copy);
        }
        Tree { durable: names.clone(), names, pending: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(!left.exists(Path::new("/a/pending")), "it has moved along, or is lost");
        }
        assert!((1..64).contains(&survivors(&tree, "/b/kept")));
        tree.sync_dir(Path::new("/")).unwrap();
        assert_eq!(survivors(&tree, "/b/kept"), 64);
        assert!((1..64).contains(&survivors(&tree, "/b/pending")));
        tree.sync_dir(Path::new("/b")).unwrap();
        assert_eq!(survivors(&tree, "/b/pending"), 64);
        assert!(tree.rename(Path::new("/b"), Path::new("/b/kept")).is_err());
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
}
