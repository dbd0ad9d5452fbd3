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
use crate::wire::{LENGTH_DELIMITED, VARINT, WirePair, tag};

const HEADER: u8 = tag(1, LENGTH_DELIMITED);
const KVS: u8 = tag(2, LENGTH_DELIMITED);
const MORE: u8 = tag(3, VARINT);
const COUNT: u8 = tag(4, VARINT);

/// Appends the response's header.
pub(super) fn header(header: &ResponseHeader, bytes: &mut BytesMut) {
    bytes.put_u8(HEADER);
    encode_varint(header.encoded_len() as u64, bytes);
    header.encode(bytes).expect("a BytesMut grows as far as needed");
}

/// Appends one pair.
pub(super) fn pair(record: &Record, bytes: &mut BytesMut) -> Result<()> {
    let pair = WirePair::new(record)?;
    let length = pair.len();
    bytes.reserve(1 + encoded_len_varint(length as u64) + length);
    bytes.put_u8(KVS);
    encode_varint(length as u64, bytes);
    pair.put(bytes);
    Ok(())
}

/// Appends `more` and `count`.
pub(super) fn totals(totals: Totals, bytes: &mut BytesMut) {
    if totals.more {
        bytes.put_slice(&[MORE, 1]);
    }
    if totals.count != 0 {
        bytes.put_u8(COUNT);
        encode_varint(totals.count.cast_unsigned(), bytes);
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
            keys_added: None,
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
