//! The trees of one committed transaction, as readers see them.
//!
//! While somebody holds a tree, none of its pages is written again.

use std::sync::Arc;

use bytes::Bytes;

use super::pager::Pager;
use super::record::{Stored, seek_key};
use super::walk::Walk;
use crate::bolt::meta::Meta;
use crate::bolt::page::{ELEMENT_BYTES, Page};
use crate::picture::{Disk, DiskCursor};
use crate::table::RecordRef;
use crate::{Applied, Direction, KeyRange, Keyspace, Projection, Record, Result, Version};

/// See the module's text.
pub(super) struct Tree {
    pub(super) pager: Arc<Pager>,
    /// What the meta page says.
    pub(super) meta: Meta,
    /// The buckets' root pages, by [`Keyspace`].
    pub(super) roots: [u64; 4],
    pub(super) applied: Applied,
}

impl Tree {
    /// A walk through a bucket.
    pub(super) fn walk(&self, keyspace: Keyspace) -> Walk {
        Walk::new(Arc::clone(&self.pager), self.roots[keyspace as usize])
    }
}

impl Disk for Tree {
    type Cursor = TreeCursor;

    fn applied(&self) -> &Applied {
        &self.applied
    }

    fn get(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        projection: Projection,
        found: Option<Record>,
    ) -> Result<Option<Record>> {
        let mut walk = self.walk(keyspace);
        walk.seek(&seek_key(keyspace, key, at))?;
        let Some(stored) = decode(&walk, keyspace)? else {
            return Ok(found);
        };
        let newest = found.as_ref().map(|record| record.version);
        if stored.key != key || stored.version > at || newest >= Some(stored.version) {
            return Ok(found);
        }
        let value = match projection {
            Projection::Keys => Bytes::new(),
            Projection::Full => stored.value().clone(),
        };
        let Stored { key, version, tombstone, header, .. } = stored;
        Ok(Some(Record { key, version, tombstone, header, value, keys_added: None }))
    }

    fn cursors(
        &self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        _at: Version,
        direction: Direction,
        _projection: Projection,
    ) -> Result<Vec<TreeCursor>> {
        let mut walk = self.walk(keyspace);
        let place = |key| seek_key(keyspace, key, Version::MAX);
        match direction {
            Direction::Forward => walk.seek(&place(range.start))?,
            Direction::Reverse => walk.seek_before(range.end.map(place).as_deref())?,
        }
        let current = decode(&walk, keyspace)?;
        Ok(vec![TreeCursor { walk, keyspace, direction, current }])
    }
}

/// The record where `walk` stands.
pub(super) fn decode(walk: &Walk, keyspace: Keyspace) -> Result<Option<Stored>> {
    let Some(element) = walk.element() else {
        return Ok(None);
    };
    match Stored::decode(keyspace, &element) {
        Some(stored) if !element.is_bucket => Ok(Some(stored)),
        _ => Err(walk.damaged("an element isn't a record")),
    }
}

/// Walks the records of a bucket in one direction.
pub(super) struct TreeCursor {
    walk: Walk,
    keyspace: Keyspace,
    direction: Direction,
    current: Option<Stored>,
}

impl TreeCursor {
    /// The pages from the root to the current record, with their numbers.
    pub(super) fn pages(&self) -> impl Iterator<Item = (u64, &Page)> + Clone {
        self.walk.pages()
    }

    /// What the current record takes on its page, in bytes.
    pub(super) fn element_bytes(&self) -> Option<usize> {
        let element = self.walk.element()?;
        Some(ELEMENT_BYTES + element.key.len() + element.value.len())
    }

    /// Length of the current record's value.
    pub(super) fn value_bytes(&self) -> u64 {
        self.current.as_ref().map_or(0, |stored| stored.value().len() as u64)
    }
}

impl DiskCursor for TreeCursor {
    /// The value itself: it lies on the same page as its key.
    type ValuePlace = Bytes;
    type ValueReader = ();

    fn current(&self) -> Option<RecordRef<'_>> {
        self.current.as_ref().map(Stored::as_record)
    }

    fn place(&self) -> Option<(&[u8], Version)> {
        self.current.as_ref().map(|stored| (&*stored.key, stored.version))
    }

    fn value(&mut self) -> Result<Bytes> {
        self.value_place()
    }

    fn value_place(&self) -> Result<Bytes> {
        Ok(self.current.as_ref().map_or_else(Bytes::new, |stored| stored.value().clone()))
    }

    fn value_at(value: &Bytes, _: &mut ()) -> Result<Bytes> {
        Ok(value.clone())
    }

    fn advance(&mut self) -> Result<()> {
        match self.direction {
            Direction::Forward => self.walk.next()?,
            Direction::Reverse => self.walk.prev()?,
        }
        self.current = decode(&self.walk, self.keyspace)?;
        Ok(())
    }

    fn seek_forward(&mut self, key: &[u8], version: Version) -> Result<()> {
        self.walk.seek_forward(&seek_key(self.keyspace, key, version))?;
        self.current = decode(&self.walk, self.keyspace)?;
        // In `Rev` a key doesn't say its version, and has one.
        match &self.current {
            Some(stored) if stored.key == key && stored.version > version => self.advance(),
            _ => Ok(()),
        }
    }
}
