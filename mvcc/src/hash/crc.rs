//! Checksums of parts put together: CRC-32C of a whole from those of its parts, in any order of
//! computation.
//!
//! Appending `n` bytes multiplies a checksum by x^8n modulo the polynomial and adds the checksum of
//! what is appended. The crate's own `crc32c_combine` makes that factor anew for each call, by
//! squaring matrices: some microseconds for each of ten million records. Here it is a product of
//! prepared powers, and remembered, since records of one store mostly have few different lengths.

/// Castagnoli's polynomial without its highest term, the lowest power in the highest bit.
const POLYNOMIAL: u32 = 0x82F6_3B78;

const ONE: u32 = 1 << 31;
const X_TO_THE_8: u32 = ONE >> 8;

/// x^(8 * 2^k) for each bit k of a length.
const POWERS: [u32; 64] = {
    let mut powers = [X_TO_THE_8; 64];
    let mut k = 1;
    while k < 64 {
        powers[k] = multiply(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
};

/// The product of two polynomials modulo [`POLYNOMIAL`].
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = ONE;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 == 0 { b >> 1 } else { b >> 1 ^ POLYNOMIAL };
        bit >>= 1;
    }
    product
}

/// x^8n modulo [`POLYNOMIAL`].
fn factor(mut bytes: u64) -> u32 {
    let mut factor = ONE;
    while bytes != 0 {
        factor = multiply(factor, POWERS[bytes.trailing_zeros() as usize]);
        bytes &= bytes - 1;
    }
    factor
}

/// Lengths whose factors are remembered.
const REMEMBERED: usize = 256;

/// The checksum of what was appended so far.
pub(super) struct Concatenation {
    checksum: u32,
    /// Lengths and their factors, each at its length modulo the table's size.
    factors: Vec<(u64, u32)>,
}

impl Concatenation {
    /// Begins with `bytes`.
    pub(super) fn new(bytes: &[u8]) -> Concatenation {
        Concatenation { checksum: crc32c::crc32c(bytes), factors: vec![(0, ONE); REMEMBERED] }
    }

    /// Appends a part of this length that has this checksum.
    pub(super) fn append(&mut self, checksum: u32, length: u64) {
        let slot = &mut self.factors[length as usize % REMEMBERED];
        if slot.0 != length {
            *slot = (length, factor(length));
        }
        self.checksum = multiply(slot.1, self.checksum) ^ checksum;
    }

    /// The checksum of the whole.
    pub(super) fn checksum(&self) -> u32 {
        self.checksum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_checksum_of_the_whole() {
        let whole: Vec<u8> = (0..5000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let mut parts = Concatenation::new(&whole[..3]);
        let mut at = 3;
        for length in [0, 1, 255, 256, 257, 1, 4000, 227] {
            let part = &whole[at..at + length];
            parts.append(crc32c::crc32c(part), length as u64);
            at += length;
        }
        assert_eq!(at, whole.len());
        assert_eq!(parts.checksum(), crc32c::crc32c(&whole));
    }

    #[test]
    fn long_lengths_agree_with_the_crate() {
        for length in [1usize << 20, (1 << 33) + 12345] {
            let mut parts = Concatenation::new(b"beginning");
            parts.append(0x1234_5678, length as u64);
            let expected =
                crc32c::crc32c_combine(crc32c::crc32c(b"beginning"), 0x1234_5678, length);
            assert_eq!(parts.checksum(), expected);
        }
    }
}
