//! The bytes of a `RangeResponse`, field by field in the order in which prost writes them.
//!
//! A pair's varints are copied from its record's header, so nothing is decoded on the way.

use bytes::{BufMut, BytesMut};
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};
use retcd_api::etcdserverpb::ResponseHeader;
use retcd_engine::Record;

use super::Totals;
use crate::Result;
use crate::record::RawPairHeader;

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

const fn tag(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

const RESPONSE_HEADER: u8 = tag(1, LENGTH_DELIMITED);
const RESPONSE_KVS: u8 = tag(2, LENGTH_DELIMITED);
const RESPONSE_MORE: u8 = tag(3, VARINT);
const RESPONSE_COUNT: u8 = tag(4, VARINT);

const PAIR_KEY: u8 = tag(1, LENGTH_DELIMITED);
const PAIR_CREATE_REVISION: u8 = tag(2, VARINT);
const PAIR_MOD_REVISION: u8 = tag(3, VARINT);
const PAIR_VERSION: u8 = tag(4, VARINT);
const PAIR_VALUE: u8 = tag(5, LENGTH_DELIMITED);
const PAIR_LEASE: u8 = tag(6, VARINT);

/// Appends the response's header.
pub(super) fn header(header: &ResponseHeader, bytes: &mut BytesMut) {
    bytes.put_u8(RESPONSE_HEADER);
    encode_varint(header.encoded_len() as u64, bytes);
    header.encode(bytes).expect("a BytesMut grows as far as needed");
}

/// Appends one pair.
pub(super) fn pair(record: &Record, bytes: &mut BytesMut) -> Result<()> {
    let raw = RawPairHeader::split(record)?;
    let mod_revision = record.version.main;
    let length = bytes_field_len(&record.key)
        + 1
        + raw.create_revision.len()
        + 1
        + encoded_len_varint(mod_revision)
        + 1
        + raw.version.len()
        + bytes_field_len(&record.value)
        + varint_field_len(raw.lease);
    bytes.reserve(1 + encoded_len_varint(length as u64) + length);
    bytes.put_u8(RESPONSE_KVS);
    encode_varint(length as u64, bytes);
    put_bytes(PAIR_KEY, &record.key, bytes);
    put_raw_varint(PAIR_CREATE_REVISION, raw.create_revision, bytes);
    bytes.put_u8(PAIR_MOD_REVISION);
    encode_varint(mod_revision, bytes);
    put_raw_varint(PAIR_VERSION, raw.version, bytes);
    put_bytes(PAIR_VALUE, &record.value, bytes);
    put_raw_varint(PAIR_LEASE, raw.lease, bytes);
    Ok(())
}

/// Appends `more` and `count`.
pub(super) fn totals(totals: Totals, bytes: &mut BytesMut) {
    if totals.more {
        bytes.put_slice(&[RESPONSE_MORE, 1]);
    }
    if totals.count != 0 {
        bytes.put_u8(RESPONSE_COUNT);
        encode_varint(totals.count.cast_unsigned(), bytes);
    }
}

/// Length of a bytes field with a tag of one byte; an empty one isn't written.
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

fn put_bytes(tag: u8, field: &[u8], bytes: &mut BytesMut) {
    if !field.is_empty() {
        bytes.put_u8(tag);
        encode_varint(field.len() as u64, bytes);
        bytes.put_slice(field);
    }
}

fn put_raw_varint(tag: u8, varint: &[u8], bytes: &mut BytesMut) {
    if !varint.is_empty() {
        bytes.put_u8(tag);
        bytes.put_slice(varint);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use retcd_api::etcdserverpb::RangeResponse;
    use retcd_engine::Version;

    use super::*;
    use crate::record::{PairHeader, key_value};

    fn record(lease: i64, value: &'static [u8]) -> Record {
        let header = PairHeader { create_revision: 300, version: 7, lease };
        Record {
            key: Bytes::from_static(b"key"),
            version: Version { main: 1 << 40, sub: 3 },
            tombstone: false,
            header: header.encode(),
            value: Bytes::from_static(value),
        }
    }

    #[test]
    fn writes_the_bytes_that_prost_writes() {
        for more in [false, true] {
            for lease in [0, 1, -1] {
                let records = [record(lease, b""), record(lease, b"value")];
                let expected = RangeResponse {
                    header: Some(ResponseHeader {
                        cluster_id: 1,
                        member_id: u64::MAX,
                        revision: 12,
                        raft_term: 2,
                    }),
                    kvs: records.iter().map(|record| key_value(record.clone()).unwrap()).collect(),
                    more,
                    count: i64::from(more) * 1000,
                };
                let mut bytes = BytesMut::new();
                header(expected.header.as_ref().unwrap(), &mut bytes);
                for record in &records {
                    pair(record, &mut bytes).unwrap();
                }
                totals(Totals { count: expected.count, more }, &mut bytes);
                assert_eq!(bytes, expected.encode_to_vec());
            }
        }
    }
}
