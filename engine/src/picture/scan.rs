//! What readers make of the merged versions: the newest of each key at or below a version, without
//! keys that are gone, or every version as it is.

use bytes::Bytes;

use super::DiskCursor;
use super::merging::Merging;
use crate::table::RecordRef;
use crate::{Cursor, Projection, Record, Result, Version};

/// Records that a forward scan steps over, of one key that is dealt with or too new, before it
/// seeks past the others. A seek costs about as much as this many steps.
const STEPS_BEFORE_SEEK: u32 = 8;

fn owned(record: RecordRef<'_>, value: Bytes) -> Record {
    Record {
        key: Bytes::copy_from_slice(record.key),
        version: record.version,
        tombstone: record.tombstone,
        header: record.header,
        value,
        keys_added: None,
    }
}

/// The record where `merging` stands, with its value if the projection wants it.
fn take<C: DiskCursor>(merging: &mut Merging<C>, projection: Projection) -> Result<Option<Record>> {
    let Some(record) = merging.current().map(|record| owned(record, Bytes::new())) else {
        return Ok(None);
    };
    let value = match projection {
        Projection::Full if !record.tombstone => merging.value()?,
        _ => record.value,
    };
    Ok(Some(Record { value, ..record }))
}

/// Smallest key first.
pub(super) struct ForwardScan<C> {
    merging: Merging<C>,
    end: Option<Bytes>,
    at: Version,
    projection: Projection,
    /// The last key that is dealt with, and whether there was one.
    key: Vec<u8>,
    started: bool,
}

/// A key's record that counts, or that it has none.
enum Found {
    Visible,
    Gone,
}

impl<C: DiskCursor> ForwardScan<C> {
    pub(super) fn new(
        merging: Merging<C>,
        end: Option<&[u8]>,
        at: Version,
        projection: Projection,
    ) -> ForwardScan<C> {
        ForwardScan {
            merging,
            end: end.map(Bytes::copy_from_slice),
            at,
            projection,
            key: Vec::new(),
            started: false,
        }
    }

    /// How many records are left, by looking at each.
    pub(super) fn count(mut self) -> Result<u64> {
        let mut count = 0;
        loop {
            match self.find()? {
                Some(Found::Visible) => count += 1,
                Some(Found::Gone) => {}
                None => return Ok(count),
            }
        }
    }

    /// Stands on the record that counts of the next key that has one.
    fn find(&mut self) -> Result<Option<Found>> {
        let mut steps = 0;
        loop {
            self.leave_key()?;
            let Some((key, version)) = self.merging.place() else {
                return Ok(None);
            };
            if self.end.as_ref().is_some_and(|end| *key >= **end) {
                return Ok(None);
            }
            if version <= self.at {
                self.key.clear();
                self.key.extend_from_slice(key);
                self.started = true;
                let gone = self.merging.current().is_some_and(|record| record.tombstone);
                return Ok(Some(if gone { Found::Gone } else { Found::Visible }));
            }
            steps += 1;
            if steps < STEPS_BEFORE_SEEK {
                self.merging.advance()?;
            } else {
                let key = Bytes::copy_from_slice(key);
                self.merging.seek_forward(&key, self.at)?;
                steps = 0;
            }
        }
    }

    /// Goes past all versions of the key that is dealt with.
    fn leave_key(&mut self) -> Result<()> {
        let mut steps = 0;
        while let Some((key, version)) = self.merging.place()
            && self.started
            && *key == *self.key
        {
            steps += 1;
            if steps < STEPS_BEFORE_SEEK || version == Version::default() {
                self.merging.advance()?;
            } else {
                self.merging.seek_forward(&self.key, Version::default())?;
            }
        }
        Ok(())
    }
}

impl<C: DiskCursor> Cursor for ForwardScan<C> {
    fn next(&mut self) -> Result<Option<Record>> {
        while let Some(found) = self.find()? {
            if matches!(found, Found::Visible) {
                return take(&mut self.merging, self.projection);
            }
        }
        Ok(None)
    }
}

/// Largest key first. The versions of a key come oldest first, so the last one at or below the
/// asked version counts; values of those before it are read in vain.
pub(super) struct ReverseScan<C> {
    merging: Merging<C>,
    start: Bytes,
    at: Version,
    projection: Projection,
}

impl<C: DiskCursor> ReverseScan<C> {
    pub(super) fn new(
        merging: Merging<C>,
        start: &[u8],
        at: Version,
        projection: Projection,
    ) -> ReverseScan<C> {
        ReverseScan { merging, start: Bytes::copy_from_slice(start), at, projection }
    }
}

impl<C: DiskCursor> Cursor for ReverseScan<C> {
    fn next(&mut self) -> Result<Option<Record>> {
        let mut candidate: Option<Record> = None;
        while let Some(record) = self.merging.current() {
            if *record.key < *self.start {
                break;
            }
            if let Some(found) = candidate.take_if(|found| *found.key != *record.key)
                && !found.tombstone
            {
                return Ok(Some(found));
            }
            if record.version <= self.at {
                candidate = take(&mut self.merging, self.projection)?;
            }
            self.merging.advance()?;
        }
        Ok(candidate.filter(|found| !found.tombstone))
    }
}

/// Every version: keys ascending, versions of one key descending.
pub(super) struct VersionScan<C> {
    merging: Merging<C>,
    end: Option<Bytes>,
    projection: Projection,
    /// What was yielded last. Two sources may have the same record.
    last: Option<(Bytes, Version)>,
}

impl<C: DiskCursor> VersionScan<C> {
    pub(super) fn new(
        merging: Merging<C>,
        end: Option<&[u8]>,
        projection: Projection,
    ) -> VersionScan<C> {
        VersionScan { merging, end: end.map(Bytes::copy_from_slice), projection, last: None }
    }
}

impl<C: DiskCursor> Cursor for VersionScan<C> {
    fn next(&mut self) -> Result<Option<Record>> {
        let last = self.last.as_ref().map(|(key, version)| (&**key, *version));
        while last.is_some() && self.merging.place() == last {
            self.merging.advance()?;
        }
        let Some(record) = take(&mut self.merging, self.projection)? else {
            return Ok(None);
        };
        if self.end.as_ref().is_some_and(|end| record.key >= end) {
            return Ok(None);
        }
        self.last = Some((record.key.clone(), record.version));
        Ok(Some(record))
    }
}
