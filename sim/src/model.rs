//! What the cluster should say: etcd's rules for the few requests that clients send, without any
//! of the product's code.
//!
//! The model is given each request once, in the order of the entries, and remembers every state.

use crate::request::{Answer, Keys, Pair, Request};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// What happened to a key in a revision: `pair` is what it has after it, if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) key: Bytes,
    pub(crate) pair: Option<Pair>,
}

/// The state, and all states before it.
pub(crate) struct Model {
    revision: i64,
    compacted: i64,
    pairs: BTreeMap<Bytes, Pair>,
    leases: BTreeMap<i64, BTreeSet<Bytes>>,
    /// Changes by revision, in their order.
    events: BTreeMap<i64, Vec<Event>>,
    /// Of each key, its pair by the revision in which it changed.
    versions: BTreeMap<Bytes, BTreeMap<i64, Option<Pair>>>,
    /// Changes of the request that is being executed.
    changes: Vec<Event>,
}

impl Model {
    pub(crate) fn new() -> Model {
        Model {
            revision: 1,
            compacted: -1,
            pairs: BTreeMap::new(),
            leases: BTreeMap::new(),
            events: BTreeMap::new(),
            versions: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    pub(crate) fn compacted(&self) -> i64 {
        self.compacted
    }

    pub(crate) fn has_lease(&self, lease: i64) -> bool {
        self.leases.contains_key(&lease)
    }

    pub(crate) fn leases(&self) -> impl Iterator<Item = i64> {
        self.leases.keys().copied()
    }

    /// The pairs under `keys` at a revision, whether it is compacted or not.
    pub(crate) fn pairs_at(&self, keys: &Keys, revision: i64) -> Vec<Pair> {
        let asked = self.versions.iter().filter(|(key, _)| keys.contains(key));
        let newest = asked.filter_map(|(_, versions)| versions.range(..=revision).next_back());
        newest.filter_map(|(_, pair)| pair.clone()).collect()
    }

    /// The first revision from `from` on that changed one of `keys`, and these changes.
    pub(crate) fn next_events(&self, keys: &Keys, from: i64) -> Option<(i64, Vec<Event>)> {
        self.events.range(from..).find_map(|(revision, events)| {
            let asked = events.iter().filter(|event| keys.contains(&event.key));
            let asked: Vec<_> = asked.cloned().collect();
            (!asked.is_empty()).then_some((*revision, asked))
        })
    }

    pub(crate) fn execute(&mut self, request: &Request) -> Answer {
        let mut succeeded = true;
        let mut pairs = Vec::new();
        match request {
            Request::Get { keys } => pairs = self.pairs_at(keys, self.revision),
            Request::Put { key, value, lease } => {
                if *lease != 0 && !self.has_lease(*lease) {
                    return refused("etcdserver: requested lease not found");
                }
                pairs.extend(self.put(key, value, *lease));
            }
            Request::Delete { keys } => pairs = self.delete(keys),
            Request::Swap { key, expected, value } => {
                let before = self.pairs.get(key);
                succeeded = before.map(|pair| &pair.value) == expected.as_ref();
                pairs.extend(before.cloned());
                if succeeded {
                    self.put(key, value, 0);
                }
            }
            Request::Move { from, to, value } => {
                succeeded = self.pairs.contains_key(from);
                pairs.extend(self.pairs.get(to).cloned());
                if succeeded {
                    self.put(to, value, 0);
                    pairs.extend(self.delete(&Keys::One(from.clone())));
                }
            }
            Request::Compact { revision } => {
                if *revision <= self.compacted {
                    return refused("etcdserver: mvcc: required revision has been compacted");
                }
                if *revision > self.revision {
                    return refused("etcdserver: mvcc: required revision is a future revision");
                }
                self.compacted = *revision;
            }
            Request::Grant { lease, .. } => {
                if self.leases.insert(*lease, BTreeSet::new()).is_some() {
                    return refused("etcdserver: lease already exists");
                }
            }
            Request::Revoke { lease } => {
                let Some(keys) = self.leases.remove(lease) else {
                    return refused("etcdserver: requested lease not found");
                };
                keys.into_iter().for_each(|key| drop(self.delete(&Keys::One(key))));
            }
        }
        self.end_revision();
        Answer::Done { revision: self.revision, succeeded, pairs }
    }

    fn put(&mut self, key: &Bytes, value: &Bytes, lease: i64) -> Option<Pair> {
        let revision = self.revision + 1;
        let before = self.pairs.get(key).cloned();
        self.detach(before.as_ref());
        if let Some(keys) = self.leases.get_mut(&lease) {
            keys.insert(key.clone());
        }
        let pair = Pair {
            key: key.clone(),
            value: value.clone(),
            created: before.as_ref().map_or(revision, |pair| pair.created),
            modified: revision,
            version: before.as_ref().map_or(0, |pair| pair.version) + 1,
            lease,
        };
        self.pairs.insert(key.clone(), pair.clone());
        self.changes.push(Event { key: key.clone(), pair: Some(pair) });
        before
    }

    fn delete(&mut self, keys: &Keys) -> Vec<Pair> {
        let gone: Vec<_> = self.pairs.extract_if(.., |key, _| keys.contains(key)).collect();
        for (key, pair) in &gone {
            self.detach(Some(pair));
            self.changes.push(Event { key: key.clone(), pair: None });
        }
        gone.into_iter().map(|(_, pair)| pair).collect()
    }

    fn detach(&mut self, pair: Option<&Pair>) {
        let Some(pair) = pair else { return };
        if let Some(keys) = self.leases.get_mut(&pair.lease) {
            keys.remove(&pair.key);
        }
    }

    fn end_revision(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        self.revision += 1;
        for Event { key, pair } in &self.changes {
            let versions = self.versions.entry(key.clone()).or_default();
            versions.insert(self.revision, pair.clone());
        }
        self.events.insert(self.revision, std::mem::take(&mut self.changes));
    }
}

fn refused(why: &str) -> Answer {
    Answer::Refused(why.to_owned())
}
