//! A pair's `KeyValue` message, assembled from its record without decoding it.
//!
//! The order of the fields is the one in which prost and Go's generated code write them, so the
//! bytes are what they make of the same pair: answers and hashes depend on that.

use bytes::BufMut;
use prost::encoding::{encode_varint, encoded_len_varint};
use retcd_engine::Record;

use crate::Result;
use crate::record::RawPairHeader;

/// Wire type of integers.
pub(crate) const VARINT: u8 = 0;
/// Wire type of strings and messages.
pub(crate) const LENGTH_DELIMITED: u8 = 2;

/// The tag in front of a field; field numbers are below 16.
pub(crate) const fn tag(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

const KEY: u8 = tag(1, LENGTH_DELIMITED);
const CREATE_REVISION: u8 = tag(2, VARINT);
const MOD_REVISION: u8 = tag(3, VARINT);
const VERSION: u8 = tag(4, VARINT);
const VALUE: u8 = tag(5, LENGTH_DELIMITED);
const LEASE: u8 = tag(6, VARINT);

/// A pair that is about to be written.
pub(crate) struct WirePair<'a> {
    record: &'a Record,
    header: RawPairHeader<'a>,
}

impl<'a> WirePair<'a> {
    /// The pair in a record of [`retcd_engine::Keyspace::Kv`] that isn't a tombstone.
    pub(crate) fn new(record: &'a Record) -> Result<WirePair<'a>> {
        Ok(WirePair { record, header: RawPairHeader::split(record)? })
    }

    /// Length of the message.
    pub(crate) fn len(&self) -> usize {
        bytes_field_len(&self.record.key)
            + varint_field_len(self.header.create_revision)
            + 1
            + encoded_len_varint(self.record.version.main)
            + varint_field_len(self.header.version)
            + bytes_field_len(&self.record.value)
            + varint_field_len(self.header.lease)
    }

    /// Writes the message.
    pub(crate) fn put(&self, bytes: &mut impl BufMut) {
        put_bytes(KEY, &self.record.key, bytes);
        put_raw_varint(CREATE_REVISION, self.header.create_revision, bytes);
        bytes.put_u8(MOD_REVISION);
        encode_varint(self.record.version.main, bytes);
        put_raw_varint(VERSION, self.header.version, bytes);
        put_bytes(VALUE, &self.record.value, bytes);
        put_raw_varint(LEASE, self.header.lease, bytes);
    }
}

/// Writes the message that etcd keeps for a deleted key: the key alone.
pub(crate) fn put_tombstone(key: &[u8], bytes: &mut impl BufMut) {
    put_bytes(KEY, key, bytes);
}

/// Length of a bytes field; an empty one isn't written.
fn bytes_field_len(field: &[u8]) -> usize {
    if field.is_empty() {
        return 0;
    }
    1 + encoded_len_varint(field.len() as u64) + field.len()
}

fn varint_field_len(varint: &[u8]) -> usize {
    if varint.is_empty() {
        return 0;
    }
    1 + varint.len()
}

fn put_bytes(tag: u8, field: &[u8], bytes: &mut impl BufMut) {
    if !field.is_empty() {
        bytes.put_u8(tag);
        encode_varint(field.len() as u64, bytes);
        bytes.put_slice(field);
    }
}

fn put_raw_varint(tag: u8, varint: &[u8], bytes: &mut impl BufMut) {
    if !varint.is_empty() {
        bytes.put_u8(tag);
        bytes.put_slice(varint);
    }
}
