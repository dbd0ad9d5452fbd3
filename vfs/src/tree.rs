//! Names in memory: what a process sees, what is durable, and the operations between the two.
//!
//! A folder is known by a number and not by its path, so that it keeps what is in it when it gets
//! another name, and shares nothing with one that had its name before.
//!
//! An operation is a list of changes to names (a file's rename is two). A sync of a folder makes
//! durable what the pending operations did to names in that folder; a crash keeps or drops, as a
//! whole, what is left of each operation. A name whose folder is lost is lost with it. What is kept
//! doesn't touch a folder that it isn't about: where the operation before it is dropped that would
//! have moved a folder away, nothing takes that folder's name.

use crate::content::Content;
use crate::random::Random;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub(crate) type Inode = Arc<Mutex<Content>>;

/// A folder's number.
type DirId = u64;

/// The root and the working directory, which exist without having been made.
const ROOT: DirId = 0;

#[derive(Clone)]
enum Node {
    Dir(DirId),
    File(Inode),
}

/// A name in a folder.
type Name = (DirId, OsString);

type Names = BTreeMap<Name, Node>;

enum Change {
    /// A file's name that appears, or vanishes.
    File { at: Name, inode: Option<Inode> },
    /// A folder that appears, vanishes, or gets another name beside its old one.
    Dir { id: DirId, parent: DirId, from: Option<OsString>, to: Option<OsString> },
}

impl Change {
    /// The folder whose sync makes it durable.
    fn folder(&self) -> DirId {
        match self {
            Change::File { at: (folder, _), .. } => *folder,
            Change::Dir { parent, .. } => *parent,
        }
    }

    /// The folder that is gone with it.
    fn removes(&self) -> Option<DirId> {
        match self {
            Change::Dir { id, to: None, .. } => Some(*id),
            _ => None,
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Change::File { at, .. } if matches!(names.get(at), Some(Node::Dir(_))) => {}
            Change::File { at, inode: Some(inode) } => {
                names.insert(at.clone(), Node::File(inode.clone()));
            }
            Change::File { at, inode: None } => {
                names.remove(at);
            }
            Change::Dir { id, parent, from, to } => {
                let from = from.as_ref().map(|name| (*parent, name.clone()));
                let to = to.as_ref().map(|name| (*parent, name.clone()));
                let is_there =
                    |at: &Name| matches!(names.get(at), Some(Node::Dir(dir)) if dir == id);
                if from.as_ref().is_some_and(|from| !is_there(from))
                    || to.as_ref().is_some_and(|to| names.contains_key(to))
                {
                    return;
                }
                if let Some(from) = from {
                    names.remove(&from);
                }
                if let Some(to) = to {
                    names.insert(to, Node::Dir(*id));
                }
            }
        }
    }
}

type Operation = Vec<Change>;

#[derive(Default)]
pub(crate) struct Tree {
    names: Names,
    durable: Names,
    pending: Vec<Operation>,
    /// The number that the last folder got.
    last_dir: DirId,
}

fn error(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{}", path.display()))
}

/// The names that lead from the root to `path`.
fn steps(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        Component::ParentDir | Component::Normal(_) => Some(component.as_os_str()),
    })
}

/// What is in a folder.
fn names_in(names: &Names, dir: DirId) -> impl Iterator<Item = (&OsString, &Node)> {
    let all = names.range((dir, OsString::new())..);
    all.take_while(move |((folder, _), _)| *folder == dir).map(|((_, name), node)| (name, node))
}

impl Tree {
    /// What a path names; nothing if it is the root.
    fn node(&self, path: &Path) -> io::Result<Option<&Node>> {
        let mut found: Option<&Node> = None;
        for step in steps(path) {
            let dir = match found {
                None => ROOT,
                Some(Node::Dir(dir)) => *dir,
                Some(Node::File(_)) => return Err(error(io::ErrorKind::NotFound, path)),
            };
            let node = self.names.get(&(dir, step.to_owned()));
            found = Some(node.ok_or_else(|| error(io::ErrorKind::NotFound, path))?);
        }
        Ok(found)
    }

