//! How watchers that are behind read the past, a piece at a time.
//!
//! A piece begins at the lowest revision that any unsynced watcher still wants and serves all of
//! them. It comes from the hub's ring if that reaches back far enough, else from stored history,
//! which a job reads while the stream goes on delivering to its synced watchers. A watcher is synced
//! again once it has read past everything that the stream took from its queue or lost.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use retcd_api::etcdserverpb::WatchResponse;

use super::event::{Batch, Event};
use super::history::{History, Need, PieceLimit};
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
        match self.hub.recent(from, published) {
            Some(batches) => {
                let last = batches.last().expect("a piece of the ring isn't empty");
                let next = last.revision + 1;
                self.deliver_piece(batches, next);
                self.look_up_previous();
            }
            None => self.read_past(from, published),
        }
    }

    /// Takes over what a job has read.
    pub(super) fn take_past(&mut self, past: crate::Result<Past>) {
        let from = self.reads_past.take();
        match past {
            Ok(past) => self.deliver_piece(past.batches, past.next),
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
        let guard = JobGuard(Some(Arc::clone(&self.queue)));
        let job = Box::new(move || {
            let outcome = missing.into_iter().try_for_each(|(batch, event)| {
                look_up_previous(history.as_ref(), &batches[batch].events[event])
            });
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

    /// Delivers a piece that ends before revision `next` to those who read it.
    fn deliver_piece(&mut self, batches: Vec<Arc<Batch>>, next: i64) {
        let header = self.config.identity.header(self.hub.published());
        self.delivery.begin(batches, &header);
        let (matcher, watchers) = (&self.matcher, &self.watchers);
        self.delivery.pick(|event, picked| {
            matcher.for_each(event.key(), |slot| {
                let watcher = watchers.at(*slot);
                if watcher.progress == Progress::Reading && watcher.wants(event) {
                    picked(*slot);
                }
            });
        });
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

    /// Lets a job read stored history for the watchers that are marked as reading.
    fn read_past(&mut self, from: i64, to: i64) {
        self.reads_past = Some(from);
        let mut wanted = Wanted::default();
        let mut previous_wanted = Wanted::default();
        for slot in &self.unsynced {
            let watcher = self.watchers.at(*slot);
            wanted.add(&watcher.range);
            if watcher.form.previous {
                previous_wanted.add(&watcher.range);
            }
        }
        wanted.merge();
        previous_wanted.merge();
        let limit = self.hub.piece_limit();
        let history = Arc::clone(&self.config.history);
        let guard = JobGuard(Some(Arc::clone(&self.queue)));
        let job = Box::new(move || {
            let past = read_past(history.as_ref(), (from, to), limit, &wanted, &previous_wanted);
            guard.disarm().complete_past(past);
        });
        self.config.readers.run(Need::Past, job);
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

fn read_past(
    history: &dyn History,
    (from, to): (i64, i64),
    limit: PieceLimit,
    wanted: &Wanted,
    previous_wanted: &Wanted,
) -> crate::Result<Past> {
    let piece = history.events(from..=to, limit, &|key| wanted.holds(key))?;
    assert!(piece.next > from, "history makes progress");
    let batches: Vec<Arc<Batch>> =
        piece.commits.into_iter().map(|commit| Arc::new(Batch::new(commit))).collect();
    for event in batches.iter().flat_map(|batch| &batch.events) {
        if previous_wanted.holds(event.key()) {
            look_up_previous(history, event)?;
        }
    }
    Ok(Past { batches, next: piece.next })
}

/// Looks up the pair as it was before the event. What is compacted is absent.
fn look_up_previous(history: &dyn History, event: &Event) -> crate::Result<()> {
    if event.previous().is_some() {
        return Ok(());
    }
    let pair = match history.pair_at(event.key(), event.revision() - 1) {
        Ok(pair) => pair,
        Err(crate::Error::Refused(retcd_api::Error::Compacted)) => None,
        Err(error) => return Err(error),
    };
    event.set_previous(pair.as_ref());
    Ok(())
}

/// The union of some ranges.
#[derive(Debug, Default)]
struct Wanted {
    keys: HashSet<Bytes>,
    /// After [`Wanted::merge`], ascending and apart from each other.
    spans: Vec<(Bytes, End)>,
}

impl Wanted {
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
        let mut wanted = Wanted::default();
        for (start, end) in [
            ("m", Some("p")),
            ("b", Some("d")),
            ("n", Some("o")),
            ("c", Some("e")),
            ("x", None),
            ("y", Some("z")),
        ] {
            wanted.add(&WatchRange::Span { start: start.into(), end: end.map(Bytes::from) });
        }
        wanted.add(&WatchRange::Key("g".into()));
        wanted.merge();
        assert_eq!(wanted.spans.len(), 3);
        let held: String =
            ('a'..='z').filter(|key| wanted.holds(key.to_string().as_bytes())).collect();
        assert_eq!(held, "bcdgmnoxyz");
    }
}
