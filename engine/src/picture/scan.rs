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
/// asked version counts. Which one that is shows only behind it: until then its value's place is
/// kept, so that no value of an older version is read.
pub(super) struct ReverseScan<C: DiskCursor> {
    merging: Merging<C>,
    start: Bytes,
    at: Version,
    projection: Projection,
    values: C::ValueReader,
}

impl<C: DiskCursor> ReverseScan<C> {
    pub(super) fn new(
        merging: Merging<C>,
        start: &[u8],
        at: Version,
        projection: Projection,
    ) -> ReverseScan<C> {
        let start = Bytes::copy_from_slice(start);
        ReverseScan { merging, start, at, projection, values: Default::default() }
    }
}

impl<C: DiskCursor> Cursor for ReverseScan<C> {
    fn next(&mut self) -> Result<Option<Record>> {
        let mut newest: Option<Record> = None;
        let mut value = None;
        while let Some(current) = self.merging.current() {
            if *current.key < *self.start {
                break;
            }
            if newest.as_ref().is_some_and(|newest| *newest.key != *current.key) {
                if newest.as_ref().is_some_and(|newest| !newest.tombstone) {
                    break;
                }
                newest = None;
            }
            if current.version <= self.at {
                let RecordRef { version, tombstone, header, .. } = current;
                match &mut newest {
                    Some(newest) => {
                        (newest.version, newest.tombstone) = (version, tombstone);
                        newest.header = header;
                    }
                    None => newest = Some(owned(current, Bytes::new())),
                }
                value = match self.projection {
                    Projection::Full if !tombstone => Some(self.merging.value_place()?),
                    _ => None,
                };
            }
            self.merging.advance()?;
        }
        let mut newest = newest.filter(|newest| !newest.tombstone);
        if let (Some(newest), Some(value)) = (&mut newest, value) {
            newest.value = value.read(&mut self.values)?;
        }
        Ok(newest)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::picture::Source;
    use crate::{Direction, Header};

    /// Records in the order of a walk, and how many of their values were read.
    struct Listed {
        records: Vec<(&'static [u8], Version, bool)>,
        reads: Arc<AtomicUsize>,
    }

    impl DiskCursor for Listed {
        type ValuePlace = (Version, Arc<AtomicUsize>);
        type ValueReader = ();

        fn current(&self) -> Option<RecordRef<'_>> {
            let &(key, version, tombstone) = self.records.first()?;
            Some(RecordRef { key, version, tombstone, header: Header::default(), keys_added: None })
        }

        fn place(&self) -> Option<(&[u8], Version)> {
            self.records.first().map(|&(key, version, _)| (key, version))
        }

        fn value(&mut self) -> Result<Bytes> {
            Listed::value_at(&self.value_place()?, &mut ())
        }

        fn value_place(&self) -> Result<(Version, Arc<AtomicUsize>)> {
            let version = self.records.first().map(|(_, version, _)| *version);
            Ok((version.unwrap_or_default(), Arc::clone(&self.reads)))
        }

        fn value_at((version, reads): &Self::ValuePlace, _: &mut ()) -> Result<Bytes> {
            reads.fetch_add(1, Ordering::Relaxed);
            Ok(Bytes::from(version.main.to_string()))
        }

        fn advance(&mut self) -> Result<()> {
            self.records.remove(0);
            Ok(())
        }

        fn seek_forward(&mut self, _: &[u8], _: Version) -> Result<()> {
            unreachable!("a walk that goes back isn't sent forward")
        }
    }

    #[test]
    fn a_reverse_scan_reads_the_values_that_it_yields_and_no_others() {
        let reads = Arc::new(AtomicUsize::new(0));
        let source = |records: &[(&'static str, u64, bool)]| {
            let record = |&(key, main, tombstone): &(&'static str, u64, bool)| {
                (key.as_bytes(), Version { main, sub: 0 }, tombstone)
            };
            let records = records.iter().map(record).collect();
            Source::Disk(Box::new(Listed { records, reads: Arc::clone(&reads) }))
        };
        let sources = vec![
            source(&[("d", 1, false), ("d", 3, false), ("c", 2, false), ("b", 1, false)]),
            source(&[("d", 4, false), ("c", 5, true), ("b", 3, false), ("a", 1, false)]),
            source(&[("d", 9, false), ("b", 2, false), ("b", 4, false), ("b", 9, true)]),
        ];
        let merging = Merging::new(sources, Direction::Reverse);
        let at = Version::end_of(6);
        let mut scan = ReverseScan::new(merging, b"b", at, Projection::Full);
        for (expected, read) in [("d4", 1), ("b4", 2)] {
            let record = scan.next().expect("memory only").expect("a key is left");
            let found = [&*record.key, &*record.value].concat();
            assert_eq!((&*found, record.version.main), (expected.as_bytes(), 4));
            assert_eq!(reads.load(Ordering::Relaxed), read);
        }
        assert_eq!(scan.next().expect("memory only"), None);
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }
}
