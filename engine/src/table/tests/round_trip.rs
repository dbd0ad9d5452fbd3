//! Tables against a sorted `Vec` of the same records.

use super::*;
use proptest::prelude::*;

fn all(table: &Table, projection: Projection) -> Vec<Record> {
    let mut cursor = table.cursor(projection);
    cursor.seek_to_first().expect("undamaged");
    let mut records = Vec::new();
    while let Some(record) = cursor.record().expect("undamaged") {
        records.push(record);
        cursor.next().expect("undamaged");
    }
    records
}

fn all_backwards(table: &Table) -> Vec<Record> {
    let mut cursor = table.cursor_once(Projection::Full);
    cursor.seek_to_last().expect("undamaged");
    let mut records = Vec::new();
    while let Some(record) = cursor.record().expect("undamaged") {
        records.push(record);
        cursor.prev().expect("undamaged");
    }
    records.reverse();
    records
}

fn blocks(table: &Table) -> impl Iterator<Item = BlockSummary<'_>> {
    table.blocks().expect("undamaged")
}

fn without_value(record: &Record) -> Record {
    Record { value: Bytes::new(), ..record.clone() }
}

/// What `get` has to answer.
fn newest_at<'a>(records: &'a [Record], key: &[u8], at: Version) -> Option<&'a Record> {
    records.iter().find(|record| record.key == key && record.version <= at)
}

/// Compares every way of reading with the records, at `keys` and `at`.
fn check(records: &[Record], options: TableOptions, keys: &[Vec<u8>], at: &[Version]) {
    let table = table_of(records, options);
    assert_eq!(all(&table, Projection::Full), records);
    assert_eq!(all_backwards(&table), records);
    let bare: Vec<Record> = records.iter().map(without_value).collect();
    assert_eq!(all(&table, Projection::Keys), bare);
    let mut cursor = table.cursor(Projection::Full);
    for key in keys {
        for &at in at {
            let expected = newest_at(records, key, at);
            let found = table.get(key, at, Projection::Full).expect("undamaged");
            assert_eq!(found.as_ref(), expected, "{key:?} at {at:?}");
            let found = table.get(key, at, Projection::Keys).expect("undamaged");
            assert_eq!(found, expected.map(without_value));

            let order =
                |record: &Record| index::record_order((&record.key, record.version), (key, at));
            let first = records.partition_point(|record| order(record).is_lt());
            cursor.seek(key, at).expect("undamaged");
            assert_eq!(cursor.record().expect("undamaged").as_ref(), records.get(first));
            cursor.prev().expect("undamaged");
            let before = first.checked_sub(1).filter(|_| first < records.len());
            let before = before.map(|before| &records[before]);
            assert_eq!(cursor.record().expect("undamaged").as_ref(), before);
        }
        cursor.seek_before(key).expect("undamaged");
        let end = records.partition_point(|record| record.key < key);
        let expected = end.checked_sub(1).map(|last| &records[last]);
        assert_eq!(cursor.record().expect("undamaged").as_ref(), expected, "before {key:?}");
        cursor.next().expect("undamaged");
        let expected = expected.and_then(|_| records.get(end));
        assert_eq!(cursor.record().expect("undamaged").as_ref(), expected);
    }
}

#[test]
fn a_table_of_many_blocks_reads_as_written() {
    let records = sample(120);
    let mut keys: Vec<Vec<u8>> = records.iter().step_by(3).map(|r| r.key.to_vec()).collect();
    keys.extend([b"".to_vec(), b"/".to_vec(), b"/registry/pods/ns-3/".to_vec(), b"~".to_vec()]);
    let at = [version(0, 0), version(1200, 1), version(1600, 0), Version::MAX];
    for compression in [Compression::None, Compression::Zstd(1)] {
        let options = TableOptions { compression, ..SMALL };
        check(&records, options, &keys, &at);
    }
    let defaults = TableOptions { filter_bits_per_key: 0, ..TableOptions::default() };
    check(&records, defaults, &keys, &at);
}

