//! The watchers of one stream: what each wants and how far it is.

use std::collections::HashMap;

use retcd_api::etcdserverpb::WatchCreateRequest;
use retcd_api::etcdserverpb::watch_create_request::FilterType;

use super::delivery::Form;
use super::event::Event;
use super::range::WatchRange;

/// How far a watcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Everything that it still has to get is queued or yet to come.
    Synced,
    /// It waits for its turn to read the past.
    Unsynced,
    /// A read of the past is under way for it.
    Reading,
    /// It was told that its revisions are compacted. Only its id is still taken, until the client
    /// cancels it.
    Compacted,
}

/// One watcher.
#[derive(Debug)]
pub(super) struct Watcher {
    /// How it wants its responses.
    pub(super) form: Form,
    /// What it watches.
    pub(super) range: WatchRange,
    /// The asked start revision; zero for "from now on".
    pub(super) start_revision: i64,
    /// The lowest revision that it still wants.
    pub(super) next: i64,
    /// The last revision that didn't go through the queue: it subscribed later, or it was lost.
    pub(super) read_through: i64,
    /// How far it is.
    pub(super) progress: Progress,
    /// Whether idle times are reported.
    pub(super) progress_notify: bool,
    /// Whether no event was sent since the last progress tick.
    pub(super) is_idle: bool,
    without_puts: bool,
    without_deletes: bool,
}

impl Watcher {
    /// A watcher as asked for. Fragments of responses have about `fragment_bytes`.
    pub(super) fn new(
        request: &WatchCreateRequest,
        id: i64,
        range: WatchRange,
        fragment_bytes: usize,
    ) -> Watcher {
        Watcher {
            form: Form {
                id,
                previous: request.prev_kv,
                fragment_bytes: if request.fragment { fragment_bytes } else { usize::MAX },
            },
            range,
            start_revision: request.start_revision,
            next: request.start_revision,
            read_through: 0,
            progress: Progress::Synced,
            progress_notify: request.progress_notify,
            is_idle: true,
            without_puts: request.filters().any(|filter| filter == FilterType::Noput),
            without_deletes: request.filters().any(|filter| filter == FilterType::Nodelete),
        }
    }

    /// Whether the event, which is in its range, is for it.
    pub(super) fn wants(&self, event: &Event) -> bool {
        let is_filtered = if event.is_delete() { self.without_deletes } else { self.without_puts };
        event.revision() >= self.next && !is_filtered
    }
}

/// Watchers by slot and by id.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    slots: Vec<Option<Watcher>>,
    free: Vec<u32>,
    ids: HashMap<i64, u32>,
    next_id: i64,
}

impl Watchers {
    /// The id for a request: the asked one, or the next free one for zero. `None` if it is taken.
    pub(super) fn choose_id(&mut self, asked: i64) -> Option<i64> {
        if asked != 0 {
            return (!self.ids.contains_key(&asked)).then_some(asked);
        }
        while self.ids.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        Some(id)
    }

    /// Adds a watcher, whose id is free; gives its slot.
    pub(super) fn add(&mut self, watcher: Watcher) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before watchers of a stream do")
        });
        let taken = self.ids.insert(watcher.form.id, slot);
        assert!(taken.is_none(), "a watch id is given once at a time");
        self.slots[slot as usize] = Some(watcher);
        slot
    }

    /// Removes the watcher with this id.
    pub(super) fn remove(&mut self, id: i64) -> Option<(u32, Watcher)> {
        let slot = self.ids.remove(&id)?;
        self.free.push(slot);
        self.slots[slot as usize].take().map(|watcher| (slot, watcher))
    }

    /// The watcher with this id.
    pub(super) fn by_id(&self, id: i64) -> Option<&Watcher> {
        self.ids.get(&id).map(|slot| self.at(*slot))
    }

    /// The watcher in a slot that is in use.
    pub(super) fn at(&self, slot: u32) -> &Watcher {
        self.slots[slot as usize]
            .as_ref()
            .expect("slots are dropped everywhere when their watcher goes")
    }

    /// The watcher in a slot that is in use.
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut Watcher {
        self.slots[slot as usize]
            .as_mut()
            .expect("slots are dropped everywhere when their watcher goes")
    }

    /// All watchers with their slots.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Watcher)> {
        (0..).zip(&mut self.slots).filter_map(|(slot, watcher)| Some((slot, watcher.as_mut()?)))
    }

    /// All watchers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Watcher> {
        self.slots.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn add(watchers: &mut Watchers, asked: i64) -> Option<i64> {
        let id = watchers.choose_id(asked)?;
        let range = WatchRange::Key(Bytes::from_static(b"k"));
        watchers.add(Watcher::new(&WatchCreateRequest::default(), id, range, 1));
        Some(id)
    }

    #[test]
    fn ids_count_from_zero_and_skip_taken_ones() {
        let mut watchers = Watchers::default();
        assert_eq!(add(&mut watchers, 0), Some(0));
        assert_eq!(add(&mut watchers, 2), Some(2));
        assert_eq!(add(&mut watchers, -5), Some(-5));
        assert_eq!(add(&mut watchers, 0), Some(1));
        assert_eq!(add(&mut watchers, 0), Some(3));
        assert_eq!(add(&mut watchers, 2), None);
        assert!(watchers.remove(2).is_some());
        assert!(watchers.remove(2).is_none());
        assert_eq!(add(&mut watchers, 2), Some(2));
        assert_eq!(watchers.iter().count(), 5);
    }
}
