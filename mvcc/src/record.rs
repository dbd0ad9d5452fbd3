//! How pairs, revisions and attachments lie in the engine's records.
//!
//! ```text
//! Kv     key = user key          version = (main, sub)
//!        header = varint create revision, varint version [, varint lease if attached]
//!        value = the user's value; a tombstone has neither header nor value
//! Rev    key = main u64 BE, sub u64 BE, version = (main, sub), header = kind (1 byte)
//!        value = user key
//! Lease  key = lease id u64 BE, user key; version = (raft index, position in the entry)
//! ```
//!
//! The varints of a pair's header are the ones that the pair has on the wire, so that a reader
//! copies them instead of decoding them.

use bytes::Bytes;
use prost::encoding::{decode_varint, encode_varint};
use retcd_api::mvccpb::KeyValue;
use retcd_engine::{HEADER_BYTES_MAX, Header, Keyspace, Record, Version};

use crate::{Error, Result};

/// Length of a key in [`Keyspace::Rev`], in bytes.
const REV_KEY_BYTES: usize = 16;

/// Length of the lease id in front of a key in [`Keyspace::Lease`], in bytes.
pub(crate) const LEASE_ID_BYTES: usize = 8;

const VARINT_BYTES_MAX: usize = 10;
const _: () = assert!(3 * VARINT_BYTES_MAX <= HEADER_BYTES_MAX);

/// What a pair says beside its key, its value and the revision of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairHeader {
    /// Main revision of the put that made the key.
    pub create_revision: i64,
    /// Puts since then, that one included.
    pub version: i64,
    /// The attached lease, or zero.
    pub lease: i64,
}

impl PairHeader {
    /// The header as the engine keeps it.
    pub(crate) fn encode(self) -> Header {
        let mut bytes = [0; HEADER_BYTES_MAX];
        let mut rest = &mut bytes[..];
        encode_varint(self.create_revision.cast_unsigned(), &mut rest);
        encode_varint(self.version.cast_unsigned(), &mut rest);
        if self.lease != 0 {
            encode_varint(self.lease.cast_unsigned(), &mut rest);
        }
        let unused = rest.len();
        Header::new(&bytes[..HEADER_BYTES_MAX - unused])
            .expect("three varints of at most 10 bytes fit, as asserted above")
    }

    /// The fields of a record in [`Keyspace::Kv`] that isn't a tombstone.
    ///
    /// # Errors
    /// [`Error::Undecodable`].
    pub fn decode(record: &Record) -> Result<PairHeader> {
        let mut rest = record.header.as_slice();
        let mut varint =
            || decode_varint(&mut rest).map(u64::cast_signed).map_err(|_| bad_pair_header());
        let create_revision = varint()?;
        let version = varint()?;
        let lease = if rest.is_empty() {
            0
        } else {
            let mut varint = || decode_varint(&mut rest).map_err(|_| bad_pair_header());
            varint()?.cast_signed()
        };
        if !rest.is_empty() {
            return Err(bad_pair_header());
        }
        Ok(PairHeader { create_revision, version, lease })
    }
}

fn bad_pair_header() -> Error {
    Error::undecodable(Keyspace::Kv, "the pair's header isn't two or three varints")
}

/// The encoded varints of a pair's header, still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawPairHeader<'a> {
    /// Varint of the create revision.
    pub(crate) create_revision: &'a [u8],
    /// Varint of the version.
    pub(crate) version: &'a [u8],
    /// Varint of the lease; empty without one.
    pub(crate) lease: &'a [u8],
}

