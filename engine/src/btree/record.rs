//! How a record lies in a bucket: keys that sort as records do, and what belongs to them.
//!
//! ```text
//! kv, lease, meta   key: the user's with every 0 byte as 0 255, then 0 0, then the complements of
//!                        main and sub, big-endian: newer versions of a key come first
//! rev               key: the user's as it is, since it has one version
//! value             flags u8: bits 0 to 4 length of the header, bit 5 tombstone,
//!                   bit 6 main and sub follow (rev only, where the key isn't just these)
//!                   main u64 and sub u64 big-endian, if so; header; value
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ops::Range;

use bytes::{BufMut, Bytes};

use crate::bolt::page::{LeafElement, take};
use crate::table::RecordRef;
use crate::{Header, Keyspace, Record, Version};

const ESCAPE: u8 = 0;
/// Behind an [`ESCAPE`]: the byte 0, and the end of the user's key.
const ESCAPED_ZERO: u8 = 255;
const END: u8 = 0;

const VERSION_BYTES: usize = 16;
/// What a key has behind the user's key.
const SUFFIX_BYTES: usize = 2 + VERSION_BYTES;

const FLAG_TOMBSTONE: u8 = 0x20;
const FLAG_VERSION: u8 = 0x40;
const HEADER_MASK: u8 = 0x1f;

/// A record without its value, and where that is.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) key: Bytes,
    pub(super) version: Version,
    pub(super) tombstone: bool,
    pub(super) header: Header,
    value: Bytes,
}

impl Stored {
    /// What an element holds; `None` if no record is encoded like this.
    pub(super) fn decode(keyspace: Keyspace, element: &LeafElement) -> Option<Stored> {
        let (&flags, rest) = element.value.split_first()?;
        let (key, mut version) = match keyspace {
            Keyspace::Rev => (element.key.clone(), Version::default()),
            _ => decode_key(&element.key)?,
        };
        let mut at = 1usize;
        if keyspace == Keyspace::Rev {
            let named = if flags & FLAG_VERSION == 0 { &*key } else { rest };
            version = decode_version(named)?;
            if flags & FLAG_VERSION == 0 {
                (key.len() == VERSION_BYTES).then_some(())?;
            } else {
                at = at.checked_add(VERSION_BYTES)?;
            }
        } else {
            (flags & FLAG_VERSION == 0).then_some(())?;
        }
        let value_at = at.checked_add(usize::from(flags & HEADER_MASK))?;
        let header = Header::new(element.value.get(at..value_at)?)?;
        let tombstone = flags & FLAG_TOMBSTONE != 0;
        Some(Stored { key, version, tombstone, header, value: element.value.slice(value_at..) })
    }

    /// It without its value.
    pub(super) fn as_record(&self) -> RecordRef<'_> {
        RecordRef {
            key: &self.key,
            version: self.version,
            tombstone: self.tombstone,
            header: self.header,
            keys_added: None,
        }
    }

    /// Its value.
    pub(super) fn value(&self) -> &Bytes {
        &self.value
    }
}

/// The key and the value of the element that holds `record`.
pub(super) fn encode(keyspace: Keyspace, record: &Record) -> (Bytes, Bytes) {
    let header = record.header.as_slice();
    let mut flags = header.len() as u8 | if record.tombstone { FLAG_TOMBSTONE } else { 0 };
    let mut value = Vec::with_capacity(
        header.len().saturating_add(record.value.len()).saturating_add(1 + VERSION_BYTES),
    );
    let key = match keyspace {
        Keyspace::Rev => {
            assert!(!record.key.is_empty(), "bbolt has no empty keys");
            let version = version_bytes(record.version);
            let is_key = *record.key == version;
            if !is_key {
                flags |= FLAG_VERSION;
            }
            value.put_u8(flags);
            value.extend_from_slice(if is_key { &[] } else { &version });
            record.key.clone()
        }
        _ => {
            value.put_u8(flags);
            encode_key(&record.key, record.version).into()
        }
    };
    value.extend_from_slice(header);
    value.extend_from_slice(&record.value);
    (key, value.into())
}

/// The place of the first record at or after (`key`, `version`).
pub(super) fn seek_key(keyspace: Keyspace, key: &[u8], version: Version) -> Vec<u8> {
    match keyspace {
        Keyspace::Rev => key.to_vec(),
        _ => encode_key(key, version),
    }
}

