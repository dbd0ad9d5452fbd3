//! The requests: keys of 32 bytes, values of 256 bytes with 64 random hex digits in a fixed text.

use bytes::Bytes;
use retcd_api::etcdserverpb::{PutRequest, RangeRequest};
use retcd_testkit::random::Random;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a value.
pub const VALUE_BYTES: usize = 256;

/// The part of each value that compresses well.
const FIXED_TEXT: &[u8] =
    b"The same words in every value, as real objects have their field names, \
namespaces and labels in common; after them come the digits that make each of them different, \
so that a store which compresses has ";

/// The key with a number.
pub fn key(number: u64) -> Bytes {
    let key = format!("bench/key/{number:022}");
    debug_assert_eq!(key.len(), KEY_BYTES);
    Bytes::from(key)
}

/// A value with fresh random digits.
pub fn value(random: &mut Random) -> Bytes {
    let mut value = Vec::with_capacity(VALUE_BYTES);
    value.extend_from_slice(&FIXED_TEXT[..VALUE_BYTES - 64]);
    for _ in 0..4 {
        value.extend_from_slice(format!("{:016x}", random.number()).as_bytes());
    }
    Bytes::from(value)
}

/// A put of a random key below `keys`.
pub fn put(random: &mut Random, keys: u64) -> PutRequest {
    let key = key(random.below(keys));
    PutRequest { key, value: value(random), ..PutRequest::default() }
}

/// A linearizable read of a random key below `keys`.
pub fn get(random: &mut Random, keys: u64) -> RangeRequest {
    RangeRequest { key: key(random.below(keys)), ..RangeRequest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_promised() {
        let mut random = Random::new(1);
        let put = put(&mut random, 10);
        assert_eq!((put.key.len(), put.value.len()), (KEY_BYTES, VALUE_BYTES));
        assert_ne!(value(&mut random), value(&mut random));
    }
}
