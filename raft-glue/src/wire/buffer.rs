//! The bytes of a stream that aren't decoded yet.

use super::FRAME_BYTES_MAX;
use bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use std::fmt;

/// Why a stream can't be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// A frame is longer than [`FRAME_BYTES_MAX`].
    TooLong,
    /// The bytes aren't what they should be.
    Malformed(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::TooLong => {
                write!(f, "a frame is longer than {FRAME_BYTES_MAX} bytes")
            }
            WireError::Malformed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for WireError {}

/// See the module's text. A frame is read from its start again until all of it is there.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: BytesMut,
    /// The frame under way is at least so long: nothing is tried before.
    needed: usize,
}

impl Buffer {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Reads a frame. `None` if it isn't whole yet; then nothing is consumed.
    pub(super) fn frame<T>(
        &mut self,
        read: impl FnOnce(&mut Frame<'_>) -> Result<T, Stop>,
    ) -> Result<Option<T>, WireError> {
        if self.bytes.len() < self.needed {
            return Ok(None);
        }
        let mut frame = Frame { bytes: &self.bytes, at: 0 };
        match read(&mut frame) {
            Ok(value) => {
                let len = frame.at;
                self.bytes.advance(len);
                self.needed = 0;
                Ok(Some(value))
            }
            Err(Stop::Short(needed)) => {
                self.needed = needed;
                Ok(None)
            }
            Err(Stop::Error(error)) => Err(error),
        }
    }
}

/// Why a frame can't be read.
pub(super) enum Stop {
    /// It isn't whole: at least so many bytes have to be there.
    Short(usize),
    Error(WireError),
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Stop {
        Stop::Error(error)
    }
}

/// Reads in a frame.
pub(super) struct Frame<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frame<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        self.take(1).map(|bytes| bytes.first().copied().unwrap_or(0))
    }

    pub(super) fn number(&mut self) -> Result<u64, Stop> {
        let bytes = self.take(8)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }

    /// A message behind its length. Its payloads are copied once, and share that copy.
    pub(super) fn message<M: Message + Default>(&mut self) -> Result<M, Stop> {
        let len = self.number()?;
        let bytes = Bytes::copy_from_slice(self.take(len)?);
        let malformed = |_| WireError::Malformed("what should be a message doesn't decode");
        Ok(M::decode(bytes).map_err(malformed)?)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Stop> {
        let end = (self.at as u64).saturating_add(len);
        if end > FRAME_BYTES_MAX {
            return Err(WireError::TooLong.into());
        }
        let end = end as usize;
        let bytes = self.bytes.get(self.at..end).ok_or(Stop::Short(end))?;
        self.at = end;
        Ok(bytes)
    }
}
