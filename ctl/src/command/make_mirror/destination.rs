//! Where copies go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use retcd_api::etcdserverpb::request_op::Request;
use retcd_api::etcdserverpb::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest};

use crate::client::{CallError, Client, Deadline};

/// How many bytes of keys and values are written in one transaction, unless a single pair has more:
/// members take requests of 1.5 MiB by default.
const BYTES_MAX: usize = 1 << 20;

/// How long to wait before a request is sent again.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Another cluster, and how keys are called there.
pub(super) struct Destination {
    pub(super) client: Client,
    /// How many operations a transaction may have.
    pub(super) operations_max: usize,
    /// How much of a key is replaced by `prefix`, in bytes.
    pub(super) source_prefix_length: usize,
    pub(super) prefix: Bytes,
    /// How many operations were carried out.
    pub(super) copied: Arc<AtomicU64>,
}

/// One change of one key.
pub(super) enum Operation {
    Put(PutRequest),
    Delete(DeleteRangeRequest),
}

impl Operation {
    fn bytes(&self) -> usize {
        match self {
            Self::Put(put) => put.key.len() + put.value.len(),
            Self::Delete(delete) => delete.key.len(),
        }
    }

    fn into_request(self) -> RequestOp {
        let request = match self {
            Self::Put(put) => Request::RequestPut(put),
            Self::Delete(delete) => Request::RequestDeleteRange(delete),
        };
        RequestOp { request: Some(request) }
    }
}

impl Destination {
    /// What a key is called here.
    pub(super) fn key(&self, key: &[u8]) -> Bytes {
        [&self.prefix, &key[self.source_prefix_length..]].concat().into()
    }

    /// Carries out operations on different keys, in as few transactions as the limits let.
    pub(super) async fn write(
        &self,
        operations: impl Iterator<Item = Operation>,
    ) -> Result<(), CallError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for operation in operations {
            let more = operation.bytes();
            let is_full = batch.len() == self.operations_max || bytes + more > BYTES_MAX;
            if is_full && !batch.is_empty() {
                self.commit(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += more;
            batch.push(operation.into_request());
        }
        if batch.is_empty() { Ok(()) } else { self.commit(batch).await }
    }

    /// Repeats a transaction until somebody has carried it out. Twice is as good as once.
    async fn commit(&self, success: Vec<RequestOp>) -> Result<(), CallError> {
        let count = success.len() as u64;
        let request = TxnRequest { success, ..TxnRequest::default() };
        while let Err(error) = self.client.call(request.clone(), Deadline::NEVER).await {
            if !error.is_unavailable() {
                return Err(error);
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        self.copied.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }
}
