//! What the writer writes, the reader reads, page by page; and damage is told.

use super::{Bucket, Database, Entry, PAGE_BYTES, Usage, Writer};
use crate::Error;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use retcd_vfs::{MemVfs, Vfs};
use std::collections::BTreeMap;
use std::path::Path;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

fn write(buckets: &BTreeMap<Vec<u8>, Pairs>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, pairs) in buckets {
        writer.bucket(name).unwrap();
        for (key, value) in pairs {
            writer.put(key, value).unwrap();
        }
    }
    let (head, bytes, rest) = writer.finish().unwrap();
    let file = [head.as_slice(), &rest].concat();
    assert_eq!(file.len() as u64, bytes);
    file
}

fn open(bytes: &[u8]) -> crate::Result<Database> {
    let vfs = MemVfs::new();
    let path = Path::new("db");
    vfs.create_append(path).unwrap().append(bytes).unwrap();
    Database::open(&vfs, path)
}

fn pairs(database: &Database, bucket: &Bucket) -> Pairs {
    let value = |entry| match entry {
        Entry::Value(value) => value.to_vec(),
        Entry::Bucket(_) => panic!("there are no buckets within buckets"),
    };
    let entries = bucket.entries(database).unwrap().map(Result::unwrap);
    entries.map(|(key, entry)| (key.to_vec(), value(entry))).collect()
}

fn check(buckets: &BTreeMap<Vec<u8>, Pairs>) -> Usage {
    let database = open(&write(buckets)).unwrap();
    let names = database.root().entries(&database).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().0.to_vec()).collect();
    assert_eq!(names, buckets.keys().cloned().collect::<Vec<_>>());
    for (name, expected) in buckets {
        let bucket = database.bucket(name).unwrap().unwrap();
        assert_eq!(pairs(&database, &bucket), *expected);
        for (key, value) in expected {
            let found = bucket.get(&database, key).unwrap();
            assert!(matches!(found, Some(Entry::Value(found)) if found == value));
        }
        let absent = [b"zz", name.as_slice()].concat();
        assert!(
            bucket.get(&database, &absent).unwrap().is_none() || expected.contains_key(&absent)
        );
    }
    let usage = database.verify().unwrap();
    assert_eq!(usage.trees + usage.free + usage.bookkeeping, database.meta().pages);
    usage
}

fn many(count: u32, value_bytes: usize) -> Pairs {
    let pair = |n: u32| (n.to_be_bytes().to_vec(), vec![n as u8; value_bytes]);
    (0..count).map(pair).collect()
}

#[test]
fn an_empty_database_and_empty_buckets() {
    assert_eq!(check(&BTreeMap::new()), Usage { trees: 1, free: 0, bookkeeping: 3 });
    let buckets = BTreeMap::from([(b"a".to_vec(), Pairs::new()), (b"b".to_vec(), Pairs::new())]);
    assert_eq!(check(&buckets).trees, 3);
}

#[test]
fn trees_of_several_levels() {
    for count in [1, 100, 101, 102, 10_000, 40_000] {
        check(&BTreeMap::from([(b"key".to_vec(), many(count, 24))]));
    }
}

#[test]
fn values_of_many_pages() {
    let mut pairs = many(10, 10);
    pairs.insert(b"large".to_vec(), vec![7; 3 * PAGE_BYTES as usize]);
    pairs.insert(b"larger".to_vec(), vec![8; 1 << 20]);
    pairs.insert(vec![b'k'; super::KEY_BYTES_MAX], Vec::new());
    check(&BTreeMap::from([(b"key".to_vec(), pairs), (b"meta".to_vec(), many(3, 3))]));
}

#[test]
fn branches_with_the_longest_keys() {
    let long = |n: u8| [vec![n], vec![n; super::KEY_BYTES_MAX - 1]].concat();
    let pairs: Pairs = (0..40).map(|n| (long(n), vec![n])).collect();
    check(&BTreeMap::from([(b"key".to_vec(), pairs)]));
}

#[test]
fn a_walk_begins_where_it_is_told() {
    let buckets = BTreeMap::from([(b"key".to_vec(), many(5_000, 30))]);
    let database = open(&write(&buckets)).unwrap();
    let bucket = database.bucket(b"key").unwrap().unwrap();
    for from in [0u32, 1, 99, 100, 2_500, 4_999, 5_000] {
        let mut entries = bucket.seek(&database, &from.to_be_bytes()).unwrap();
        let first = entries.next().map(|entry| entry.unwrap().0.to_vec());
        let expected = (from < 5_000).then(|| from.to_be_bytes().to_vec());
        assert_eq!(first, expected);
        assert_eq!(entries.count() as u32, 5_000u32.saturating_sub(from + 1));
    }
}

#[test]
fn pairs_that_no_database_holds_are_refused() {
    let mut writer = Writer::new(Vec::new());
    assert!(writer.bucket(b"").is_err());
    writer.bucket(b"key").unwrap();
    assert!(writer.put(b"", b"").is_err());
    assert!(writer.put(&vec![0; super::KEY_BYTES_MAX + 1], b"").is_err());
}

#[test]
fn a_damaged_meta_page_leaves_the_other() {
    let buckets = BTreeMap::from([(b"key".to_vec(), many(300, 30))]);
    let mut bytes = write(&buckets);
    for page in [0, PAGE_BYTES as usize] {
        bytes[page + 40] ^= 1;
        match page {
            0 => assert_eq!(open(&bytes).unwrap().meta().transaction, 1),
            _ => assert!(matches!(open(&bytes).err(), Some(Error::Corrupt { offset: 0, .. }))),
        }
    }
    let whole = write(&buckets);
    assert!(open(&whole[..whole.len() - 1]).is_err(), "cut short");
}

#[test]
fn a_tree_that_leads_back_to_itself_is_told() {
    let buckets = BTreeMap::from([(b"key".to_vec(), many(10_000, 30))]);
    let mut bytes = write(&buckets);
    let root = open(&bytes).unwrap().bucket(b"key").unwrap().unwrap().root_page().unwrap();
    let element = root as usize * PAGE_BYTES as usize + 16 + 8;
    bytes[element..element + 8].copy_from_slice(&root.to_le_bytes());
    let database = open(&bytes).unwrap();
    let bucket = database.bucket(b"key").unwrap().unwrap();
    assert!(bucket.entries(&database).is_err());
    assert!(database.verify().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_pairs_come_back(
        buckets in btree_map(
            vec(any::<u8>(), 1..20),
            btree_map(vec(any::<u8>(), 1..200), vec(any::<u8>(), 0..600), 0..80),
            0..5,
        ),
    ) {
        check(&buckets);
    }

    #[test]
    fn any_damage_is_read_without_a_panic(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let buckets = BTreeMap::from([
            (b"key".to_vec(), many(500, 40)),
            (b"meta".to_vec(), Pairs::from([(b"a".to_vec(), vec![1; 9000])])),
        ]);
        let mut bytes = write(&buckets);
        let length = bytes.len();
        for (at, with) in damage {
            // Both meta pages must stay, or there is nothing to read.
            let at = 2 * PAGE_BYTES as usize + at.index(length - 2 * PAGE_BYTES as usize);
            bytes[at] = with;
        }
        let database = open(&bytes).unwrap();
        let _ = database.verify();
        for name in [b"key".as_slice(), b"meta"] {
            if let Ok(Some(bucket)) = database.bucket(name)
                && let Ok(entries) = bucket.entries(&database)
            {
                prop_assert!(entries.count() <= length);
            }
        }
    }
}
