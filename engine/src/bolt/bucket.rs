//! A bucket: a tree of keys and values, looked into and walked through.
//!
//! Pages are read when they are needed; a walk holds one path. A damaged tree may point anywhere,
//! back at itself too: a walk ends because a path has a limit, every path leads to a key, and keys
//! must ascend.

use super::DEPTH_MAX;
use super::database::Database;
use super::page::{BUCKET_HEADER_BYTES, KIND_BRANCH, KIND_LEAF, Page, first_from, u64_at};
use crate::Result;
use bytes::Bytes;

/// A bucket of a [`Database`].
#[derive(Clone, Debug)]
pub struct Bucket {
    root: Root,
    sequence: u64,
}

#[derive(Clone, Debug)]
enum Root {
    Page(u64),
    /// The only page, in the bucket's own value, with the page that this is on.
    Inline(Page, u64),
}

/// What a key leads to.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A value.
    Value(Bytes),
    /// A bucket within this one.
    Bucket(Bucket),
}

impl Bucket {
    pub(super) fn at(page: u64, sequence: u64) -> Bucket {
        Bucket { root: Root::Page(page), sequence }
    }

    /// Reads a bucket's value, which lies on `page`.
    pub(super) fn decode(value: &Bytes, page: u64) -> Option<Bucket> {
        let root = u64_at(value, 0)?;
        let sequence = u64_at(value, 8)?;
        let root = match root {
            0 => Root::Inline(Page::new(value.slice(BUCKET_HEADER_BYTES..))?, page),
            page => Root::Page(page),
        };
        Some(Bucket { root, sequence })
    }

    /// The number that bbolt counts up on request.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The bucket's first page; `None` if it lies within the value of another bucket's page.
    pub fn root_page(&self) -> Option<u64> {
        match self.root {
            Root::Page(page) => Some(page),
            Root::Inline(..) => None,
        }
    }

    /// What `key` leads to.
    ///
    /// # Errors
    ///
    /// The file can't be read or is damaged.
    pub fn get(&self, database: &Database, key: &[u8]) -> Result<Option<Entry>> {
        let mut entries = self.seek(database, key)?;
        match entries.next().transpose()? {
            Some((found, entry)) if found == key => Ok(Some(entry)),
            _ => Ok(None),
        }
    }

    /// All keys in ascending order, and what they lead to.
    ///
    /// # Errors
    ///
    /// The file can't be read or is damaged; so may be each entry.
    pub fn entries<'a>(&self, database: &'a Database) -> Result<Entries<'a>> {
        self.seek(database, &[])
    }

    /// The keys from `from` on.
    ///
    /// # Errors
    ///
    /// As for [`Bucket::entries`].
    pub fn seek<'a>(&self, database: &'a Database, from: &[u8]) -> Result<Entries<'a>> {
        let mut entries = Entries { database, path: Vec::new(), before: None, has_failed: false };
        let (page, number) = match &self.root {
            Root::Page(number) => (database.page(*number)?, *number),
            Root::Inline(page, number) => (page.clone(), *number),
        };
        entries.descend(page, number, from)?;
        Ok(entries)
    }
}

/// Walks a bucket. After an error it ends.
pub struct Entries<'a> {
    database: &'a Database,
    /// From the root down, the leaf last.
    path: Vec<Place>,
    before: Option<Bytes>,
    has_failed: bool,
}

struct Place {
    page: Page,
    number: u64,
    next: usize,
}

impl Entries<'_> {
    /// The pages of the path that the walk is on, from the bucket's root to a leaf, each with how
    /// many overflow pages it has.
    pub(super) fn path(&self) -> impl Iterator<Item = (u64, u32)> {
        self.path.iter().map(|place| (place.number, place.page.header.overflow))
    }

    /// Goes down to the leaf where `from` is or would be.
    fn descend(&mut self, page: Page, number: u64, from: &[u8]) -> Result<()> {
        let (mut page, mut number) = (page, number);
        loop {
            let database = self.database;
            let damaged = |reason| database.damaged(number, reason);
            if self.path.len() == DEPTH_MAX {
                return Err(damaged("a tree deeper than any that is written"));
            }
            // Whoever writes a tree leaves none; and walks through them would have no end.
            if page.count() == 0 && !self.path.is_empty() {
                return Err(damaged("a page of a tree is empty and isn't its root"));
            }
            if page.header.kind & KIND_LEAF != 0 {
                let next = first_from(page.count(), |position| {
                    page.leaf(position).map(|element| element.key.as_ref() < from)
                });
                let next = next.ok_or_else(|| damaged("an element isn't on its page"))?;
                self.path.push(Place { page, number, next });
                return Ok(());
            }
            if page.header.kind & KIND_BRANCH == 0 || page.count() == 0 {
                return Err(damaged("a page of a tree is neither branch nor leaf"));
            }
            // The child before the first one that begins above `from`.
            let above = first_from(page.count(), |position| {
                page.branch(position).map(|element| element.key.as_ref() <= from)
            });
            let child = above.ok_or_else(|| damaged("an element isn't on its page"))?;
            let child = child.saturating_sub(1);
            let element = page.branch(child);
            let element = element.ok_or_else(|| damaged("an element isn't on its page"))?;
            self.path.push(Place { page, number, next: child + 1 });
            (page, number) = (database.page(element.page)?, element.page);
        }
    }

    fn step(&mut self) -> Result<Option<(Bytes, Entry)>> {
        let place = loop {
            let Some(place) = self.path.last_mut() else {
                return Ok(None);
            };
            if place.next >= place.page.count() {
                self.path.pop();
                continue;
            }
            if place.page.header.kind & KIND_LEAF != 0 {
                break place;
            }
            let number = place.number;
            let element = place.page.branch(place.next);
            place.next += 1;
            let reason = "an element isn't on its page";
            let element = element.ok_or_else(|| self.database.damaged(number, reason))?;
            let page = self.database.page(element.page)?;
            self.descend(page, element.page, &[])?;
        };
        let damaged = |reason| self.database.damaged(place.number, reason);
        let element = place.page.leaf(place.next);
        let element = element.ok_or_else(|| damaged("an element isn't on its page"))?;
        place.next += 1;
        if self.before.as_ref() >= Some(&element.key) {
            return Err(damaged("keys don't ascend"));
        }
        self.before = Some(element.key.clone());
        let entry = match element.is_bucket {
            false => Entry::Value(element.value),
            true => Entry::Bucket(
                Bucket::decode(&element.value, place.number)
                    .ok_or_else(|| damaged("a bucket's value is too short"))?,
            ),
        };
        Ok(Some((element.key, entry)))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Bytes, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let step = self.step();
        self.has_failed = step.is_err();
        step.transpose()
    }
}
