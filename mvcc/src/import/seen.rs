//! Which keys an import has met, as a filter: *never* is certain, *maybe* has to be looked up.
//!
//! Most keys of a database come once, and a lookup of each in memtable and tables would be a good
//! part of an import. A key sets six bits of one cache line. With eight bits for each key one in
//! thirty of those that are new is looked up in vain; if keys are more than that, more are.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Bits of a key, each chosen by nine bits of its hash.
const BITS: u32 = 6;
/// Words of a cache line.
const WORDS: usize = 8;

/// Bytes of a database for each byte of its filter: a pair takes some 60 at least.
const DATABASE_BYTES: u64 = 32;
/// A filter's limit, in bytes.
const BYTES_MAX: u64 = 16 << 20;

/// See the module's text.
pub(super) struct Seen(Vec<[u64; WORDS]>);

impl Seen {
    /// For the keys in a database of so many bytes.
    pub(super) fn new(database_bytes: u64) -> Seen {
        let lines =
            (database_bytes / DATABASE_BYTES).min(BYTES_MAX) / size_of::<[u64; WORDS]>() as u64;
        Seen(vec![[0; WORDS]; lines.max(1) as usize])
    }

    /// Notes a key. Says whether it may have been there before.
    pub(super) fn insert(&mut self, key: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        // The bits within the line come from the lower 54; another hash of it says which line.
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let line = (u128::from(mixed) * self.0.len() as u128) >> 64;
        let line = &mut self.0[line as usize];
        let mut was_there = true;
        for bit in 0..BITS {
            let place = hash >> (bit * 9) & 0x1ff;
            let (word, mask) = (&mut line[(place / 64) as usize], 1 << (place % 64));
            was_there &= *word & mask != 0;
            *word |= mask;
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_never_forgotten_and_little_else_is_believed() {
        let keys = |kind: char| (0..10_000).map(move |number| format!("/{kind}/{number}"));
        // Eight bits for each.
        let mut seen = Seen::new(320_000);
        let in_vain = keys('a').filter(|key| seen.insert(key.as_bytes())).count();
        assert!(in_vain < 500, "{in_vain}");
        assert!(keys('a').all(|key| seen.insert(key.as_bytes())));
        let mut full = Seen::new(0);
        keys('a').for_each(|key| {
            full.insert(key.as_bytes());
        });
        assert!(keys('b').all(|key| full.insert(key.as_bytes())), "a full one always asks");
    }
}
