//! What a table says about its content: counts, sizes and bounds that merges and counts decide by.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::{Damage, Reader};
use super::footer::FormatVersion;
use super::staircase::{RECLAIM_STEPS_MAX, ReclaimStep, reclaimable};
use crate::Keyspace;
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
    /// What a merge of this table gives back, by watermark: mains and bytes ascending, at most
    /// [`RECLAIM_STEPS_MAX`] steps. None for [`Keyspace::Rev`], whose tables go as a whole.
    pub reclaim: Vec<ReclaimStep>,
}

impl Properties {
    /// Bytes of keys and values, before compression, that a merge of this table gives back when
    /// compaction has reached `watermark`. Never more than it would, up to about a tenth less.
    pub fn reclaimable_bytes(&self, watermark: u64) -> u64 {
        reclaimable(&self.reclaim, watermark)
    }

    /// Eight numbers of eight bytes, both keys with their lengths, then the steps.
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
        let steps = u32::try_from(self.reclaim.len()).expect("steps are few");
        out.extend_from_slice(&steps.to_le_bytes());
        for step in &self.reclaim {
            out.extend_from_slice(&step.main.to_le_bytes());
            out.extend_from_slice(&step.bytes.to_le_bytes());
        }
        out
    }

    /// Reads what [`Properties::encode`] wrote into a table of `keyspace`, or what an earlier
    /// version of it did.
    pub(super) fn decode(
        content: &[u8],
        version: FormatVersion,
        keyspace: Keyspace,
    ) -> Result<Properties, Damage> {
        let mut reader = Reader::new(content);
        let short = Damage("properties are cut short");
        let mut properties = take(&mut reader).ok_or(short)?;
        properties.reclaim = match version {
            FormatVersion::V1 => properties.one_step(keyspace).into_iter().collect(),
            FormatVersion::V2 | FormatVersion::V3 => take_steps(&mut reader).ok_or(short)?,
        };
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
        let content_bytes = properties.key_bytes.saturating_add(properties.value_bytes);
        let steps = &properties.reclaim;
        if !steps.is_sorted_by(|a, b| a.main < b.main && a.bytes < b.bytes)
            || steps.last().is_some_and(|last| last.bytes > content_bytes)
        {
            return Err(Damage("the steps of reclaimable bytes contradict the properties"));
        }
        Ok(properties)
    }

    /// What is certain of a table of version 1: all that is superseded can go when the watermark
    /// has reached everything.
    fn one_step(&self, keyspace: Keyspace) -> Option<ReclaimStep> {
        let main = match keyspace {
            Keyspace::Kv => self.main_max,
            Keyspace::Lease | Keyspace::Meta => 0,
            Keyspace::Rev => return None,
        };
        let bytes = self.superseded_bytes.min(self.key_bytes.saturating_add(self.value_bytes));
        (bytes > 0).then_some(ReclaimStep { main, bytes })
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
        reclaim: Vec::new(),
    })
}

fn take_steps(reader: &mut Reader<'_>) -> Option<Vec<ReclaimStep>> {
    let count = reader.u32()? as usize;
    if count > RECLAIM_STEPS_MAX {
        return None;
    }
    let step = |_| Some(ReclaimStep { main: reader.u64()?, bytes: reader.u64()? });
    (0..count).map(step).collect()
}

fn take_key(reader: &mut Reader<'_>) -> Option<Bytes> {
    let len = reader.u32()? as usize;
    Some(Bytes::copy_from_slice(reader.bytes(len)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties() -> Properties {
        let step = |main, bytes| ReclaimStep { main, bytes };
        Properties {
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
            reclaim: vec![step(5, 12), step(9, 20)],
        }
    }

    fn decode(bytes: &[u8], version: FormatVersion) -> Result<Properties, Damage> {
        Properties::decode(bytes, version, Keyspace::Kv)
    }

    #[test]
    fn come_back_from_bytes_and_refuse_less_or_more() {
        let mut bytes = properties().encode();
        assert_eq!(decode(&bytes, FormatVersion::V2), Ok(properties()));
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], FormatVersion::V2).is_err(), "length {len}");
        }
        bytes.push(0);
        assert!(decode(&bytes, FormatVersion::V2).is_err());
    }

    #[test]
    fn those_of_version_1_have_one_step_for_all_that_is_superseded() {
        let bytes = properties().encode();
        let first = &bytes[..bytes.len() - 4 - 2 * 16];
        let read = decode(first, FormatVersion::V1).expect("it is whole");
        assert_eq!((read.reclaimable_bytes(8), read.reclaimable_bytes(9)), (0, 20));
        let lease = Properties::decode(first, FormatVersion::V1, Keyspace::Lease);
        assert_eq!(lease.expect("it is whole").reclaimable_bytes(0), 20);
        assert!(decode(&bytes, FormatVersion::V1).is_err());
    }

    #[test]
    fn steps_that_go_down_or_promise_too_much_are_refused() {
        let step = |main, bytes| ReclaimStep { main, bytes };
        for steps in [vec![step(5, 12), step(5, 13)], vec![step(5, 12), step(6, 12)]] {
            let bytes = Properties { reclaim: steps, ..properties() }.encode();
            assert!(decode(&bytes, FormatVersion::V2).is_err());
        }
        let bytes = Properties { reclaim: vec![step(5, 71)], ..properties() }.encode();
        assert!(decode(&bytes, FormatVersion::V2).is_err(), "above the content");
        let many = (1..=RECLAIM_STEPS_MAX as u64 + 1).map(|n| step(n, n)).collect();
        let bytes = Properties { reclaim: many, ..properties() }.encode();
        assert!(decode(&bytes, FormatVersion::V2).is_err(), "too many");
    }
}
