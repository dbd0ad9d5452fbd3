//! Names in memory: what a process sees, what is durable, and the operations between the two.
//!
//! A folder is known by a number and not by its path, so that it keeps what is in it when it gets
//! another name, and shares nothing with one that had its name before.
//!
//! An operation is a list of changes to names (a file's rename is two). A sync of a folder makes
//! durable what the pending operations did to names in that folder; a crash keeps or drops, as a
//! whole, what is left of each operation: in some crashes those up to a moment, as a disk does that
//! keeps a journal, in others any of them that find the names that they change as they found them
//! first. A name whose folder is lost is lost with it.

use crate::content::Content;
use crate::random::Random;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub(crate) type Inode = Arc<Mutex<Content>>;

/// Tells a folder from all others that there have been.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct DirId(u64);

/// Those that exist without having been made: the root, and where relative paths begin.
const ROOT: DirId = DirId(0);
const WORKING_DIR: DirId = DirId(1);

#[derive(Clone)]
enum Node {
    Dir(DirId),
    File(Inode),
}

/// A name in a folder.
type Name = (DirId, OsString);

type Names = BTreeMap<Name, Node>;

enum Change {
    /// A file gets a name, perhaps another's.
    FileNamed { at: Name, inode: Inode, replaced: Option<Inode> },
    /// A file loses a name.
    FileUnnamed { at: Name, inode: Inode },
    /// A folder appears.
    DirMade { at: Name, id: DirId },
    /// A folder gets another name beside its old one.
    DirRenamed { from: Name, to: OsString, id: DirId },
    /// A folder vanishes.
    DirRemoved { at: Name, id: DirId },
}

impl Change {
    /// The folder whose sync makes it durable.
    fn folder(&self) -> DirId {
        match self {
            Change::FileNamed { at, .. }
            | Change::FileUnnamed { at, .. }
            | Change::DirMade { at, .. }
            | Change::DirRenamed { from: at, .. }
            | Change::DirRemoved { at, .. } => at.0,
        }
    }

    /// The folder that is gone with it.
    fn removed(&self) -> Option<DirId> {
        match self {
            Change::DirRemoved { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether the names that it changes are as it found them.
    fn fits(&self, names: &Names) -> bool {
        let holds_dir = |at: &Name, id: &DirId| match names.get(at) {
            Some(Node::Dir(dir)) => dir == id,
            Some(Node::File(_)) | None => false,
        };
        let holds_file = |at: &Name, inode: &Inode| match names.get(at) {
            Some(Node::File(file)) => Arc::ptr_eq(file, inode),
            Some(Node::Dir(_)) | None => false,
        };
        match self {
            Change::FileNamed { at, replaced: Some(replaced), .. } => holds_file(at, replaced),
            Change::FileNamed { at, replaced: None, .. } | Change::DirMade { at, .. } => {
                !names.contains_key(at)
            }
            Change::FileUnnamed { at, inode } => holds_file(at, inode),
            Change::DirRenamed { from, to, id } => {
                holds_dir(from, id) && !names.contains_key(&(from.0, to.clone()))
            }
            Change::DirRemoved { at, id } => holds_dir(at, id),
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Change::FileNamed { at, inode, .. } => {
                names.insert(at.clone(), Node::File(inode.clone()));
            }
            Change::DirMade { at, id } => {
                names.insert(at.clone(), Node::Dir(*id));
            }
            Change::DirRenamed { from, to, id } => {
                names.remove(from);
                names.insert((from.0, to.clone()), Node::Dir(*id));
            }
            Change::FileUnnamed { at, .. } | Change::DirRemoved { at, .. } => {
                names.remove(at);
            }
        }
    }
}

type Operation = Vec<Change>;

pub(crate) struct Tree {
    names: Names,
    durable: Names,
    pending: Vec<Operation>,
    last_dir: DirId,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree {
            names: Names::new(),
            durable: Names::new(),
            pending: Vec::new(),
            last_dir: WORKING_DIR,
        }
    }
}

fn error(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{}", path.display()))
}

/// The folder where a path begins, and the names that lead on from there.
fn steps(path: &Path) -> io::Result<(DirId, Vec<&OsStr>)> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name),
            // Nobody needs them.
            Component::ParentDir | Component::Prefix(_) => {
                return Err(error(io::ErrorKind::InvalidInput, path));
            }
        }
    }
    Ok((if path.has_root() { ROOT } else { WORKING_DIR }, names))
}

/// What is in a folder.
fn names_in(names: &Names, dir: DirId) -> impl Iterator<Item = (&OsString, &Node)> {
    let all = names.range((dir, OsString::new())..);
    all.take_while(move |((folder, _), _)| *folder == dir).map(|((_, name), node)| (name, node))
}

impl Tree {
    fn node(&self, path: &Path) -> io::Result<Node> {
        let (start, names) = steps(path)?;
        let mut found = Node::Dir(start);
        for name in names {
            let Node::Dir(dir) = found else {
                return Err(error(io::ErrorKind::NotFound, path));
            };
            let node = self.names.get(&(dir, name.to_owned()));
            found = node.ok_or_else(|| error(io::ErrorKind::NotFound, path))?.clone();
        }
        Ok(found)
    }

