//! The reference loads: what the keys and values of a large fill are.
//!
//! *R* is short text: keys of 32 bytes, values of 256 bytes of which a quarter is random. *K8s* is
//! pods as an API server stores them, about 2 KB each. A value follows from the corpus's seed, its
//! number and its generation alone, so any part of a load can be made again, in any order, without
//! keeping it. `examples/entropy.rs` prints how far each compresses.

mod deployment;
mod order;
mod pod;
mod wire;

use bytes::Bytes;
use retcd_testkit::random::Random;

pub use order::Order;

use crate::{Error, workload};

/// Which load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Short text.
    R,
    /// Pods.
    K8s,
}

/// Keys and values by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// Which load.
    pub kind: Kind,
    /// What all random parts follow from.
    pub seed: u64,
}

impl Kind {
    /// Reads the value of `--load`.
    pub fn parse(name: &str) -> Result<Kind, Error> {
        match name {
            "r" => Ok(Kind::R),
            "k8s" => Ok(Kind::K8s),
            _ => Err(format!("unknown load {name}: r or k8s").into()),
        }
    }
}

impl Corpus {
    /// The load with the seed that all documented figures have.
    pub fn new(kind: Kind) -> Corpus {
        Corpus { kind, seed: 1 }
    }

    /// The key with this number; no other number has it. The keys of *R* ascend with their number;
    /// those of *K8s* keep the pods of a deployment together.
    pub fn key(&self, number: u64) -> Bytes {
        match self.kind {
            Kind::R => workload::key(number),
            Kind::K8s => pod::key(self.seed, number),
        }
    }

    /// A key that looks like the others, and isn't among them.
    pub fn absent_key(&self, number: u64) -> Bytes {
        let mut key = self.key(number).to_vec();
        // Each letter of a suffix is one of 27 without vowels, and each last digit is decimal.
        if let Some(last) = key.last_mut() {
            *last = b'a';
        }
        key.into()
    }

    /// The value of that key after `generation` changes.
    pub fn value(&self, number: u64, generation: u64) -> Bytes {
        match self.kind {
            Kind::R => workload::value(&mut self.random(number, generation)),
            Kind::K8s => pod::value(self.seed, number, generation),
        }
    }

    /// First key of a range that holds about a tenth of the first `keys` keys, and the key after
    /// it.
    pub fn tenth(&self, keys: u64) -> (Bytes, Bytes) {
        match self.kind {
            Kind::R => {
                let first = keys * 4 / 10;
                (self.key(first), self.key(first + keys / 10))
            }
            Kind::K8s => pod::keys_of_a_team(),
        }
    }

    /// The key before all, and the one after all.
    pub fn all(&self) -> (Bytes, Bytes) {
        match self.kind {
            Kind::R => (Bytes::from_static(b"bench/"), Bytes::from_static(b"bench0")),
            Kind::K8s => (Bytes::from_static(b"/registry/"), Bytes::from_static(b"/registry0")),
        }
    }

    fn random(&self, number: u64, generation: u64) -> Random {
        stream(self.seed, [number, generation])
    }
}

/// Random numbers that belong to `parts` alone.
fn stream(seed: u64, parts: [u64; 2]) -> Random {
    let [first, second] = parts.map(|part| Random::new(part).number());
    Random::new(seed ^ first ^ second.rotate_left(17))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn values_follow_from_their_number_and_generation() {
        for kind in [Kind::R, Kind::K8s] {
            let corpus = Corpus::new(kind);
            let again = Corpus::new(kind);
            assert_eq!(corpus.key(77), again.key(77));
            assert_eq!(corpus.value(77, 3), again.value(77, 3));
            assert_ne!(corpus.value(77, 3), corpus.value(77, 4));
            assert_ne!(corpus.value(77, 3), corpus.value(78, 3));
            let other = Corpus { seed: 2, ..corpus };
            assert_ne!(corpus.value(77, 3), other.value(77, 3));
        }
    }

    #[test]
    fn each_number_has_its_own_key_and_a_tenth_is_about_that() {
        for kind in [Kind::R, Kind::K8s] {
            let corpus = Corpus::new(kind);
            let keys: HashSet<Bytes> = (0..50_000).map(|number| corpus.key(number)).collect();
            assert_eq!(keys.len(), 50_000);
            let inside = |(start, end): (Bytes, Bytes)| {
                keys.iter().filter(|key| **key >= start && **key < end).count()
            };
            assert_eq!(inside(corpus.all()), 50_000);
            let tenth = inside(corpus.tenth(50_000));
            assert!((3_500..=6_500).contains(&tenth), "{kind:?}: {tenth}");
            assert!((0..1_000).all(|number| !keys.contains(&corpus.absent_key(number))));
        }
    }
}
