//! Puts, deletes, transactions and compactions.

use bytes::Bytes;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::response_op::Response;
use retcd_api::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest,
    PutResponse, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use retcd_engine::{Direction, Header, Keyspace, Projection, Record, Version};

use super::Applier;
use crate::range::{Span, range, revision_header};
use crate::read::{Reader, end_of};
use crate::record::{PairHeader, RevKind, key_value, lease_key, rev_record};
use crate::txn::{Branch, Op, is_read_only, read_txn};
use crate::{Change, ChangeKind, Result};

impl Applier {
    /// A put outside of a transaction.
    pub(super) fn put(&mut self, request: PutRequest) -> Result<PutResponse> {
        if request.lease != 0 && !self.lease_exists(request.lease) {
            return Err(retcd_api::Error::LeaseNotFound.into());
        }
        self.put_checked(request)
    }

    pub(super) fn delete_range(
        &mut self,
        request: &DeleteRangeRequest,
    ) -> Result<DeleteRangeResponse> {
        let projection = if request.prev_kv { Projection::Full } else { Projection::Keys };
        let doomed = self.records(Span::new(&request.key, &request.range_end), projection)?;
        let deleted = doomed.len() as i64;
        let mut prev_kvs = Vec::new();
        for record in doomed {
            self.delete_pair(&record)?;
            if request.prev_kv {
                prev_kvs.push(key_value(record)?);
            }
        }
        Ok(DeleteRangeResponse {
            header: Some(revision_header(self.revision())),
            deleted,
            prev_kvs,
        })
    }

    /// A transaction, with a branch that may write or not.
    pub(super) fn txn(&mut self, request: &TxnRequest) -> Result<TxnResponse> {
        if is_read_only(request) {
            return read_txn(self, request);
        }
        let branch = Branch::choose(self, request)?;
        let store = std::sync::Arc::clone(&self.store);
        branch.check(self, &|lease| store.lease_exists(lease))?;
        let mut response = self.take(&branch)?;
        response.header = Some(revision_header(self.revision()));
        Ok(response)
    }

    pub(super) fn compact(&mut self, request: &CompactionRequest) -> Result<CompactionResponse> {
        if request.revision <= self.state.compacted {
            return Err(retcd_api::Error::Compacted.into());
        }
        if request.revision > self.state.revision {
            return Err(retcd_api::Error::FutureRev.into());
        }
        self.state.compacted = request.revision;
        // The engine may only drop what a durable flush says is compacted.
        self.flush_wanted = true;
        Ok(CompactionResponse { header: Some(revision_header(self.state.revision)) })
    }

    /// Executes a checked branch. A nested response has a header without a revision.
    fn take(&mut self, branch: &Branch<'_>) -> Result<TxnResponse> {
        let mut responses = Vec::with_capacity(branch.ops.len());
        for op in &branch.ops {
            let response = match op {
                Op::Nested(nested) => Some(Response::ResponseTxn(self.take(nested)?)),
                Op::Plain(Some(request)) => self.take_op(request)?,
                Op::Plain(None) => None,
            };
            responses.push(ResponseOp { response });
        }
        Ok(TxnResponse {
            header: Some(ResponseHeader::default()),
            succeeded: branch.succeeded,
            responses,
        })
    }

    fn take_op(&mut self, request: &Request) -> Result<Option<Response>> {
        Ok(match request {
            Request::RequestRange(request) => Some(Response::ResponseRange(range(self, request)?)),
            Request::RequestPut(request) => {
                Some(Response::ResponsePut(self.put_checked(request.clone())?))
            }
            Request::RequestDeleteRange(request) => {
                Some(Response::ResponseDeleteRange(self.delete_range(request)?))
            }
            Request::RequestTxn(_) => None,
        })
    }

