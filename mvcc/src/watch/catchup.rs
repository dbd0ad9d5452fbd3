//! How watchers that are behind read the past, a piece at a time.
//!
//! A piece begins at the lowest revision that any unsynced watcher still wants and serves all of
//! them. It comes from the hub's ring if that reaches back far enough, else from stored history,
//! which a job reads while the stream goes on delivering to its synced watchers. A watcher is
//! synced again once it has read past everything that the stream took from its queue or lost.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use retcd_api::etcdserverpb::WatchResponse;

use super::delivery::EventIndex;
use super::event::Batch;
use super::history::{History, Need, PieceLimit};
use super::previous::RecentPairs;
use super::queue::{Lost, Past, Queue, wake};
use super::range::{End, WatchRange};
use super::stream::{WatchStream, decrement, increment};
use super::watchers::{Progress, Watcher};

impl Watcher {
    /// Whether nothing at or below `revision` will be sent to it, but for what is queued.
    pub(super) fn can_promise(&self, revision: i64) -> bool {
        self.progress == Progress::Synced && self.start_revision <= revision
    }
}

impl WatchStream {
    /// Makes every watcher read what the queue has lost.
    pub(super) fn take_loss(&mut self, lost: Lost) {
        for (slot, watcher) in self.watchers.iter_mut() {
            watcher.read_through = watcher.read_through.max(lost.through);
            if watcher.progress == Progress::Synced {
                // What came before the loss is delivered.
                watcher.next = watcher.next.max(lost.from);
                watcher.progress = Progress::Unsynced;
                self.unsynced.push(slot);
                increment(&self.hub.counters.unsynced);
            }
        }
    }

    /// Begins to read the next piece of the past for the unsynced watchers.
    pub(super) fn begin_piece(&mut self) {
        self.cancel_compacted();
        let published = self.hub.published();
        self.sync_up();
        let Some(from) = self.lowest_wanted() else {
            return;
        };
        for slot in &self.unsynced {
            self.watchers.at_mut(*slot).progress = Progress::Reading;
        }
        let recent = self.hub.recent(from, published).map(|batches| {
            let last = batches.last().expect("a piece of the ring isn't empty");
            Past { next: last.revision + 1, batches, previous: Vec::new() }
        });
        let wanted = self.wanted(|_| true);
        let previous_wanted = self.wanted(|watcher| watcher.form.previous);
        match recent {
            Some(past) if previous_wanted.is_empty() => self.deliver_piece(past),
            Some(past) => {
                self.read_past(from, Need::PreviousPairs, previous_wanted, |_, _| Ok(past))
            }
            None => self.read_past(from, Need::Past, previous_wanted, move |history, limit| {
                read_stored(history, from..=published, limit, &wanted)
            }),
        }
    }

    /// Takes over what a job has read.
    pub(super) fn take_past(&mut self, past: crate::Result<Past>) {
        let from = self.reads_past.take();
        match past {
            Ok(past) => self.deliver_piece(past),
            Err(crate::Error::Refused(retcd_api::Error::Compacted)) => {
                // Compacted in between; the next piece tells those who are concerned.
                let compacted = self.config.history.compacted_revision();
                assert!(
                    from.is_some_and(|from| from < compacted),
                    "history refuses only what it says is compacted"
                );
                for slot in &self.unsynced {
                    self.watchers.at_mut(*slot).progress = Progress::Unsynced;
                }
            }
            Err(error) => self.failure = Some(error),
        }
    }

    /// Lets a job look up the previous pairs that the delivery needs, if any are missing.
    pub(super) fn look_up_previous(&mut self) {
        let watchers = &self.watchers;
        let missing = self.delivery.without_previous(|slot| watchers.at(slot).form.previous);
        if missing.is_empty() {
            return;
        }
        self.reads_previous = true;
        let batches = self.delivery.batches().to_vec();
        let history = Arc::clone(&self.config.history);
        let hub = Arc::clone(&self.hub);
        let guard = JobGuard(Some(Arc::clone(&self.queue)));
        let job = Box::new(move || {
            let mut missing = missing.into_iter().peekable();
            let outcome = EventIndex::all(&batches)
                .filter(|(index, _)| missing.next_if_eq(index).is_some())
                .map(|(index, event)| {
                    Ok((index, hub.recent_pairs.look_up(history.as_ref(), event)?))
                })
                .collect();
            guard.disarm().complete_previous(outcome);
        });
        self.config.readers.run(Need::PreviousPairs, job);
    }

