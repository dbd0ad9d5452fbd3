//! etcd's rules, done the simplest way: a map of all pairs for every revision, and a list of all
//! changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bytes::Bytes;
use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::compare::TargetUnion;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::response_op::Response as OpResponse;
use retcd_api::etcdserverpb::{
    CompactionResponse, Compare, DeleteRangeRequest, DeleteRangeResponse, InternalRaftRequest,
    LeaseGrantResponse, LeaseRevokeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use retcd_api::mvccpb::KeyValue;
use retcd_mvcc::{Change, ChangeKind, Commit, Response};

type Pairs = BTreeMap<Bytes, KeyValue>;

/// A change: revision, sub revision, key, and the pair unless it was deleted.
type Logged = (i64, i64, Bytes, Option<KeyValue>);

#[derive(Clone)]
pub(crate) struct Model {
    /// The pairs as of each revision; the last one is in the making during a write.
    states: Vec<Pairs>,
    log: Vec<Logged>,
    compacted: i64,
    leases: BTreeSet<i64>,
    /// Changes of the write that is being executed.
    sub: i64,
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}

fn is_within(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        end => key >= start && key < end,
    }
}

impl Model {
    pub(crate) fn new() -> Model {
        Model {
            states: vec![Pairs::new(), Pairs::new()],
            log: Vec::new(),
            compacted: -1,
            leases: BTreeSet::new(),
            sub: 0,
        }
    }

    /// The current revision; within a write that has changed something, the next one.
    pub(crate) fn revision(&self) -> i64 {
        self.states.len() as i64 - 1
    }

    pub(crate) fn compacted(&self) -> i64 {
        self.compacted
    }

    /// The pairs as of a revision, compacted or not.
    pub(crate) fn pairs_at(&self, revision: i64) -> impl Iterator<Item = &KeyValue> {
        self.states[revision as usize].values()
    }

    pub(crate) fn key_count(&self) -> u64 {
        self.pairs().len() as u64
    }

    pub(crate) fn lease_keys(&self, lease: i64) -> Vec<Bytes> {
        let attached = self.pairs().values().filter(|pair| pair.lease == lease);
        attached.map(|pair| pair.key.clone()).collect()
    }

    fn pairs(&self) -> &Pairs {
        self.states.last().expect("there is always a state")
    }

    /// Executes an entry. A refused one is executed on a copy, so it can't leave anything behind.
    pub(crate) fn write(&mut self, entry: &InternalRaftRequest) -> Result<Response, Error> {
        let mut next = self.clone();
        next.sub = 0;
        let response = next.execute(entry)?;
        *self = next;
        Ok(response)
    }

    fn execute(&mut self, entry: &InternalRaftRequest) -> Result<Response, Error> {
        if let Some(request) = &entry.put {
            self.check_lease(request)?;
            return Ok(Response::Put(self.put(request)?));
        }
        if let Some(request) = &entry.delete_range {
            return Ok(Response::DeleteRange(self.delete(request)));
        }
        if let Some(request) = &entry.txn {
            return Ok(Response::Txn(self.txn(request)?));
        }
        if let Some(request) = &entry.compaction {
            if request.revision <= self.compacted {
                return Err(Error::Compacted);
            }
            if request.revision > self.revision() {
                return Err(Error::FutureRev);
            }
            self.compacted = request.revision;
            return Ok(Response::Compaction(CompactionResponse {
                header: header(self.revision()),
            }));
        }
        if let Some(request) = &entry.lease_grant {
            if !self.leases.insert(request.id) {
                return Err(Error::LeaseExist);
            }
            return Ok(Response::LeaseGrant(LeaseGrantResponse {
                header: header(self.revision()),
                id: request.id,
                ttl: request.ttl,
                error: String::new(),
            }));
        }
        let request = entry.lease_revoke.as_ref().expect("no other entry is generated");
        if !self.leases.remove(&request.id) {
            return Err(Error::LeaseNotFound);
        }
        for key in self.lease_keys(request.id) {
            self.change(key, None);
        }
        Ok(Response::LeaseRevoke(LeaseRevokeResponse { header: header(self.revision()) }))
    }