    fn dir(&self, path: &Path) -> io::Result<DirId> {
        match self.node(path)? {
            None => Ok(ROOT),
            Some(Node::Dir(dir)) => Ok(*dir),
            Some(Node::File(_)) => Err(error(io::ErrorKind::NotFound, path)),
        }
    }

    /// The name that a path ends with, in the folder that it leads to.
    fn name(&self, path: &Path) -> io::Result<Name> {
        let name = path.file_name().ok_or_else(|| error(io::ErrorKind::InvalidInput, path))?;
        let folder = self.dir(path.parent().unwrap_or(Path::new("")))?;
        Ok((folder, name.to_owned()))
    }

    pub(crate) fn file(&self, path: &Path) -> io::Result<Inode> {
        match self.node(path)? {
            Some(Node::File(inode)) => Ok(inode.clone()),
            Some(Node::Dir(_)) | None => Err(error(io::ErrorKind::IsADirectory, path)),
        }
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.node(path).is_ok()
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.dir(path).is_ok()
    }

    pub(crate) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        let at = self.name(path)?;
        if self.names.contains_key(&at) {
            return Err(error(io::ErrorKind::AlreadyExists, path));
        }
        let inode = Inode::default();
        self.push(vec![Change::File { at, inode: Some(inode.clone()) }]);
        Ok(inode)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.is_dir(from) {
            return self.rename_dir(from, to);
        }
        let inode = self.file(from)?;
        if self.is_dir(to) {
            return Err(error(io::ErrorKind::IsADirectory, to));
        }
        let (from, to) = (self.name(from)?, self.name(to)?);
        if from != to {
            self.push(vec![
                Change::File { at: from, inode: None },
                Change::File { at: to, inode: Some(inode) },
            ]);
        }
        Ok(())
    }

    fn rename_dir(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.exists(to) {
            return Err(error(io::ErrorKind::AlreadyExists, to));
        }
        let id = self.dir(from)?;
        let ((parent, from), (new_parent, name)) = (self.name(from)?, self.name(to)?);
        if parent != new_parent {
            return Err(error(io::ErrorKind::Unsupported, to));
        }
        self.push(vec![Change::Dir { id, parent, from: Some(from), to: Some(name) }]);
        Ok(())
    }

    pub(crate) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        let at = self.name(to)?;
        if self.names.contains_key(&at) {
            return Err(error(io::ErrorKind::AlreadyExists, to));
        }
        self.push(vec![Change::File { at, inode: Some(inode) }]);
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        let at = self.name(path)?;
        self.push(vec![Change::File { at, inode: None }]);
        Ok(())
    }

    pub(crate) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty, path));
        }
        let (id, (parent, name)) = (self.dir(path)?, self.name(path)?);
        self.push(vec![Change::Dir { id, parent, from: Some(name), to: None }]);
        Ok(())
    }

    pub(crate) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut parent = ROOT;
        for step in steps(path) {
            let at = (parent, step.to_owned());
            parent = match self.names.get(&at) {
                Some(Node::Dir(dir)) => *dir,
                Some(Node::File(_)) => return Err(error(io::ErrorKind::AlreadyExists, path)),
                None => {
                    self.last_dir += 1;
                    let (id, (parent, name)) = (self.last_dir, at);
                    self.push(vec![Change::Dir { id, parent, from: None, to: Some(name) }]);
                    id
                }
            };
        }
        Ok(())
    }

    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let dir = self.dir(path)?;
        Ok(names_in(&self.names, dir).map(|(name, _)| PathBuf::from(name)).collect())
    }

    fn push(&mut self, operation: Operation) {
        for change in &operation {
            change.apply(&mut self.names);
        }
        self.pending.push(operation);
    }

    pub(crate) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.dir(path)?;
        let mut gone = Vec::new();
        for operation in &mut self.pending {
            operation.retain(|change| {
                let here = change.folder() == dir;
                if here {
                    change.apply(&mut self.durable);
                    gone.extend(change.removes());
                }
                !here
            });
        }
        if !gone.is_empty() {
            self.durable.retain(|(folder, _), _| !gone.contains(folder));
            for operation in &mut self.pending {
                operation.retain(|change| !gone.contains(&change.folder()));
            }
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
        let mut names = Names::new();
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            for (name, node) in names_in(&left, folder) {
                let copy = match node {
                    Node::Dir(dir) => {
                        folders.push(*dir);
                        Node::Dir(*dir)
                    }
                    Node::File(inode) => Node::File(
                        copies
                            .entry(Arc::as_ptr(inode))
                            .or_insert_with(|| Arc::new(Mutex::new(inode.lock().crashed(random))))
                            .clone(),
                    ),
                };
                names.insert((folder, name.clone()), copy);
            }
        }
        let durable = names.clone();
        Tree { names, durable, pending: Vec::new(), last_dir: self.last_dir }
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

    #[test]
    fn what_happened_in_a_folder_that_is_gone_spares_the_one_that_gets_its_name() {
        let mut tree = Tree::default();
        for (folder, file) in [("/a", "/a/f"), ("/b", "/b/f")] {
            tree.create_dir_all(Path::new(folder)).unwrap();
            tree.create(Path::new(file)).unwrap();
            tree.sync_dir(Path::new(folder)).unwrap();
        }
        tree.sync_dir(Path::new("/")).unwrap();
        tree.remove_file(Path::new("/a/f")).unwrap();
        tree.remove_dir(Path::new("/a")).unwrap();
        tree.rename(Path::new("/b"), Path::new("/a")).unwrap();
        for seed in 0..64 {
            let left = tree.crashed(&mut Random::new(seed));
            let is_moved = left.exists(Path::new("/a/f")) && !left.exists(Path::new("/b"));
            assert!(is_moved || left.exists(Path::new("/b/f")), "seed {seed}");
        }
        assert!((1..64).contains(&survivors(&tree, "/b/f")));
        tree.sync_dir(Path::new("/")).unwrap();
        assert_eq!(survivors(&tree, "/a/f"), 64);
    }

    #[test]
    fn a_folder_that_is_made_again_is_empty() {
        let mut tree = Tree::default();
        tree.create_dir_all(Path::new("/a")).unwrap();
        tree.create(Path::new("/a/old")).unwrap();
        tree.sync_dir(Path::new("/a")).unwrap();
        tree.sync_dir(Path::new("/")).unwrap();
        tree.remove_file(Path::new("/a/old")).unwrap();
        tree.remove_dir(Path::new("/a")).unwrap();
        tree.create_dir_all(Path::new("/a")).unwrap();
        tree.create(Path::new("/a/new")).unwrap();
        tree.sync_dir(Path::new("/a")).unwrap();
        for seed in 0..64 {
            let left = tree.crashed(&mut Random::new(seed));
            let (old, new) = (left.exists(Path::new("/a/old")), left.exists(Path::new("/a/new")));
            assert!(!(old && new), "seed {seed}: two folders became one");
        }
        assert!((1..64).contains(&survivors(&tree, "/a/new")));
        tree.sync_dir(Path::new("/")).unwrap();
        assert_eq!(survivors(&tree, "/a/new"), 64);
        assert_eq!(survivors(&tree, "/a/old"), 0);
    }

    #[test]
    fn a_folder_never_has_two_names() {
        let mut tree = Tree::default();
        tree.create_dir_all(Path::new("/a")).unwrap();
        tree.create(Path::new("/a/f")).unwrap();
        tree.sync_dir(Path::new("/a")).unwrap();
        tree.sync_dir(Path::new("/")).unwrap();
        tree.rename(Path::new("/a"), Path::new("/b")).unwrap();
        tree.rename(Path::new("/b"), Path::new("/c")).unwrap();
        tree.create_dir_all(Path::new("/a")).unwrap();
        for seed in 0..64 {
            let left = tree.crashed(&mut Random::new(seed));
            let names = ["/a/f", "/b/f", "/c/f"].map(|name| left.exists(Path::new(name)));
            assert_eq!(names.iter().filter(|is_there| **is_there).count(), 1, "seed {seed}");
        }
        for name in ["/a/f", "/b/f", "/c/f"] {
            assert!((1..64).contains(&survivors(&tree, name)), "{name}");
        }
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
