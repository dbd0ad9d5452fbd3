//! Turning batches into responses, one watcher after the other.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use prost::Message;
use retcd_api::etcdserverpb::ResponseHeader;

use super::event::{Batch, Event};
use super::wire;

/// How much is allocated at once for responses.
const RESPONSE_CHUNK_BYTES: usize = 32 << 10;

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

/// Batches on their way to some watchers of one stream.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    batches: Vec<Arc<Batch>>,
    picks: Vec<Pick>,
    /// Picks before this one are done.
    done: usize,
    /// The response header, tag and length included.
    head: BytesMut,
    buffer: BytesMut,
}

impl Delivery {
    /// Begins with `batches`, none of which is for anyone yet. The previous delivery is done.
    pub(super) fn begin(&mut self, batches: Vec<Arc<Batch>>, header: &ResponseHeader) {
        assert!(self.is_done(), "one delivery at a time");
        self.batches = batches;
        self.picks.clear();
        self.done = 0;
        self.head.clear();
        wire::put_length_prefix(&mut self.head, wire::RESPONSE_HEADER, header.encoded_len());
        header.encode(&mut self.head).expect("a growing buffer has room");
    }

    /// Calls `matching` with each event, to get the slots of the watchers that it is for.
    pub(super) fn pick(&mut self, mut matching: impl FnMut(&Event, &mut dyn FnMut(u32))) {
        let Delivery { batches, picks, .. } = self;
        let mut events = 0_usize;
        for (batch_index, batch) in (0_u32..).zip(batches.iter()) {
            for (event_index, event) in (0_u32..).zip(&batch.events) {
                events += 1;
                matching(event, &mut |slot| {
                    picks.push(Pick { slot, batch: batch_index, event: event_index });
                });
            }
        }
        if events > 1 {
            // Stable: the events of each watcher stay in order.
            self.picks.sort_by_key(|pick| pick.slot);
        }
    }

    /// Picked events that `wanted` slots need the previous pair of and nobody has looked up yet:
    /// indexes of batch and event.
    pub(super) fn without_previous(&self, wanted: impl Fn(u32) -> bool) -> Vec<(usize, usize)> {
        let mut missing: Vec<(usize, usize)> = self.picks[self.done..]
            .iter()
            .filter(|pick| wanted(pick.slot) && self.event(pick).previous().is_none())
            .map(|pick| (pick.batch as usize, pick.event as usize))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// The batches.
    pub(super) fn batches(&self) -> &[Arc<Batch>] {
        &self.batches
    }

    /// Whether everything is delivered.
    pub(super) fn is_done(&self) -> bool {
        self.done == self.picks.len()
    }

    /// Lets go of the batches once everything is delivered.
    pub(super) fn finish(&mut self) {
        assert!(self.is_done(), "a delivery is finished when it is done");
        self.batches.clear();
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
            self.buffer.reserve(bytes.max(RESPONSE_CHUNK_BYTES));
        }
        self.buffer.extend_from_slice(&self.head);
        wire::put_varint_field(&mut self.buffer, wire::RESPONSE_WATCH_ID, id);
        if is_fragment {
            wire::put_varint_field(&mut self.buffer, wire::RESPONSE_FRAGMENT, 1);
        }
        let Delivery { batches, picks, buffer, .. } = self;
        for pick in &picks[self.done..self.done + count] {
            let event = &batches[pick.batch as usize].events[pick.event as usize];
            put_event(buffer, event, form.previous);
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
            let longer = bytes + event_bytes(self.event(pick), form.previous);
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

    fn event(&self, pick: &Pick) -> &Event {
        &self.batches[pick.batch as usize].events[pick.event as usize]
    }
}

fn previous_of(event: &Event, wanted: bool) -> Option<&Bytes> {
    if wanted {
        event.previous().expect("previous pairs are looked up before events are delivered")
    } else {
        None
    }
}

fn content_bytes(event: &Event, previous: Option<&Bytes>) -> usize {
    event.body().len() + previous.map_or(0, |pair| wire::field_bytes(pair.len()))
}

/// Bytes of an event in a response.
fn event_bytes(event: &Event, previous_wanted: bool) -> usize {
    wire::field_bytes(content_bytes(event, previous_of(event, previous_wanted)))
}

fn put_event(buffer: &mut BytesMut, event: &Event, previous_wanted: bool) {
    let previous = previous_of(event, previous_wanted);
    wire::put_length_prefix(buffer, wire::RESPONSE_EVENT, content_bytes(event, previous));
    buffer.extend_from_slice(event.body());
    if let Some(pair) = previous {
        wire::put_length_prefix(buffer, wire::EVENT_PREV_KV, pair.len());
        buffer.extend_from_slice(pair);
    }
}
