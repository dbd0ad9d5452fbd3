//! The bucket of our own, `retcd`: what the others cover, and how far the sweep is.
//!
//! ```text
//! applied   raft index u64, term u64, watermark u64, state of the layer above
//! format    version u32
//! sweep     swept watermark u64; and if a sweep is under way: its watermark u64,
//!           keyspace u8, key in the bucket from which it goes on
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use bytes::{BufMut, Bytes};

use super::node::{Element, Node};
use crate::bolt::page::{take, u32_at, u64_at};
use crate::{Applied, Keyspace};

/// Version of all that isn't bbolt's.
pub(super) const VERSION: u32 = 1;

const APPLIED: &[u8] = b"applied";
const FORMAT: &[u8] = b"format";
const SWEEP: &[u8] = b"sweep";

/// Where a sweep goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SweepPlace {
    pub(super) watermark: u64,
    pub(super) keyspace: Keyspace,
    pub(super) key: Bytes,
}

/// How far sweeps are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Everything below was swept.
    pub(super) watermark: u64,
    pub(super) under_way: Option<SweepPlace>,
}

/// What the bucket says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct System {
    pub(super) applied: Applied,
    pub(super) swept: Swept,
}

/// Why the bucket can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A later version wrote it.
    Version(u32),
    /// It isn't whole.
    Damage,
}

impl System {
    /// The bucket's only page.
    pub(super) fn encode(&self) -> Node {
        let Applied { index, term, watermark, state } = &self.applied;
        let mut applied = Vec::with_capacity(state.len().saturating_add(24));
        for number in [index, term, watermark] {
            applied.put_u64_le(*number);
        }
        applied.extend_from_slice(state);
        let mut sweep = self.swept.watermark.to_le_bytes().to_vec();
        if let Some(place) = &self.swept.under_way {
            sweep.put_u64_le(place.watermark);
            sweep.put_u8(place.keyspace as u8);
            sweep.extend_from_slice(&place.key);
        }
        let element = |key, value| Element::value(Bytes::from_static(key), value);
        Node::leaf(vec![
            element(APPLIED, applied.into()),
            element(FORMAT, Bytes::copy_from_slice(&VERSION.to_le_bytes())),
            element(SWEEP, sweep.into()),
        ])
    }

    pub(super) fn decode(node: &Node) -> Result<System, Refusal> {
        let value = |key: &[u8]| {
            let found = node.elements.iter().find(|element| element.key == key);
            found.map(|element| &element.value).ok_or(Refusal::Damage)
        };
        let version = u32_at(value(FORMAT)?, 0).ok_or(Refusal::Damage)?;
        if version != VERSION {
            return Err(Refusal::Version(version));
        }
        let applied = decode_applied(value(APPLIED)?).ok_or(Refusal::Damage)?;
        let swept = decode_swept(value(SWEEP)?).ok_or(Refusal::Damage)?;
        Ok(System { applied, swept })
    }
}

fn decode_applied(value: &Bytes) -> Option<Applied> {
    Some(Applied {
        index: u64_at(value, 0)?,
        term: u64_at(value, 8)?,
        watermark: u64_at(value, 16)?,
        state: value.slice(24..),
    })
}

fn decode_swept(value: &Bytes) -> Option<Swept> {
    let watermark = u64_at(value, 0)?;
    if value.len() == 8 {
        return Some(Swept { watermark, under_way: None });
    }
    let [keyspace] = take(value, 16)?;
    let all = [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];
    let keyspace = all.into_iter().find(|known| *known as u8 == keyspace)?;
    let place = SweepPlace { watermark: u64_at(value, 8)?, keyspace, key: value.slice(17..) };
    Some(Swept { watermark, under_way: Some(place) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system() -> System {
        let applied =
            Applied { index: 5, term: 2, watermark: 3, state: Bytes::from_static(b"state") };
        let key = Bytes::from_static(b"key");
        let place = SweepPlace { watermark: 3, keyspace: Keyspace::Lease, key };
        System { applied, swept: Swept { watermark: 1, under_way: Some(place) } }
    }

    #[test]
    fn it_comes_back() {
        let none = Swept { watermark: 9, under_way: None };
        for system in [System::default(), system(), System { swept: none, ..system() }] {
            assert_eq!(System::decode(&system.encode()), Ok(system));
        }
    }

    #[test]
    fn what_is_cut_short_or_later_is_refused() {
        for position in 0..3 {
            let mut node = system().encode();
            for len in 0..8 {
                node.elements[position].value.truncate(len);
                if position != 1 || len < 4 {
                    assert_eq!(System::decode(&node), Err(Refusal::Damage));
                }
            }
            node.elements.remove(position);
            assert_eq!(System::decode(&node), Err(Refusal::Damage));
        }
        let mut node = system().encode();
        node.elements[1].value = Bytes::from_static(&[2, 0, 0, 0]);
        assert_eq!(System::decode(&node), Err(Refusal::Version(2)));
    }
}
