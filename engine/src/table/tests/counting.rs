//! What a table says of how many keys its records add is what they say one by one, for any range at
//! any version, and whole blocks are taken without being read.

use super::*;
use crate::KeyRange;

/// `sample`, with what each record adds; the oldest version of each key comes last.
fn telling(keys: u64) -> Vec<Record> {
    let mut records = sample(keys);
    let mut older: Option<(Bytes, bool)> = None;
    for record in records.iter_mut().rev() {
        let was = older.take().is_some_and(|(key, was)| key == record.key && was);
        let is = !record.tombstone;
        record.keys_added = Some(i8::from(is) - i8::from(was));
        older = Some((record.key.clone(), is));
    }
    records
}

fn one_by_one(records: &[Record], range: KeyRange<'_>, at: Version) -> i64 {
    let inside = |record: &&Record| {
        *record.key >= *range.start
            && range.end.is_none_or(|end| *record.key < *end)
            && record.version <= at
    };
    let added = records.iter().filter(inside).map(|record| record.keys_added);
    added.map(|added| i64::from(added.expect("all say it"))).sum()
}

#[test]
fn the_sum_over_any_range_is_that_of_its_records() {
    let records = telling(200);
    let table = table_of(&records, SMALL);
    let versions: Vec<Version> = records.iter().step_by(29).map(|record| record.version).collect();
    let mut bounds: Vec<&[u8]> = records.iter().step_by(31).map(|record| &*record.key).collect();
    bounds.extend([&b""[..], b"/registry/pods/ns-7", b"~"]);
    for start in &bounds {
        for end in bounds.iter().map(|end| Some(*end)).chain([None]) {
            let range = KeyRange { start, end };
            if end.is_some_and(|end| end <= *start) {
                continue;
            }
            for at in versions.iter().copied().chain([Version::MAX, Version::default()]) {
                let sum = table.keys_added(range, at).expect("undamaged");
                assert_eq!(sum, Some(one_by_one(&records, range, at)), "{range:?} {at:?}");
            }
        }
    }
}

#[test]
fn a_whole_table_is_counted_without_reading_blocks() {
    let records = telling(200);
    let cache = Arc::new(BlockCache::new(1 << 20));
    let (vfs, path) = (MemVfs::new(), Path::new("/table"));
    let meta = write(&vfs, path, &records, SMALL);
    let file = vfs.open_read(path).expect("it was written");
    let table = Table::open(file, path.into(), meta.file, Arc::clone(&cache)).expect("undamaged");
    let everything = KeyRange { start: b"", end: None };
    let live = records.chunk_by(|a, b| a.key == b.key).filter(|versions| !versions[0].tombstone);
    let sum = table.keys_added(everything, Version::MAX).expect("undamaged");
    assert_eq!(sum, Some(live.count() as i64));
    assert_eq!(cache.stats().blocks, 0);

    let (first, last) = (records[100].key.clone(), records[records.len() - 100].key.clone());
    let inner = KeyRange { start: &first, end: Some(&last) };
    let sum = table.keys_added(inner, Version::MAX).expect("undamaged");
    assert_eq!(sum, Some(one_by_one(&records, inner, Version::MAX)));
    assert_eq!(cache.stats().blocks, 2);
}

#[test]
fn one_record_that_does_not_say_it_makes_its_ranges_unknown() {
    let mut records = telling(200);
    let unknown = records.len() / 2;
    records[unknown].keys_added = None;
    let table = table_of(&records, SMALL);
    let everything = KeyRange { start: b"", end: None };
    assert_eq!(table.keys_added(everything, Version::MAX).expect("undamaged"), None);
    let before = KeyRange { start: b"", end: Some(&records[unknown / 2].key) };
    assert_eq!(
        table.keys_added(before, Version::MAX).expect("undamaged"),
        Some(one_by_one(&records, before, Version::MAX))
    );
}
