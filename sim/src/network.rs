//! The network between members: it loses, delays, reorders and repeats, and it is cut.
//!
//! Every message goes through the codec of the streams between peers. Proposals alone are never
//! repeated: they travel on connections that don't, and a member can't tell the copy.

use bytes::BytesMut;
use retcd_api::raftpb::{Message, MessageType};
use retcd_raft_glue::wire::{AppendDecoder, AppendEncoder, MessageDecoder, encode_message};
use retcd_testkit::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A place in the list of members.
pub(crate) type Place = usize;

/// How messages fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Of a thousand messages, so many are lost.
    pub(crate) loss: u64,
    /// Of a thousand messages, so many come twice.
    pub(crate) repetition: u64,
    /// The longest usual delay.
    pub(crate) delay: Duration,
    /// Of a thousand messages, so many take up to a hundred times as long.
    pub(crate) laggards: u64,
}

impl Weather {
    pub(crate) const FAIR: Weather =
        Weather { loss: 0, repetition: 0, delay: Duration::from_millis(1), laggards: 0 };
}

/// A pair of stream ends.
struct Stream {
    encoder: AppendEncoder,
    decoder: AppendDecoder,
}

pub(crate) struct Network {
    pub(crate) weather: Weather,
    /// From whom to whom nothing arrives.
    cut: BTreeSet<(Place, Place)>,
    /// Append streams by their ends' ids.
    streams: BTreeMap<(u64, u64), Stream>,
    wire: BytesMut,
}

impl Network {
    pub(crate) fn new() -> Network {
        Network {
            weather: Weather::FAIR,
            cut: BTreeSet::new(),
            streams: BTreeMap::new(),
            wire: BytesMut::new(),
        }
    }

    /// Lets nothing through from one member to another.
    pub(crate) fn cut(&mut self, from: Place, to: Place) {
        self.cut.insert((from, to));
    }

    /// Lets everything through again.
    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn is_cut(&self, from: Place, to: Place) -> bool {
        self.cut.contains(&(from, to))
    }

    /// A member has started anew: so do its streams.
    pub(crate) fn reconnect(&mut self, id: u64) {
        self.streams.retain(|(from, to), _| *from != id && *to != id);
    }

    /// After which times the message arrives: never, once, or several times.
    pub(crate) fn delays(&self, kind: MessageType, random: &mut Random) -> Vec<Duration> {
        let Weather { loss, repetition, delay, laggards } = self.weather;
        if random.below(1000) < loss {
            return Vec::new();
        }
        let may_repeat = kind != MessageType::MsgProp;
        let times = if may_repeat && random.below(1000) < repetition { 2 } else { 1 };
        let mut delays = Vec::new();
        for _ in 0..times {
            let scale = if random.below(1000) < laggards { 100 } else { 1 };
            let nanos = scale * delay.as_nanos() as u64;
            delays.push(Duration::from_nanos(100_000 + random.below(nanos)));
        }
        delays
    }

    /// The message as its receiver decodes it.
    pub(crate) fn travel(&mut self, message: Message) -> Message {
        self.wire.clear();
        let arrived = if message.r#type() == MessageType::MsgApp {
            let (from, to) = (message.from, message.to);
            let stream = self.streams.entry((from, to)).or_insert_with(|| Stream {
                encoder: AppendEncoder::default(),
                decoder: AppendDecoder::new(from, to),
            });
            stream.encoder.encode(&message, &mut self.wire);
            stream.decoder.feed(&self.wire);
            stream.decoder.take()
        } else {
            encode_message(&message, &mut self.wire);
            let mut decoder = MessageDecoder::default();
            decoder.feed(&self.wire);
            decoder.take()
        };
        let arrived = arrived.expect("a message decodes").expect("it has come whole");
        assert_eq!(arrived, message, "the codec changed a message");
        arrived
    }
}