    /// Tells watchers whose revisions are gone.
    fn cancel_compacted(&mut self) {
        let compacted = self.config.history.compacted_revision();
        let gone: Vec<u32> = self
            .unsynced
            .iter()
            .copied()
            .filter(|slot| self.watchers.at(*slot).next < compacted)
            .collect();
        for slot in gone {
            let watcher = self.watchers.at_mut(slot);
            watcher.progress = Progress::Compacted;
            let (id, range) = (watcher.form.id, watcher.range.clone());
            self.detach(slot, &range);
            self.answer(WatchResponse {
                header: Some(self.config.identity.header(0)),
                watch_id: id,
                canceled: true,
                compact_revision: compacted,
                ..WatchResponse::default()
            });
        }
    }

    fn lowest_wanted(&self) -> Option<i64> {
        self.unsynced.iter().map(|slot| self.watchers.at(*slot).next).min()
    }

    /// Delivers a piece to those who read it.
    fn deliver_piece(&mut self, past: Past) {
        let header = self.config.identity.header(self.hub.published());
        let batches = past.batches.len();
        self.delivery.begin(past.batches, past.previous, &header);
        let (matcher, watchers) = (&self.matcher, &self.watchers);
        let last = self.delivery.pick(|event, picked| {
            matcher.for_each(event.key(), |slot| {
                let watcher = watchers.at(*slot);
                if watcher.progress == Progress::Reading && watcher.wants(event) {
                    picked(*slot);
                }
            });
        });
        let is_whole = self.delivery.batches().len() == batches;
        let next = last.filter(|_| !is_whole).map_or(past.next, |last| last + 1);
        for slot in &self.unsynced {
            let watcher = self.watchers.at_mut(*slot);
            if watcher.progress == Progress::Reading {
                watcher.next = watcher.next.max(next);
                watcher.progress = Progress::Unsynced;
            }
        }
        self.sync_up();
    }

    /// Makes those watchers synced who want nothing that can't still come out of the queue.
    fn sync_up(&mut self) {
        let taken = self.taken;
        let watchers = &mut self.watchers;
        let counters = &self.hub.counters;
        self.unsynced.retain(|slot| {
            let watcher = watchers.at_mut(*slot);
            let is_synced = watcher.progress == Progress::Unsynced
                && watcher.next > watcher.read_through.max(taken);
            if is_synced {
                watcher.progress = Progress::Synced;
                decrement(&counters.unsynced);
            }
            !is_synced
        });
    }

    /// What those of the reading watchers want who are `concerned`.
    fn wanted(&self, concerned: impl Fn(&Watcher) -> bool) -> Wanted {
        let reading = self.unsynced.iter().map(|slot| self.watchers.at(*slot));
        Wanted::new(reading.filter(|watcher| concerned(watcher)).map(|watcher| &watcher.range))
    }

    /// Lets a job read a piece from revision `from` on, with the previous pairs in it.
    fn read_past(
        &mut self,
        from: i64,
        need: Need,
        previous_wanted: Wanted,
        read: impl FnOnce(&dyn History, PieceLimit) -> crate::Result<Past> + Send + 'static,
    ) {
        self.reads_past = Some(from);
        let limit = self.hub.piece_limit();
        let history = Arc::clone(&self.config.history);
        let hub = Arc::clone(&self.hub);
        let guard = JobGuard(Some(Arc::clone(&self.queue)));
        let job = Box::new(move || {
            let history = history.as_ref();
            let past = read(history, limit).and_then(|past| {
                with_previous(past, &hub.recent_pairs, history, limit.bytes, &previous_wanted)
            });
            guard.disarm().complete_past(past);
        });
        self.config.readers.run(need, job);
    }
}

