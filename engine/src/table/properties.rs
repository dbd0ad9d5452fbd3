//! What a table says about its content: counts, sizes and bounds that merges and counts decide by.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::{Damage, Reader};
use bytes::Bytes;

/// Sums over all records of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Records, tombstones among them.
    pub records: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Records that say that their key is gone.
    pub tombstones: u64,
    /// Smallest `main` of a version; 0 if there are no records.
    pub main_min: u64,
    /// Largest `main` of a version.
    pub main_max: u64,
    /// Sum of key lengths, each version counted.
    pub key_bytes: u64,
    /// Sum of value lengths.
    pub value_bytes: u64,
    /// Bytes of keys and values of records that aren't their key's newest: what compaction could
    /// give back at most, before compression.
    pub superseded_bytes: u64,
    /// First key.
    pub smallest_key: Bytes,
    /// Last key.
    pub largest_key: Bytes,
}

impl Properties {
    /// Eight numbers of eight bytes, then both keys with their lengths.
    pub(super) fn encode(&self) -> Vec<u8> {
        let numbers = [
            self.records,
            self.keys,
            self.tombstones,
            self.main_min,
            self.main_max,
            self.key_bytes,
            self.value_bytes,
            self.superseded_bytes,
        ];
        let mut out: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        for key in [&self.smallest_key, &self.largest_key] {
            let len = u32::try_from(key.len()).expect("keys are below their limit");
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(key);
        }
        out
    }

    /// Reads what [`Properties::encode`] wrote.
    pub(super) fn decode(content: &[u8]) -> Result<Properties, Damage> {
        let mut reader = Reader::new(content);
        let properties = take(&mut reader).ok_or(Damage("properties are cut short"))?;
        if reader.remaining() != 0 {
            return Err(Damage("bytes after the properties"));
        }
        let Properties { records, keys, tombstones, .. } = properties;
        if keys > records || tombstones > records || (keys == 0) != (records == 0) {
            return Err(Damage("properties contradict each other"));
        }
        if properties.main_min > properties.main_max
            || properties.smallest_key > properties.largest_key
        {
            return Err(Damage("properties' bounds are reversed"));
        }
        Ok(properties)
    }
}

fn take(reader: &mut Reader<'_>) -> Option<Properties> {
    Some(Properties {
        records: reader.u64()?,
        keys: reader.u64()?,
        tombstones: reader.u64()?,
        main_min: reader.u64()?,
        main_max: reader.u64()?,
        key_bytes: reader.u64()?,
        value_bytes: reader.u64()?,
        superseded_bytes: reader.u64()?,
        smallest_key: take_key(reader)?,
        largest_key: take_key(reader)?,
    })
}

fn take_key(reader: &mut Reader<'_>) -> Option<Bytes> {
    let len = reader.u32()? as usize;
    Some(Bytes::copy_from_slice(reader.bytes(len)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn come_back_from_bytes_and_refuse_less_or_more() {
        let properties = Properties {
            records: 3,
            keys: 2,
            tombstones: 1,
            main_min: 4,
            main_max: 9,
            key_bytes: 30,
            value_bytes: 40,
            superseded_bytes: 20,
            smallest_key: Bytes::from_static(b"a"),
            largest_key: Bytes::from_static(b"b"),
        };
        let mut bytes = properties.encode();
        assert_eq!(Properties::decode(&bytes).as_ref(), Ok(&properties));
        for len in 0..bytes.len() {
            assert!(Properties::decode(&bytes[..len]).is_err(), "length {len}");
        }
        bytes.push(0);
        assert!(Properties::decode(&bytes).is_err());
    }
}
