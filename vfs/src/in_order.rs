//! Writes under way: they end in any order, and are given back in the order of their begin.

use crate::AlignedBuf;
use std::collections::VecDeque;
use std::io;

/// Writes that were begun and not yet given back, oldest first. Each has a number that counts up
/// from 0 over the life of the file.
#[derive(Default)]
pub(crate) struct InOrder {
    writes: VecDeque<Write>,
    /// Number of the oldest one.
    oldest: u64,
    unfinished: usize,
}

struct Write {
    buf: AlignedBuf,
    /// `None` until it ended.
    result: Option<io::Result<()>>,
}

impl InOrder {
    /// How many there are, ended ones too.
    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }

    /// How many haven't ended: their buffers are in use.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// The number that the next write gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.oldest + self.writes.len() as u64
    }

    /// Keeps the buffer of a write that begins.
    pub(crate) fn begin(&mut self, buf: AlignedBuf) {
        self.writes.push_back(Write { buf, result: None });
        self.unfinished += 1;
    }

    /// Write `number` ended as the kernel says it: so many bytes, or a negated error number. A
    /// short write is an error: what is left of it may not be aligned, and later writes are out.
    ///
    /// # Panics
    ///
    /// If it isn't under way.
    pub(crate) fn end(&mut self, number: u64, said: i32) {
        let at = usize::try_from(number.wrapping_sub(self.oldest)).unwrap_or(usize::MAX);
        let write = self.writes.get_mut(at).expect("what ends was begun");
        assert!(write.result.is_none(), "a write ended twice");
        write.result = Some(match usize::try_from(said) {
            Ok(bytes) if bytes == write.buf.len() => Ok(()),
            Ok(bytes) => Err(io::Error::new(
                io::ErrorKind::WriteZero,
                format!("only {bytes} of {} bytes were written", write.buf.len()),
            )),
            Err(_) => Err(io::Error::from_raw_os_error(-said)),
        });
        self.unfinished -= 1;
    }

    /// Gives the oldest write back if it has ended.
    pub(crate) fn next(&mut self) -> Option<io::Result<AlignedBuf>> {
        let result = self.writes.front_mut()?.result.take()?;
        let write = self.writes.pop_front().expect("there was a front");
        self.oldest += 1;
        Some(result.map(|()| write.buf))
    }

    /// Gives all buffers up without freeing them: for when nobody can say any more which of them
    /// the kernel reads.
    pub(crate) fn leak(&mut self) {
        std::mem::forget(std::mem::take(&mut self.writes));
        self.unfinished = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LOG_ALIGNMENT;

    fn begun(blocks: &[usize]) -> InOrder {
        let mut writes = InOrder::default();
        for &blocks in blocks {
            writes.begin(AlignedBuf::new(blocks * LOG_ALIGNMENT));
        }
        writes
    }

    #[test]
    fn whatever_the_order_of_the_ends_writes_come_back_in_the_order_of_their_begin() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut writes = begun(&[1, 2, 3]);
            let mut given = 0;
            for (nth, number) in order.iter().enumerate() {
                writes.end(*number, (*number as i32 + 1) * LOG_ALIGNMENT as i32);
                while let Some(buf) = writes.next() {
                    given += 1;
                    assert_eq!(buf.unwrap().len(), given * LOG_ALIGNMENT, "{order:?}");
                }
                let ended = &order[..=nth];
                assert_eq!(given, (0..3).take_while(|number| ended.contains(number)).count());
            }
            assert_eq!((writes.len(), writes.unfinished(), writes.next_number()), (0, 0, 3));
        }
    }

    #[test]
    fn failed_and_short_writes_are_errors_in_their_place() {
        let mut writes = begun(&[1, 2, 1]);
        writes.end(2, -5);
        writes.end(1, LOG_ALIGNMENT as i32);
        assert!(writes.next().is_none(), "the first is still under way");
        writes.end(0, LOG_ALIGNMENT as i32);
        assert_eq!(writes.next().unwrap().unwrap().len(), LOG_ALIGNMENT);
        let short = writes.next().unwrap().err().unwrap();
        assert_eq!(short.kind(), io::ErrorKind::WriteZero);
        assert_eq!(short.to_string(), "only 4096 of 8192 bytes were written");
        assert_eq!(writes.next().unwrap().err().unwrap().raw_os_error(), Some(5));
    }
}
