//! Where a request reads: a picture of the engine and the revisions that go with it.
//!
//! A member's readers and the executing entry itself read by the same rules; they differ in where
//! the picture comes from and in what counts as the current revision.

use std::sync::Arc;

use retcd_engine::{Keyspace, Projection, Record, Version, View};

use crate::Result;
use crate::range::CountMemo;

/// A consistent state to answer a request from.
pub(crate) trait Reader {
    /// The revision that the request calls current.
    fn revision(&self) -> i64;

    /// Reads below it are refused; -1 before any compaction.
    fn compacted(&self) -> i64;

    /// The records, among them everything up to [`Reader::revision`].
    fn view(&mut self) -> Result<&dyn View>;

    /// Counts that are remembered for this state, if any are.
    fn counts(&self) -> Option<Arc<CountMemo>> {
        None
    }

    /// The pair under `key` at the current revision, if there is one.
    fn newest(&mut self, key: &[u8], projection: Projection) -> Result<Option<Record>> {
        let at = end_of(self.revision());
        let record = self.view()?.get(Keyspace::Kv, key, at, projection)?;
        Ok(record.filter(|record| !record.tombstone))
    }
}

/// The version at which a read at `revision` sees everything of it. Revisions are at least 1 where
/// they come from the state, and at least the compacted one where they come from a request.
pub(crate) fn end_of(revision: i64) -> Version {
    Version::end_of(revision.max(0).cast_unsigned())
}

/// Where a request for `requested` reads: zero and below mean the current revision.
///
/// # Errors
///
/// Refused if `requested` is in the future or below the compacted revision.
pub(crate) fn resolve_revision(reader: &impl Reader, requested: i64) -> Result<i64> {
    if requested > reader.revision() {
        return Err(retcd_api::Error::FutureRev.into());
    }
    let revision = if requested <= 0 { reader.revision() } else { requested };
    if revision < reader.compacted() {
        return Err(retcd_api::Error::Compacted.into());
    }
    Ok(revision)
}

/// A published state, for readers.
pub(crate) struct Snapshot {
    pub(crate) view: Box<dyn View>,
    /// Raft index of the last entry that is published.
    pub(crate) index: u64,
    pub(crate) revision: i64,
    pub(crate) compacted: i64,
    pub(crate) counts: Arc<CountMemo>,
}

impl Snapshot {
    /// Where the lease and meta keyspaces are read: they have raft indexes as versions.
    pub(crate) fn newest_entry(&self) -> Version {
        Version::end_of(self.index)
    }
}

impl Reader for Snapshot {
    fn revision(&self) -> i64 {
        self.revision
    }

    fn compacted(&self) -> i64 {
        self.compacted
    }

    fn view(&mut self) -> Result<&dyn View> {
        Ok(&*self.view)
    }

    fn counts(&self) -> Option<Arc<CountMemo>> {
        Some(Arc::clone(&self.counts))
    }
}
