//! Writes a database from sorted pairs, each byte once, from front to end.
//!
//! 1. Leaves go out as they fill up; each leaves its first key and its number one level up.
//! 2. A branch that fills up goes out likewise. The last two children of a level stay behind until
//!    the end, so that none has a single child: bbolt insists on two when it deletes from one.
//! 3. The end of a bucket closes its levels, lowest first; the last page written is its root.
//! 4. The root bucket, an empty freelist, and at last the two meta pages. They belong to the front:
//!    they come back from [`Writer::finish`], for the caller to put there.
//!
//! Memory is a page for each level, and the largest value.

use super::builder::{ELEMENTS_MAX, PageBuilder};
use super::meta::Meta;
use super::page::{
    BUCKET_HEADER_BYTES, ELEMENT_BYTES, ELEMENT_IS_BUCKET, KIND_BRANCH, KIND_FREELIST, KIND_LEAF,
};
use super::{KEY_BYTES_MAX, PAGE_BYTES, VALUE_BYTES_MAX};
use std::io::{self, Write};

/// The two meta pages: the first bytes of the file.
pub type Head = [u8; 2 * PAGE_BYTES as usize];

/// Fewest children that a full branch keeps and leaves behind.
const CHILDREN_MIN: usize = 2;

/// Writes everything but the first two pages to `W`.
pub struct Writer<W> {
    to: W,
    next_page: u64,
    /// Finished buckets: name and root page.
    buckets: Vec<(Vec<u8>, u64)>,
    /// Of the bucket being written: leaf first, then its branches.
    levels: Vec<PageBuilder>,
    bucket: Option<Vec<u8>>,
}

impl<W: Write> Writer<W> {
    /// A writer of an empty database. `to` gets the file from its third page on.
    pub fn new(to: W) -> Writer<W> {
        Writer { to, next_page: 2, buckets: Vec::new(), levels: Vec::new(), bucket: None }
    }

    /// Begins a bucket in the root; the one before ends.
    ///
    /// # Errors
    ///
    /// Of `to`; or `InvalidInput` for a name that is empty or longer than [`KEY_BYTES_MAX`].
    pub fn bucket(&mut self, name: &[u8]) -> io::Result<()> {
        check_key(name)?;
        self.end_bucket()?;
        self.bucket = Some(name.to_vec());
        Ok(())
    }

    /// Adds a pair to the bucket. Keys must ascend.
    ///
    /// # Errors
    ///
    /// Of `to`; or `InvalidInput` for a key that is empty or longer than [`KEY_BYTES_MAX`], and for
    /// a value longer than [`VALUE_BYTES_MAX`].
    ///
    /// # Panics
    ///
    /// Without a bucket.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        assert!(self.bucket.is_some(), "a pair before the first bucket");
        check_key(key)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(invalid("a value is too long for a bbolt database"));
        }
        self.add(0, 0, key, value, 0)
    }

    /// Ends the last bucket and the file. Returns the pages that belong to its front, how long it
    /// is with them in bytes, and the `W`.
    ///
    /// # Errors
    ///
    /// Of `to`.
    pub fn finish(mut self) -> io::Result<(Box<Head>, u64, W)> {
        self.end_bucket()?;
        self.buckets.sort_unstable();
        for (name, page) in std::mem::take(&mut self.buckets) {
            let mut value = [0; BUCKET_HEADER_BYTES];
            value[..8].copy_from_slice(&page.to_le_bytes());
            self.add(0, ELEMENT_IS_BUCKET, &name, &value, 0)?;
        }
        let root = self.close_levels()?;
        let freelist = self.next_page;
        let empty = PageBuilder::default();
        self.write_page(KIND_FREELIST, &empty)?;
        let mut head = Box::new([0; 2 * PAGE_BYTES as usize]);
        for (page, bytes) in (0..).zip(head.chunks_mut(PAGE_BYTES as usize)) {
            let meta = Meta {
                page_bytes: PAGE_BYTES,
                root,
                sequence: 0,
                freelist,
                pages: self.next_page,
                transaction: page,
            };
            let meta = meta.encode(page);
            bytes[..meta.len()].copy_from_slice(&meta);
        }
        Ok((head, self.next_page * u64::from(PAGE_BYTES), self.to))
    }

    fn end_bucket(&mut self) -> io::Result<()> {
        if let Some(name) = self.bucket.take() {
            let root = self.close_levels()?;
            self.buckets.push((name, root));
        }
        Ok(())
    }

    /// Adds an element to the page in the making at `level`; a page that would be too long goes out
    /// first.
    fn add(
        &mut self,
        level: usize,
        flags: u32,
        key: &[u8],
        value: &[u8],
        child: u64,
    ) -> io::Result<()> {
        if self.levels.len() == level {
            self.levels.push(PageBuilder::default());
        }
        if is_full_with(&self.levels[level], key.len() + value.len(), kept_at(level)) {
            let rest = self.levels[level].split_off(kept_at(level));
            let full = std::mem::replace(&mut self.levels[level], rest);
            self.put_out(level, &full)?;
        }
        self.levels[level].push(flags, key, value, child);
        Ok(())
    }

    /// Writes what is left of each level; returns the number of the topmost page.
    fn close_levels(&mut self) -> io::Result<u64> {
        if self.levels.is_empty() {
            self.levels.push(PageBuilder::default());
        }
        let mut level = 0;
        loop {
            let last = std::mem::take(&mut self.levels[level]);
            if level + 1 == self.levels.len() {
                self.levels.clear();
                return self.write_page(kind_at(level), &last);
            }
            self.put_out(level, &last)?;
            level += 1;
        }
    }

    /// Writes a page and tells the level above of it.
    fn put_out(&mut self, level: usize, page: &PageBuilder) -> io::Result<()> {
        let number = self.write_page(kind_at(level), page)?;
        let key = page.first_key().expect("a page that goes out early isn't empty").to_vec();
        self.add(level + 1, 0, &key, &[], number)
    }

    /// Writes a page and returns its number.
    fn write_page(&mut self, kind: u16, page: &PageBuilder) -> io::Result<u64> {
        let id = self.next_page;
        let bytes = page.encode(kind, id, PAGE_BYTES, 0);
        self.to.write_all(&bytes)?;
        self.next_page += (bytes.len() / PAGE_BYTES as usize) as u64;
        Ok(id)
    }
}

/// Whether an element with so many bytes doesn't go on `page` any more, and the page without its
/// last `kept` elements is one that can be written.
fn is_full_with(page: &PageBuilder, bytes: usize, kept: usize) -> bool {
    let is_long = page.bytes() + ELEMENT_BYTES + bytes > PAGE_BYTES as usize;
    let is_many = page.count() == ELEMENTS_MAX;
    (is_long || is_many) && page.count() > kept + usize::from(kept > 0)
}

fn kind_at(level: usize) -> u16 {
    if level == 0 { KIND_LEAF } else { KIND_BRANCH }
}

/// How many elements of a full page stay behind, so that with the one to come there are enough.
fn kept_at(level: usize) -> usize {
    if level == 0 { 0 } else { CHILDREN_MIN - 1 }
}

fn check_key(key: &[u8]) -> io::Result<()> {
    match key.len() {
        0 => Err(invalid("a bbolt database has no empty keys")),
        1..=KEY_BYTES_MAX => Ok(()),
        _ => Err(invalid("a key is too long for a bbolt database")),
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
