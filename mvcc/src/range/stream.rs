//! A range in pieces, so that a large one needs little memory on either side.
//!
//! The first piece pins the revision. Between pieces nothing of the engine is held: when a
//! compaction passes the pinned revision in the meantime, the next piece is refused as compacted.
//! Pieces start with 10 keys, and are doubled and halved towards the wanted size. Header, `more`
//! and `count` come with the last piece only; the count is what was streamed and what the limit
//! left over.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use retcd_api::Code;
use retcd_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse};
use retcd_engine::{Direction, KeyRange, Keyspace, Projection};

use super::{Span, revision_header};
use crate::read::{Reader, end_of, resolve_revision};
use crate::record::key_value;
use crate::{Result, Store};

const FIRST_PIECE_KEYS: usize = 10;

/// A range that is answered in pieces.
pub struct RangeStream {
    store: Arc<Store>,
    request: RangeRequest,
    /// Where the next piece begins.
    next_key: Bytes,
    /// Current revision when the stream began, which the last piece tells.
    header_revision: i64,
    /// The revision that is read; zero before the first piece.
    pinned_revision: i64,
    piece_keys: usize,
    piece_bytes: usize,
    /// Keys that the limit still allows; `None` without a limit.
    allowed: Option<usize>,
    sent: i64,
    finished: bool,
}

impl RangeStream {
    /// Begins a stream whose pieces are about `piece_bytes` long.
    ///
    /// # Errors
    ///
    /// Refused if the request wants another order than by key, or filters on revisions.
    pub(crate) fn new(
        store: Arc<Store>,
        request: RangeRequest,
        piece_bytes: usize,
    ) -> Result<RangeStream> {
        let target = SortTarget::try_from(request.sort_target);
        let order = SortOrder::try_from(request.sort_order);
        let (Ok(target), Ok(order)) = (target, order) else {
            return Err(retcd_api::Error::InvalidSortOption.into());
        };
        if order != SortOrder::None && (target, order) != (SortTarget::Key, SortOrder::Ascend) {
            return Err(unimplemented("RangeStream does not support custom sort orders").into());
        }
        let filters = [
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        ];
        if filters != [0; 4] {
            return Err(unimplemented("RangeStream does not support revision filters").into());
        }
        Ok(RangeStream {
            store,
            next_key: request.key.clone(),
            header_revision: 0,
            pinned_revision: 0,
            piece_keys: FIRST_PIECE_KEYS,
            piece_bytes,
            allowed: usize::try_from(request.limit).ok().filter(|limit| *limit > 0),
            sent: 0,
            finished: false,
            request,
        })
    }

    /// The next piece, or `None` after the last one. A header carries only the revision.
    ///
    /// # Errors
    ///
    /// Refused if the revision is in the future, or is compacted by now. The stream ends.
    pub fn next_piece(&mut self) -> Result<Option<RangeResponse>> {
        if self.finished {
            return Ok(None);
        }
        // Set until the piece says otherwise, so that an error ends the stream.
        self.finished = true;
        let requested = match self.pinned_revision {
            0 => self.request.revision,
            pinned => pinned,
        };
        let mut snapshot = self.store.snapshot();
        let revision = resolve_revision(&snapshot, requested)?;
        if self.pinned_revision == 0 {
            self.header_revision = snapshot.revision;
            self.pinned_revision = revision;
        }
        let response = if self.request.count_only {
            self.count(&mut snapshot)?
        } else {
            self.piece(&mut snapshot)?
        };
        Ok(Some(response))
    }

    fn count(&mut self, reader: &mut impl Reader) -> Result<RangeResponse> {
        let request = RangeRequest { revision: self.pinned_revision, ..self.request.clone() };
        let mut response = super::range(reader, &request)?;
        response.header = Some(revision_header(self.header_revision));
        Ok(response)
    }

    fn piece(&mut self, reader: &mut impl Reader) -> Result<RangeResponse> {
        let mut response = RangeResponse::default();
        let mut more = None;
        let range = match Span::new(&self.request.key, &self.request.range_end) {
            Span::Range(range) => Some(KeyRange { start: &self.next_key, end: range.end }),
            Span::Key(_) | Span::Empty => None,
        };
        let Some(range) = range else {
            let request = RangeRequest { revision: self.pinned_revision, ..self.request.clone() };
            response = super::range(reader, &request)?;
            response.header = Some(revision_header(self.header_revision));
            return Ok(response);
        };
        let wanted = self.allowed.unwrap_or(usize::MAX).min(self.piece_keys);
        let projection = if self.request.keys_only { Projection::Keys } else { Projection::Full };
        let at = end_of(self.pinned_revision);
        let view = reader.view()?;
        let mut cursor = view.scan(Keyspace::Kv, range, at, Direction::Forward, projection)?;
        while let Some(record) = cursor.next()? {
            if response.kvs.len() == wanted {
                more = Some(record.key);
                break;
            }
            response.kvs.push(key_value(record)?);
        }
        drop(cursor);
        self.sent += response.kvs.len() as i64;
        self.allowed = self.allowed.map(|allowed| allowed - response.kvs.len());
        match more {
            Some(_) if self.allowed != Some(0) => {
                self.finished = false;
                self.next_key = after_last(&response);
                self.piece_keys = adjusted(wanted, response.encoded_len(), self.piece_bytes);
            }
            more => {
                response.header = Some(revision_header(self.header_revision));
                response.more = more.is_some();
                response.count = self.sent;
                if let Some(key) = more {
                    let rest = KeyRange { start: &key, ..range };
                    response.count += view.count(Keyspace::Kv, rest, at)?.cast_signed();
                }
            }
        }
        Ok(response)
    }
}

fn unimplemented(text: &'static str) -> retcd_api::Error {
    retcd_api::Error::Other(Code::Unimplemented, text.into())
}

fn after_last(response: &RangeResponse) -> Bytes {
    let last = response.kvs.last().expect("a piece before others has keys");
    let mut next = BytesMut::with_capacity(last.key.len() + 1);
    next.put_slice(&last.key);
    next.put_u8(0);
    next.freeze()
}

fn adjusted(keys: usize, bytes: usize, wanted_bytes: usize) -> usize {
    if bytes < wanted_bytes / 2 {
        keys.saturating_mul(2)
    } else if bytes > wanted_bytes.saturating_mul(2) {
        (keys / 2).max(1)
    } else {
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_and_shrink_towards_the_wanted_size() {
        assert_eq!(adjusted(10, 49, 100), 20);
        assert_eq!(adjusted(10, 50, 100), 10);
        assert_eq!(adjusted(10, 201, 100), 5);
        assert_eq!(adjusted(1, 201, 100), 1);
    }
}
