//! Reads and writes pages: each is checked when it comes from the disk, and kept in the cache.
//!
//! bbolt's pages have no checksum, so a page of ours has one in its last bytes, behind all that
//! bbolt looks at:
//!
//! ```text
//! end − 12   transaction that wrote it, u64
//! end − 4    CRC-32 of all before: the page's number is among it, in its header
//! ```
//!
//! A page that is whole has elements that lie on it, with ascending keys. A page of a later
//! transaction than the newest one was written over pages that the tree still needed: so it is when
//! the newest meta page is lost, and it is told.
//!
//! A page's number is used again, so the cache is told of every page that is written.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use retcd_vfs::PageFile;

use crate::bolt::PAGE_BYTES;
use crate::bolt::builder::PageBuilder;
use crate::bolt::page::{
    KIND_BRANCH, KIND_FREELIST, KIND_LEAF, PAGE_HEADER_BYTES, Page, PageHeader, take, u64_at,
};
use crate::table::{BlockCache, BlockId, FileNumber};
use crate::{Error, Result};

/// Bytes at the end of a page that bbolt doesn't know of.
pub(super) const TRAILER_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// The same as a length in memory.
const PAGE: usize = PAGE_BYTES as usize;

/// What fits on a page without overflow pages, beside its header and trailer.
pub(super) const CAPACITY_BYTES: usize = PAGE - PAGE_HEADER_BYTES - TRAILER_BYTES;

/// The cache's name for the file: it has no other.
const FILE: FileNumber = FileNumber(0);

/// See the module's text.
pub(super) struct Pager {
    file: Arc<dyn PageFile>,
    path: PathBuf,
    cache: BlockCache,
    /// Number of the first page that isn't there, with those of the transaction under way.
    pages: AtomicU64,
    /// The newest transaction, or the one under way.
    transaction: AtomicU64,
    /// Up to where something has been written.
    file_bytes: AtomicU64,
    bytes_written: AtomicU64,
}

impl Pager {
    /// Of an open file that has `pages` pages, written by transactions up to `transaction`.
    pub(super) fn new(
        file: Arc<dyn PageFile>,
        path: PathBuf,
        cache_bytes: usize,
        pages: u64,
        transaction: u64,
    ) -> Result<Pager> {
        let file_bytes = file.len().map_err(Error::io(&path))?;
        Ok(Pager {
            file,
            path,
            cache: BlockCache::new(cache_bytes),
            pages: AtomicU64::new(pages),
            transaction: AtomicU64::new(transaction),
            file_bytes: AtomicU64::new(file_bytes),
            bytes_written: AtomicU64::new(0),
        })
    }

