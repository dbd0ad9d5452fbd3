//! What watches need from the stored past, and who reads it.

use std::ops::RangeInclusive;

use retcd_api::mvccpb::KeyValue;

use crate::Commit;

/// How much one call of [`History::events`] may do. It always makes progress by at least one whole
/// revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceLimit {
    /// Revisions with a wanted change in them.
    pub revisions: usize,
    /// Changes looked at, wanted or not.
    pub scanned: usize,
    /// Bytes of wanted keys and values.
    pub bytes: usize,
}

/// A piece of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPiece {
    /// Wanted changes by revision, ascending; revisions without any are left out, none is split.
    pub commits: Vec<Commit>,
    /// The first revision that this piece doesn't cover: one above the end of the asked range when
    /// it is exhausted.
    pub next: i64,
}

/// The stored past. Implemented over the `rev` and `kv` keyspaces.
///
/// Revisions are main revisions. What was passed to [`Hub::publish`](super::Hub::publish) is
/// already readable here.
pub trait History: Send + Sync {
    /// Revision of the last published change.
    fn current_revision(&self) -> i64;

    /// The compacted revision; -1 if there was never a compaction.
    fn compacted_revision(&self) -> i64;

    /// The changes of `revisions` whose key is `wanted`, from the start on, until one of the limits
    /// is reached. Values are read for wanted keys only.
    ///
    /// Fails with [`retcd_api::Error::Compacted`] if the start is below the compacted revision; the
    /// compacted revision itself is complete, deletes in it included.
    fn events(
        &self,
        revisions: RangeInclusive<i64>,
        limit: PieceLimit,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> crate::Result<HistoryPiece>;

    /// The pair as it was at `revision`; `None` if there was none, or if it is compacted.
    fn pair_at(&self, key: &[u8], revision: i64) -> crate::Result<Option<KeyValue>>;
}

/// A blocking read that a stream waits for.
pub type Job = Box<dyn FnOnce() + Send>;

/// What a [`Job`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A piece of the past: up to a thousand revisions from wherever they lie.
    Past,
    /// Previous pairs of events that just happened: few, and mostly in memory.
    PreviousPairs,
}

/// Runs the blocking reads of watch streams. A stream has at most two jobs at a time.
///
/// A job that is dropped without having run ends its stream.
pub trait Readers: Send + Sync {
    /// Runs `job`, now or on another thread.
    fn run(&self, need: Need, job: Job);
}

/// Runs every job at once, on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct InlineReaders;

impl Readers for InlineReaders {
    fn run(&self, _need: Need, job: Job) {
        job();
    }
}