    fn change(&mut self, key: Bytes, pair: Option<KeyValue>) {
        if self.sub == 0 {
            self.states.push(self.pairs().clone());
        }
        let revision = self.revision();
        let state = self.states.last_mut().expect("there is always a state");
        match &pair {
            Some(pair) => state.insert(key.clone(), pair.clone()),
            None => state.remove(&key),
        };
        self.log.push((revision, self.sub, key, pair));
        self.sub += 1;
    }

    fn check_lease(&self, request: &PutRequest) -> Result<(), Error> {
        if request.lease != 0 && !self.leases.contains(&request.lease) {
            return Err(Error::LeaseNotFound);
        }
        Ok(())
    }

    fn put(&mut self, request: &PutRequest) -> Result<PutResponse, Error> {
        let previous = self.pairs().get(&request.key).cloned();
        if previous.is_none() && (request.ignore_value || request.ignore_lease) {
            return Err(Error::KeyNotFound);
        }
        let next_revision = if self.sub == 0 { self.revision() + 1 } else { self.revision() };
        let old = previous.clone().unwrap_or_default();
        let pair = KeyValue {
            key: request.key.clone(),
            create_revision: if old.version == 0 { next_revision } else { old.create_revision },
            mod_revision: next_revision,
            version: old.version + 1,
            value: if request.ignore_value { old.value } else { request.value.clone() },
            lease: if request.ignore_lease { old.lease } else { request.lease },
        };
        self.change(request.key.clone(), Some(pair));
        Ok(PutResponse {
            header: header(self.revision()),
            prev_kv: previous.filter(|_| request.prev_kv),
        })
    }

    fn delete(&mut self, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let doomed: Vec<KeyValue> = self
            .pairs()
            .values()
            .filter(|pair| is_within(&pair.key, &request.key, &request.range_end))
            .cloned()
            .collect();
        for pair in &doomed {
            self.change(pair.key.clone(), None);
        }
        DeleteRangeResponse {
            header: header(self.revision()),
            deleted: doomed.len() as i64,
            prev_kvs: if request.prev_kv { doomed } else { Vec::new() },
        }
    }

