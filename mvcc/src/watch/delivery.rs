//! Turning batches into responses, one watcher after the other.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use prost::Message;
use retcd_api::etcdserverpb::ResponseHeader;

use super::event::{Batch, Event};
use super::previous::Pair;
use super::wire;

/// How much is allocated at once for responses, at most.
const RESPONSE_CHUNK_BYTES: usize = 32 << 10;

/// Number of (watcher, event) pairs from which on a delivery takes no further revision.
const PICKS_MAX: usize = 1 << 16;

/// Says that the event is for the watcher in the slot.
#[derive(Clone, Copy, Debug)]
struct Pick {
    slot: u32,
    batch: u32,
    event: u32,
}

/// How one watcher wants its responses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The watch id.
    pub(super) id: i64,
    /// Whether previous pairs are wanted.
    pub(super) previous: bool,
    /// The size from which on a response of several events is split.
    pub(super) fragment_bytes: usize,
}

/// One response.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Slot of the watcher it is for.
    pub(super) slot: u32,
    /// The encoded `WatchResponse`.
    pub(super) bytes: Bytes,
    /// Events in it.
    pub(super) events: usize,
}

/// An event, counted through all batches of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventIndex(usize);

/// Previous pairs by event; the outer `None` for those that aren't looked up.
pub(super) type PreviousPairs = Vec<Option<Option<Pair>>>;

/// Batches on their way to some watchers of one stream.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    batches: Vec<Arc<Batch>>,
    /// The index of each batch's first event.
    offsets: Vec<usize>,
    previous: PreviousPairs,
    picks: Vec<Pick>,
    /// Picks before this one are done.
    done: usize,
    /// The response header, tag and length included.
    head: BytesMut,
    buffer: BytesMut,
}

impl Delivery {
    /// Begins with `batches`, none of which is for anyone yet, and with what is known of their
    /// previous pairs: nothing, or something for each event. The previous delivery is done.
    pub(super) fn begin(
        &mut self,
        batches: Vec<Arc<Batch>>,
        previous: PreviousPairs,
        header: &ResponseHeader,
    ) {
        assert!(self.is_done(), "one delivery at a time");
        self.picks.clear();
        self.done = 0;
        self.offsets.clear();
        let mut events = 0;
        for batch in &batches {
            self.offsets.push(events);
            events += batch.events.len();
        }
        self.batches = batches;
        self.previous = previous;
        self.previous.resize(events, None);
        self.head.clear();
        wire::put_length_prefix(&mut self.head, wire::RESPONSE_HEADER, header.encoded_len());
        header.encode(&mut self.head).expect("a growing buffer has room");
    }

    /// Calls `matching` with each event, to get the slots of the watchers that it is for. Gives the
    /// revision of the last batch that was looked at; later ones are dropped.
    pub(super) fn pick(
        &mut self,
        mut matching: impl FnMut(&Event, &mut dyn FnMut(u32)),
    ) -> Option<i64> {
        let Delivery { batches, picks, .. } = self;
        let mut taken = 0;
        for batch in batches.iter() {
            if picks.len() >= PICKS_MAX {
                break;
            }
            let batch_index = small(taken);
            taken += 1;
            for (event_index, event) in batch.events.iter().enumerate() {
                matching(event, &mut |slot| {
                    picks.push(Pick { slot, batch: batch_index, event: small(event_index) });
                });
            }
        }
        batches.truncate(taken);
        if self.previous.len() > 1 {
            // Stable: the events of each watcher stay in order.
            self.picks.sort_by_key(|pick| pick.slot);
        }
        self.batches.last().map(|batch| batch.revision)
    }

