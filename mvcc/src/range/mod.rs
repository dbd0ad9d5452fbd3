//! Ranges: which pairs a request names, in which order, and how the answer is assembled.
//!
//! [`select`] finds the pairs and hands them over one by one; the rest of this module turns them
//! into a message, into the bytes of a message, or into a stream of messages.

mod counts;
mod encode;
mod select;
mod span;
mod stream;

use bytes::BytesMut;
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse, ResponseHeader};

use crate::Result;
use crate::read::{Reader, end_of, resolve_revision};
use crate::record::key_value;

pub use stream::RangeStream;

pub(crate) use counts::CountMemo;
pub(crate) use select::{Totals, select};
pub(crate) use span::Span;

/// Answers a range. The header carries only the revision.
pub(crate) fn range(reader: &mut impl Reader, request: &RangeRequest) -> Result<RangeResponse> {
    let at = end_of(resolve_revision(reader, request.revision)?);
    let current = reader.revision();
    let mut kvs = Vec::new();
    let counts = reader.counts();
    let totals = select(reader.view()?, counts.as_deref(), at, request, &mut |record| {
        kvs.push(key_value(record)?);
        Ok(())
    })?;
    Ok(RangeResponse {
        header: Some(revision_header(current)),
        kvs,
        more: totals.more,
        count: totals.count,
    })
}

/// Appends the bytes of the answer to a range, with `header` and the current revision in it.
pub(crate) fn range_into(
    reader: &mut impl Reader,
    request: &RangeRequest,
    header: &ResponseHeader,
    bytes: &mut BytesMut,
) -> Result<()> {
    let at = end_of(resolve_revision(reader, request.revision)?);
    let header = ResponseHeader { revision: reader.revision(), ..*header };
    let before = bytes.len();
    encode::header(&header, bytes);
    let counts = reader.counts();
    let written = select(reader.view()?, counts.as_deref(), at, request, &mut |record| {
        encode::pair(&record, bytes)
    });
    match written {
        Ok(totals) => encode::totals(totals, bytes),
        Err(error) => {
            bytes.truncate(before);
            return Err(error);
        }
    }
    Ok(())
}

/// A header that tells nothing but the revision, as etcd's apply fills it.
pub(crate) fn revision_header(revision: i64) -> ResponseHeader {
    ResponseHeader { revision, ..ResponseHeader::default() }
}
