//! What the generated types need to be written as Go's `encoding/json` writes etcd's structs: see
//! the build script, which names these functions in attributes.

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::base64;

/// Go's `omitempty`: numbers that are 0, empty strings and lists, messages that aren't there.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes as Go writes them.
pub(crate) fn base64<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::encode(bytes))
}

/// A list of bytes as Go writes it.
pub(crate) fn base64_list<S: Serializer>(list: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
    let texts: Vec<String> = list.iter().map(|bytes| base64::encode(bytes)).collect();
    texts.serialize(serializer)
}
