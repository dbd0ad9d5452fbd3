//! The fuzzer's bytes, read as a program: number by number, zeros when they have run out.

/// What is left of the input.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Reads `bytes` from their start.
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input(bytes)
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// A number from 0 to `max`, of one byte where that is enough, else of two.
    pub fn up_to(&mut self, max: usize) -> usize {
        let number = match max {
            0..=255 => usize::from(self.byte()),
            _ => usize::from(self.byte()) << 8 | usize::from(self.byte()),
        };
        number % (max + 1)
    }

    /// A number from 0 to `max`.
    pub fn number(&mut self, max: u64) -> u64 {
        self.up_to(max as usize) as u64
    }
}
