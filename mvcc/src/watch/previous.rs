//! The pairs that events replaced, for watchers that asked for them.
//!
//! Looking one up is a read of the store, so streams share what they find. But a deleted value may
//! be much larger than its event, so events keep only weak references: a pair lives as long as a
//! delivery needs it, or while it is among the recently found ones, which are bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use prost::Message;

use super::event::Event;
use super::history::History;

/// An encoded `mvccpb.KeyValue`.
pub(super) type Pair = Arc<[u8]>;

#[derive(Debug)]
enum Known {
    Nothing,
    /// There was no pair, or it is compacted.
    Absent,
    Shared(Weak<[u8]>),
}

/// What an event remembers of the pair before it.
#[derive(Debug)]
pub(super) struct Previous(Mutex<Known>);

impl Previous {
    /// To be looked up.
    pub(super) fn unknown() -> Previous {
        Previous(Mutex::new(Known::Nothing))
    }

    /// Known not to exist.
    pub(super) fn absent() -> Previous {
        Previous(Mutex::new(Known::Absent))
    }

    /// The pair; the outer `None` means that it has to be looked up.
    pub(super) fn get(&self) -> Option<Option<Pair>> {
        match &*self.0.lock() {
            Known::Nothing => None,
            Known::Absent => Some(None),
            Known::Shared(pair) => pair.upgrade().map(Some),
        }
    }

    fn set(&self, pair: Option<&Pair>) {
        *self.0.lock() = match pair {
            None => Known::Absent,
            Some(pair) => Known::Shared(Arc::downgrade(pair)),
        };
    }
}

/// Pairs that were found recently, kept for the next stream that wants them.
#[derive(Debug)]
pub(super) struct RecentPairs {
    kept: Mutex<Kept>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    pairs: VecDeque<Pair>,
    bytes: usize,
}

impl RecentPairs {
    /// Keeps up to so many bytes.
    pub(super) fn new(bytes_max: usize) -> RecentPairs {
        RecentPairs { kept: Mutex::default(), bytes_max }
    }

    /// The pair as it was before the event. What is compacted is absent.
    pub(super) fn look_up(
        &self,
        history: &dyn History,
        event: &Event,
    ) -> crate::Result<Option<Pair>> {
        if let Some(known) = event.previous().get() {
            return Ok(known);
        }
        let found = match history.pair_at(event.key(), event.revision() - 1) {
            Ok(found) => found,
            Err(crate::Error::Refused(retcd_api::Error::Compacted)) => None,
            Err(error) => return Err(error),
        };
        let pair = found.map(|pair| Pair::from(pair.encode_to_vec()));
        event.previous().set(pair.as_ref());
        if let Some(pair) = &pair {
            self.keep(Arc::clone(pair));
        }
        Ok(pair)
    }

    fn keep(&self, pair: Pair) {
        let mut kept = self.kept.lock();
        kept.bytes = kept.bytes.saturating_add(pair.len());
        kept.pairs.push_back(pair);
        while kept.bytes > self.bytes_max {
            let Some(oldest) = kept.pairs.pop_front() else {
                break;
            };
            kept.bytes = kept.bytes.saturating_sub(oldest.len());
        }
    }
}