/// The user's key in the key of an element, to be told from others; `None` if it isn't one.
pub(super) fn user_part(keyspace: Keyspace, key: &[u8]) -> Option<&[u8]> {
    match keyspace {
        Keyspace::Rev => Some(key),
        _ => key.get(..key.len().checked_sub(VERSION_BYTES)?),
    }
}

fn version_bytes(version: Version) -> [u8; VERSION_BYTES] {
    (u128::from(version.main) << 64 | u128::from(version.sub)).to_be_bytes()
}

fn decode_version(bytes: &[u8]) -> Option<Version> {
    let [main, sub] = [take(bytes, 0)?, take(bytes, 8)?].map(u64::from_be_bytes);
    Some(Version { main, sub })
}

fn encode_key(key: &[u8], version: Version) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len().saturating_add(SUFFIX_BYTES));
    for part in key.split_inclusive(|&byte| byte == ESCAPE) {
        bytes.extend_from_slice(part);
        if part.last() == Some(&ESCAPE) {
            bytes.push(ESCAPED_ZERO);
        }
    }
    bytes.extend_from_slice(&[ESCAPE, END]);
    bytes.extend_from_slice(&version_bytes(version).map(|byte| !byte));
    bytes
}

/// Whoever has a key without 0 bytes, which is the rule, gets a part of `encoded`.
fn decode_key(encoded: &Bytes) -> Option<(Bytes, Version)> {
    let end = encoded.len().checked_sub(SUFFIX_BYTES)?;
    let (escaped, suffix) = encoded.split_at_checked(end)?;
    let (mark, version) = suffix.split_first_chunk::<2>()?;
    let version: [u8; VERSION_BYTES] = version.try_into().ok()?;
    let version = decode_version(&version.map(|byte| !byte))?;
    (mark == &[ESCAPE, END]).then_some(())?;
    if !escaped.contains(&ESCAPE) {
        return Some((encoded.slice(whole(escaped)), version));
    }
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        key.push(byte);
        if byte == ESCAPE {
            (bytes.next() == Some(&ESCAPED_ZERO)).then_some(())?;
        }
    }
    Some((key.into(), version))
}

fn whole(part: &[u8]) -> Range<usize> {
    0..part.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..6)
    }

    fn record() -> impl Strategy<Value = Record> {
        let header = proptest::collection::vec(any::<u8>(), 0..=crate::HEADER_BYTES_MAX);
        let value = proptest::collection::vec(any::<u8>(), 0..40);
        (key(), (0..4u64, any::<u64>()), header, any::<bool>(), value).prop_map(
            |(key, (main, sub), header, tombstone, value)| Record {
                key: key.into(),
                version: Version { main, sub },
                tombstone,
                header: Header::new(&header).expect("short enough"),
                value: if tombstone { Bytes::new() } else { value.into() },
                keys_added: None,
            },
        )
    }

    fn decoded(keyspace: Keyspace, record: &Record) -> Record {
        let (key, value) = encode(keyspace, record);
        let element = LeafElement { key, value, is_bucket: false };
        let stored = Stored::decode(keyspace, &element).expect("it was encoded");
        let value = stored.value().clone();
        let Stored { key, version, tombstone, header, .. } = stored;
        Record { key, version, tombstone, header, value, keys_added: None }
    }

    proptest! {
        #[test]
        fn records_come_back_and_sort_as_their_places_do(a in record(), b in record()) {
            prop_assert_eq!(&decoded(Keyspace::Kv, &a), &a);
            let order = (&a.key, std::cmp::Reverse(a.version))
                .cmp(&(&b.key, std::cmp::Reverse(b.version)));
            let (a, b) = (encode(Keyspace::Kv, &a).0, encode(Keyspace::Kv, &b).0);
            prop_assert_eq!(a.cmp(&b), order);
        }

        #[test]
        fn so_do_those_of_rev(record in record(), is_version in any::<bool>()) {
            let key = match is_version {
                true => Bytes::copy_from_slice(&version_bytes(record.version)),
                false => [b"k", &*record.key].concat().into(),
            };
            let record = Record { key, ..record };
            prop_assert_eq!(decoded(Keyspace::Rev, &record), record);
        }

        #[test]
        fn any_bytes_are_a_record_or_none(
            key in proptest::collection::vec(0..3u8, 0..30),
            value in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            for keyspace in [Keyspace::Kv, Keyspace::Rev] {
                let (key, value) = (key.clone().into(), value.clone().into());
                let element = LeafElement { key, value, is_bucket: false };
                let _ = Stored::decode(keyspace, &element);
            }
        }
    }
}