    /// Picked events that `wanted` slots need the previous pair of and that no other stream has
    /// looked up.
    pub(super) fn without_previous(&mut self, wanted: impl Fn(u32) -> bool) -> Vec<EventIndex> {
        let mut missing = Vec::new();
        for pick in &self.picks {
            let index = self.offsets[pick.batch as usize] + pick.event as usize;
            if self.previous[index].is_none() && wanted(pick.slot) {
                let event = &self.batches[pick.batch as usize].events[pick.event as usize];
                self.previous[index] = event.previous().get();
                if self.previous[index].is_none() {
                    missing.push(EventIndex(index));
                }
            }
        }
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Takes note of previous pairs.
    pub(super) fn know(&mut self, pairs: Vec<(EventIndex, Option<Pair>)>) {
        for (EventIndex(index), pair) in pairs {
            self.previous[index] = Some(pair);
        }
    }

    /// The batches.
    pub(super) fn batches(&self) -> &[Arc<Batch>] {
        &self.batches
    }

    /// Whether everything is delivered.
    pub(super) fn is_done(&self) -> bool {
        self.done == self.picks.len()
    }

    /// Lets go of everything once all is delivered, so that an idle stream costs little.
    pub(super) fn finish(&mut self) {
        assert!(self.is_done(), "a delivery is finished when it is done");
        if !self.batches.is_empty() {
            self.batches.clear();
            self.previous.clear();
            self.buffer = BytesMut::new();
            self.picks.clear();
            self.picks.shrink_to(PICKS_MAX / 64);
            self.done = 0;
        }
    }

    /// Drops what is left for the watcher in `slot`.
    pub(super) fn forget(&mut self, slot: u32) {
        let mut left = self.picks.split_off(self.done);
        left.retain(|pick| pick.slot != slot);
        self.picks.append(&mut left);
    }

    /// The next response, in the form that `form` gives for a slot.
    pub(super) fn next(&mut self, form: impl Fn(u32) -> Form) -> Option<Parcel> {
        let slot = self.picks.get(self.done)?.slot;
        let form = form(slot);
        let id = form.id.cast_unsigned();
        let base_bytes = self.head.len() + wire::varint_field_bytes(id);
        let (count, bytes, is_fragment) = self.take(slot, &form, base_bytes);
        if self.buffer.capacity() < bytes {
            // Room for those who get the same.
            let alike = (self.picks.len() - self.done).div_ceil(count);
            let wanted = bytes.saturating_mul(alike).min(RESPONSE_CHUNK_BYTES);
            self.buffer = BytesMut::with_capacity(wanted.max(bytes));
        }
        self.buffer.extend_from_slice(&self.head);
        wire::put_varint_field(&mut self.buffer, wire::RESPONSE_WATCH_ID, id);
        if is_fragment {
            wire::put_varint_field(&mut self.buffer, wire::RESPONSE_FRAGMENT, 1);
        }
        for index in self.done..self.done + count {
            let pick = self.picks[index];
            let event = &self.batches[pick.batch as usize].events[pick.event as usize];
            let pair = previous_of(&self.previous, &self.offsets, pick, form.previous);
            put_event(&mut self.buffer, event, pair);
        }
        assert_eq!(self.buffer.len(), bytes, "a response has its computed size");
        self.done += count;
        Some(Parcel { slot, bytes: self.buffer.split().freeze(), events: count })
    }

    /// How many of the watcher's events go into its next response, the size of that, and whether
    /// more follow.
    fn take(&self, slot: u32, form: &Form, base_bytes: usize) -> (usize, usize, bool) {
        let flag_bytes = wire::varint_field_bytes(1);
        let mut bytes = base_bytes;
        let picks = &self.picks[self.done..];
        let mut count = 0;
        while let Some(pick) = picks.get(count).filter(|pick| pick.slot == slot) {
            let event = &self.batches[pick.batch as usize].events[pick.event as usize];
            let pair = previous_of(&self.previous, &self.offsets, *pick, form.previous);
            let longer = bytes + wire::field_bytes(content_bytes(event, pair));
            // The last response goes without the flag.
            let is_last = picks.get(count + 1).is_none_or(|next| next.slot != slot);
            let with_flag = longer + if is_last { 0 } else { flag_bytes };
            if count > 0 && with_flag >= form.fragment_bytes {
                return (count, bytes + flag_bytes, true);
            }
            bytes = longer;
            count += 1;
        }
        (count, bytes, false)
    }
}

impl EventIndex {
    /// The indexes of all events of the batches, with the events.
    pub(super) fn all(batches: &[Arc<Batch>]) -> impl Iterator<Item = (EventIndex, &Event)> {
        let events = batches.iter().flat_map(|batch| &batch.events);
        events.enumerate().map(|(index, event)| (EventIndex(index), event))
    }
}

fn small(index: usize) -> u32 {
    u32::try_from(index).expect("pieces of history and transactions are bounded far below")
}

fn previous_of<'a>(
    previous: &'a PreviousPairs,
    offsets: &[usize],
    pick: Pick,
    wanted: bool,
) -> Option<&'a [u8]> {
    if !wanted {
        return None;
    }
    previous[offsets[pick.batch as usize] + pick.event as usize]
        .as_ref()
        .expect("previous pairs are looked up before events are delivered")
        .as_deref()
}

/// Bytes of an event, without tag and length.
fn content_bytes(event: &Event, previous: Option<&[u8]>) -> usize {
    event.body().len() + previous.map_or(0, |pair| wire::field_bytes(pair.len()))
}

fn put_event(buffer: &mut BytesMut, event: &Event, previous: Option<&[u8]>) {
    let bytes = content_bytes(event, previous);
    wire::put_length_prefix(buffer, wire::RESPONSE_EVENT, bytes);
    buffer.extend_from_slice(event.body());
    if let Some(pair) = previous {
        wire::put_length_prefix(buffer, wire::EVENT_PREV_KV, pair.len());
        buffer.extend_from_slice(pair);
    }
}
