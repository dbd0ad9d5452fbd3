//! Which keys a memtable may have: bits that are read without its lock.
//!
//! Most reads ask for a key that the newest records don't have. The map would tell after some
//! twenty comparisons, each of them with a key that is somewhere else in memory; the bits tell
//! after one look. All bits of a key lie in one word. The table has a fixed size: at the default
//! size of a memtable a word has two or three keys, and one absent key in some hundreds passes;
//! with very many very small records more pass, which costs a look into the map and nothing else.
//!
//! The writer sets bits before it publishes the records' stamp, so whoever has seen the stamp sees
//! the bits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::table::KeyHash;

/// 512 KiB, made with the first key.
const WORDS_LOG2: u32 = 16;

/// Bits of a key.
const PROBES: u32 = 3;

/// See the module's text.
#[derive(Default)]
pub(super) struct KeyBits {
    words: OnceLock<Box<[AtomicU64]>>,
}

impl KeyBits {
    /// Notes that `key` is there.
    pub(super) fn add(&self, key: &[u8]) {
        let words = self.words.get_or_init(|| (0..1 << WORDS_LOG2).map(|_| 0.into()).collect());
        let (word, mask) = place(key);
        words[word].fetch_or(mask, Ordering::Relaxed);
    }

    /// `false` only if `key` was never added.
    pub(super) fn may_have(&self, key: &[u8]) -> bool {
        self.words.get().is_some_and(|words| {
            let (word, mask) = place(key);
            words[word].load(Ordering::Relaxed) & mask == mask
        })
    }
}

/// The word of a key, and its bits in there.
fn place(key: &[u8]) -> (usize, u64) {
    let hash = KeyHash::of(key).bits();
    let word = (hash >> (64 - WORDS_LOG2)) as usize;
    let mask =
        (0..PROBES).map(|probe| 1 << ((hash >> (6 * probe)) & 63)).fold(0, |a, b: u64| a | b);
    (word, mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let bits = KeyBits::default();
        assert!(!bits.may_have(b"before any"));
        let key = |number: u32| format!("/registry/pods/{number:08}");
        for number in 0..150_000 {
            bits.add(key(number).as_bytes());
        }
        assert!((0..150_000).all(|number| bits.may_have(key(number).as_bytes())));
        let passed = (150_000..250_000).filter(|&number| bits.may_have(key(number).as_bytes()));
        let passed = passed.count();
        assert!(passed < 1_000, "{passed} of 100,000 absent keys passed");
    }
}
