//! The summary of the replicated state that rides with every engine commit.
//!
//! ```text
//! offset  size  field
//!      0     1  format version, 1
//!      1     8  current revision, i64 LE, at least 1
//!      9     8  compacted revision, i64 LE, -1 if there was never a compaction
//!     17     8  live keys, u64 LE
//!     25     *  conf state of raft, opaque
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Error, Result};

const FORMAT_VERSION: u8 = 1;
const FIXED_BYTES: usize = 25;

/// Revision of an empty store.
pub(crate) const FIRST_REVISION: i64 = 1;

/// Compacted revision of a store that was never compacted.
pub(crate) const NEVER_COMPACTED: i64 = -1;

/// What a member must know about its state before it reads any record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Main revision of the last change.
    pub revision: i64,
    /// Reads below it are refused.
    pub compacted: i64,
    /// Keys that exist at `revision`.
    pub key_count: u64,
    /// Raft's membership, in whatever encoding the layer above chose.
    pub conf_state: Bytes,
}

impl Default for State {
    fn default() -> State {
        State {
            revision: FIRST_REVISION,
            compacted: NEVER_COMPACTED,
            key_count: 0,
            conf_state: Bytes::new(),
        }
    }
}

impl State {
    /// The blob for [`retcd_engine::Applied::state`].
    pub(crate) fn encode(&self) -> Bytes {
        let mut blob = BytesMut::with_capacity(FIXED_BYTES + self.conf_state.len());
        blob.put_u8(FORMAT_VERSION);
        blob.put_i64_le(self.revision);
        blob.put_i64_le(self.compacted);
        blob.put_u64_le(self.key_count);
        blob.put_slice(&self.conf_state);
        blob.freeze()
    }

    /// Reads a blob; an empty one is an empty store.
    ///
    /// # Errors
    /// [`Error::Undecodable`].
    #[deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    pub fn decode(blob: &Bytes) -> Result<State> {
        if blob.is_empty() {
            return Ok(State::default());
        }
        let (fixed, conf_state) =
            blob.split_first_chunk::<FIXED_BYTES>().ok_or_else(|| damaged("it is too short"))?;
        let [version, numbers @ ..] = fixed;
        if *version != FORMAT_VERSION {
            return Err(damaged("its format version is unknown"));
        }
        let (numbers, _) = numbers.as_chunks::<8>();
        let [revision, compacted, key_count] = numbers else {
            return Err(damaged("it is too short"));
        };
        let state = State {
            revision: i64::from_le_bytes(*revision),
            compacted: i64::from_le_bytes(*compacted),
            key_count: u64::from_le_bytes(*key_count),
            conf_state: blob.slice_ref(conf_state),
        };
        if state.revision < FIRST_REVISION
            || state.compacted < NEVER_COMPACTED
            || state.compacted > state.revision
        {
            return Err(damaged("its revisions are out of bounds"));
        }
        Ok(state)
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::Undecodable { keyspace: None, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        let state = State {
            revision: 77,
            compacted: 12,
            key_count: 3,
            conf_state: Bytes::from_static(b"conf"),
        };
        assert_eq!(State::decode(&state.encode()).unwrap(), state);
        assert_eq!(State::decode(&Bytes::new()).unwrap(), State::default());
    }

    #[test]
    fn refuses_what_it_never_wrote() {
        let good = State::default().encode();
        for length in 1..good.len() {
            assert!(State::decode(&good.slice(..length)).is_err());
        }
        let mut newer = good.to_vec();
        newer[0] = 2;
        assert!(State::decode(&newer.into()).is_err());
        let above = State { compacted: 2, ..State::default() };
        assert!(State::decode(&above.encode()).is_err());
    }
}
