//! A file in bbolt's format, opened for reading.

use super::bucket::{Bucket, Entries, Entry};
use super::meta::{META_BYTES, Meta, NO_FREELIST};
use super::page::{KIND_FREELIST, PAGE_HEADER_BYTES, Page, PageHeader};
use super::{DEPTH_MAX, PAGE_BYTES_MAX, PAGE_BYTES_MIN};
use crate::{Error, Result};
use bytes::Bytes;
use retcd_vfs::{ReadFile, Vfs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A database that nobody writes to meanwhile.
pub struct Database {
    path: PathBuf,
    file: Arc<dyn ReadFile>,
    file_bytes: u64,
    meta: Meta,
}

/// What the pages of a file are used for, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Pages of trees, their overflow pages included.
    pub trees: u64,
    /// Pages that the freelist names.
    pub free: u64,
    /// The freelist's own pages and the two meta pages.
    pub bookkeeping: u64,
}

impl Database {
    /// Opens a file. Of its two meta pages the newer whole one counts.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if there is none, or if the file is shorter than it says.
    pub fn open(vfs: &dyn Vfs, path: &Path) -> Result<Database> {
        let file = vfs.open_read(path).map_err(Error::io(path))?;
        let file_bytes = file.len().map_err(Error::io(path))?;
        let corrupt = |reason| Error::Corrupt { path: path.to_owned(), offset: 0, reason };
        let metas = metas(&*file, file_bytes).map_err(Error::io(path))?;
        let meta = metas
            .into_iter()
            .max_by_key(|meta| meta.transaction)
            .ok_or_else(|| corrupt("no meta page is whole: this isn't a bbolt database"))?;
        if meta.pages.saturating_mul(u64::from(meta.page_bytes)) > file_bytes {
            return Err(corrupt("the file is shorter than its meta page says"));
        }
        Ok(Database { path: path.to_owned(), file, file_bytes, meta })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file in bytes; there may be more behind the pages.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The meta page that counts.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The bucket that all others are in.
    pub fn root(&self) -> Bucket {
        Bucket::at(self.meta.root, self.meta.sequence)
    }

    /// The bucket of this name in the root.
    ///
    /// # Errors
    ///
    /// The file can't be read or is damaged.
    pub fn bucket(&self, name: &[u8]) -> Result<Option<Bucket>> {
        match self.root().get(self, name)? {
            Some(Entry::Bucket(bucket)) => Ok(Some(bucket)),
            Some(Entry::Value(_)) | None => Ok(None),
        }
    }

    /// Reads everything: each page is used once, by a tree or as a free one, and keys ascend.
    ///
    /// Takes memory for one bit of each page, one path and the freelist.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] names the first page that doesn't fit.
    pub fn verify(&self) -> Result<Usage> {
        self.verify_telling(&mut |_| {})
    }

    /// As [`Database::verify`]; `read` is told of bytes that are done with.
    ///
    /// # Errors
    ///
    /// Those of [`Database::verify`].
    pub fn verify_telling(&self, read: &mut dyn FnMut(u64)) -> Result<Usage> {
        let mut used = Used { database: self, pages: Vec::new(), count: 0, read };
        used.add(0, 0)?;
        used.add(1, 0)?;
        let mut usage = Usage::default();
        if self.meta.freelist != NO_FREELIST {
            let freelist = self.page(self.meta.freelist)?;
            used.add(self.meta.freelist, freelist.header.overflow)?;
            usage.bookkeeping = used.count;
            let free = match freelist.header.kind & KIND_FREELIST {
                0 => None,
                _ => freelist.free_pages(),
            };
            let reason = "the freelist isn't one, or not on its page";
            for page in free.ok_or_else(|| self.damaged(self.meta.freelist, reason))? {
                used.add(page, 0)?;
            }
        }
        usage.bookkeeping = usage.bookkeeping.max(2);
        usage.free = used.count - usage.bookkeeping;
        self.verify_bucket(&self.root(), &mut used, 0)?;
        usage.trees = used.count - usage.bookkeeping - usage.free;
        Ok(usage)
    }

    fn verify_bucket(&self, bucket: &Bucket, used: &mut Used<'_>, depth: usize) -> Result<()> {
        if depth == DEPTH_MAX {
            return Err(self.damaged(0, "buckets lie deeper within each other than any written"));
        }
        let mut entries = bucket.entries(self)?;
        let mut path = Vec::new();
        loop {
            if bucket.root_page().is_some() {
                note_path(&entries, &mut path, used)?;
            }
            match entries.next().transpose()? {
                None => return Ok(()),
                Some((_, Entry::Bucket(inner))) => self.verify_bucket(&inner, used, depth + 1)?,
                Some((_, Entry::Value(_))) => {}
            }
        }
    }

    /// Reads a page with its overflow pages.
    pub(super) fn page(&self, number: u64) -> Result<Page> {
        let page_bytes = u64::from(self.meta.page_bytes);
        if number < 2 || number >= self.meta.pages {
            return Err(self.damaged(number, "a page that isn't there is named"));
        }
        let mut head = [0; PAGE_HEADER_BYTES];
        let offset = number * page_bytes;
        self.file.read_exact_at(offset, &mut head).map_err(Error::io(&self.path))?;
        let header = PageHeader::decode(&head).expect("as many bytes as a header has");
        if header.id != number {
            return Err(self.damaged(number, "the page says that it is another one"));
        }
        if u64::from(header.overflow) >= self.meta.pages - number {
            return Err(self.damaged(number, "the page goes on behind the end"));
        }
        let bytes = (u64::from(header.overflow) + 1) * page_bytes;
        let mut content =
            vec![0; usize::try_from(bytes).expect("2^32 pages of 64 KiB fit into 64 bits")];
        self.file.read_exact_at(offset, &mut content).map_err(Error::io(&self.path))?;
        Ok(Page::new(Bytes::from(content)).expect("it is longer than a header"))
    }

    pub(super) fn damaged(&self, page: u64, reason: &'static str) -> Error {
        let offset = page.saturating_mul(u64::from(self.meta.page_bytes));
        Error::Corrupt { path: self.path.clone(), offset, reason }
    }
}

/// Marks what is new on the path since the last call.
fn note_path(
    entries: &Entries<'_>,
    before: &mut Vec<(u64, u32)>,
    used: &mut Used<'_>,
) -> Result<()> {
    let same = entries.path().zip(&*before).take_while(|(now, then)| now == *then).count();
    if entries.path().count() == before.len() && same == before.len() {
        return Ok(());
    }
    for (page, overflow) in entries.path().skip(same) {
        used.add(page, overflow)?;
    }
    // A leaf that the walk is done with stays until the next one is reached.
    before.clear();
    before.extend(entries.path());
    Ok(())
}

/// Which pages have been seen.
struct Used<'a> {
    database: &'a Database,
    /// One bit for each page.
    pages: Vec<u64>,
    count: u64,
    /// Told of their bytes.
    read: &'a mut dyn FnMut(u64),
}