    fn dir(&self, path: &Path) -> io::Result<DirId> {
        match self.node(path)? {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(error(io::ErrorKind::NotFound, path)),
        }
    }

    pub(crate) fn file(&self, path: &Path) -> io::Result<Inode> {
        match self.node(path)? {
            Node::File(inode) => Ok(inode),
            Node::Dir(_) => Err(error(io::ErrorKind::IsADirectory, path)),
        }
    }

    /// The name that a path ends with, in the folder that it leads to.
    fn name(&self, path: &Path) -> io::Result<Name> {
        let name = path.file_name().ok_or_else(|| error(io::ErrorKind::InvalidInput, path))?;
        let folder = self.dir(path.parent().unwrap_or(Path::new("")))?;
        Ok((folder, name.to_owned()))
    }

    /// As [`Tree::name`], for something new.
    fn free_name(&self, path: &Path) -> io::Result<Name> {
        match self.exists(path) {
            true => Err(error(io::ErrorKind::AlreadyExists, path)),
            false => self.name(path),
        }
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.node(path).is_ok()
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.dir(path).is_ok()
    }

    pub(crate) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        let at = self.free_name(path)?;
        let inode = Inode::default();
        self.push(vec![Change::FileNamed { at, inode: inode.clone(), replaced: None }]);
        Ok(inode)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.is_dir(from) {
            return self.rename_dir(from, to);
        }
        let inode = self.file(from)?;
        let replaced = match self.node(to) {
            Ok(Node::Dir(_)) => return Err(error(io::ErrorKind::IsADirectory, to)),
            Ok(Node::File(replaced)) => Some(replaced),
            Err(_) => None,
        };
        let (from, to) = (self.name(from)?, self.name(to)?);
        if from != to {
            self.push(vec![
                Change::FileUnnamed { at: from, inode: inode.clone() },
                Change::FileNamed { at: to, inode, replaced },
            ]);
        }
        Ok(())
    }

    fn rename_dir(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (id, new) = (self.dir(from)?, self.free_name(to)?);
        let from = self.name(from)?;
        if from.0 != new.0 {
            return Err(error(io::ErrorKind::Unsupported, to));
        }
        self.push(vec![Change::DirRenamed { from, to: new.1, id }]);
        Ok(())
    }

    pub(crate) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (inode, at) = (self.file(from)?, self.free_name(to)?);
        self.push(vec![Change::FileNamed { at, inode, replaced: None }]);
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let (inode, at) = (self.file(path)?, self.name(path)?);
        self.push(vec![Change::FileUnnamed { at, inode }]);
        Ok(())
    }

    pub(crate) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty, path));
        }
        let (id, at) = (self.dir(path)?, self.name(path)?);
        self.push(vec![Change::DirRemoved { at, id }]);
        Ok(())
    }

    pub(crate) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let (mut parent, names) = steps(path)?;
        for name in names {
            let at = (parent, name.to_owned());
            parent = match self.names.get(&at) {
                Some(Node::Dir(dir)) => *dir,
                Some(Node::File(_)) => return Err(error(io::ErrorKind::AlreadyExists, path)),
                None => {
                    self.last_dir.0 += 1;
                    self.push(vec![Change::DirMade { at, id: self.last_dir }]);
                    self.last_dir
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
            assert!(change.fits(&self.names), "it was just checked");
            change.apply(&mut self.names);
        }
        self.pending.push(operation);
    }

    pub(crate) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.dir(path)?;
        let mut gone = HashSet::new();
        for operation in &mut self.pending {
            operation.retain(|change| {
                let here = change.folder() == dir;
                if here {
                    assert!(change.fits(&self.durable), "a folder is synced in order");
                    change.apply(&mut self.durable);
                    gone.extend(change.removed());
                }
                !here
            });
        }
        self.forget_folders(gone);
        self.pending.retain(|operation| !operation.is_empty());
        Ok(())
    }

    /// Forgets what is known of folders that are gone for good, and of folders in them.
    fn forget_folders(&mut self, mut gone: HashSet<DirId>) {
        let mut known = 0;
        while known < gone.len() {
            known = gone.len();
            let inner = self.pending.iter().flatten();
            let inner = inner.filter(|change| gone.contains(&change.folder()));
            let inner: Vec<DirId> = inner.filter_map(Change::removed).collect();
            gone.extend(inner);
        }
        if gone.is_empty() {
            return;
        }
        self.durable.retain(|(folder, _), _| !gone.contains(folder));
        for operation in &mut self.pending {
            operation.retain(|change| !gone.contains(&change.folder()));
        }
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
        let in_order = random.up_to(3) == 0;
        let first_dropped = random.up_to(self.pending.len());
        for (number, operation) in self.pending.iter().enumerate() {
            let is_kept = if in_order { number < first_dropped } else { random.coin() };
            if is_kept && operation.iter().all(|change| change.fits(&left)) {
                operation.iter().for_each(|change| change.apply(&mut left));
            }
        }
        let mut copies: HashMap<*const Mutex<Content>, Inode> = HashMap::new();
        let mut names = Names::new();
        let mut folders = vec![ROOT, WORKING_DIR];
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
mod tests;