impl<'a> RawPairHeader<'a> {
    /// Splits the header of a record in [`Keyspace::Kv`] that isn't a tombstone.
    pub(crate) fn split(record: &'a Record) -> Result<RawPairHeader<'a>> {
        let (create_revision, rest) = split_varint(record.header.as_slice())?;
        let (version, lease) = split_varint(rest)?;
        if !lease.is_empty() && !split_varint(lease)?.1.is_empty() {
            return Err(bad_pair_header());
        }
        Ok(RawPairHeader { create_revision, version, lease })
    }
}

fn split_varint(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let last = bytes
        .iter()
        .take(VARINT_BYTES_MAX)
        .position(|byte| byte & 0x80 == 0)
        .ok_or_else(bad_pair_header)?;
    bytes.split_at_checked(last + 1).ok_or_else(bad_pair_header)
}

/// The pair in a record of [`Keyspace::Kv`] that isn't a tombstone.
pub(crate) fn key_value(record: Record) -> Result<KeyValue> {
    let header = PairHeader::decode(&record)?;
    Ok(KeyValue {
        key: record.key,
        create_revision: header.create_revision,
        mod_revision: record.version.main.cast_signed(),
        version: header.version,
        value: record.value,
        lease: header.lease,
    })
}

/// What a revision did to its key. The discriminants are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RevKind {
    /// A put.
    Put = 0,
    /// A delete.
    Delete = 1,
}

/// The key of revision `version` in [`Keyspace::Rev`].
pub(crate) fn rev_key(version: Version) -> [u8; REV_KEY_BYTES] {
    let mut key = [0; REV_KEY_BYTES];
    key[..8].copy_from_slice(&version.main.to_be_bytes());
    key[8..].copy_from_slice(&version.sub.to_be_bytes());
    key
}

/// The record in [`Keyspace::Rev`] that says that `version` changed `key`.
pub(crate) fn rev_record(version: Version, kind: RevKind, key: Bytes) -> Record {
    Record {
        key: Bytes::copy_from_slice(&rev_key(version)),
        version,
        tombstone: false,
        header: Header::new(&[kind as u8]).expect("one byte fits"),
        value: key,
        keys_added: None,
    }
}

/// What a record of [`Keyspace::Rev`] says was done.
///
/// # Errors
/// [`Error::Undecodable`].
pub fn rev_kind(record: &Record) -> Result<RevKind> {
    match record.header.as_slice() {
        [0] => Ok(RevKind::Put),
        [1] => Ok(RevKind::Delete),
        _ => Err(Error::undecodable(Keyspace::Rev, "the header isn't one byte of a known kind")),
    }
}

/// The key of an attachment in [`Keyspace::Lease`].
pub(crate) fn lease_key(lease: i64, key: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(LEASE_ID_BYTES + key.len());
    bytes.extend_from_slice(&lease.to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(header: Header) -> Record {
        Record {
            key: Bytes::from_static(b"k"),
            version: Version { main: 9, sub: 1 },
            tombstone: false,
            header,
            value: Bytes::from_static(b"v"),
            keys_added: None,
        }
    }

    #[test]
    fn header_comes_back_whatever_the_numbers() {
        for lease in [0, 1, -1, i64::MIN, i64::MAX] {
            for (create_revision, version) in [(2, 1), (127, 128), (i64::MAX, i64::MAX)] {
                let header = PairHeader { create_revision, version, lease };
                let record = record(header.encode());
                assert_eq!(PairHeader::decode(&record).unwrap(), header);
                let raw = RawPairHeader::split(&record).unwrap();
                assert_eq!(raw.lease.is_empty(), lease == 0);
                assert_eq!(
                    [raw.create_revision, raw.version, raw.lease].concat(),
                    record.header.as_slice()
                );
            }
        }
    }

    #[test]
    fn damaged_headers_are_errors() {
        for bytes in [&b""[..], b"\x01", b"\x01\x80", b"\x01\x01\x80", b"\x01\x01\x01\x01"] {
            let record = record(Header::new(bytes).unwrap());
            assert!(PairHeader::decode(&record).is_err(), "{bytes:x?}");
            assert!(RawPairHeader::split(&record).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn revision_keys_sort_as_revisions() {
        let versions = [(1, 255), (1, 256), (2, 0), (256, 0), (u64::MAX, u64::MAX)];
        let keys = versions.map(|(main, sub)| rev_key(Version { main, sub }));
        assert!(keys.is_sorted());
    }

    #[test]
    fn rev_kind_is_checked() {
        let version = Version { main: 2, sub: 0 };
        let mut put = rev_record(version, RevKind::Put, Bytes::from_static(b"a"));
        assert_eq!(rev_kind(&put).unwrap(), RevKind::Put);
        put.header = Header::new(&[2]).unwrap();
        assert!(rev_kind(&put).is_err());
    }
}