    /// Length of the file, in bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes.load(Ordering::Acquire)
    }

    /// Written since open, in bytes.
    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// Pages up to `pages` and written by transactions up to `transaction` may be read from now on.
    pub(super) fn allow(&self, pages: u64, transaction: u64) {
        self.pages.store(pages, Ordering::Release);
        self.transaction.store(transaction, Ordering::Release);
    }

    /// A page of a tree, from the disk and not for the cache.
    pub(super) fn node_from_disk(&self, number: u64) -> Result<Page> {
        let page = self.read(number)?;
        match is_node(&page) {
            true => Ok(page),
            false => Err(self.damaged(number, "the page is neither a branch nor a leaf")),
        }
    }

    /// Pages from `number` on as they are, checked or not; zeros behind the end of the file.
    pub(super) fn read_as_it_is(&self, number: u64, buf: &mut [u8]) -> Result<()> {
        self.file.read_at(offset_of(number), buf).map_err(Error::io(&self.path))?;
        Ok(())
    }

    /// A page of a tree.
    pub(super) fn node(&self, number: u64) -> Result<Page> {
        let id = BlockId { number: FILE, offset: number };
        if let Some(bytes) = self.cache.get(id).filter(|bytes| !bytes.is_empty()) {
            return Page::new(bytes).ok_or_else(|| self.damaged(number, "the page is too short"));
        }
        let page = self.node_from_disk(number)?;
        self.cache.insert(id, page.bytes().clone());
        Ok(page)
    }

    /// The pages that the freelist at `number` names, and how many pages it takes itself.
    pub(super) fn freelist(&self, number: u64) -> Result<(Vec<u64>, u64)> {
        let page = self.read(number)?;
        let free = match page.header.kind {
            KIND_FREELIST => page.free_pages(),
            _ => None,
        };
        let free = free.ok_or_else(|| self.damaged(number, "the page isn't a freelist"))?;
        Ok((free, u64::from(page.header.overflow).saturating_add(1)))
    }

    /// Reads a page with its overflow pages.
    fn read(&self, number: u64) -> Result<Page> {
        let pages = self.pages.load(Ordering::Acquire);
        if number < 2 || number >= pages {
            return Err(self.damaged(number, "a page that isn't there is named"));
        }
        let mut bytes = vec![0; PAGE];
        self.fill(number, 0, &mut bytes)?;
        let header = PageHeader::decode(&bytes).filter(|header| header.id == number);
        let header =
            header.ok_or_else(|| self.damaged(number, "it says that it is another one"))?;
        let overflow = u64::from(header.overflow);
        if overflow >= pages.saturating_sub(number) {
            return Err(self.damaged(number, "the page goes on behind the end"));
        }
        if overflow > 0 {
            let all = usize::try_from(overflow).ok().and_then(|pages| pages.checked_add(1));
            let all = all.and_then(|pages| pages.checked_mul(PAGE));
            bytes.resize(all.ok_or_else(|| self.damaged(number, "the page is too long"))?, 0);
            let rest = bytes.get_mut(PAGE..).unwrap_or_default();
            self.fill(number, PAGE as u64, rest)?;
        }
        let crc_at = bytes.len().saturating_sub(CRC_BYTES);
        let sum = take(&bytes, crc_at).map(u32::from_le_bytes);
        if sum != bytes.get(..crc_at).map(crc32fast::hash) {
            return Err(self.damaged(number, "the page's checksum is wrong"));
        }
        let transaction = u64_at(&bytes, bytes.len().saturating_sub(TRAILER_BYTES));
        if transaction.is_none_or(|at| at > self.transaction.load(Ordering::Acquire)) {
            return Err(self.damaged(number, "the page is newer than the newest meta page"));
        }
        Page::new(Bytes::from(bytes)).ok_or_else(|| self.damaged(number, "the page is too short"))
    }

    fn fill(&self, number: u64, behind: u64, buf: &mut [u8]) -> Result<()> {
        let offset = offset_of(number).saturating_add(behind);
        self.file.read_exact_at(offset, buf).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged(number, "the file ends before it"),
            _ => Error::io(&self.path)(error),
        })
    }

    /// Writes a page and shows it to readers of trees that have it.
    pub(super) fn write(
        &self,
        kind: u16,
        number: u64,
        page: &PageBuilder,
        transaction: u64,
    ) -> Result<()> {
        let bytes = self.sealed(page.encode(kind, number, PAGE_BYTES, TRAILER_BYTES), transaction);
        self.put(offset_of(number), &bytes)?;
        self.cache.replace(BlockId { number: FILE, offset: number }, bytes);
        Ok(())
    }

    /// Writes a list of free pages to `count` pages, which must be enough.
    pub(super) fn write_freelist(
        &self,
        number: u64,
        count: u64,
        free: &[u64],
        transaction: u64,
    ) -> Result<()> {
        let bytes = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(PAGE);
        let list = encode_freelist(number, count, free, bytes);
        assert_eq!(list.len(), bytes, "the freelist's pages are enough");
        self.put(offset_of(number), &self.sealed(list, transaction))
    }

    /// Fills the trailer in.
    fn sealed(&self, mut bytes: Vec<u8>, transaction: u64) -> Bytes {
        let trailer_at = bytes.len().saturating_sub(TRAILER_BYTES);
        bytes.truncate(trailer_at);
        bytes.extend_from_slice(&transaction.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes.into()
    }

    /// Writes the start of a meta page.
    pub(super) fn write_meta(&self, number: u64, meta: &[u8]) -> Result<()> {
        self.put(offset_of(number), meta)
    }

    /// Has the file at least as long as `pages` pages.
    pub(super) fn extend(&self, pages: u64) -> Result<()> {
        match self.file_bytes() < offset_of(pages) {
            true => self.put(offset_of(pages.saturating_sub(1)), &[0; PAGE]),
            false => Ok(()),
        }
    }

    /// Has the file no longer than `pages` pages.
    pub(super) fn cut(&self, pages: u64) -> Result<()> {
        if self.file_bytes() > offset_of(pages) {
            self.file.cut(offset_of(pages)).map_err(Error::io(&self.path))?;
            self.file_bytes.store(offset_of(pages), Ordering::Release);
        }
        Ok(())
    }

    /// Makes everything written durable.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync().map_err(Error::io(&self.path))
    }

    fn put(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        // Before the write, because a part of it may be there even if it fails.
        self.file_bytes.fetch_max(end, Ordering::AcqRel);
        self.bytes_written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_at(offset, bytes).map_err(Error::io(&self.path))
    }

    /// The error that says what is wrong with a page.
    pub(super) fn damaged(&self, page: u64, reason: &'static str) -> Error {
        Error::Corrupt { path: self.path.clone(), offset: offset_of(page), reason }
    }
}

fn offset_of(page: u64) -> u64 {
    page.saturating_mul(u64::from(PAGE_BYTES))
}

/// Pages that a freelist with `count` numbers takes.
pub(super) fn freelist_pages(count: u64) -> u64 {
    let numbers = count.saturating_add(1).saturating_mul(8);
    let bytes = numbers.saturating_add((PAGE_HEADER_BYTES + TRAILER_BYTES) as u64);
    bytes.div_ceil(u64::from(PAGE_BYTES))
}

/// From 65,535 numbers on, the first one says how many there are.
fn encode_freelist(number: u64, count: u64, free: &[u64], bytes: usize) -> Vec<u8> {
    let short = u16::try_from(free.len()).ok().filter(|&count| count < u16::MAX);
    let header = PageHeader {
        id: number,
        kind: KIND_FREELIST,
        count: short.unwrap_or(u16::MAX),
        overflow: u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX),
    };
    let mut list = Vec::with_capacity(bytes);
    list.extend_from_slice(&header.encode());
    if short.is_none() {
        list.extend_from_slice(&(free.len() as u64).to_le_bytes());
    }
    list.extend(free.iter().flat_map(|page| page.to_le_bytes()));
    let content = list.len().saturating_add(TRAILER_BYTES);
    list.resize(bytes.max(content), 0);
    list
}

/// Whether it is a branch or a leaf, with all elements on it and ascending keys. A leaf may be
/// empty where it is a root; that others aren't is for who knows.
fn is_node(page: &Page) -> bool {
    let is_branch = page.header.kind == KIND_BRANCH;
    if !is_branch && page.header.kind != KIND_LEAF || is_branch && page.count() == 0 {
        return false;
    }
    let mut before: Option<&[u8]> = None;
    (0..page.count()).all(|position| {
        let is_whole = is_branch || page.leaf(position).is_some();
        let key = page.key(position);
        let ascends = key.is_some_and(|key| before.is_none_or(|before| before < key));
        before = key;
        is_whole && ascends
    })
}