/// Ends the stream if its job is dropped without a result.
struct JobGuard(Option<Arc<Queue>>);

impl JobGuard {
    /// There is a result for the returned queue.
    fn disarm(mut self) -> Arc<Queue> {
        self.0.take().expect("a guard is disarmed once")
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            wake(queue.close());
        }
    }
}

/// A piece of stored history.
fn read_stored(
    history: &dyn History,
    revisions: RangeInclusive<i64>,
    limit: PieceLimit,
    wanted: &Wanted,
) -> crate::Result<Past> {
    let from = *revisions.start();
    let piece = history.events(revisions, limit, &|key| wanted.holds(key))?;
    assert!(piece.next > from, "history makes progress");
    let batches = piece.commits.into_iter().map(|commit| Arc::new(Batch::new(commit))).collect();
    Ok(Past { batches, previous: Vec::new(), next: piece.next })
}

/// The piece with the previous pairs of the wanted keys, cut short after the revision with which
/// they reach `bytes_max`.
fn with_previous(
    mut past: Past,
    recent_pairs: &RecentPairs,
    history: &dyn History,
    bytes_max: usize,
    wanted: &Wanted,
) -> crate::Result<Past> {
    if wanted.is_empty() {
        return Ok(past);
    }
    let mut bytes = 0_usize;
    let mut complete = 0;
    for batch in &past.batches {
        if bytes >= bytes_max {
            past.next = batch.revision;
            break;
        }
        for event in &batch.events {
            let pair = if wanted.holds(event.key()) {
                let pair = recent_pairs.look_up(history, event)?;
                bytes = bytes.saturating_add(pair.as_ref().map_or(0, |pair| pair.len()));
                Some(pair)
            } else {
                None
            };
            past.previous.push(pair);
        }
        complete += 1;
    }
    past.batches.truncate(complete);
    Ok(past)
}

/// The union of some ranges.
#[derive(Debug, Default)]
struct Wanted {
    keys: HashSet<Bytes>,
    /// After [`Wanted::merge`], ascending and apart from each other.
    spans: Vec<(Bytes, End)>,
}

impl Wanted {
    fn new<'a>(ranges: impl Iterator<Item = &'a WatchRange>) -> Wanted {
        let mut wanted = Wanted::default();
        ranges.for_each(|range| wanted.add(range));
        wanted.merge();
        wanted
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.spans.is_empty()
    }

    fn add(&mut self, range: &WatchRange) {
        match range {
            WatchRange::Key(key) => {
                self.keys.insert(key.clone());
            }
            WatchRange::Span { start, end } => {
                let end = end.clone().map_or(End::Open, End::Before);
                self.spans.push((start.clone(), end));
            }
        }
    }

    /// Joins spans that overlap.
    fn merge(&mut self) {
        self.spans.sort_unstable();
        self.spans.dedup_by(|next, kept| {
            let overlaps = kept.1.is_above(&next.0);
            if overlaps && next.1 > kept.1 {
                kept.1 = next.1.clone();
            }
            overlaps
        });
    }

    fn holds(&self, key: &[u8]) -> bool {
        if self.keys.contains(key) {
            return true;
        }
        let after = self.spans.partition_point(|(start, _)| start.as_ref() <= key);
        after.checked_sub(1).is_some_and(|last| self.spans[last].1.is_above(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_keys_are_the_union_of_the_ranges() {
        let spans = [
            ("m", Some("p")),
            ("b", Some("d")),
            ("n", Some("o")),
            ("c", Some("e")),
            ("x", None),
            ("y", Some("z")),
        ];
        let mut ranges = vec![WatchRange::Key("g".into())];
        ranges.extend(spans.map(|(start, end)| WatchRange::Span {
            start: start.into(),
            end: end.map(Bytes::from),
        }));
        let wanted = Wanted::new(ranges.iter());
        assert_eq!(wanted.spans.len(), 3);
        let held: String =
            ('a'..='z').filter(|key| wanted.holds(key.to_string().as_bytes())).collect();
        assert_eq!(held, "bcdgmnoxyz");
    }
}
