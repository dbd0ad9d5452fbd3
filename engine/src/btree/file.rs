//! The file: how it comes into being, and what is read of it at the start.
//!
//! A new one is written under another name, synced, and renamed. A start reads the meta pages, the
//! freelist, the root bucket and our own: its time doesn't grow with the number of keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use retcd_vfs::{PageFile, Vfs};

use super::ledger::Ledger;
use super::node::{Element, Kind, Node};
use super::pager::Pager;
use super::space::{Space, Span};
use super::system::{Refusal, System};
use super::tree::Tree;
use crate::bolt::meta::Meta;
use crate::bolt::page::{BUCKET_HEADER_BYTES, u64_at};
use crate::bolt::{Database, Head, PAGE_BYTES};
use crate::{Error, Keyspace, Result, folder};

/// The file's name in the engine's folder.
pub(super) const NAME: &str = "tree.db";
const NEW_NAME: &str = "tree.db.tmp";

/// The buckets, ascending by name; ours has no keyspace.
const BUCKETS: [(&[u8], Option<Keyspace>); 5] = [
    (b"kv", Some(Keyspace::Kv)),
    (b"lease", Some(Keyspace::Lease)),
    (b"meta", Some(Keyspace::Meta)),
    (b"retcd", None),
    (b"rev", Some(Keyspace::Rev)),
];

/// The root bucket's only page.
pub(super) fn root_node(roots: [u64; 4], system: u64) -> Node {
    let element = |(name, keyspace): (&'static [u8], Option<Keyspace>)| {
        let root = keyspace.map_or(system, |keyspace| roots[keyspace as usize]);
        let mut value = [0; BUCKET_HEADER_BYTES];
        value[..8].copy_from_slice(&root.to_le_bytes());
        let value = Bytes::copy_from_slice(&value);
        Element { is_bucket: true, ..Element::value(Bytes::from_static(name), value) }
    };
    Node::leaf(BUCKETS.map(element).into())
}

/// The first two pages of a file that has one transaction only.
pub(super) fn head(meta: &Meta) -> Head {
    let mut head = [0; 2 * PAGE_BYTES as usize];
    for (number, page) in (0..).zip(head.chunks_mut(PAGE_BYTES as usize)) {
        let meta = meta.encode(number);
        page[..meta.len()].copy_from_slice(&meta);
    }
    head
}

/// Opens the file in `dir`, or makes it.
pub(super) fn open(vfs: &dyn Vfs, dir: &Path, cache_bytes: usize) -> Result<Ledger> {
    folder::make(vfs, dir)?;
    let path = dir.join(NAME);
    let new = dir.join(NEW_NAME);
    if vfs.exists(&new).map_err(Error::io(&new))? {
        vfs.remove_file(&new).map_err(Error::io(&new))?;
    }
    if !vfs.exists(&path).map_err(Error::io(&path))? {
        folder::refuse_other(vfs, dir, folder::Owner::Btree)?;
        create(vfs, dir, &new, &path)?;
    }
    // It may have been renamed by a process that ended before the name was durable.
    vfs.sync_dir(dir).map_err(Error::io(dir))?;
    let file = vfs.open_pages(&path).map_err(Error::io(&path))?;
    let ledger = read(vfs, path, file, cache_bytes)?;
    ledger.seal_again()?;
    Ok(ledger)
}

fn create(vfs: &dyn Vfs, dir: &Path, new: &Path, path: &Path) -> Result<()> {
    let mut file = vfs.create_append(new).map_err(Error::io(new))?;
    file.append(&[0; 2 * PAGE_BYTES as usize]).map_err(Error::io(new))?;
    let pages = vfs.open_pages(new).map_err(Error::io(new))?;
    let pager = Arc::new(Pager::new(pages, new.to_owned(), 0, 2, 0)?);
    let space = Space::new(2, []).expect("no page is free");
    Ledger::found(pager, space)?;
    vfs.rename(new, path).map_err(Error::io(path))?;
    vfs.sync_dir(dir).map_err(Error::io(dir))
}

/// What `file`, which is the one at `path`, says. Writes nothing.
pub(super) fn read(
    vfs: &dyn Vfs,
    path: PathBuf,
    file: Arc<dyn PageFile>,
    cache_bytes: usize,
) -> Result<Ledger> {
    // Chooses the meta page and checks the length.
    let meta = *Database::open(vfs, &path)?.meta();
    let corrupt = |reason| Error::Corrupt { path: path.clone(), offset: 0, reason };
    if meta.page_bytes != PAGE_BYTES {
        return Err(corrupt("its pages aren't as long as ours"));
    }
    let Meta { pages, transaction, .. } = meta;
    let pager = Arc::new(Pager::new(file, path.clone(), cache_bytes, pages, transaction)?);
    let (free, freelist_pages) = pager.freelist(meta.freelist)?;
    let space = Space::new(pages, free);
    let space = space
        .ok_or_else(|| pager.damaged(meta.freelist, "a page is named twice, or isn't there"))?;
    let (root, root_span) = only_leaf(&pager, meta.root)?;
    let page_of = |name: &[u8]| {
        let element = root.elements.iter().find(|element| element.key == name);
        let page = element.filter(|element| element.is_bucket);
        let page = page.and_then(|element| u64_at(&element.value, 0)).filter(|page| *page != 0);
        page.ok_or_else(|| pager.damaged(meta.root, "a bucket is missing"))
    };
    let (mut roots, mut own) = ([0; 4], 0);
    for (name, keyspace) in BUCKETS {
        let page = page_of(name)?;
        match keyspace {
            Some(keyspace) => roots[keyspace as usize] = page,
            None => own = page,
        }
    }
    let (node, own_span) = only_leaf(&pager, own)?;
    let system = System::decode(&node).map_err(|refusal| match refusal {
        Refusal::Version(found) => Error::Version { path: path.clone(), found },
        Refusal::Damage => pager.damaged(own, "the engine's own bucket isn't whole"),
    })?;
    let freelist = Span { first: meta.freelist, count: freelist_pages };
    let bookkeeping = [root_span, own_span, freelist];
    let tree = Tree { pager: Arc::clone(&pager), meta, roots, applied: system.applied };
    Ok(Ledger::new(pager, space, tree, system.swept, bookkeeping))
}

/// A bucket that has one page.
fn only_leaf(pager: &Pager, number: u64) -> Result<(Node, Span)> {
    let page = pager.node(number)?;
    let count = u64::from(page.header.overflow) + 1;
    let node = Node::of_page(&page).filter(|node| node.kind == Kind::Leaf);
    let node = node.ok_or_else(|| pager.damaged(number, "a bucket of one page has more"))?;
    Ok((node, Span { first: number, count }))
}