#[test]
fn a_cursor_may_turn_anywhere() {
    let records = sample(60);
    let table = table_of(&records, TableOptions { key_block_bytes: 2000, ..SMALL });
    let mut cursor = table.cursor(Projection::Full);
    let mut at = records.len() - 1;
    cursor.seek_to_last().expect("undamaged");
    // Back by 1, forth by 2, back by 3 and so on, on the whole more back than forth.
    for steps in 0.. {
        if at == 0 {
            break;
        }
        let back = steps % 2 == 1;
        for _ in 0..steps % if back { 23 } else { 19 } {
            if back && at > 0 {
                cursor.prev().expect("undamaged");
                at -= 1;
            } else if !back && at + 1 < records.len() {
                cursor.next().expect("undamaged");
                at += 1;
            }
            assert_eq!(cursor.record().expect("undamaged").as_ref(), Some(&records[at]));
        }
    }
}

#[test]
fn long_keys_are_walked_backwards_too() {
    let long = |number: u32| [vec![b'k'; 30_000], number.to_be_bytes().to_vec()].concat();
    let records: Vec<Record> =
        (0..40).map(|number| put(&long(number), version(1, 0), b"v")).collect();
    check(&records, TableOptions { key_block_bytes: 90_000, ..SMALL }, &[long(7)], &[Version::MAX]);
}

#[test]
fn an_empty_table_has_nothing() {
    check(&[], SMALL, &[b"a".to_vec()], &[Version::MAX]);
}

#[test]
fn the_empty_key_is_a_key() {
    let records = [
        put(b"", version(9, 0), b"new"),
        put(b"", version(3, 0), b"old"),
        put(b"\0", version(4, 0), b""),
    ];
    check(&records, SMALL, &[b"".to_vec(), b"\0".to_vec()], &[version(5, 0), Version::MAX]);
}

#[test]
fn values_larger_than_a_block_stand_alone() {
    let large = vec![7; 3 * SMALL.value_block_bytes];
    let records = [
        put(b"a", version(1, 0), b"small"),
        put(b"b", version(2, 0), &large),
        put(b"c", version(3, 0), b"small too"),
    ];
    check(&records, SMALL, &[b"b".to_vec()], &[Version::MAX]);
}

#[test]
fn key_only_reads_touch_no_value_blocks() {
    let records = sample(200);
    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let meta = write(&vfs, path, &records, SMALL);
    let cache = Arc::new(BlockCache::new(16 << 20));
    let file = vfs.open_read(path).expect("just written");
    let table = Table::open(file, path.to_owned(), meta.file, Arc::clone(&cache));
    let table = table.expect("just written");
    all(&table, Projection::Keys);
    assert_eq!(cache.stats().blocks, blocks(&table).count() as u64);
    all(&table, Projection::Full);
    assert!(cache.stats().blocks > blocks(&table).count() as u64);
}

#[test]
fn block_counts_add_up_to_the_keys() {
    let records = sample(200);
    let table = table_of(&records, SMALL);
    let keys: u64 = blocks(&table).map(|block| u64::from(block.keys)).sum();
    let newest = records.chunk_by(|left, right| left.key == right.key);
    assert_eq!(keys, newest.count() as u64);
    assert_eq!(keys, table.properties().keys);
}

#[test]
fn superseded_values_that_stay_rare_do_not_hold_key_blocks_back() {
    let mut records = vec![put(b"a", version(2, 0), b"new"), put(b"a", version(1, 0), b"old")];
    records.extend((0..20_000).map(|n| put(format!("b{n:06}").as_bytes(), version(n, 0), b"v")));
    let table = table_of(&records, SMALL);
    assert!(blocks(&table).count() > 200);
    assert_eq!(all(&table, Projection::Full), records);
}

