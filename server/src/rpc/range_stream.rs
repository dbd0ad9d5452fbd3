//! `RangeStream`: a range in pieces, read at one revision.

use super::kv::complete;
use super::maintenance::blocking;
use super::{Responses, check, decode, encode, status};
use crate::member::Member;
use bytes::Bytes;
use retcd_api::Result;
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse, RangeStreamResponse};
use retcd_mvcc::RangeStream;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Pieces that may wait for a slow client before reading stops.
const PIECES_MAX: usize = 2;

/// Streams a range.
pub(super) fn range_stream(member: Arc<Member>, message: Bytes) -> Result<Responses> {
    let request: RangeRequest = decode(message)?;
    check::range(&request)?;
    let piece_bytes = member.limits.request_bytes_max;
    let serializable = request.serializable;
    // Also refuses what can't be streamed. The pieces are read later, at one revision.
    let pieces = member.checked(member.store.range_stream(request, piece_bytes))?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move {
        if !serializable && let Err(error) = member.linearizable().await {
            // The client may be gone; then nobody needs to know.
            let _ = sender.send(Err(status(&error))).await;
            return;
        }
        send_pieces(member, pieces, sender).await;
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

type Client = mpsc::Sender<std::result::Result<Bytes, Status>>;

/// Reads a piece on the pool of readers whenever the client has taken one. While a slow client is
/// waited for, its stream holds none of the pool's threads.
async fn send_pieces(member: Arc<Member>, mut pieces: RangeStream, client: Client) {
    while let Ok(place) = client.reserve().await {
        let reader = member.clone();
        let read = blocking(move || {
            let piece = reader.checked(pieces.next_piece());
            (piece.map(|piece| piece.map(|piece| encoded(&reader, piece))), pieces)
        });
        match read.await {
            Ok((Ok(Some(piece)), rest)) => {
                place.send(Ok(piece));
                pieces = rest;
            }
            Ok((Ok(None), _)) => return,
            Ok((Err(error), _)) | Err(error) => return place.send(Err(status(&error))),
        }
    }
}

/// Only the last piece has a header.
fn encoded(member: &Member, mut piece: RangeResponse) -> Bytes {
    if piece.header.is_some() {
        complete(member, &mut piece.header);
    }
    encode(&RangeStreamResponse { range_response: Some(piece) })
}
