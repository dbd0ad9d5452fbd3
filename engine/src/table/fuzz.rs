//! Decoders of a table's parts on arbitrary bytes, for fuzzing: each walks all that it accepts.
//! They must return.

use super::FileNumber;
use super::block_cursor::BlockCursor;
use super::filter::{Filter, KeyHash};
use super::footer::{Foot, FormatVersion, check_head};
use super::frame::{Dictionary, Expected, Opener, checksum};
use super::index::Index;
use super::key_block::KeyBlock;
use super::properties::Properties;
use crate::{Keyspace, Version};
use bytes::Bytes;

const NUMBER: FileNumber = FileNumber(1);

const VERSIONS: [FormatVersion; 3] = [FormatVersion::V1, FormatVersion::V2, FormatVersion::V3];

/// A key block's content: every record in both directions, and searches for some of its keys.
pub fn key_block(content: &[u8]) {
    for version in VERSIONS {
        if let Ok(block) = KeyBlock::decode(Bytes::copy_from_slice(content), version) {
            walk(&block, content);
        }
    }
}

fn walk(block: &KeyBlock, content: &[u8]) {
    let mut cursor = BlockCursor::default();
    cursor.enter(block.clone());
    if cursor.rewind(0).is_err() {
        return;
    }
    while let Ok(true) = cursor.next() {
        let entry = *cursor.entry().expect("it has moved");
        let _handle = block.value_block(entry.place.block);
        let _header = block.header(&entry);
        if entry.version.main.is_multiple_of(64) {
            let _found = block.find(cursor.key(), entry.version);
        }
    }
    let _found = cursor.seek(content, Version::MAX);
    let mut steps = 0;
    let mut moved = cursor.last();
    while let (Ok(true), 0..1000) = (&moved, steps) {
        moved = cursor.prev();
        steps += 1;
    }
}

/// A stored block with its trailer, whose checksum is made to match.
pub fn value_block(stored: &[u8]) {
    let dictionary = Dictionary::new(b"any bytes make a dictionary").expect("memory is there");
    open_stored(stored, &dictionary);
}

fn open_stored(stored: &[u8], dictionary: &Dictionary) {
    let Some((covered, _)) = stored.split_last_chunk::<4>() else {
        return;
    };
    let mut frame = covered.to_vec();
    let sum = checksum(&[covered], NUMBER, 0);
    frame.extend_from_slice(&sum.to_le_bytes());
    // Less than the limits in use keeps the fuzzer's memory small.
    let expected = Expected {
        number: NUMBER,
        offset: 0,
        content_bytes_max: 1 << 20,
        dictionary: Some(dictionary),
    };
    let _content = Opener::default().open(frame, expected);
}

/// An index's content: every entry, and searches for their keys.
pub fn index(content: &[u8]) {
    for version in VERSIONS {
        let Ok(index) = Index::decode(content, version, &(24..u64::MAX)) else {
            continue;
        };
        for at in 0..index.len() {
            let summary = index.summary(at).expect("below the length");
            assert_eq!(index.find(summary.last_key, summary.last_version), at);
        }
    }
}

/// A head or a foot.
pub fn footer(bytes: &[u8]) {
    let _head = check_head(bytes, NUMBER, Keyspace::Kv);
    let _foot = Foot::decode(bytes, NUMBER, Keyspace::Kv, 4096);
}

/// A filter's content, asked for its own bytes, and a filter of as many keys as it has lines, which
/// must know them.
pub fn filter(content: &[u8]) {
    let keys: Vec<KeyHash> = content.chunks(64).map(KeyHash::of).collect();
    if let Ok(filter) = Filter::decode(content) {
        assert_eq!(filter.encode(), content);
        let _found = keys.iter().filter(|&&key| filter.may_contain(key)).count();
    }
    let built = Filter::build(&keys, content.first().copied().unwrap_or(0));
    let again = Filter::decode(&built.encode()).expect("it was encoded");
    assert!(keys.iter().all(|&key| again.may_contain(key)));
}

/// Properties, which must be written as they were read; those of version 1 have more behind.
pub fn properties(content: &[u8]) {
    for version in VERSIONS {
        if let Ok(properties) = Properties::decode(content, version, Keyspace::Kv) {
            let bytes = properties.encode();
            match version {
                FormatVersion::V1 => assert!(bytes.starts_with(content)),
                FormatVersion::V2 | FormatVersion::V3 => assert_eq!(bytes, content),
            }
            let all = properties.reclaimable_bytes(u64::MAX);
            assert!(properties.reclaimable_bytes(properties.main_max) <= all);
        }
    }
}

/// A dictionary behind its length of two bytes, then a stored block that needs it.
pub fn dictionary(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes(*len)).min(rest.len());
    let (content, stored) = rest.split_at(len);
    if let Ok(dictionary) = Dictionary::new(content) {
        open_stored(stored, &dictionary);
    }
}