    pub(crate) fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let current = self.revision();
        if request.revision > current {
            return Err(Error::FutureRev);
        }
        let revision = if request.revision <= 0 { current } else { request.revision };
        if revision < self.compacted {
            return Err(Error::Compacted);
        }
        let mut kvs: Vec<KeyValue> = self.states[revision as usize]
            .values()
            .filter(|pair| is_within(&pair.key, &request.key, &request.range_end))
            .cloned()
            .collect();
        let count = kvs.len() as i64;
        let has_bounds = request.min_mod_revision != 0
            || request.max_mod_revision != 0
            || request.min_create_revision != 0
            || request.max_create_revision != 0;
        if request.limit > 0 && request.sort_order == 0 && !has_bounds {
            kvs.truncate(request.limit as usize + 1);
        }
        kvs.retain(|pair| {
            let bounded = |min: i64, max: i64, revision: i64| {
                (min == 0 || revision >= min) && (max == 0 || revision <= max)
            };
            bounded(request.min_mod_revision, request.max_mod_revision, pair.mod_revision)
                && bounded(
                    request.min_create_revision,
                    request.max_create_revision,
                    pair.create_revision,
                )
        });
        sort(&mut kvs, request);
        let more = !request.count_only && request.limit > 0 && kvs.len() as i64 > request.limit;
        if request.limit > 0 {
            kvs.truncate(request.limit as usize);
        }
        if request.count_only {
            kvs.clear();
        }
        if request.keys_only {
            kvs.iter_mut().for_each(|pair| pair.value.clear());
        }
        Ok(RangeResponse { header: header(current), kvs, more, count })
    }

    pub(crate) fn read_txn(&self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        self.clone().txn(request)
    }

    fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse, Error> {
        let before = self.clone();
        let mut ops = Vec::new();
        before.flatten(request, &mut ops);
        for op in &ops {
            if let Request::RequestPut(put) = op {
                let exists = before.pairs().contains_key(&put.key);
                if (put.ignore_value || put.ignore_lease) && !exists {
                    return Err(Error::KeyNotFound);
                }
                before.check_lease(put)?;
            }
        }
        for op in &ops {
            if let Request::RequestRange(range) = op {
                if range.revision > before.revision() {
                    return Err(Error::FutureRev);
                }
                if range.revision != 0 && range.revision < before.compacted {
                    return Err(Error::Compacted);
                }
            }
        }
        let mut response = self.execute_txn(&before, request)?;
        response.header = header(self.revision());
        Ok(response)
    }

    /// All operations that will be executed.
    fn flatten<'a>(&self, request: &'a TxnRequest, ops: &mut Vec<&'a Request>) {
        for op in self.branch(request).1 {
            match op.request.as_ref().expect("operations aren't empty") {
                Request::RequestTxn(nested) => self.flatten(nested, ops),
                plain => ops.push(plain),
            }
        }
    }

    fn branch<'a>(&self, request: &'a TxnRequest) -> (bool, &'a [RequestOp]) {
        if request.compare.iter().all(|compare| self.holds(compare)) {
            (true, &request.success)
        } else {
            (false, &request.failure)
        }
    }

    fn execute_txn(&mut self, before: &Model, txn: &TxnRequest) -> Result<TxnResponse, Error> {
        let (succeeded, ops) = before.branch(txn);
        let mut responses = Vec::new();
        for op in ops {
            let response = match op.request.as_ref().expect("operations aren't empty") {
                Request::RequestRange(range) => OpResponse::ResponseRange(self.range(range)?),
                Request::RequestPut(put) => OpResponse::ResponsePut(self.put(put)?),
                Request::RequestDeleteRange(delete) => {
                    OpResponse::ResponseDeleteRange(self.delete(delete))
                }
                Request::RequestTxn(nested) => {
                    OpResponse::ResponseTxn(self.execute_txn(before, nested)?)
                }
            };
            responses.push(ResponseOp { response: Some(response) });
        }
        Ok(TxnResponse { header: header(0), succeeded, responses })
    }

    fn holds(&self, compare: &Compare) -> bool {
        let mut pairs: Vec<KeyValue> = self
            .pairs()
            .values()
            .filter(|pair| is_within(&pair.key, &compare.key, &compare.range_end))
            .cloned()
            .collect();
        if pairs.is_empty() {
            if compare.target == 3 {
                return false;
            }
            pairs.push(KeyValue::default());
        }
        pairs.iter().all(|pair| {
            let number = |operand: Option<i64>, actual: i64| actual.cmp(&operand.unwrap_or(0));
            let union = compare.target_union.as_ref();
            let ordering = match (compare.target, union) {
                (0, Some(TargetUnion::Version(n))) => number(Some(*n), pair.version),
                (0, _) => number(None, pair.version),
                (1, Some(TargetUnion::CreateRevision(n))) => number(Some(*n), pair.create_revision),
                (1, _) => number(None, pair.create_revision),
                (2, Some(TargetUnion::ModRevision(n))) => number(Some(*n), pair.mod_revision),
                (2, _) => number(None, pair.mod_revision),
                (3, Some(TargetUnion::Value(value))) => pair.value.cmp(value),
                (3, _) => pair.value.cmp(&Bytes::new()),
                (_, Some(TargetUnion::Lease(n))) => number(Some(*n), pair.lease),
                _ => number(None, pair.lease),
            };
            match compare.result {
                0 => ordering.is_eq(),
                1 => ordering.is_gt(),
                2 => ordering.is_lt(),
                _ => ordering.is_ne(),
            }
        })
    }

    /// The changes of these revisions, without puts of the compacted one that it superseded itself.
    pub(crate) fn past(&self, revisions: RangeInclusive<i64>) -> Result<Vec<Commit>, Error> {
        if *revisions.start() < self.compacted {
            return Err(Error::Compacted);
        }
        let mut commits: Vec<Commit> = Vec::new();
        for (revision, sub, key, pair) in &self.log {
            let is_superseded =
                |other: &&Logged| other.0 == *revision && other.1 > *sub && other.2 == *key;
            if !revisions.contains(revision)
                || *revision == self.compacted
                    && pair.is_some()
                    && self.log.iter().any(|other| is_superseded(&other))
            {
                continue;
            }
            let kind = match pair.clone() {
                None => ChangeKind::Delete,
                Some(pair) => ChangeKind::Put {
                    create_revision: pair.create_revision,
                    version: pair.version,
                    value: pair.value,
                    lease: pair.lease,
                },
            };
            let change = Change { key: key.clone(), kind };
            match commits.last_mut() {
                Some(commit) if commit.revision == *revision => commit.changes.push(change),
                _ => commits.push(Commit { revision: *revision, changes: vec![change] }),
            }
        }
        Ok(commits)
    }

    /// Revision and sub of the newest version up to `at` of each key that is alive then.
    fn newest_at(&self, at: i64) -> BTreeSet<(i64, i64)> {
        let mut newest = BTreeMap::new();
        for (revision, sub, key, pair) in &self.log {
            if *revision <= at {
                newest.insert(key, (*revision, *sub, pair.is_some()));
            }
        }
        let alive = newest.into_values().filter(|(_, _, is_alive)| *is_alive);
        alive.map(|(revision, sub, _)| (revision, sub)).collect()
    }

    /// The entries of etcd's file, in their order: revision and sub, key, value.
    pub(crate) fn file(&self) -> Vec<FileEntry> {
        let kept = self.newest_at(self.compacted);
        let is_in = |place: &(i64, i64)| place.0 > self.compacted || kept.contains(place);
        let in_file = self.log.iter().filter(|(revision, sub, ..)| is_in(&(*revision, *sub)));
        let mut file = Vec::new();
        for (revision, sub, key, pair) in in_file {
            let mut file_key = revision.to_be_bytes().to_vec();
            file_key.push(b'_');
            file_key.extend(sub.to_be_bytes());
            let tombstone = KeyValue { key: key.clone(), ..KeyValue::default() };
            if pair.is_none() {
                file_key.push(b't');
            }
            let value = pair.as_ref().unwrap_or(&tombstone).encode_to_vec();
            file.push(((*revision, *sub), file_key, value));
        }
        file
    }

    /// etcd's checksum, as etcd takes it: over its file's entries in their order.
    pub(crate) fn hash(&self, through: i64) -> u32 {
        let keep = self.newest_at(through);
        let mut bytes = b"key".to_vec();
        for (place, key, value) in self.file() {
            let is_compacted = place.0 <= self.compacted;
            if place.0 <= through && !(is_compacted && !keep.is_empty() && !keep.contains(&place)) {
                bytes.extend(key);
                bytes.extend(value);
            }
        }
        crc32c::crc32c(&bytes)
    }
}

/// Revision and sub, key, value.
pub(crate) type FileEntry = ((i64, i64), Vec<u8>, Vec<u8>);

/// Sorts as asked, equal ones by key.
fn sort(kvs: &mut [KeyValue], request: &RangeRequest) {
    let descends = request.sort_order == 2;
    kvs.sort_by(|a, b| {
        let order = match request.sort_target {
            0 => a.key.cmp(&b.key),
            1 => a.version.cmp(&b.version),
            2 => a.create_revision.cmp(&b.create_revision),
            3 => a.mod_revision.cmp(&b.mod_revision),
            _ => a.value.cmp(&b.value),
        };
        if descends { order.reverse() } else { order }
    });
}
