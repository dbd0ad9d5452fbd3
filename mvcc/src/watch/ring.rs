//! The recent past, kept in memory for watchers who are nearly up to date.
//!
//! Holds an unbroken run of main revisions, so that a reader finds its place by subtraction.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::Batch;

/// A run of consecutive batches, bounded by number and bytes.
#[derive(Debug)]
pub(super) struct Ring {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    batches_max: usize,
    bytes_max: usize,
}

impl Ring {
    /// An empty ring.
    pub(super) fn new(batches_max: usize, bytes_max: usize) -> Ring {
        Ring { batches: VecDeque::new(), bytes: 0, batches_max, bytes_max }
    }

    /// Appends a batch and drops the oldest ones beyond the bounds. A revision that doesn't follow
    /// the last one starts a new run.
    pub(super) fn push(&mut self, batch: Arc<Batch>) {
        let follows = self.batches.back().is_none_or(|last| last.revision + 1 == batch.revision);
        if !follows {
            self.clear();
        }
        self.bytes = self.bytes.saturating_add(batch.bytes);
        self.batches.push_back(batch);
        while self.batches.len() > self.batches_max || self.bytes > self.bytes_max {
            let Some(oldest) = self.batches.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// Batches from revision `from` to `to`, oldest first, at most `batches_max` and, unless it is
    /// the first one, no more than `bytes_max`. `None` if `from` isn't in the ring.
    pub(super) fn read(
        &self,
        from: i64,
        to: i64,
        batches_max: usize,
        bytes_max: usize,
    ) -> Option<Vec<Arc<Batch>>> {
        let first = self.batches.front()?.revision;
        let start = usize::try_from(from.checked_sub(first)?).ok()?;
        if start >= self.batches.len() {
            return None;
        }
        let mut bytes = 0_usize;
        let piece = self
            .batches
            .range(start..)
            .take(batches_max)
            .take_while(|batch| {
                let is_first = bytes == 0;
                bytes = bytes.saturating_add(batch.bytes);
                batch.revision <= to && (is_first || bytes <= bytes_max)
            })
            .cloned()
            .collect();
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Change, ChangeKind, Commit};

    fn batch(revision: i64) -> Arc<Batch> {
        Arc::new(Batch::new(Commit {
            revision,
            changes: vec![Change { key: Bytes::from_static(b"k"), kind: ChangeKind::Delete }],
        }))
    }

    fn revisions(piece: Option<Vec<Arc<Batch>>>) -> Option<Vec<i64>> {
        piece.map(|batches| batches.iter().map(|batch| batch.revision).collect())
    }

    #[test]
    fn drops_the_oldest_beyond_its_bounds() {
        let mut ring = Ring::new(3, usize::MAX);
        (1..=5).for_each(|revision| ring.push(batch(revision)));
        assert_eq!(revisions(ring.read(2, 9, 9, usize::MAX)), None);
        assert_eq!(revisions(ring.read(3, 9, 9, usize::MAX)), Some(vec![3, 4, 5]));
        assert_eq!(revisions(ring.read(6, 9, 9, usize::MAX)), None);
        let one = batch(1).bytes;
        let mut ring = Ring::new(9, 2 * one);
        (1..=5).for_each(|revision| ring.push(batch(revision)));
        assert_eq!(revisions(ring.read(4, 9, 9, usize::MAX)), Some(vec![4, 5]));
        assert_eq!(revisions(ring.read(3, 9, 9, usize::MAX)), None);
    }

    #[test]
    fn pieces_are_bounded_but_never_empty() {
        let mut ring = Ring::new(9, usize::MAX);
        (1..=5).for_each(|revision| ring.push(batch(revision)));
        assert_eq!(revisions(ring.read(2, 4, 2, usize::MAX)), Some(vec![2, 3]));
        assert_eq!(revisions(ring.read(2, 2, 9, usize::MAX)), Some(vec![2]));
        assert_eq!(revisions(ring.read(2, 9, 9, 1)), Some(vec![2]));
    }

    #[test]
    fn a_gap_starts_anew() {
        let mut ring = Ring::new(9, usize::MAX);
        ring.push(batch(1));
        ring.push(batch(5));
        assert_eq!(revisions(ring.read(1, 9, 9, usize::MAX)), None);
        assert_eq!(revisions(ring.read(5, 9, 9, usize::MAX)), Some(vec![5]));
    }
}
