//! Numbers as bytes: little-endian fixed width, and base-128 varints of at most ten bytes.
//!
//! [`Reader`] takes them off a slice and answers `None` where bytes are missing or don't fit.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// Why bytes are refused. Becomes [`crate::Error::Corrupt`] where file and offset are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage(pub(super) &'static str);

/// Appends `value`, seven bits a byte, lowest first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Maps small differences of either sign to small numbers.
pub(super) fn zigzag(difference: u64) -> u64 {
    let signed = difference as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// Takes fields off the front of a slice.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        let (field, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*field))
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Option<u64> {
        let (field, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*field))
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Option<u64> {
        match self.rest {
            [first @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Some(u64::from(*first))
            }
            _ => self.longer_varint(),
        }
    }

    /// Decodes without a branch for each byte where eight bytes are left and suffice.
    #[inline]
    fn longer_varint(&mut self) -> Option<u64> {
        let Some(word) = self.rest.first_chunk() else {
            return self.varint_by_bytes();
        };
        let word = u64::from_le_bytes(*word);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends == 0 {
            return self.varint_by_bytes();
        }
        // The lowest bit in `ends` is the top bit of the last byte: keep what lies below it, then
        // close the gaps between groups of 7, 14 and 28 bits.
        let bits = word & (ends ^ ends.wrapping_sub(1)) & 0x7f7f_7f7f_7f7f_7f7f;
        let bits = (bits & 0x007f_007f_007f_007f) | ((bits & 0x7f00_7f00_7f00_7f00) >> 1);
        let bits = (bits & 0x0000_3fff_0000_3fff) | ((bits & 0x3fff_0000_3fff_0000) >> 2);
        let bits = (bits & 0x0fff_ffff) | ((bits & 0x0fff_ffff_0000_0000) >> 4);
        self.bytes((ends.trailing_zeros() / 8).wrapping_add(1) as usize)?;
        Some(bits)
    }

    fn varint_by_bytes(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A varint that is a length or a count in memory.
    #[inline]
    pub(super) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    /// A varint that has to fit 32 bits.
    #[inline]
    pub(super) fn varint32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_whatever_follows() {
        let mut values = vec![0, u64::MAX - 1, u64::MAX];
        values.extend((0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, 0x5bd1_e995 << bit]));
        for (value, behind) in values.into_iter().flat_map(|value| [0, 9].map(|n| (value, n))) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            out.resize(out.len() + behind, 0xff);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint(), Some(value));
            assert_eq!(reader.remaining(), behind);
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn varints_that_are_too_long_are_refused() {
        assert_eq!(Reader::new(&[0xff; 9]).varint(), None);
        assert_eq!(Reader::new(&[0xff; 11]).varint(), None);
        let mut above = [0xff; 10];
        above[9] = 2;
        assert_eq!(Reader::new(&above).varint(), None);
    }

    #[test]
    fn small_differences_of_either_sign_stay_small() {
        assert_eq!(zigzag(1), 2);
        assert_eq!(zigzag(1u64.wrapping_neg()), 1);
    }
}
