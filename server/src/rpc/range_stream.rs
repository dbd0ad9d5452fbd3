//! `RangeStream`: a range in pieces, read at one revision.

use super::kv::complete;
use super::{Responses, check, decode, encode, status};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::Result;
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse, RangeStreamResponse};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Pieces that may wait for a slow client before reading stops.
const PIECES_MAX: usize = 2;

/// Streams a range.
pub(super) fn range_stream(member: Arc<Member>, message: Bytes) -> Result<Responses> {
    let request: RangeRequest = decode(message)?;
    check::range(&request)?;
    let piece_bytes = member.limits.request_bytes_max;
    let serializable = request.serializable;
    // Also refuses what can't be streamed. The pieces are read later, at one revision.
    let mut pieces = member.checked(member.store.range_stream(request, piece_bytes))?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move {
        if !serializable
            && let Err(error) = member.linearizable().await
        {
            // The client may be gone; then nobody needs to know.
            let _ = sender.send(Err(status(&error))).await;
            return;
        }
        // Reading blocks, and waits for the client: it belongs to the pool of readers.
        tokio::task::spawn_blocking(move || {
            while let Some(piece) = member.checked(pieces.next_piece()).transpose() {
                let piece = piece.map(|piece| encoded(&member, piece));
                if sender.blocking_send(piece.map_err(|error| status(&error))).is_err() {
                    return;
                }
            }
        });
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// Only the last piece has a header.
fn encoded(member: &Member, mut piece: RangeResponse) -> Bytes {
    if piece.header.is_some() {
        complete(member, &mut piece.header);
    }
    encode(&RangeStreamResponse { range_response: Some(piece) })
}
