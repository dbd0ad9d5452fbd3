//! All keys as they are at one revision.

use bytes::Bytes;
use retcd_api::etcdserverpb::{PutRequest, RangeRequest};

use super::destination::{Destination, Operation};
use crate::client::{CallError, Client, Deadline};
use crate::command::keys::prefix;
use crate::output::HasHeader;

/// How many keys are read at once.
const PAGE: i64 = 1000;

/// Copies all keys that begin with `source_prefix`, and returns their revision.
pub(super) async fn copy(
    source: &Client,
    source_prefix: &Bytes,
    destination: &Destination,
) -> Result<i64, CallError> {
    let range = prefix(source_prefix.clone());
    let mut request = RangeRequest {
        key: range.key,
        range_end: range.end,
        limit: PAGE,
        ..RangeRequest::default()
    };
    loop {
        let response = source.call(request.clone(), Deadline::NEVER).await?;
        // The first page says which revision it is; the others are read as they were at it.
        if request.revision == 0 {
            request.revision = response.header().revision;
        }
        let Some(last) = response.kvs.last() else { return Ok(request.revision) };
        // The smallest key behind the last one.
        let next = [&last.key[..], b"\0"].concat();
        let puts = response.kvs.into_iter().map(|pair| {
            let (key, value) = (destination.key(&pair.key), pair.value);
            Operation::Put(PutRequest { key, value, ..PutRequest::default() })
        });
        destination.write(puts).await?;
        if !response.more {
            return Ok(request.revision);
        }
        request.key = next.into();
    }
}
