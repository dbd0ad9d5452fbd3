//! Keys that differ from all others.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Keys of one length that begin with a prefix and a random number, and have zeros behind it.
pub(super) struct Keys {
    prefix: Vec<u8>,
    length: usize,
    random: RandomState,
}

impl Keys {
    /// `length` doesn't count the prefix. In bytes.
    pub(super) fn new(prefix: &str, length: usize) -> Self {
        Self { prefix: prefix.into(), length, random: RandomState::new() }
    }

    /// The key with a number of its own.
    pub(super) fn key(&self, number: u64) -> Vec<u8> {
        let mut hasher = self.random.build_hasher();
        hasher.write_u64(number);
        let mut key = self.prefix.clone();
        key.extend_from_slice(&hasher.finish().to_le_bytes());
        key.resize(self.prefix.len() + self.length, 0);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn keys_have_a_prefix_and_a_length() {
        let keys = Keys::new("/p/", 256);
        let (one, other) = (keys.key(1), keys.key(2));
        assert!(one.starts_with(b"/p/") && one.len() == 3 + 256);
        assert_ne!(one, other);
    }
}
