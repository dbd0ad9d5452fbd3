//! Entries: a request's own bytes with a header behind them, without encoding the request again.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// Which request an entry carries: field numbers of `InternalRaftRequest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    Put = 4,
    DeleteRange = 5,
    Txn = 6,
    Compaction = 7,
    LeaseGrant = 8,
    LeaseRevoke = 9,
    Alarm = 10,
    LeaseCheckpoint = 11,
    ClusterVersionSet = 1300,
    ClusterMemberAttrSet = 1301,
}

/// Field number of the header in `InternalRaftRequest`, and of the id in `RequestHeader`.
const HEADER: u32 = 100;
const ID: u32 = 1;

/// The bytes of an `InternalRaftRequest` with one request and a header that has its id. Fields
/// come in ascending order, as etcd writes them.
pub(crate) fn encode(carries: Carries, request: &[u8], id: u64) -> Bytes {
    // Two keys of at most two bytes, two lengths and an id of at most ten bytes each.
    let mut entry = BytesMut::with_capacity(request.len() + 40);
    let put_request = |entry: &mut BytesMut| {
        encode_key(carries as u32, WireType::LengthDelimited, entry);
        encode_varint(request.len() as u64, entry);
        entry.put_slice(request);
    };
    let put_header = |entry: &mut BytesMut| {
        encode_key(HEADER, WireType::LengthDelimited, entry);
        encode_varint(1 + encoded_len_varint(id) as u64, entry);
        encode_key(ID, WireType::Varint, entry);
        encode_varint(id, entry);
    };
    if (carries as u32) < HEADER {
        put_request(&mut entry);
        put_header(&mut entry);
    } else {
        put_header(&mut entry);
        put_request(&mut entry);
    }
    entry.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use retcd_api::etcdserverpb::{InternalRaftRequest, PutRequest, RequestHeader};
    use retcd_api::membershippb::ClusterVersionSetRequest;

    #[test]
    fn equals_the_generated_encoding() {
        let header = Some(RequestHeader { id: u64::MAX - 5, ..Default::default() });
        let put = PutRequest { key: "k".into(), value: "v".into(), lease: 7, ..Default::default() };
        let bytes = encode(Carries::Put, &put.encode_to_vec(), u64::MAX - 5);
        let expected =
            InternalRaftRequest { header: header.clone(), put: Some(put), ..Default::default() };
        assert_eq!(bytes, expected.encode_to_vec());

        let version = ClusterVersionSetRequest { ver: "3.5.0".into() };
        let bytes = encode(Carries::ClusterVersionSet, &version.encode_to_vec(), u64::MAX - 5);
        let cluster_version_set = Some(version);
        let expected = InternalRaftRequest { header, cluster_version_set, ..Default::default() };
        assert_eq!(bytes, expected.encode_to_vec());
    }
}
