//! What tables say about themselves, of one or summed up over several: the one place that knows
//! the fields of [`Properties`].

use super::output::{bytes, bytes_and_size};
use super::record::KeyName;
use crate::notation::Count;
use bytes::Bytes;
use retcd_engine::Keyspace;
use retcd_engine::lsm::inspect::dead_bytes;
use retcd_engine::table::{Properties, TableFile};
use serde::Serialize;
use std::io::{self, Write};

/// Sums and bounds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Totals {
    /// Tables in it.
    pub(super) tables: u64,
    /// Bytes of their files.
    pub(super) file_bytes: u64,
    /// Records, tombstones among them.
    pub(super) records: u64,
    /// Distinct keys of each table.
    pub(super) keys: u64,
    /// Records that say that their key is gone.
    pub(super) tombstones: u64,
    /// Bounds of the main versions, revisions in `kv` and `rev`.
    pub(super) main_min: u64,
    pub(super) main_max: u64,
    pub(super) key_bytes: u64,
    pub(super) value_bytes: u64,
    /// Keys and values of records that weren't newest when they were written.
    pub(super) superseded_bytes: u64,
    /// Bytes of the files that merging each table alone gives back for certain, estimated.
    pub(super) reclaimable_bytes: u64,
    #[serde(serialize_with = "bytes")]
    smallest_key: Bytes,
    #[serde(serialize_with = "bytes")]
    largest_key: Bytes,
}

impl Totals {
    /// Of one table.
    pub(super) fn of(file: &TableFile, properties: &Properties, watermark: u64) -> Totals {
        Totals {
            tables: 1,
            file_bytes: file.file_bytes,
            records: properties.records,
            keys: properties.keys,
            tombstones: properties.tombstones,
            main_min: properties.main_min,
            main_max: properties.main_max,
            key_bytes: properties.key_bytes,
            value_bytes: properties.value_bytes,
            superseded_bytes: properties.superseded_bytes,
            reclaimable_bytes: dead_bytes(file, properties, watermark),
            smallest_key: properties.smallest_key.clone(),
            largest_key: properties.largest_key.clone(),
        }
    }

    /// Takes more in.
    pub(super) fn add(&mut self, other: &Totals) {
        if other.tables == 0 {
            return;
        }
        if self.tables == 0 {
            *self = other.clone();
            return;
        }
        let sum = |mine: &mut u64, theirs: u64| *mine = mine.saturating_add(theirs);
        sum(&mut self.tables, other.tables);
        sum(&mut self.file_bytes, other.file_bytes);
        sum(&mut self.records, other.records);
        sum(&mut self.keys, other.keys);
        sum(&mut self.tombstones, other.tombstones);
        sum(&mut self.key_bytes, other.key_bytes);
        sum(&mut self.value_bytes, other.value_bytes);
        sum(&mut self.superseded_bytes, other.superseded_bytes);
        sum(&mut self.reclaimable_bytes, other.reclaimable_bytes);
        self.main_min = self.main_min.min(other.main_min);
        self.main_max = self.main_max.max(other.main_max);
        if other.smallest_key < self.smallest_key {
            self.smallest_key = other.smallest_key.clone();
        }
        if other.largest_key > self.largest_key {
            self.largest_key = other.largest_key.clone();
        }
    }

    /// The file's size and what could be had back.
    pub(super) fn size(&self) -> String {
        let size = bytes_and_size(self.file_bytes);
        match self.reclaimable_bytes {
            0 => size,
            bytes => format!("{size}, {bytes} reclaimable"),
        }
    }

    /// Counts, bytes and bounds, in lines that begin with `indent`.
    pub(super) fn write(
        &self,
        keyspace: Keyspace,
        out: &mut dyn Write,
        indent: &str,
    ) -> io::Result<()> {
        if self.records == 0 {
            return writeln!(out, "{indent}no records");
        }
        let (records, keys) = (Count(self.records, "record"), Count(self.keys, "key"));
        let tombstones = Count(self.tombstones, "tombstone");
        let (low, high) = (self.main_min, self.main_max);
        writeln!(out, "{indent}{records} of {keys}, {tombstones}, versions {low} to {high}")?;
        let Totals { key_bytes, value_bytes, superseded_bytes, .. } = self;
        writeln!(
            out,
            "{indent}{key_bytes} bytes of keys, {value_bytes} of values, of these \
             {superseded_bytes} superseded"
        )?;
        let key = |key| KeyName { keyspace, key };
        writeln!(out, "{indent}keys {} to {}", key(&self.smallest_key), key(&self.largest_key))
    }
}
