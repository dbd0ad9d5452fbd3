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

/// A key block's content: every record in both directions, and searches for some of its keys.
pub fn key_block(content: &[u8]) {
    let Ok(block) = KeyBlock::decode(Bytes::copy_from_slice(content)) else {
        return;
    };
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
    let Some((covered, _)) = stored.split_last_chunk::<4>() else {
        return;
    };
    let mut frame = covered.to_vec();
    let sum = checksum(&[covered], NUMBER, 0);
    frame.extend_from_slice(&sum.to_le_bytes());
    let dictionary = Dictionary::new(b"any bytes make a dictionary").expect("memory is there");
    // Less than the limits in use keeps the fuzzer's memory small.
    let expected = Expected {
        number: NUMBER,
        offset: 0,
        content_bytes_max: 1 << 20,
        dictionary: Some(&dictionary),
    };
    let _content = Opener::default().open(frame, expected);
}

/// An index's content: every entry, and searches for their keys.
pub fn index(content: &[u8]) {
    let Ok(index) = Index::decode(content, &(24..u64::MAX)) else {
        return;
    };
    for at in 0..index.len() {
        let summary = index.summary(at).expect("below the length");
        assert_eq!(index.find(summary.last_key, summary.last_version), at);
    }
}

/// A head or a foot, a filter's content, or properties.
pub fn footer(bytes: &[u8]) {
    let _head = check_head(bytes, NUMBER, Keyspace::Kv);
    let _foot = Foot::decode(bytes, NUMBER, Keyspace::Kv, 4096);
    for version in [FormatVersion::V1, FormatVersion::V2] {
        if let Ok(properties) = Properties::decode(bytes, version, Keyspace::Kv) {
            let _bytes = properties.reclaimable_bytes(properties.main_max);
        }
    }
    if let Ok(filter) = Filter::decode(bytes) {
        let _found = filter.may_contain(KeyHash::of(bytes));
    }
}