#[test]
fn a_dictionary_sampled_from_a_table_shrinks_the_next_and_changes_no_record() {
    // Half of a value is its own, half appears in every tenth value.
    let value = |number: u64| {
        let own = (0..40).flat_map(|at| (number * 97 + at * at * 12_345).to_le_bytes());
        let common = (0..40).flat_map(|at| ((number % 10) * 31 + at * at * 54_321).to_le_bytes());
        own.chain(common).collect::<Vec<u8>>()
    };
    let records: Vec<Record> = (0..300)
        .map(|number| put(format!("{number:04}").as_bytes(), version(1, 0), &value(number)))
        .collect();
    let options = TableOptions { value_block_bytes: 2000, ..SMALL };
    let plain = table_of(&records, options);
    let dictionary = sample_dictionary(&[plain.clone(), table_of(&[], SMALL), plain.clone()]);
    let dictionary = dictionary.expect("undamaged");
    assert!((20_000..=32_768).contains(&dictionary.len()), "{} bytes", dictionary.len());

    let vfs = MemVfs::new();
    let path = Path::new("/table");
    let file = vfs.create_append(path).expect("a new name");
    let mut writer = TableWriter::new(file, path.into(), NUMBER, Keyspace::Kv, options)
        .expect("a known compression");
    writer.use_dictionary(&dictionary).expect("memory only");
    for record in &records {
        writer.add(record, Age::Newest).expect("memory only");
    }
    let meta = writer.finish().expect("memory only");
    let table = super::open(&vfs, path, meta.file).expect("just written");
    table.verify().expect("just written");
    assert_eq!(all(&table, Projection::Full), records);
    let (with, without) = (meta.file.file_bytes, plain.file().file_bytes);
    assert!(with < without * 9 / 10, "{with} bytes, {without} without");
}

#[test]
fn the_estimated_length_is_close_and_not_below_the_file() {
    let file = MemVfs::new().create_append(Path::new("/table")).expect("a new name");
    let mut writer = TableWriter::new(file, "/table".into(), NUMBER, Keyspace::Kv, SMALL)
        .expect("a known compression");
    for record in sample(5000).chunk_by(|left, right| left.key == right.key) {
        writer.add(&record[0], Age::Newest).expect("memory only");
    }
    let estimate = writer.estimated_len();
    let written = writer.finish().expect("memory only").file.file_bytes;
    assert!(written <= estimate && estimate <= written * 21 / 20, "{written}, not {estimate}");
}

#[test]
#[should_panic(expected = "out of order")]
fn records_out_of_order_are_refused() {
    table_of(&[put(b"b", version(1, 0), b""), put(b"a", version(1, 0), b"")], SMALL);
}

#[test]
#[should_panic(expected = "out of order")]
fn a_version_written_twice_is_refused() {
    table_of(&[put(b"b", version(1, 0), b""), put(b"b", version(1, 0), b"")], SMALL);
}

/// Few letters, so that keys repeat and share prefixes.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop_oneof![Just(0u8), Just(b'a'), Just(b'b'), Just(255u8)];
    prop::collection::vec(letter, 0..12)
}

fn record() -> impl Strategy<Value = Record> {
    let main = prop_oneof![0u64..20, (u64::MAX - 3)..=u64::MAX];
    let value = prop::collection::vec(any::<u8>(), 0..200);
    let header = prop::collection::vec(any::<u8>(), 0..=crate::HEADER_BYTES_MAX);
    (key(), main, 0u64..3, any::<bool>(), header, value).prop_map(
        |(key, main, sub, tombstone, header, value)| Record {
            key: Bytes::from(key),
            version: version(main, sub),
            tombstone,
            header: Header::new(&header).expect("within its limit"),
            value: if tombstone { Bytes::new() } else { Bytes::from(value) },
            keys_added: None,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_records_read_as_written(
        mut records in prop::collection::vec(record(), 0..300),
        mut keys in prop::collection::vec(key(), 8),
        key_block_bytes in 1usize..600,
        value_block_bytes in 1usize..600,
        filter_bits_per_key in 0u8..14,
    ) {
        records.sort_by(|left, right| {
            index::record_order((&left.key, left.version), (&right.key, right.version))
        });
        records.dedup_by(|left, right| {
            (&left.key, left.version) == (&right.key, right.version)
        });
        keys.extend(records.iter().step_by(9).map(|record| record.key.to_vec()));
        let options = TableOptions {
            key_block_bytes,
            value_block_bytes,
            filter_bits_per_key,
            ..SMALL
        };
        let at = [version(0, 0), version(7, 1), version(19, 0), Version::MAX];
        check(&records, options, &keys, &at);
    }
}
