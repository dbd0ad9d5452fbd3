//! The few bytes of protobuf that are written by hand, because copying beats encoding again.

use bytes::{BufMut, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

/// `mvccpb.Event.type`.
pub(super) const EVENT_TYPE: u8 = 1 << 3;
/// The value of `mvccpb.Event.type` for a delete.
pub(super) const EVENT_TYPE_DELETE: u8 = 1;
/// `mvccpb.Event.kv`.
pub(super) const EVENT_KV: u8 = 2 << 3 | LENGTH_DELIMITED;
/// `mvccpb.Event.prev_kv`.
pub(super) const EVENT_PREV_KV: u8 = 3 << 3 | LENGTH_DELIMITED;
/// `WatchResponse.header`.
pub(super) const RESPONSE_HEADER: u8 = 1 << 3 | LENGTH_DELIMITED;
/// `WatchResponse.watch_id`.
pub(super) const RESPONSE_WATCH_ID: u8 = 2 << 3;
/// `WatchResponse.fragment`.
pub(super) const RESPONSE_FRAGMENT: u8 = 7 << 3;
/// `WatchResponse.events`.
pub(super) const RESPONSE_EVENT: u8 = 11 << 3 | LENGTH_DELIMITED;

const LENGTH_DELIMITED: u8 = 2;

/// Bytes of a field with a one-byte tag and `content_bytes` of content behind a length.
pub(super) fn field_bytes(content_bytes: usize) -> usize {
    1 + encoded_len_varint(content_bytes as u64) + content_bytes
}

/// Writes tag and length of a field whose content the caller writes next.
pub(super) fn put_length_prefix(into: &mut BytesMut, tag: u8, content_bytes: usize) {
    into.put_u8(tag);
    encode_varint(content_bytes as u64, into);
}

/// Bytes of a varint field with a one-byte tag; zero isn't written.
pub(super) fn varint_field_bytes(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + encoded_len_varint(value) }
}

/// Writes a varint field unless it is zero.
pub(super) fn put_varint_field(into: &mut BytesMut, tag: u8, value: u64) {
    if value != 0 {
        into.put_u8(tag);
        encode_varint(value, into);
    }
}
