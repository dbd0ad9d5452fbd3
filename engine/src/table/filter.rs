//! A Bloom filter over the distinct keys of a table, blocked by cache line.
//!
//! All bits of one key lie in one line of 64 bytes, so a probe costs one cache miss; at ten bits a
//! key about one absent key in a hundred passes (a filter without lines: 0.8).
//!
//! 1. A key is hashed to 64 bits ([`KeyHash`]), once for all tables that a read asks.
//! 2. The upper half chooses the line: `(upper × lines) >> 32`.
//! 3. The lower half walks the line: its top nine bits name a bit, then it is multiplied by an odd
//!    constant, as often as there are probes.
//!
//! The hash has no secret: whoever chooses keys can make probes fail to filter, which costs a block
//! read and no wrong answer.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::Damage;

const LINE_BYTES: usize = 64;
const LINE_BITS: u64 = 512;
const PROBES_MAX: u8 = 16;
const STEP: u32 = 0x9e37_79b1;

/// One cache line of the filter.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; 8]);

/// 64 well-mixed bits of a key. Its definition is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    /// Hashes `key`, eight bytes at a time: xor, 128-bit multiply, xor of the product's halves. The
    /// last, shorter piece is padded with zeros; the length is in the start value.
    pub(crate) fn of(key: &[u8]) -> KeyHash {
        const START: u64 = 0x51a7_e3c8_0d2f_946b;
        const EACH: u64 = 0x9fb2_1c65_1e98_df25;
        const LAST: u64 = 0xd6e8_feb8_6659_fd93;
        let mut state = fold(START ^ key.len() as u64, LAST);
        let (chunks, rest) = key.as_chunks::<8>();
        for chunk in chunks {
            state = fold(state ^ u64::from_le_bytes(*chunk), EACH);
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        state = fold(state ^ u64::from_le_bytes(last), EACH);
        KeyHash(fold(state, LAST))
    }

    /// All of them.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    fn halves(self) -> (u64, u32) {
        (self.0 >> 32, self.0 as u32)
    }
}

fn fold(value: u64, factor: u64) -> u64 {
    let product = u128::from(value).wrapping_mul(u128::from(factor));
    (product as u64) ^ ((product >> 64) as u64)
}

/// The bits of one key within its line: (word, mask) pairs.
fn probes(mut walk: u32, count: u8) -> impl Iterator<Item = (usize, u64)> {
    (0..count).map(move |_| {
        let bit = walk >> 23;
        walk = walk.wrapping_mul(STEP);
        ((bit >> 6) as usize, 1u64 << (bit & 63))
    })
}

/// A filter in memory.
pub(super) struct Filter {
    lines: Vec<Line>,
    probes: u8,
}

impl Filter {
    /// Builds the filter of `keys`; empty if `bits_per_key` is 0.
    pub(super) fn build(keys: &[KeyHash], bits_per_key: u8) -> Filter {
        let bits = (keys.len() as u64).saturating_mul(u64::from(bits_per_key));
        let mut filter = Filter {
            lines: vec![Line([0; 8]); bits.div_ceil(LINE_BITS) as usize],
            // ln 2 of the bits, rounded down: fewer probes suit lines better than the textbook's.
            probes: ((u32::from(bits_per_key) * 69 / 100) as u8).clamp(1, PROBES_MAX),
        };
        for key in keys {
            filter.insert(*key);
        }
        filter
    }

    fn insert(&mut self, key: KeyHash) {
        let (upper, walk) = key.halves();
        let index = self.line_index(upper);
        if let Some(line) = self.lines.get_mut(index) {
            for (word, mask) in probes(walk, self.probes) {
                if let Some(word) = line.0.get_mut(word) {
                    *word |= mask;
                }
            }
        }
    }

    fn line_index(&self, upper: u64) -> usize {
        (upper.wrapping_mul(self.lines.len() as u64) >> 32) as usize
    }

    /// Whether the key may be among those that the filter was built from.
    #[inline]
    pub(super) fn may_contain(&self, key: KeyHash) -> bool {
        let (upper, walk) = key.halves();
        match self.lines.get(self.line_index(upper)) {
            None => true,
            Some(line) => probes(walk, self.probes)
                .all(|(word, mask)| line.0.get(word).is_some_and(|word| word & mask != 0)),
        }
    }

    /// The filter as a block's content: all lines, then the number of probes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(self.lines.len().saturating_mul(LINE_BYTES).saturating_add(1));
        for word in self.lines.iter().flat_map(|line| line.0) {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.push(self.probes);
        out
    }

    /// Reads what [`Filter::encode`] wrote.
    pub(super) fn decode(content: &[u8]) -> Result<Filter, Damage> {
        let (&probes, lines) = content.split_last().ok_or(Damage("filter has no probe count"))?;
        if probes == 0 || probes > PROBES_MAX {
            return Err(Damage("filter's probe count is out of range"));
        }
        let (words, rest) = lines.as_chunks::<8>();
        let (groups, odd) = words.as_chunks::<8>();
        if !rest.is_empty() || !odd.is_empty() {
            return Err(Damage("filter isn't made of whole lines"));
        }
        let line = |group: &[[u8; 8]; 8]| Line(group.map(u64::from_le_bytes));
        Ok(Filter { lines: groups.iter().map(line).collect(), probes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(prefix: &str, count: u32) -> Vec<KeyHash> {
        (0..count).map(|i| KeyHash::of(format!("{prefix}{i}").as_bytes())).collect()
    }

    #[test]
    fn members_pass_and_few_others_do() {
        let members = hashes("/registry/pods/default/", 20_000);
        let filter = Filter::build(&members, 10);
        assert!(members.iter().all(|&key| filter.may_contain(key)));
        let others = hashes("/registry/pods/kube-system/", 20_000);
        let passed = others.iter().filter(|&&key| filter.may_contain(key)).count();
        assert!(passed < 300, "{passed} of 20000 absent keys passed");
    }

    #[test]
    fn comes_back_from_bytes() {
        let filter = Filter::build(&hashes("a", 100), 10);
        let decoded = Filter::decode(&filter.encode()).expect("what was encoded");
        assert_eq!(decoded.encode(), filter.encode());
    }

    #[test]
    fn a_filter_without_bits_lets_everything_pass() {
        let filter = Filter::build(&hashes("a", 100), 0);
        assert!(filter.may_contain(KeyHash::of(b"whatever")));
        assert_eq!(filter.encode().len(), 1);
    }

    #[test]
    fn ragged_filters_are_refused() {
        assert!(Filter::decode(&[]).is_err());
        assert!(Filter::decode(&[0; 65]).is_err());
        assert!(Filter::decode(&[6; 64]).is_err());
        assert!(Filter::decode(&[6; 65]).is_ok());
    }

    #[test]
    fn the_hash_is_part_of_the_format() {
        assert_eq!(KeyHash::of(b""), KeyHash(7_091_572_940_107_686_668));
        assert_eq!(KeyHash::of(b"/registry/pods/a"), KeyHash(17_896_389_997_192_609_339));
    }
}