impl Used<'_> {
    fn add(&mut self, page: u64, overflow: u32) -> Result<()> {
        let pages = self.database.meta.pages;
        for page in page..=page.saturating_add(u64::from(overflow)) {
            let reason = "a page is used twice, or isn't there";
            let damaged = || self.database.damaged(page, reason);
            if page >= pages {
                return Err(damaged());
            }
            let word = usize::try_from(page / 64).map_err(|_| damaged())?;
            if self.pages.len() <= word {
                self.pages.resize(word + 1, 0);
            }
            let bit = 1 << (page % 64);
            if self.pages[word] & bit != 0 {
                return Err(damaged());
            }
            self.pages[word] |= bit;
            self.count += 1;
            (self.read)(u64::from(self.database.meta.page_bytes));
        }
        Ok(())
    }
}

/// The whole meta pages. Where the second one lies only the first one knows; if that one is
/// damaged, every size is tried.
fn metas(file: &dyn ReadFile, file_bytes: u64) -> std::io::Result<Vec<Meta>> {
    let at = |offset: u64| {
        let mut page = [0; META_BYTES];
        if offset.saturating_add(META_BYTES as u64) > file_bytes {
            return Ok(None);
        }
        file.read_exact_at(offset, &mut page)?;
        Ok::<_, std::io::Error>(Meta::decode(&page))
    };
    let mut metas = Vec::new();
    let first = at(0)?;
    metas.extend(first);
    let mut page_bytes = PAGE_BYTES_MIN;
    while page_bytes <= PAGE_BYTES_MAX {
        if first.is_none_or(|first| first.page_bytes == page_bytes) {
            let second = at(u64::from(page_bytes))?;
            metas.extend(second.filter(|second| second.page_bytes == page_bytes));
        }
        page_bytes *= 2;
    }
    Ok(metas)
}