    /// A put whose lease is known to exist.
    fn put_checked(&mut self, request: PutRequest) -> Result<PutResponse> {
        let projection = if request.prev_kv || request.ignore_value {
            Projection::Full
        } else {
            Projection::Keys
        };
        let previous = self.newest(&request.key, projection)?;
        if previous.is_none() && (request.ignore_value || request.ignore_lease) {
            return Err(retcd_api::Error::KeyNotFound.into());
        }
        let previous_header = previous.as_ref().map(PairHeader::decode).transpose()?;
        let value = match &previous {
            Some(previous) if request.ignore_value => previous.value.clone(),
            _ => request.value,
        };
        let lease = match previous_header {
            Some(previous) if request.ignore_lease => previous.lease,
            _ => request.lease,
        };
        self.put_pair(request.key, value, lease, previous_header);
        let prev_kv = match previous {
            Some(previous) if request.prev_kv => Some(key_value(previous)?),
            _ => None,
        };
        Ok(PutResponse { header: Some(revision_header(self.revision())), prev_kv })
    }

    fn put_pair(&mut self, key: Bytes, value: Bytes, lease: i64, previous: Option<PairHeader>) {
        let revision = self.next_revision();
        let header = PairHeader {
            create_revision: previous.map_or(revision, |previous| previous.create_revision),
            version: previous.map_or(1, |previous| previous.version.saturating_add(1)),
            lease,
        };
        let version = self.next_version();
        self.writer.push(
            Keyspace::Kv,
            Record {
                key: key.clone(),
                version,
                tombstone: false,
                header: header.encode(),
                value: value.clone(),
                keys_added: Some(i8::from(previous.is_none())),
            },
        );
        self.writer.push(Keyspace::Rev, rev_record(version, RevKind::Put, key.clone()));
        if previous.is_none() {
            self.state.key_count += 1;
        }
        let old_lease = previous.map_or(0, |previous| previous.lease);
        if old_lease != lease {
            self.detach(old_lease, &key);
            self.attach(lease, &key);
        }
        self.changes.push(Change {
            key,
            kind: ChangeKind::Put {
                create_revision: header.create_revision,
                version: header.version,
                value,
                lease,
            },
        });
    }

    /// Deletes the pair that `record` is the newest version of.
    pub(super) fn delete_pair(&mut self, record: &Record) -> Result<()> {
        let version = self.next_version();
        let key = &record.key;
        self.writer.push(
            Keyspace::Kv,
            Record {
                key: key.clone(),
                version,
                tombstone: true,
                header: Header::default(),
                value: Bytes::new(),
                keys_added: Some(-1),
            },
        );
        self.writer.push(Keyspace::Rev, rev_record(version, RevKind::Delete, key.clone()));
        self.state.key_count -= 1;
        let lease = PairHeader::decode(record)?.lease;
        self.detach(lease, key);
        self.changes.push(Change { key: key.clone(), kind: ChangeKind::Delete });
        Ok(())
    }

    /// The pairs that `span` names, in key order.
    fn records(&mut self, span: Span<'_>, projection: Projection) -> Result<Vec<Record>> {
        let at = end_of(self.revision());
        let range = match span {
            Span::Key(key) => return Ok(self.newest(key, projection)?.into_iter().collect()),
            Span::Empty => return Ok(Vec::new()),
            Span::Range(range) => range,
        };
        let view = self.view()?;
        let mut cursor = view.scan(Keyspace::Kv, range, at, Direction::Forward, projection)?;
        let mut records = Vec::new();
        while let Some(record) = cursor.next()? {
            records.push(record);
        }
        Ok(records)
    }

    fn next_version(&self) -> Version {
        Version { main: self.next_revision().cast_unsigned(), sub: self.changes.len() as u64 }
    }

    fn lease_exists(&self, lease: i64) -> bool {
        self.store.lease_exists(lease)
    }

    fn attach(&mut self, lease: i64, key: &[u8]) {
        if lease != 0 {
            self.push_record(Keyspace::Lease, lease_key(lease, key), Some(Bytes::new()));
        }
    }

    fn detach(&mut self, lease: i64, key: &[u8]) {
        if lease != 0 {
            self.push_record(Keyspace::Lease, lease_key(lease, key), None);
        }
    }
}
